"""Who may vote on a request, and what the votes come to."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence

from statemachines.approval.events import Request
from statemachines.approval.model import Approval, ApprovalSeat, ApprovalVote
from statemachines.approval.policy import ApprovalPolicy, Level


def levels_of(approval: Approval) -> list[Level]:
    """Return the levels of a request, as they were when it was put."""
    return [Level.model_construct(**each) for each in approval.levels]


def level_of(approval: Approval) -> Level:
    """Return the level that is asked now."""
    return levels_of(approval)[approval.level - 1]


def next_level(levels: Sequence[Level], amount: int | None, currency: str | None, after: int = 0) -> int | None:
    """Return the number of the next level that decides on such an amount; None if there is none."""
    numbered = enumerate(levels, 1)
    return next((at for at, level in numbered if at > after and level.decides_on(amount, currency)), None)


def asked_levels(event: Request, policy: ApprovalPolicy) -> tuple[Level, ...]:
    """Return who is to decide on a new request."""
    return event.levels or policy.levels_of(event.kind)


def seating(
    approval: Approval, requester: str, levels: Sequence[Level], policy: ApprovalPolicy
) -> Iterator[ApprovalSeat]:
    """Yield a seat for everybody whom the levels name: one for a person, none for the requester."""
    seated = {requester, *(person for level in levels for person in level.approvers)}
    for number, level in enumerate(levels, 1):
        reserves = level.escalate_to or policy.escalate_to
        named = [(person, False) for person in level.approvers if person != requester]
        named += [(person, True) for person in dict.fromkeys(reserves) if person not in seated]
        for person, reserve in named:
            yield ApprovalSeat(
                approval_id=approval.id,
                level=number,
                person=person,
                requested_by=requester,
                holder=person,
                reserve=reserve,
            )


def open_to_all(level: int, seats: Iterable[ApprovalSeat]) -> bool:
    """Tell whether everybody with the role may vote on a level: nobody was named for it."""
    return not any(seat.level == level and not seat.reserve for seat in seats)


def seats_of_level(level: int, seats: Iterable[ApprovalSeat], *, escalated: bool = False) -> list[ApprovalSeat]:
    """Return the seats of a level that count: those of the reserve only once it is escalated."""
    return [seat for seat in seats if seat.level == level and (escalated or not seat.reserve)]


def seat_of(person: str, approval: Approval, seats: Iterable[ApprovalSeat]) -> str | None:
    """Return in whose seat somebody may vote on the level that is asked now; None if in nobody's."""
    seats = list(seats)
    for seat in seats_of_level(approval.level, seats, escalated=approval.state == "escalated"):
        if seat.holder == person:
            return seat.person
    handed_on = any(seat.person == person != seat.holder for seat in seats)
    return person if open_to_all(approval.level, seats) and not handed_on else None


def seats_to_hand_on(person: str, seats: Iterable[ApprovalSeat]) -> list[ApprovalSeat]:
    """Return the seats that somebody may hand on: those held now or, if there are none, those given away before."""
    seats = list(seats)
    held = [seat for seat in seats if seat.holder == person]
    return held or [seat for seat in seats if seat.person == person]


def of_this_round(approval: Approval, votes: Iterable[ApprovalVote]) -> list[ApprovalVote]:
    """Return the votes that count."""
    return [vote for vote in votes if vote.round == approval.round]


def count(choice: str, approval: Approval, votes: Iterable[ApprovalVote]) -> int:
    """Count the votes of the level that is asked now."""
    votes = of_this_round(approval, votes)
    return sum(vote.level == approval.level and vote.choice == choice for vote in votes)


def yet_to_vote(seats: Iterable[ApprovalSeat], approval: Approval, votes: Iterable[ApprovalVote]) -> list[ApprovalSeat]:
    """Return those of the seats in which somebody may still vote."""
    voted = {vote.person for vote in of_this_round(approval, votes)}
    return [seat for seat in seats if seat.holder not in voted]


def fingerprint(approval: Approval) -> str:
    """Return the SHA-256 of all that is asked: who votes, votes on just that."""
    asked = [
        approval.kind,
        approval.reference,
        approval.machine,
        approval.subject_version,
        approval.description,
        approval.amount,
        approval.currency,
        approval.digest,
        approval.requested_by,
    ]
    return hashlib.sha256(json.dumps(asked, separators=(",", ":")).encode()).hexdigest()
