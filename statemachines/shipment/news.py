"""What a shipment tells its order, in the transaction in which it comes to know.

Its pieces belong to the shipment from `Prepare` until it is delivered, lost, back or cancelled. It is told either that
it was cancelled, or that it was sent and then how that ended; one that was lost may turn up and end again. A recall is
answered once: by how the shipment ends, or by a refusal.
"""

from pydantic import Field

from statemachines.carrier import CarrierReference
from statemachines.declaration import Event
from statemachines.pieces import MAX_LINES, Pieces
from statemachines.values import Name, Reference


class News(Event):
    """Something that became of a shipment and all its pieces."""

    shipment: Reference
    lines: tuple[Pieces, ...] = Field(min_length=1, max_length=MAX_LINES)


class ShipmentSent(News):
    """The parcel left the house."""

    tracking: CarrierReference | None = None


class ShipmentDelivered(News):
    """The parcel arrived."""

    was_lost: bool = False
    """Whether it was told to be lost before."""


class ShipmentLost(News):
    """The parcel is lost on its way."""


class ShipmentReturned(News):
    """The parcel had left and is back in the house with its pieces."""

    was_lost: bool = False
    """Whether it was told to be lost before."""


class ShipmentCancelled(News):
    """The parcel never left the house."""


class RecallRefused(News):
    """The parcel can't be called back; a person has to look."""

    reason: Name
