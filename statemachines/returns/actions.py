"""What follows when a return's row is taken: each action yields what it asks for and changes nothing itself."""

from collections.abc import Iterator
from datetime import datetime

from statemachines.carrier import (
    CANCEL_SHIPMENT,
    CREATE_SHIPMENT,
    CancelShipment,
    Contents,
    CreateShipment,
    ShipmentCreated,
)
from statemachines.commands import Add, Call, Cancel, Change, Command, Send, Set, Start, Withdraw
from statemachines.declaration import Actor, Role, asks
from statemachines.pieces import Pieces, by_line
from statemachines.refund.news import (
    RefundDropped,
    Refunded,
    RefundFailed,
    RefundRetried,
    RefundReturned,
    RefundSettled,
)
from statemachines.returns import events
from statemachines.returns.events import (
    Depart,
    Inspect,
    Lose,
    Overdue,
    RefundBegun,
    Reject,
    ReplacementRefused,
    Request,
    Wish,
)
from statemachines.returns.model import ReturnCase, ReturnLine, ReturnPolicy
from statemachines.returns.news import ReturnDropped, ReturnSettled
from statemachines.values import money

NOT_SENT = "the pieces were not sent in time"
LOST = "the pieces never arrived"
KEPT = "the customer keeps the pieces"

LABEL_OVERDUE = "label_overdue"
"""The timer that watches for the carrier's label."""


def opened(case: ReturnCase, event: Request) -> ReturnCase:
    """Return the return as it is once it is asked for."""
    return case.model_copy(update={"order_id": event.order, **{name: getattr(event, name) for name in _ASKED}})


def announced(case: ReturnCase, event: Request) -> list[ReturnLine]:
    """Return what is to come back, a line of the order once."""
    named = {line.number: line for line in event.lines}
    return [
        ReturnLine(return_id=case.id, number=number, sku=named[number].sku, name=named[number].name, quantity=quantity)
        for number, quantity in by_line(event.lines).items()
    ]


_ASKED = ("called", "customer", "email", "currency", "wish", "reason", "requested_by")


def open_case(case: ReturnCase, event: Request) -> Iterator[Command]:
    """Write down what is to come back, and whose it is."""
    yield from (Add(line) for line in announced(case, event))
    yield Set(order_id=event.order, **{name: getattr(event, name) for name in _ASKED})


def look_no_longer(case: ReturnCase) -> Iterator[Command]:
    """Nobody has to look any more."""
    if case.attention:
        yield Set(attention=None)


# -- the label -----------------------------------------------------------------------------------------------------


@asks(CREATE_SHIPMENT)
def approve_small(case: ReturnCase, event: Request, now: datetime, policy: ReturnPolicy) -> Iterator[Command]:
    """Let a small return come without asking anybody."""
    yield from approve(opened(case, event), announced(case, event), now, policy)


@asks(CREATE_SHIPMENT)
def approve(case: ReturnCase, lines: list[ReturnLine], now: datetime, policy: ReturnPolicy) -> Iterator[Command]:
    """Let the pieces come, and ask the carrier for a label if the shop wants that."""
    yield Set(approved_at=now, label_asked=policy.return_to is not None)
    if policy.return_to is not None:
        contents = tuple(Contents(sku=line.sku, quantity=line.quantity) for line in lines)
        asked = CreateShipment(order=case.order_id, reference=case.id, address=policy.return_to, contents=contents)
        yield Call(CREATE_SHIPMENT, asked)
        yield Start(LABEL_OVERDUE, Overdue, now + policy.answer_within)


def do_without_label() -> Iterator[Command]:
    """Note that the carrier makes no label; the shop has to."""
    yield Set(label_asked=False)
    yield from await_no_label()


def await_no_label() -> Iterator[Command]:
    """Watch no longer for a label."""
    yield Cancel(LABEL_OVERDUE)


def keep_label(event: ShipmentCreated) -> Iterator[Command]:
    """Note the label that the carrier made."""
    yield Set(
        label_asked=False,
        label_url=event.label_url,
        carrier_shipment=event.shipment,
        tracking=event.tracking,
        tracking_url=event.tracking_url,
    )


def keep_own_label(event: events.SendLabel) -> Iterator[Command]:
    """Note the label that the shop made elsewhere."""
    yield Set(label_url=event.label_url, tracking=event.tracking, tracking_url=None)


@asks(CREATE_SHIPMENT, CANCEL_SHIPMENT)
def withdraw_label(case: ReturnCase) -> Iterator[Command]:
    """Want no label of the carrier any more, be it made or only asked for."""
    if case.label_asked:
        yield Withdraw(CREATE_SHIPMENT)
    if case.carrier_shipment:
        yield Call(CANCEL_SHIPMENT, CancelShipment(shipment=case.carrier_shipment, order=case.order_id))
    yield Set(label_asked=False, carrier_shipment=None)


@asks(CREATE_SHIPMENT, CANCEL_SHIPMENT)
def withdraw_unused_label(case: ReturnCase, actor: Actor) -> Iterator[Command]:
    """Want no label any more for pieces that go without; those that the carrier itself tells of go with one."""
    if actor.role is not Role.SYSTEM:
        yield from withdraw_label(case)


