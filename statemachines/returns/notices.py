"""What people are told of a return: the customer by mail, the shop by chat where somebody has to act."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from statemachines.carrier import CancellationRefused, ShipmentCreated, ShipmentRefused
from statemachines.commands import Call, Command, Set
from statemachines.declaration import Actor, Role, asks
from statemachines.letters import (
    InspectedPieces,
    ReturnApproved,
    ReturnEnded,
    ReturnInspected,
    ReturnReceived,
)
from statemachines.messages import POST_MESSAGE, SEND_MAIL, PostMessage, mail
from statemachines.pieces import NamedPieces
from statemachines.returns.actions import announced, opened
from statemachines.returns.events import (
    Cancel,
    Lose,
    NothingOwed,
    RefundBegun,
    Reject,
    ReplacementRefused,
    ReplacementSent,
    Request,
    SendLabel,
)
from statemachines.returns.model import ReturnCase, ReturnLine, ReturnPolicy

# -- the shop ------------------------------------------------------------------------------------------------------


@asks(POST_MESSAGE)
def ask_shop(case: ReturnCase, event: Request) -> Iterator[Command]:
    """Tell the shop that a return waits for its decision."""
    pieces = ", ".join(f"{line.quantity} {line.name}" for line in announced(case, event)[:10])
    why = f" ({event.reason})" if event.reason else ""
    text = f"Return {case.id} of order {event.called} waits for your decision: {pieces}{why}"
    yield Call(POST_MESSAGE, PostMessage(text=text))


@asks(POST_MESSAGE)
def ask_to_look(case: ReturnCase) -> Iterator[Command]:
    """Ask somebody of the shop to look at what does not go on."""
    yield from _attract(case, case.attention or _WAITS_FOR[case.state])


@asks(POST_MESSAGE)
def ask_for_own_label(case: ReturnCase, event: ShipmentRefused) -> Iterator[Command]:
    """Ask the shop to make a label itself."""
    yield from _attract(case, f"the carrier makes no label: {event.reason}")


@asks(POST_MESSAGE)
def warn_of_parcel(case: ReturnCase, event: CancellationRefused) -> Iterator[Command]:
    """Tell the shop that the carrier does not call a label off."""
    yield from _attract(case, f"the carrier does not call shipment {event.shipment} off: {event.reason}")


@asks(POST_MESSAGE)
def ask_about_loss(case: ReturnCase, event: Lose) -> Iterator[Command]:
    """Ask the shop what to do about a parcel that the carrier has lost."""
    yield from _attract(case, f"the carrier has lost the parcel: {event.reason or 'no reason given'}")


_WAITS_FOR = {
    "requested": "nobody has decided on it",
    "approved": "the carrier does not answer about a label",
    "in_transit": "the pieces have not arrived",
    "received": "nobody has inspected the pieces",
    "refunding": "the money has not been given back",
}


def _attract(case: ReturnCase, text: str) -> Iterator[Command]:
    yield Set(attention=text[:500])
    yield Call(POST_MESSAGE, PostMessage(text=f"Return {case.id} of order {case.called} needs attention: {text}"))


# -- the customer --------------------------------------------------------------------------------------------------


@asks(SEND_MAIL)
def tell_approved_small(case: ReturnCase, event: Request, now: datetime, policy: ReturnPolicy) -> Iterator[Command]:
    """Tell the customer at once that the pieces may be sent."""
    yield from tell_approved(opened(case, event), announced(case, event), now, policy)


@asks(SEND_MAIL)
def tell_approved(case: ReturnCase, lines: list[ReturnLine], now: datetime, policy: ReturnPolicy) -> Iterator[Command]:
    """Tell the customer that the pieces may be sent, and until when."""
    wanted = case.model_copy(update={"label_asked": policy.return_to is not None})
    yield from _tell_how_to_send(wanted, "approval", lines, now + policy.send_within)


@asks(SEND_MAIL)
def tell_label(
    case: ReturnCase, event: ShipmentCreated | SendLabel, lines: list[ReturnLine], now: datetime, policy: ReturnPolicy
) -> Iterator[Command]:
    """Send the customer the label."""
    labelled = case.model_copy(
        update={"label_url": event.label_url, "tracking": event.tracking, "label_asked": False},
    )
    yield from _tell_how_to_send(labelled, "label", lines, now + policy.send_within)


@asks(SEND_MAIL)
def remind(case: ReturnCase, lines: list[ReturnLine], policy: ReturnPolicy) -> Iterator[Command]:
    """Remind the customer that the pieces were not sent, before it is too late."""
    assert case.state_since is not None
    yield from _tell_how_to_send(case, "reminder", lines, case.state_since + policy.send_within)


def _tell_how_to_send(
    case: ReturnCase, occasion: Literal["approval", "label", "reminder"], lines: list[ReturnLine], until: datetime
) -> Iterator[Command]:
    if case.email:
        message = ReturnApproved(
            occasion=occasion,
            order=case.called,
            return_case=case.id,
            pieces=tuple(
                NamedPieces(number=line.number, sku=line.sku, name=line.name, quantity=line.quantity) for line in lines
            ),
            label_url=case.label_url,
            tracking=case.tracking,
            label_follows=case.label_asked,
            expires_at=until,
        )
        yield mail(case.email, message)


@asks(SEND_MAIL)
def tell_received(case: ReturnCase) -> Iterator[Command]:
    """Tell the customer that the pieces arrived."""
    if case.email:
        yield mail(case.email, ReturnReceived(order=case.called, return_case=case.id))


@asks(SEND_MAIL)
def tell_result(
    case: ReturnCase,
    event: RefundBegun | NothingOwed | ReplacementSent | ReplacementRefused,
    lines: list[ReturnLine],
) -> Iterator[Command]:
    """Tell the customer what was found, and what is given for it."""
    if case.email:
        yield mail(case.email, _result(case, event, lines))


def _result(
    case: ReturnCase, event: RefundBegun | NothingOwed | ReplacementSent | ReplacementRefused, lines: list[ReturnLine]
) -> ReturnInspected:
    outcome: Literal["refund", "nothing", "replacement", "refund_instead"]
    amount = 0
    match event:
        case RefundBegun():
            outcome, amount = "refund", event.amount
        case ReplacementRefused():
            outcome, amount = "refund_instead", event.amount
        case ReplacementSent():
            outcome = "replacement"
        case NothingOwed():
            outcome = "nothing"
    return ReturnInspected(
        outcome=outcome,
        order=case.called,
        return_case=case.id,
        pieces=tuple(
            InspectedPieces(
                name=line.name,
                accepted=line.accepted,
                damaged=line.damaged,
                refused=line.refused,
                percent=line.percent,
            )
            for line in lines
        ),
        amount=amount,
        currency=case.currency,
        note=case.note,
    )


@asks(SEND_MAIL)
def tell_rejected(case: ReturnCase, event: Reject) -> Iterator[Command]:
    """Tell the customer that the pieces are not taken back."""
    yield from _tell_ended(case, "rejected", event.reason)


@asks(SEND_MAIL)
def tell_cancelled(case: ReturnCase, event: Cancel, actor: Actor) -> Iterator[Command]:
    """Tell the customer that the shop called the return off; a customer who did so knows."""
    if actor.role is not Role.CUSTOMER:
        yield from _tell_ended(case, "cancelled", event.reason)


@asks(SEND_MAIL)
def tell_expired(case: ReturnCase) -> Iterator[Command]:
    """Tell the customer that it is too late now."""
    yield from _tell_ended(case, "expired", None)


@asks(SEND_MAIL)
def tell_lost(case: ReturnCase, event: Lose) -> Iterator[Command]:
    """Tell the customer that nothing arrived."""
    yield from _tell_ended(case, "lost", event.reason)


def _tell_ended(
    case: ReturnCase, outcome: Literal["rejected", "cancelled", "expired", "lost"], reason: str | None
) -> Iterator[Command]:
    if case.email:
        yield mail(case.email, ReturnEnded(outcome=outcome, order=case.called, return_case=case.id, reason=reason))
