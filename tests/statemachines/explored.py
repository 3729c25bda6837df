"""A shop to explore: what people, gateways and carriers may do in it, and what has to hold whatever they do."""

import sqlite3
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy import CheckConstraint
from sqlalchemy.dialects import sqlite

from persistence.tables import TABLES
from statemachines import carrier, payments
from statemachines.approval import Approval
from statemachines.approval.model import UNDECIDED
from statemachines.declaration import Actor, Event, Policy, Role
from statemachines.exploration import Answers, Exploration, Invariant, Move, explore
from statemachines.machine import Machine
from statemachines.order import Order, OrderLine
from statemachines.order.events import Cancel, Create, Fulfill, Pay, Resume, Retry, Submit
from statemachines.payment import Payment
from statemachines.payment import events as payment
from statemachines.payment.events import Taking
from statemachines.product import Create as CreateProduct
from statemachines.refund import Refund
from statemachines.refund import events as refund
from statemachines.registry import MACHINES, Registry
from statemachines.returns.model import ReturnCase, ReturnLine
from statemachines.shipment import Shipment
from statemachines.shipment.events import Deliver
from statemachines.stock import Stock
from statemachines.transaction import Asked
from statemachines.world import World

A = TypeVar("A", bound=BaseModel)

ANNA = Actor("anna", Role.CUSTOMER)
MERCHANT = Actor("shop", Role.MERCHANT)
EVE = Actor("eve", Role.APPROVER)

PRICE = 1000
SHELF = 3
ORDER = "ord_0001"
ADDRESS = {"name": "Anna", "lines": ("Road 1",), "city": "Town", "country": "DE"}

RESTING = {
    "order": ["completed"],
    "payment": ["captured", "voided", "dispute_won"],
    "refund": ["succeeded"],
    "shipment": ["lost"],
    "return": ["refunded"],
    "reservation": ["taken"],
}
"""Where an entity may stay for ever, beside its final states."""

TEXTS = ("attention", "reason", "payment_url", "comment", "decided_because", "attempts")
"""Columns that nothing depends on."""


def shop(
    pieces: int = 1, *, address: bool = False, submitted: bool = True, other: Machine | None = None, **policies: Policy
) -> World:
    """Return a shop with a few mugs, in which Anna has ordered some.

    Args:
        pieces: how many she ordered.
        address: whether a carrier brings them.
        submitted: whether she has submitted the order.
        other: a machine that stands in for the shop's own of that name.
        policies: the figures of machines.
    """
    machines = Registry(other if other and machine.name == other.name else machine for machine in MACHINES)
    world = World(machines.with_policies(policies))
    mug = CreateProduct(sku="MUG", name="Mug", price=PRICE, currency="EUR", on_hand=SHELF)
    world.given("product", None, mug, MERCHANT)
    lines = [{"sku": "MUG", "quantity": pieces}]
    asked = Create.model_validate({"lines": lines, "address": ADDRESS if address else None})
    world.given("order", None, asked, ANNA)
    if submitted:
        world.given("order", ORDER, Submit(), ANNA)
    return world


def paid(pieces: int = 1, take: Taking = "now", **more: Any) -> World:
    """Return a shop in which Anna has paid her order, at once or by money that is held ready; see `shop`."""
    world = shop(pieces, **more)
    world.given("order", ORDER, Pay(method="tok_1", take=take), ANNA)
    (asked,) = world.awaited
    world.answer(asked, next(iter(ANSWERS[asked.call.effect.name](asked))))
    return world


def delivered(pieces: int = 1, **more: Any) -> World:
    """Return a shop in which Anna's order has arrived; see `shop`."""
    world = paid(pieces, **more)
    world.given("order", ORDER, Fulfill(), MERCHANT)
    world.given("shipment", "shp_0001", Deliver(), MERCHANT)
    return world


# -- what people may do --------------------------------------------------------------------------------------------


def anna(machine: str, event: Event, times: int | None = None) -> Move:
    """Return what the customer may do."""
    return Move(machine, event, ANNA, times)


def merchant(machine: str, event: Event, times: int | None = None) -> Move:
    """Return what the shop may do."""
    return Move(machine, event, MERCHANT, times)


CANCEL = [anna("order", Cancel()), merchant("order", Cancel())]
PUT_RIGHT = [
    merchant("payment", payment.Settle(reason="seen to"), 1),
    merchant("refund", refund.Retry(), 1),
    merchant("refund", refund.Settle(reason="by transfer")),
    merchant("order", Retry(), 1),
    merchant("order", Resume()),
]
"""What a person does about what could not be finished."""

ONE_PIECE = ({"number": 1, "quantity": 1},)


def explored(
    world: World,
    *moves: Move,
    answers: Answers | None = None,
    also: Iterable[Invariant] = (),
    resting: Iterable[str] = (),
    database: bool = True,
) -> Exploration:
    """Explore a world with all that has to hold.

    Args:
        world: where it begins.
        moves: what people may do.
        answers: what gateways may answer, where it is something else than usual.
        also: what has to hold besides.
        resting: where orders may stay for ever besides.
        database: whether what tables check is among what has to hold.
    """
    rules = [*([Database().takes_every_row] if database else []), *BOOKS, *also]
    places = {**RESTING, "order": [*RESTING["order"], *resting]}
    return explore(world, moves, {**ANSWERS, **(answers or {})}, rules, resting=places, ignoring=TEXTS)


