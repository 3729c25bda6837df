"""What follows when an approval's row is taken: each action yields what it asks for and changes nothing itself."""

from collections.abc import Iterator
from datetime import datetime

from statemachines.approval.events import (
    ApprovalOpened,
    Delegate,
    Remind,
    Request,
    Resubmit,
    Vote,
)
from statemachines.approval.model import Approval, ApprovalSeat, ApprovalVote
from statemachines.approval.policy import ApprovalPolicy
from statemachines.approval.voting import (
    asked_levels,
    fingerprint,
    levels_of,
    next_level,
    seat_of,
    seating,
    seats_to_hand_on,
)
from statemachines.commands import Add, Change, Command, Send, Set, Start
from statemachines.declaration import Actor


def request(approval: Approval, event: Request, actor: Actor, policy: ApprovalPolicy) -> Approval:
    """Return the approval as it is once the request is put."""
    levels = asked_levels(event, policy)
    put = approval.model_copy(
        update={
            **{name: getattr(event, name) for name in _ASKED},
            "requested_by": event.requested_by or actor.id,
            "level": next_level(levels, event.amount, event.currency),
            "levels": [level.model_dump(exclude={"approvers", "escalate_to"}) for level in levels],
        }
    )
    return put.model_copy(update={"fingerprint": fingerprint(put)})


def again(approval: Approval, event: Resubmit) -> Approval:
    """Return the approval as it is once it is put again."""
    changes = {name: value for name in _CHANGED if (value := getattr(event, name)) is not None}
    put = approval.model_copy(update={**changes, "round": approval.round + 1})
    level = next_level(levels_of(put), put.amount, put.currency)
    return put.model_copy(update={"level": level, "fingerprint": fingerprint(put)})


_ASKED = ("kind", "reference", "machine", "subject_version", "description", "amount", "currency", "digest", "mail")
_CHANGED = ("amount", "description", "digest", "subject_version")


def put_request(approval: Approval, event: Request, actor: Actor, policy: ApprovalPolicy) -> Iterator[Command]:
    """Note what is asked, and by whom."""
    put = request(approval, event, actor, policy)
    names = (*_ASKED, "requested_by", "level", "levels", "fingerprint")
    yield Set(**{name: getattr(put, name) for name in names})


def seat_approvers(approval: Approval, event: Request, actor: Actor, policy: ApprovalPolicy) -> Iterator[Command]:
    """Give everybody who is named a seat."""
    requester = event.requested_by or actor.id
    yield from (Add(seat) for seat in seating(approval, requester, asked_levels(event, policy), policy))


def put_again(approval: Approval, event: Resubmit) -> Iterator[Command]:
    """Note what was changed; the votes so far count no longer, and the first level is asked again."""
    put = again(approval, event)
    yield Set(**{name: getattr(put, name) for name in (*_CHANGED, "round", "level", "fingerprint")})


def keep_vote(
    approval: Approval, event: Vote, actor: Actor, now: datetime, seats: list[ApprovalSeat]
) -> Iterator[Command]:
    """Keep the vote for ever."""
    seat = seat_of(actor.id, approval, seats)
    assert seat is not None
    comment: str | None = getattr(event, "reason", None) or getattr(event, "comment", None)
    yield Add(
        ApprovalVote(
            approval_id=approval.id,
            round=approval.round,
            person=actor.id,
            requested_by=approval.requested_by,
            seat=seat,
            level=approval.level,
            choice=event.event_name,
            comment=comment,
            fingerprint=approval.fingerprint,
            at=now,
        )
    )


def move_up(approval: Approval) -> Iterator[Command]:
    """Ask the next level."""
    yield Set(level=next_level(levels_of(approval), approval.amount, approval.currency, approval.level))


def hand_on(event: Delegate, actor: Actor, seats: list[ApprovalSeat]) -> Iterator[Command]:
    """Let somebody else vote in the person's seats."""
    yield from (Change(seat, {"holder": event.to}) for seat in seats_to_hand_on(actor.id, seats))


def remind_again(now: datetime, policy: ApprovalPolicy) -> Iterator[Command]:
    """Remind once more after a while, for as long as nothing is decided."""
    yield Start(Remind.event_name, Remind, now + policy.remind_every)


def tell_opened(approval: Approval, event: Request) -> Iterator[Command]:
    """Tell the entity that asks which approval it waits for."""
    if event.machine:
        yield Send(event.machine, event.reference, ApprovalOpened(approval=approval.id))