@asks(CANCEL_SHIPMENT)
def call_off_late_label(case: ReturnCase, event: ShipmentCreated) -> Iterator[Command]:
    """Call off a label that came when nobody wanted it any more."""
    yield Call(CANCEL_SHIPMENT, CancelShipment(shipment=event.shipment, order=case.order_id))


# -- on the way ----------------------------------------------------------------------------------------------------


def depart(case: ReturnCase, event: Depart, now: datetime) -> Iterator[Command]:
    """Note when the pieces were sent, and by what they are followed."""
    yield Set(departed_at=now)
    yield from note_tracking(case, event)


def note_tracking(case: ReturnCase, event: Depart) -> Iterator[Command]:
    """Note by what the pieces are followed."""
    if event.tracking not in (None, case.tracking):
        yield Set(tracking=event.tracking, tracking_url=None)


def receive(now: datetime) -> Iterator[Command]:
    """Note when the pieces arrived."""
    yield Set(received_at=now)


# -- pieces that stay with the customer ----------------------------------------------------------------------------


def drop_rejected(case: ReturnCase, event: Reject, lines: list[ReturnLine]) -> Iterator[Command]:
    """Leave the pieces with the customer, for the reason given."""
    yield from _drop(case, lines, event.reason)


def drop_cancelled(case: ReturnCase, event: events.Cancel, lines: list[ReturnLine]) -> Iterator[Command]:
    """Leave the pieces with the customer, as they want it."""
    yield from _drop(case, lines, event.reason or KEPT)


def drop_expired(case: ReturnCase, lines: list[ReturnLine]) -> Iterator[Command]:
    """Leave the pieces with a customer who did not send them."""
    yield from _drop(case, lines, NOT_SENT)


def drop_lost(case: ReturnCase, event: Lose, lines: list[ReturnLine]) -> Iterator[Command]:
    """Expect pieces no longer that never came."""
    yield from _drop(case, lines, event.reason or LOST)


def _drop(case: ReturnCase, lines: list[ReturnLine], reason: str) -> Iterator[Command]:
    yield Set(ended_because=reason)
    pieces = tuple(Pieces(number=line.number, quantity=line.quantity) for line in lines)
    yield Send("order", case.order_id, ReturnDropped(return_case=case.id, lines=pieces, reason=reason[:200]))


# -- pieces that came back -----------------------------------------------------------------------------------------


def note_findings(event: Inspect, lines: list[ReturnLine], actor: Actor, now: datetime) -> Iterator[Command]:
    """Keep what was found, and who looked."""
    rows = {line.number: line for line in lines}
    for found in event.lines:
        yield Change(rows[found.number], found.model_dump(exclude={"number"}))
    yield Set(inspected_at=now, inspected_by=actor.id, note=event.note)


def tell_settled(case: ReturnCase, event: Inspect, actor: Actor) -> Iterator[Command]:
    """Tell the order what came back; it answers with what it owes for it."""
    wish: Wish = "exchange" if case.wish == "exchange" else "refund"
    settled = ReturnSettled(return_case=case.id, lines=event.lines, wish=wish, inspected_by=actor.id)
    yield Send("order", case.order_id, settled)


# -- the money -----------------------------------------------------------------------------------------------------


def expect_refund(event: RefundBegun | ReplacementRefused) -> Iterator[Command]:
    """Note what is given back."""
    yield Set(refund_amount=event.amount)


def note_given(case: ReturnCase, event: Refunded) -> Iterator[Command]:
    """Note what was given back."""
    yield Set(refunded=case.refunded + event.amount)


def note_failed(case: ReturnCase, event: RefundFailed) -> Iterator[Command]:
    """Note what could not be given back; a person has to look at the refund."""
    failed = f"refund of {money(event.amount, case.currency)} failed: {event.reason}"
    yield Set(refund_due=case.refund_due + event.amount, attention=failed)


def note_came_back(case: ReturnCase, event: RefundReturned) -> Iterator[Command]:
    """Note that what was given did not arrive; a person has to look at the refund."""
    failed = f"refund of {money(event.amount, case.currency)} came back: {event.reason}"
    yield Set(refunded=case.refunded - event.amount, refund_due=case.refund_due + event.amount, attention=failed)


def note_retried(case: ReturnCase, event: RefundRetried) -> Iterator[Command]:
    """Note that what had failed is tried again."""
    yield from _owe_less(case, event.amount)


def note_settled(case: ReturnCase, event: RefundSettled) -> Iterator[Command]:
    """Note that what had failed was given back in another way."""
    yield from _owe_less(case, event.amount)
    yield Set(refunded=case.refunded + event.amount)


def note_dropped(case: ReturnCase, event: RefundDropped) -> Iterator[Command]:
    """Expect less: part of the money will not be given back."""
    if event.had_failed:
        yield from _owe_less(case, event.amount)
    yield Set(refund_dropped=case.refund_dropped + event.amount, ended_because=event.reason)


def _owe_less(case: ReturnCase, amount: int) -> Iterator[Command]:
    due = case.refund_due - amount
    yield Set(refund_due=due)
    if due == 0:
        yield Set(attention=None)