# -- what gateways may answer --------------------------------------------------------------------------------------


def _charged(asked: Asked) -> Iterator[Event]:
    call = _arguments(asked, payments.ChargeArguments)
    yield payments.Charged(amount=call.amount, currency=call.currency, payment=f"gw_{asked.id}")
    yield payments.Declined(reason="no funds")


def _authorized(asked: Asked) -> Iterator[Event]:
    call = _arguments(asked, payments.AuthorizeArguments)
    yield payments.Authorized(amount=call.amount, currency=call.currency, payment=f"gw_{asked.id}")
    yield payments.Declined(reason="no funds")


def asked_first(asked: Asked) -> Iterator[Event]:
    """Answer as a bank does that wants to hear from the customer first."""
    if asked.answer is None:
        yield payments.CustomerActionRequired(payment=f"gw_{asked.id}", url="https://bank.example/confirm")
    yield from (_charged if asked.call.effect is payments.CHARGE else _authorized)(asked)


def wrongly_charged(asked: Asked) -> Iterator[Event]:
    """Answer with another amount or currency than was asked for."""
    call = _arguments(asked, payments.ChargeArguments)
    for amount, currency in ((1, "EUR"), (call.amount + 500, "EUR"), (call.amount, "USD")):
        yield payments.Charged(amount=amount, currency=currency, payment=f"gw_{asked.id}")


def _captured(asked: Asked) -> Iterator[Event]:
    call = _arguments(asked, payments.CaptureArguments)
    taken = {"amount": call.amount, "total": call.captured + call.amount, "currency": call.currency}
    yield payments.Captured.model_validate({**taken, "payment": call.payment, "held": 0 if call.final else PRICE})
    yield payments.CaptureFailed(amount=call.amount, payment=call.payment, reason="too late")


def _voided(asked: Asked) -> Iterator[Event]:
    call = _arguments(asked, payments.VoidArguments)
    yield payments.Voided(payment=call.payment)
    yield payments.VoidFailed(payment=call.payment, reason="too late")


def _refunded(asked: Asked) -> Iterator[Event]:
    call = _arguments(asked, payments.RefundArguments)
    yield payments.Refunded(amount=call.amount, currency=call.currency, refund=f"gw_{asked.id}")
    yield payments.RefundFailed(amount=call.amount, reason="account closed")


def _booked(asked: Asked) -> Iterator[Event]:
    yield carrier.ShipmentCreated(shipment=f"c-{asked.id}", tracking="T1")
    yield carrier.ShipmentRefused(reason="too heavy")


def _called_off(asked: Asked) -> Iterator[Event]:
    call = _arguments(asked, carrier.CancelShipment)
    yield carrier.ShipmentCancelled(shipment=call.shipment)
    yield carrier.CancellationRefused(shipment=call.shipment, reason="gone")


def _arguments(asked: Asked, kind: type[A]) -> A:
    assert isinstance(asked.call.arguments, kind)
    return asked.call.arguments


ANSWERS: Answers = {
    "payments.charge": _charged,
    "payments.authorize": _authorized,
    "payments.capture": _captured,
    "payments.void": _voided,
    "payments.refund": _refunded,
    "carrier.create_shipment": _booked,
    "carrier.cancel_shipment": _called_off,
}


# -- what has to hold ----------------------------------------------------------------------------------------------


def no_more_goes_back_than_was_taken(world: World) -> str | None:
    """By the order's own amounts, and by what the gateway answered."""
    for order in world.rows(Order):
        back = order.refunded + order.refunding + order.refund_due + order.charged_back
        if back > order.paid or min(order.refunded, order.refunding, order.refund_due, order.charged_back) < 0:
            return f"{order.id}: {order.paid} taken, {back} back or on the way back"
    taken = _answered(world, "payments.charge", "amount") + _answered(world, "payments.capture", "amount")
    given = _answered(world, "payments.refund", "amount")
    return None if given <= taken else f"the gateway took {taken} and gave {given} back"


def _answered(world: World, effect: str, field: str) -> int:
    answers = [(asked.call.effect, asked.answer) for asked in world.asked if asked.call.effect.name == effect]
    return sum(getattr(answer, field) for each, answer in answers if each.ok and isinstance(answer, each.ok))


