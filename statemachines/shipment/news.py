"""What a shipment tells its order, in the transaction in which it comes to know.

Its pieces belong to the shipment from `Prepare` until it is delivered, lost, back or cancelled.
"""

from pydantic import Field

from statemachines.carrier import CarrierReference
from statemachines.declaration import Event
from statemachines.pieces import MAX_LINES, Pieces
from statemachines.values import Name, Reference


class _OfPieces(Event):
    shipment: Reference
    lines: tuple[Pieces, ...] = Field(min_length=1, max_length=MAX_LINES)


class ShipmentSent(_OfPieces):
    """The parcel left the house."""

    tracking: CarrierReference | None = None


class ShipmentDelivered(_OfPieces):
    """The parcel arrived."""


class ShipmentLost(_OfPieces):
    """The parcel is lost on its way."""


class ShipmentReturned(_OfPieces):
    """The parcel had left and is back in the house, its pieces on the shelf again."""


class ShipmentCancelled(_OfPieces):
    """The parcel never left the house."""


class RecallRefused(_OfPieces):
    """The parcel can't be called back; a person has to look."""

    reason: Name
