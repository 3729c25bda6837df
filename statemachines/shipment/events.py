"""What may be asked of a shipment: by its order, people of the shop, the carrier and time."""

from typing import Annotated

from pydantic import Field

from statemachines.carrier import Address, CarrierReference
from statemachines.declaration import Event, Role
from statemachines.messages import MailAddress, PhoneNumber
from statemachines.pieces import MAX_LINES, NamedPieces
from statemachines.privacy import PRIVATE
from statemachines.values import Name, Reference, Text


class Prepare(Event):
    """An order wants pieces sent."""

    order: Reference
    called: Name
    """What people call the order."""
    customer: Name
    email: MailAddress | None = None
    phone: PhoneNumber | None = None
    address: Annotated[Address | None, PRIVATE] = None
    """Where to; without it no carrier can be asked, and somebody of the shop takes it away."""
    lines: tuple[NamedPieces, ...] = Field(min_length=1, max_length=MAX_LINES)
    gone: bool = False
    """Whether it left the house already."""
    tracking: CarrierReference | None = None


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
    """Don't send it after all; only before it has left."""

    reason: Text | None = None


class Recall(Event):
    """The order was called off: don't send it, and if it is under way, have it brought back."""

    reason: Text | None = None
