"""What may be asked of a shipment: by its order, people of the shop, the carrier and time."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from statemachines.carrier import Address, CarrierReference
from statemachines.declaration import Event, Role
from statemachines.messages import MailAddress, PhoneNumber
from statemachines.pieces import MAX_LINES, NamedPieces
from statemachines.privacy import PRIVATE
from statemachines.values import Name, Reference, Text


class Prepare(Event):
    """An order wants pieces sent."""

    order: Reference
    called: Reference
    """What people call the order."""
    customer: Name
    email: MailAddress | None = None
    phone: PhoneNumber | None = None
    address: Annotated[Address | None, PRIVATE] = None
    """Where to; without it no carrier can be asked, and somebody of the shop takes it away."""
    lines: tuple[NamedPieces, ...] = Field(min_length=1, max_length=MAX_LINES)
    gone: bool = False
    """Whether it left the house already."""
    backordered: bool = False
    """Whether its pieces have yet to come into the house."""
    tracking: CarrierReference | None = None

    @model_validator(mode="after")
    def _what_is_not_there_can_not_have_left(self) -> Self:
        if self.gone and self.backordered:
            raise ValueError("what is not in the house can't have left it")
        return self


class Arrived(Event, by=[Role.MERCHANT]):
    """Its pieces are in the house, so that it can be sent."""


class Book(Event, by=[Role.MERCHANT]):
    """Ask the carrier to fetch it, if need be to another address than before."""

    address: Annotated[Address | None, PRIVATE] = None
    """Where to; left out for the address that is known."""


class Dispatch(Event, by=[Role.MERCHANT]):
    """The parcel left the house."""

    tracking: CarrierReference | None = None


class Deliver(Event, by=[Role.MERCHANT]):
    """The parcel arrived."""


class Lose(Event, by=[Role.MERCHANT]):
    """The parcel is lost."""

    reason: Text | None = None


class SendBack(Event, by=[Role.MERCHANT]):
    """The parcel could not be delivered, or was recalled, and is back in the house."""

    reason: Text | None = None


class Cancel(Event, by=[Role.MERCHANT]):
    """Don't send it after all; only before it has left.

    A shipment that the carrier knows waits for the carrier to call it off. Who cancels it once more does not wait.
    """

    reason: Text | None = None


class Recall(Event):
    """The order was called off: don't send it, and if it is under way, have it brought back."""

    reason: Text | None = None


class Overdue(Event):
    """Nothing has happened to it for too long."""
