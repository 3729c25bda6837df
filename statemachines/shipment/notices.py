"""What people are told of a shipment: the customer by mail and SMS, the shop by chat.

A customer is told where the order names an address, and not of what the order called off.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from statemachines.carrier import CancellationRefused, ShipmentRefused
from statemachines.commands import Call, Command, Set
from statemachines.declaration import asks
from statemachines.letters import DeliveryFailed, OrderDelivered, OrderShipped
from statemachines.messages import POST_MESSAGE, SEND_MAIL, SEND_SMS, PostMessage, SendSms, mail
from statemachines.pieces import NamedPieces
from statemachines.shipment.actions import lines_of, prepared
from statemachines.shipment.events import Dispatch, Lose, Prepare, SendBack
from statemachines.shipment.model import Shipment, ShipmentLine

OVERDUE = {
    "backordered": "its pieces have not come into the house",
    "pending": "it has not left the house",
    "refused": "the carrier refused it, and it has not left the house",
    "label": "the carrier has not fetched it",
    "cancelling": "the carrier has not said whether it calls it off",
    "in_transit": "nothing was heard of it since it left",
    "recalling": "the carrier has not said whether it brings it back",
    "returning": "it is not back yet",
}
"""What a person should look at in a shipment that has stayed in a state for too long."""

# -- the customer ---------------------------------------------------------------------------------------------------


@asks(SEND_MAIL, SEND_SMS)
def write_sent_at_once(shipment: Shipment, event: Prepare) -> Iterator[Command]:
    """Tell the customer that the parcel is on its way, prepared and sent in one."""
    yield from _write_sent(prepared(shipment, event), lines_of(shipment, event), event.tracking)


@asks(SEND_MAIL, SEND_SMS)
def write_sent(shipment: Shipment, event: Dispatch, lines: list[ShipmentLine]) -> Iterator[Command]:
    """Tell the customer that the parcel is on its way."""
    yield from _write_sent(shipment, lines, event.tracking)


@asks(SEND_MAIL)
def write_delivered(shipment: Shipment, lines: list[ShipmentLine]) -> Iterator[Command]:
    """Tell the customer that the parcel arrived, so that one that did not is missed."""
    if shipment.email:
        yield mail(shipment.email, OrderDelivered(order=shipment.called, pieces=_pieces(lines)))


@asks(SEND_MAIL)
def write_lost(shipment: Shipment, lines: list[ShipmentLine]) -> Iterator[Command]:
    """Tell the customer that the parcel is lost."""
    yield from _write_failed(shipment, lines, "lost")


@asks(SEND_MAIL)
def write_back(shipment: Shipment, lines: list[ShipmentLine]) -> Iterator[Command]:
    """Tell the customer that the parcel is with the shop again."""
    yield from _write_failed(shipment, lines, "returned")


def _write_sent(shipment: Shipment, lines: Sequence[ShipmentLine], number: str | None) -> Iterator[Command]:
    if shipment.recalled:
        return
    tracking = number or shipment.tracking
    page = shipment.tracking_url if tracking == shipment.tracking else None
    if shipment.email:
        message = OrderShipped(order=shipment.called, pieces=_pieces(lines), tracking=tracking, tracking_url=page)
        yield mail(shipment.email, message)
    if shipment.phone:
        followed = f", tracking number {tracking}" if tracking else ""
        yield Call(SEND_SMS, SendSms(to=shipment.phone, text=f"Your order {shipment.called} is on its way{followed}."))


def _write_failed(
    shipment: Shipment, lines: Sequence[ShipmentLine], outcome: Literal["lost", "returned"]
) -> Iterator[Command]:
    if shipment.email and not shipment.recalled:
        message = DeliveryFailed(outcome=outcome, order=shipment.called, pieces=_pieces(lines))
        yield mail(shipment.email, message)


def _pieces(lines: Sequence[ShipmentLine]) -> tuple[NamedPieces, ...]:
    return tuple(
        NamedPieces(number=line.number, quantity=line.quantity, sku=line.sku, name=line.name) for line in lines
    )


# -- the shop -------------------------------------------------------------------------------------------------------


@asks(POST_MESSAGE)
def ask_somebody(shipment: Shipment) -> Iterator[Command]:
    """Ask somebody of the shop to see to what has stayed where it is for too long."""
    silent = shipment.state == "pending" and shipment.carrier_asked
    text = "the carrier has not answered" if silent else OVERDUE[shipment.state]
    yield Set(attention=text)
    yield _alert(shipment, text)


@asks(POST_MESSAGE)
def alert_refused(shipment: Shipment, event: ShipmentRefused) -> Iterator[Command]:
    """Ask somebody of the shop to correct the address, or to send it another way."""
    yield _alert(shipment, f"the carrier refused it: {event.reason}")


@asks(POST_MESSAGE)
def alert_not_called_off(shipment: Shipment, event: CancellationRefused) -> Iterator[Command]:
    """Ask somebody of the shop to look after a parcel that the carrier goes on with."""
    yield _alert(shipment, f"the carrier can't call it off: {event.reason}")


@asks(POST_MESSAGE)
def alert_booked_in_vain(shipment: Shipment, event: CancellationRefused) -> Iterator[Command]:
    """Ask somebody of the shop to tell the carrier that nothing is to be fetched."""
    yield _alert(shipment, f"the carrier keeps '{event.shipment}', which is not needed: {event.reason}")


@asks(POST_MESSAGE)
def alert_nobody_to_ask(shipment: Shipment) -> Iterator[Command]:
    """Ask somebody of the shop to try to have a parcel brought back."""
    yield _alert(shipment, "its order was called off, and no carrier is known that could bring it back")


@asks(POST_MESSAGE)
def alert_lost(shipment: Shipment, event: Lose) -> Iterator[Command]:
    """Ask somebody of the shop to make good for what is lost."""
    yield _alert(shipment, f"it is lost: {event.reason}" if event.reason else "it is lost")


@asks(POST_MESSAGE)
def alert_back(shipment: Shipment, event: SendBack) -> Iterator[Command]:
    """Ask somebody of the shop to see to what came back."""
    yield _alert(shipment, f"it is back: {event.reason}" if event.reason else "it is back")


def _alert(shipment: Shipment, text: str) -> Command:
    about = f"Shipment {shipment.id} of order {shipment.called}"
    return Call(POST_MESSAGE, PostMessage(text=f"{about} needs attention: {text}"))
