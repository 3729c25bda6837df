"""When something may happen to an approval: each guard is a sentence that holds, or returns the reason why not."""

from statemachines.approval.events import Delegate, Request, Resubmit, Vote
from statemachines.approval.model import UNDECIDED, Approval, ApprovalSeat, ApprovalVote
from statemachines.approval.policy import ApprovalPolicy, Level
from statemachines.approval.voting import (
    asked_levels,
    count,
    level_of,
    levels_of,
    next_level,
    of_this_round,
    open_to_all,
    seat_of,
    seating,
    seats_of_level,
    seats_to_hand_on,
    yet_to_vote,
)
from statemachines.declaration import Actor, Role
from statemachines.values import money

# -- putting a request ---------------------------------------------------------------------------------------------


def asks_in_own_name(event: Request, actor: Actor) -> str | None:
    """Refuse people who ask in another's name, and entities that don't say in whose name they ask."""
    if actor.role is Role.SYSTEM:
        return None if event.requested_by else "say who asks: 'requested_by' is missing"
    return None if event.requested_by in (None, actor.id) else "everybody asks in their own name"


def an_entity_asks_itself(event: Request, actor: Actor) -> str | None:
    """Refuse people who ask on behalf of an entity: it would be told of approvals that it never asked for."""
    if actor.role is Role.SYSTEM or (event.machine is None and event.subject_version is None):
        return None
    return "an entity asks for approval by itself; leave 'machine' and 'subject_version' out"


def is_not_asked_already(event: Request, namesakes: list[Approval]) -> str | None:
    """Refuse a second request for what an entity waits for already."""
    for other in namesakes:
        if (other.machine, other.kind) == (event.machine, event.kind) and other.state in UNDECIDED:
            return f"{event.kind} '{event.reference}' waits for approval already, by '{other.id}'"
    return None


def asks_no_less_than_the_policy(event: Request, actor: Actor, policy: ApprovalPolicy) -> str | None:
    """Refuse levels of the requester's own that ask fewer people, or others, than the shop's policy does."""
    if actor.role is Role.SYSTEM or not event.levels:
        return None
    asked = {level.name: level for level in event.levels}
    for wanted in policy.levels_of(event.kind):
        level = asked.get(wanted.name)
        reason = "is missing" if level is None else _weaker(level, wanted, policy)
        if reason:
            return f"level '{wanted.name}' {reason}: this is less than the shop's policy asks for"
    return None


def _weaker(level: Level, wanted: Level, policy: ApprovalPolicy) -> str | None:
    """Return in what a level asks for less than is wanted."""
    if level.quorum < wanted.quorum:
        return f"has a quorum of {level.quorum}, not {wanted.quorum}"
    if level.rejections > wanted.rejections:
        return f"needs {level.rejections} rejections, not {wanted.rejections}"
    if any(most > wanted.above.get(currency, -1) for currency, most in level.above.items()):
        return "leaves amounts out"
    if wanted.approvers:
        helpers = {*wanted.approvers, *(wanted.escalate_to or policy.escalate_to)}
        strangers = {*level.approvers} - {*wanted.approvers} | {*level.escalate_to} - helpers
        if strangers or not level.approvers:
            return f"asks {', '.join(sorted(strangers)) or 'everybody'}"
    return None


def somebody_decides(event: Request, policy: ApprovalPolicy) -> str | None:
    """Refuse what no level decides on."""
    return _undecidable(asked_levels(event, policy), event.amount, event.currency)


def enough_may_vote(approval: Approval, event: Request, actor: Actor, policy: ApprovalPolicy) -> str | None:
    """Refuse a level that can't reach its quorum, since nobody votes on their own request."""
    levels, requester = asked_levels(event, policy), event.requested_by or actor.id
    seats = list(seating(approval, requester, levels, policy))
    for number, level in enumerate(levels, 1):
        left = len(seats_of_level(number, seats))
        if level.approvers and left < level.quorum:
            return (
                f"level '{level.name}' needs {level.quorum} approvals, but {left} of those named may vote: "
                f"'{requester}' asks"
            )
    return None


# -- voting --------------------------------------------------------------------------------------------------------


def is_not_the_requester(approval: Approval, actor: Actor) -> str | None:
    """Refuse whoever asked: nobody decides on their own request."""
    return f"'{actor.id}' asked for this; nobody decides on their own request" if _asked(approval, actor) else None


def has_seen_this_round(approval: Approval, event: Vote) -> str | None:
    """Refuse a vote on what was changed since."""
    if event.round == approval.round:
        return None
    return f"the vote is on round {event.round}, but the request was changed: this is round {approval.round}"


def votes_once(approval: Approval, actor: Actor, votes: list[ApprovalVote]) -> str | None:
    """Refuse a second vote of the same person, or in the same seat."""
    for vote in of_this_round(approval, votes):
        if vote.person == actor.id:
            return f"'{actor.id}' has voted already: {vote.choice}"
        if vote.seat == actor.id:
            return f"'{vote.person}' has voted for '{actor.id}' already: {vote.choice}"
    return None


def has_a_vote(approval: Approval, actor: Actor, seats: list[ApprovalSeat]) -> str | None:
    """Refuse whoever is not asked on this level."""
    if actor.role is not Role.APPROVER:
        return f"approvers vote; the role of '{actor.id}' is {actor.role}"
    for seat in seats:
        if seat.holder == actor.id and seat.level > approval.level and not seat.reserve:
            return f"'{actor.id}' votes on level '{levels_of(approval)[seat.level - 1].name}', which is not asked yet"
    if seat_of(actor.id, approval, seats) is not None:
        return None
    for seat in seats:
        if seat.person == actor.id != seat.holder:
            return f"'{actor.id}' handed the vote on to '{seat.holder}'"
    asked = seats_of_level(approval.level, seats, escalated=approval.state == "escalated")
    names = ", ".join(seat.holder for seat in asked)
    return f"'{actor.id}' has no vote on level '{level_of(approval).name}'; asked are: {names}"