def an_order_knows_what_its_payments_and_refunds_know(world: World) -> str | None:
    for order in world.rows(Order):
        mine = [each for each in world.rows(Payment) if each.order_id == order.id]
        refunds = [each for each in world.rows(Refund) if each.order_id == order.id]
        known = {
            "asked": sum(each.asked for each in mine),
            "authorized": sum(each.held for each in mine),
            "paid": sum(each.captured for each in mine),
            "charged_back": sum(each.charged_back for each in mine),
            "refunded": sum(each.amount for each in refunds if each.state == "succeeded"),
            "refund_due": sum(each.amount for each in refunds if each.state == "failed"),
            "refunding": sum(
                each.amount
                for each in refunds
                if each.state in ("requested", "awaiting_approval", "approved", "processing")
            ),
        }
        for name, amount in known.items():
            if getattr(order, name) != amount:
                return f"{order.id} says {name}={getattr(order, name)}; its payments and refunds say {amount}"
        if order.refunded != sum(each.refunded for each in mine):
            return f"{order.id} says refunded={order.refunded}; its payments say otherwise"
        if order.refunding + order.refund_due != sum(each.refunding for each in mine):
            return (
                f"{order.id} says {order.refunding} are refunded and {order.refund_due} due; its payments say otherwise"
            )
    return None


def no_piece_is_lost_or_there_twice(world: World) -> str | None:
    """What is on the shelf and what orders hold is what the shop had."""
    shelf, out, reserved = world.rows(Stock)[0], 0, 0
    for order in world.rows(Order):
        lines = [line for line in world.rows(OrderLine) if line.order_id == order.id]
        returns = [case.id for case in world.rows(ReturnCase) if case.order_id == order.id]
        damaged = sum(line.damaged for line in world.rows(ReturnLine) if line.return_id in returns)
        inspected = sum(
            line.accepted
            for line in world.rows(ReturnLine)
            if line.return_id in returns and world.entity("return", line.return_id).state == "inspected"
        )
        kept = sum(line.kept for line in lines)
        out += damaged + sum(line.missing for line in lines) - inspected
        match order.stock_held:
            case "reserved":
                reserved += kept
            case "taken":
                out += kept
            case _:
                out += sum(line.delivered + line.lost + line.unavailable for line in lines)
    if (shelf.on_hand, shelf.reserved) == (SHELF - out, reserved):
        return None
    return f"{shelf.on_hand} on hand, {shelf.reserved} reserved; it should be {SHELF - out} and {reserved}"


def an_order_that_was_called_off_leaves_nothing_behind(world: World) -> str | None:
    for order in world.rows(Order):
        if order.state != "cancelled":
            continue
        if order.stock_held != "nothing":
            return f"{order.id} is cancelled and its pieces are {order.stock_held}"
        for each in world.rows(Payment):
            if each.order_id == order.id and (each.asked or each.held) and not each.void_asked:
                return f"{order.id} is cancelled and {each.id} may still take money"
            if each.order_id == order.id and _left(each):
                return f"{order.id} is cancelled and {_left(each)} of {each.id} are kept"
        for shipment in world.rows(Shipment):
            if shipment.order_id == order.id and shipment.state not in GONE_OR_BACK:
                return f"{order.id} is cancelled and {shipment.id} is {shipment.state}"
    return None


def _left(paid: Payment) -> int:
    """Return what was taken and neither given back nor asked to be."""
    return paid.captured - paid.refunded - paid.refunding - paid.charged_back


GONE_OR_BACK = ("cancelled", "returned_to_sender", "lost", "delivered")


def nobody_votes_on_what_has_ended(world: World) -> str | None:
    for approval in world.rows(Approval):
        if approval.state in UNDECIDED and approval.machine is not None:
            subject = world.entity(approval.machine, approval.reference)
            if subject.state != "awaiting_approval":
                return f"{approval.id} is {approval.state}, but {subject.id} is {subject.state}"
    return None


BOOKS: list[Invariant] = [
    no_more_goes_back_than_was_taken,
    an_order_knows_what_its_payments_and_refunds_know,
    no_piece_is_lost_or_there_twice,
    an_order_that_was_called_off_leaves_nothing_behind,
    nobody_votes_on_what_has_ended,
]
"""What has to hold in every shop."""


class Database:
    """What the database would say to a world's rows."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:")
        self._seen: set[int] = set()

    def takes_every_row(self, world: World) -> str | None:
        for kind, rows in world._held.rows.items():
            for kept in rows.values():
                if kept.number not in self._seen:
                    if wrong := self._wrong(kind, vars(kept.row)):
                        return f"{kind.__name__}: {wrong}"
                    assert kept.number is not None
                    self._seen.add(kept.number)
        return None

    def _wrong(self, kind: type, values: dict[str, Any]) -> str | None:
        names = [name for name, value in values.items() if not isinstance(value, dict | list)]
        selected = ", ".join(f"? AS {name}" for name in names)
        for name, rule in _rules(kind):
            (holds,) = self._connection.execute(
                f"SELECT ({rule}) FROM (SELECT {selected})", [_plain(values[each]) for each in names]
            ).fetchone()
            if holds == 0:
                return f"{name}: {rule} in {values}"
        return None


@cache
def _rules(kind: type) -> list[tuple[str, str]]:
    """Return the names and the conditions of what a table checks."""
    checks = [each for each in TABLES[kind].constraints if isinstance(each, CheckConstraint)]
    return [(str(each.name), str(each.sqltext.compile(dialect=sqlite.dialect()))) for each in checks]


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, int | str) else str(value)
