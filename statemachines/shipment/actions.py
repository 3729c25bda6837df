"""What follows when a shipment's row is taken: each action yields what it asks for and changes nothing itself."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from statemachines.carrier import (
    CANCEL_SHIPMENT,
    CREATE_SHIPMENT,
    Address,
    CancellationRefused,
    CancelShipment,
    Contents,
    CreateShipment,
    ShipmentCreated,
    ShipmentRefused,
)
from statemachines.commands import Add, Call, Command, Set, Withdraw
from statemachines.declaration import Actor, Role, asks
from statemachines.pieces import by_line
from statemachines.shipment.events import Book, Dispatch, Prepare
from statemachines.shipment.model import Shipment, ShipmentLine, ShipmentPolicy

# -- preparing ------------------------------------------------------------------------------------------------------


def prepared(shipment: Shipment, event: Prepare) -> Shipment:
    """Return the shipment as it is once it is prepared."""
    names = ("called", "customer", "email", "phone", "tracking")
    known = {name: getattr(event, name) for name in names}
    address = event.address.model_dump(mode="json") if event.address else None
    return shipment.model_copy(update={**known, "order_id": event.order, "address": address})


def lines_of(shipment: Shipment, event: Prepare) -> list[ShipmentLine]:
    """Return the lines of a new shipment, each line of the order once."""
    named = {each.number: each for each in event.lines}
    return [
        ShipmentLine(
            shipment_id=shipment.id,
            number=number,
            sku=named[number].sku,
            name=named[number].name,
            quantity=quantity,
        )
        for number, quantity in sorted(by_line(event.lines).items())
    ]


def put_down(shipment: Shipment, event: Prepare) -> Iterator[Command]:
    """Note what goes where."""
    yield from (Add(line) for line in lines_of(shipment, event))
    new = prepared(shipment, event)
    names = ("order_id", "called", "customer", "email", "phone", "address", "tracking")
    yield Set(**{name: getattr(new, name) for name in names})


def put_down_as_sent(now: datetime) -> Iterator[Command]:
    """Note that it left just when it was prepared."""
    yield Set(sent_at=now)


# -- the carrier ----------------------------------------------------------------------------------------------------


@asks(CREATE_SHIPMENT)
def book_if_wanted(shipment: Shipment, event: Prepare, policy: ShipmentPolicy) -> Iterator[Command]:
    """Have it fetched, if the shop wants that to happen by itself and there is an address."""
    new = prepared(shipment, event)
    if policy.ask_carrier and new.address:
        yield from _book(new, lines_of(shipment, event))


@asks(CREATE_SHIPMENT)
def book_now_if_wanted(shipment: Shipment, lines: list[ShipmentLine], policy: ShipmentPolicy) -> Iterator[Command]:
    """Have what waited for its pieces fetched, if the shop wants that to happen by itself and there is an address."""
    if policy.ask_carrier and shipment.address:
        yield from _book(shipment, lines)
    yield Set(attention=None)


@asks(CREATE_SHIPMENT)
def book(shipment: Shipment, event: Book, lines: list[ShipmentLine]) -> Iterator[Command]:
    """Ask the carrier to fetch it."""
    if event.address:
        shipment = shipment.model_copy(update={"address": event.address.model_dump(mode="json")})
    yield from _book(shipment, lines)
    yield Set(address=shipment.address, attention=None)


def _book(shipment: Shipment, lines: Iterable[ShipmentLine]) -> Iterator[Command]:
    asked = CreateShipment(
        order=shipment.order_id,
        reference=shipment.id,
        address=Address.model_validate(shipment.address),
        contents=tuple(Contents(sku=line.sku, quantity=line.quantity) for line in lines),
    )
    yield Call(CREATE_SHIPMENT, asked)
    yield Set(carrier_asked=True)


@asks(CREATE_SHIPMENT)
def book_no_longer(shipment: Shipment, actor: Actor) -> Iterator[Command]:
    """Don't ask the carrier if it has not been asked yet. If it has, its answer is yet to come.

    What somebody of the shop takes away needs no carrier, so that the answer is not waited for.
    """
    yield Withdraw(CREATE_SHIPMENT)
    yield Set(carrier_asked=shipment.carrier_asked and actor.role is Role.SYSTEM)


def note_booking(event: ShipmentCreated) -> Iterator[Command]:
    """Note what the carrier calls it."""
    yield Set(
        carrier_asked=False,
        carrier_shipment=event.shipment,
        tracking=event.tracking,
        tracking_url=event.tracking_url,
        label_url=event.label_url,
        attention=None,
    )


def note_no_booking(event: ShipmentRefused) -> Iterator[Command]:
    """Say why the carrier does not take it."""
    yield Set(carrier_asked=False, attention=f"the carrier refused it: {event.reason}")


def note_answer() -> Iterator[Command]:
    """Note that the carrier owes no answer any more."""
    yield Set(carrier_asked=False)


@asks(CANCEL_SHIPMENT)
def call_off(shipment: Shipment) -> Iterator[Command]:
    """Ask the carrier not to fetch it, or to bring it back."""
    assert shipment.carrier_shipment is not None
    yield _call_off(shipment, shipment.carrier_shipment)
    yield Set(attention=None)


@asks(CANCEL_SHIPMENT)
def call_off_booking(shipment: Shipment) -> Iterator[Command]:
    """Ask the carrier not to fetch what went another way; this carrier carries it no longer."""
    assert shipment.carrier_shipment is not None
    yield _call_off(shipment, shipment.carrier_shipment)
    yield Set(carrier_shipment=None, label_url=None)


@asks(CANCEL_SHIPMENT)
def call_off_in_vain(shipment: Shipment, event: ShipmentCreated) -> Iterator[Command]:
    """Ask the carrier not to fetch what it was asked for too long ago, and what nobody waits for any more."""
    yield _call_off(shipment, event.shipment)
    yield Set(carrier_asked=False)


def _call_off(shipment: Shipment, name: str) -> Command:
    return Call(CANCEL_SHIPMENT, CancelShipment(shipment=name, order=shipment.order_id))


def note_refusal(event: CancellationRefused) -> Iterator[Command]:
    """Say that the carrier goes on with it."""
    yield Set(attention=f"the carrier can't call it off: {event.reason}", recalled=False)


def note_booked_in_vain(event: CancellationRefused) -> Iterator[Command]:
    """Say that the carrier will come for something that is not there."""
    yield Set(attention=f"the carrier keeps '{event.shipment}', which is not needed: {event.reason}")


# -- the way of the parcel ------------------------------------------------------------------------------------------


def note_recall() -> Iterator[Command]:
    """Note that the order waits to hear what becomes of its recall."""
    yield Set(recalled=True)


def note_return() -> Iterator[Command]:
    """Note that the carrier brings it back."""
    yield Set(attention=None)


def note_sent(shipment: Shipment, event: Dispatch, now: datetime) -> Iterator[Command]:
    """Note when it left, and what it is followed by."""
    tracking = event.tracking or shipment.tracking
    page = shipment.tracking_url if tracking == shipment.tracking else None
    yield Set(sent_at=now, tracking=tracking, tracking_url=page, attention=None)


def note_tracking(shipment: Shipment, event: Dispatch) -> Iterator[Command]:
    """Note what it is followed by, if that was not known before."""
    if event.tracking and shipment.tracking is None:
        yield Set(tracking=event.tracking)


def note_delivered(shipment: Shipment, now: datetime) -> Iterator[Command]:
    """Note when it arrived; it left then at the latest."""
    yield Set(sent_at=shipment.sent_at or now, delivered_at=now, attention=None, recalled=False)


def note_lost(shipment: Shipment, now: datetime) -> Iterator[Command]:
    """Note that somebody has to do something about it."""
    yield Set(sent_at=shipment.sent_at or now, attention="it is lost", recalled=False)


def note_back(shipment: Shipment, now: datetime) -> Iterator[Command]:
    """Note that nothing is open any more."""
    yield Set(sent_at=shipment.sent_at or now, attention=None, recalled=False)


def note_off() -> Iterator[Command]:
    """Note that nothing is open any more."""
    yield Set(attention=None, recalled=False)