def more_approvals_are_needed(approval: Approval, votes: list[ApprovalVote]) -> str | None:
    """Hold if this approval does not fill the level's quorum."""
    quorum, given = level_of(approval).quorum, count("approve", approval, votes) + 1
    return None if given < quorum else f"{given} of {quorum} approvals"


def another_level_decides(approval: Approval) -> str | None:
    """Hold if there is a further level."""
    further = next_level(levels_of(approval), approval.amount, approval.currency, approval.level)
    return None if further else f"level '{level_of(approval).name}' is the last"


def more_rejections_are_needed(approval: Approval, votes: list[ApprovalVote]) -> str | None:
    """Hold if this rejection is not enough."""
    needed, given = level_of(approval).rejections, count("reject", approval, votes) + 1
    return None if given < needed else f"{given} of {needed} rejections"


def others_can_decide(
    approval: Approval, actor: Actor, seats: list[ApprovalSeat], votes: list[ApprovalVote]
) -> str | None:
    """Hold if the quorum can still be reached without this person."""
    return _out_of_reach(approval, actor, seats, votes, escalated=approval.state == "escalated")


def the_reserve_can_decide(
    approval: Approval, actor: Actor, seats: list[ApprovalSeat], votes: list[ApprovalVote]
) -> str | None:
    """Hold if the quorum can be reached with those who help out."""
    return _out_of_reach(approval, actor, seats, votes, escalated=True)


def _out_of_reach(
    approval: Approval, actor: Actor, seats: list[ApprovalSeat], votes: list[ApprovalVote], *, escalated: bool
) -> str | None:
    if open_to_all(approval.level, seats):
        return None
    asked = [seat for seat in seats_of_level(approval.level, seats, escalated=escalated) if seat.holder != actor.id]
    quorum, given = level_of(approval).quorum, count("approve", approval, votes)
    left = len(yet_to_vote(asked, approval, votes))
    return None if given + left >= quorum else f"{given} approvals, {left} people left, {quorum} approvals needed"


# -- handing a vote on ---------------------------------------------------------------------------------------------


def has_a_vote_to_hand_on(
    approval: Approval, actor: Actor, seats: list[ApprovalSeat], votes: list[ApprovalVote]
) -> str | None:
    """Refuse whoever was not named for a level, or voted already."""
    if not seats_to_hand_on(actor.id, seats):
        return f"'{actor.id}' is not named for this request and has no vote to hand on"
    return votes_once(approval, actor, votes)


def goes_to_another_voter(
    approval: Approval, event: Delegate, actor: Actor, seats: list[ApprovalSeat], votes: list[ApprovalVote]
) -> str | None:
    """Refuse to hand a vote to the requester, or to somebody who has one: a person has one vote."""
    if event.to == approval.requested_by:
        return f"'{event.to}' asked for this; nobody decides on their own request"
    if any(seat.holder == event.to for seat in seats):
        return f"'{event.to}' has a vote already; a person has one vote"
    handed = seats_to_hand_on(actor.id, seats)
    if any(seat.person == event.to and seat not in handed for seat in seats):
        return f"'{event.to}' has handed a vote on, and takes no other"
    if any(vote.person == event.to for vote in of_this_round(approval, votes)):
        return f"'{event.to}' has voted already; a person has one vote"
    return None


# -- changing and withdrawing --------------------------------------------------------------------------------------


def is_the_requesters(approval: Approval, actor: Actor) -> str | None:
    """Refuse everybody but the requester and the entity that asked."""
    if actor.role is Role.SYSTEM or _asked(approval, actor):
        return None
    return f"'{approval.requested_by}' asked for this; nobody else changes or withdraws it"


def the_entity_says_what_it_asks(approval: Approval, actor: Actor) -> str | None:
    """Refuse people who change what an entity asks for."""
    if actor.role is Role.SYSTEM or approval.machine is None:
        return None
    return f"what is asked for is changed at {approval.machine} '{approval.reference}' itself"


def changes_something(approval: Approval, event: Resubmit) -> str | None:
    """Refuse to ask everybody anew for the same thing while they are deciding."""
    names = ("amount", "description", "digest", "subject_version")
    changed = any(getattr(event, name) not in (None, getattr(approval, name)) for name in names)
    return None if changed else "nothing is changed"


def keeps_its_currency(approval: Approval, event: Resubmit) -> str | None:
    """Refuse an amount where there was none."""
    if event.amount is None or approval.currency is not None:
        return None
    return "it was put without an amount, so without a currency; withdraw it and ask anew"


def somebody_decides_on_the_change(approval: Approval, event: Resubmit) -> str | None:
    """Refuse what no level decides on."""
    amount = approval.amount if event.amount is None else event.amount
    return _undecidable(levels_of(approval), amount, approval.currency)


def rounds_are_left(approval: Approval, policy: ApprovalPolicy) -> str | None:
    """Refuse to put the same request for ever."""
    if approval.round < policy.rounds:
        return None
    return f"it was put {approval.round} times; the limit is {policy.rounds}"


def _asked(approval: Approval, actor: Actor) -> bool:
    return actor.id == approval.requested_by and actor.role is not Role.SYSTEM


def _undecidable(levels: tuple[Level, ...] | list[Level], amount: int | None, currency: str | None) -> str | None:
    if next_level(levels, amount, currency) is not None:
        return None
    what = "what has no amount" if amount is None or currency is None else money(amount, currency)
    return f"no level decides on {what}"
