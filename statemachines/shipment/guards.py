"""When something may happen to a shipment: each guard is a sentence that holds, or returns the reason why not."""

from statemachines.carrier import CancellationRefused, ShipmentCancelled, ShipmentCreated
from statemachines.declaration import Actor, Role
from statemachines.shipment.events import Book, Dispatch, Prepare
from statemachines.shipment.model import Shipment


def is_in_the_house(event: Prepare) -> str | None:
    """Hold if the pieces are there and have not left."""
    if event.gone:
        return "it has left the house"
    return "its pieces are not in the house" if event.backordered else None


def is_not_there_yet(event: Prepare) -> str | None:
    """Hold if the pieces have yet to come into the house."""
    return None if event.backordered else "its pieces are in the house, or have left it"


def has_an_address(shipment: Shipment, event: Book) -> str | None:
    """Refuse to have fetched what goes nowhere."""
    return None if event.address or shipment.address else "there is no address to bring it to"


def carrier_is_not_asked(shipment: Shipment) -> str | None:
    """Refuse to ask the carrier twice at once."""
    return "the carrier was asked and has not answered yet" if shipment.carrier_asked else None


def carrier_knows_it(shipment: Shipment) -> str | None:
    """Refuse to ask a carrier that does not know it."""
    return None if shipment.carrier_shipment else "no carrier is known that could be asked"


def goes_another_way(shipment: Shipment, event: Dispatch, actor: Actor) -> str | None:
    """Hold if somebody of the shop gave it to another carrier than was booked."""
    if actor.role is Role.MERCHANT and event.tracking not in (None, shipment.tracking):
        return None
    return "it goes with the carrier that was booked"


def is_its_own(shipment: Shipment, event: ShipmentCreated | ShipmentCancelled | CancellationRefused) -> str | None:
    """Hold if the carrier speaks of the shipment that it carries for us, not of another that was booked in vain."""
    if event.shipment == shipment.carrier_shipment:
        return None
    return f"the carrier speaks of '{event.shipment}', which does not carry it"


def is_what_was_sent(shipment: Shipment, event: ShipmentCreated) -> str | None:
    """Hold if the carrier's late answer is about the parcel that left.

    It is if it has the parcel's number, or if it is waited for and no number is known.
    """
    if shipment.carrier_shipment is None and (
        event.tracking == shipment.tracking or (shipment.tracking is None and shipment.carrier_asked)
    ):
        return None
    return f"'{event.shipment}' does not carry it"
