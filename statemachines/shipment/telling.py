"""What a shipment's order is told, in the same transaction."""

from collections.abc import Iterator, Sequence

from statemachines.carrier import CancellationRefused
from statemachines.commands import Command, Send
from statemachines.pieces import Pieces
from statemachines.shipment import news
from statemachines.shipment.actions import lines_of, prepared
from statemachines.shipment.events import Dispatch, Prepare
from statemachines.shipment.model import Shipment, ShipmentLine

NOBODY_TO_ASK = "no carrier is known that could bring it back"
DELIVERED = "it was delivered"
LOST = "it is lost"


def tell_sent_at_once(shipment: Shipment, event: Prepare) -> Iterator[Command]:
    """Tell the order that it left just when it was prepared."""
    new = prepared(shipment, event)
    pieces = _pieces(lines_of(shipment, event))
    yield _tell(new, news.ShipmentSent(shipment=new.id, lines=pieces, tracking=event.tracking))


def tell_dispatched(shipment: Shipment, event: Dispatch, lines: list[ShipmentLine]) -> Iterator[Command]:
    """Tell the order that it left."""
    tracking = event.tracking or shipment.tracking
    yield _tell(shipment, news.ShipmentSent(shipment=shipment.id, lines=_pieces(lines), tracking=tracking))


def tell_sent(shipment: Shipment, lines: list[ShipmentLine]) -> Iterator[Command]:
    """Tell the order that it left, which nobody noticed then."""
    yield _tell(shipment, news.ShipmentSent(shipment=shipment.id, lines=_pieces(lines), tracking=shipment.tracking))


def tell_delivered(shipment: Shipment, lines: list[ShipmentLine]) -> Iterator[Command]:
    """Tell the order that it arrived; whoever called it back knows by that."""
    was_lost = shipment.state == "lost"
    yield _tell(shipment, news.ShipmentDelivered(shipment=shipment.id, lines=_pieces(lines), was_lost=was_lost))


def tell_lost(shipment: Shipment, lines: list[ShipmentLine]) -> Iterator[Command]:
    """Tell the order that it is lost; whoever called it back knows by that."""
    yield _tell(shipment, news.ShipmentLost(shipment=shipment.id, lines=_pieces(lines)))


def tell_back(shipment: Shipment, lines: list[ShipmentLine]) -> Iterator[Command]:
    """Tell the order that it is back."""
    was_lost = shipment.state == "lost"
    yield _tell(shipment, news.ShipmentReturned(shipment=shipment.id, lines=_pieces(lines), was_lost=was_lost))


def tell_off(shipment: Shipment, lines: list[ShipmentLine]) -> Iterator[Command]:
    """Tell the order that it never left."""
    yield _tell(shipment, news.ShipmentCancelled(shipment=shipment.id, lines=_pieces(lines)))


def tell_recall_refused(shipment: Shipment, event: CancellationRefused, lines: list[ShipmentLine]) -> Iterator[Command]:
    """Tell the order, if it asked, why the carrier does not call it back."""
    if shipment.recalled:
        yield _refusal(shipment, lines, event.reason)


def tell_nobody_to_ask(shipment: Shipment, lines: list[ShipmentLine]) -> Iterator[Command]:
    """Tell the order that nobody can be asked to bring it back."""
    yield _refusal(shipment, lines, NOBODY_TO_ASK)


def tell_too_late(shipment: Shipment, lines: list[ShipmentLine]) -> Iterator[Command]:
    """Tell the order that the parcel has come to its end."""
    yield _refusal(shipment, lines, DELIVERED if shipment.state == "delivered" else LOST)


def _refusal(shipment: Shipment, lines: list[ShipmentLine], reason: str) -> Command:
    return _tell(shipment, news.RecallRefused(shipment=shipment.id, lines=_pieces(lines), reason=reason))


def _tell(shipment: Shipment, told: news.News) -> Command:
    return Send("order", shipment.order_id, told)


def _pieces(lines: Sequence[ShipmentLine]) -> tuple[Pieces, ...]:
    return tuple(Pieces(number=line.number, quantity=line.quantity) for line in lines)
