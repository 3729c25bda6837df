"""What may be asked of an order, by whom, and with which payload."""

from collections import Counter
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from statemachines.carrier import CarrierReference
from statemachines.declaration import Event, Role
from statemachines.messages import MailAddress, PhoneNumber
from statemachines.order.model import OrderLine
from statemachines.values import Name, PaymentToken, Quantity, Reference, Sku, Text, WholeNumber

MAX_LINES = 1000
"""The most lines that an order may have."""

BUYERS = [Role.CUSTOMER, Role.MERCHANT]


class LineAsked(BaseModel):
    """Pieces of one product. Its price comes from the catalogue."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: Sku
    quantity: Quantity


class LineReturned(BaseModel):
    """Pieces of one order line that came back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: Annotated[int, WholeNumber, Field(ge=1, le=MAX_LINES)]
    quantity: Quantity


class Create(Event, by=BUYERS):
    """Place a draft order."""

    lines: tuple[LineAsked, ...] = Field(default=(), max_length=MAX_LINES)
    reference: Reference | None = None
    customer: Name | None = None
    """Whose order it is; a customer orders for itself and leaves this out."""
    email: MailAddress | None = None
    """Where mails about the order go."""
    phone: PhoneNumber | None = None
    """Where SMS about the order go."""


class Submit(Event, by=BUYERS):
    """Ask for the order to be taken: its pieces are reserved until it is paid or expires."""


class Pay(Event, by=BUYERS):
    """Ask the gateway for the order's total; the answer comes back as `charged` or `declined`."""

    method: PaymentToken


class Fulfill(Event, by=[Role.MERCHANT]):
    """The parcel left the house."""

    tracking: CarrierReference | None = None


class Complete(Event, by=BUYERS):
    """The parcel arrived and all is well."""


class Cancel(Event, by=BUYERS):
    """Call the order off; what was reserved, taken or paid is given back."""

    reason: Text | None = None


class Fail(Event, by=[Role.MERCHANT]):
    """The order can't be fulfilled as it should."""

    reason: Text


class RefundAgain(Event, by=[Role.MERCHANT]):
    """Ask the gateway once more for what it refused to give back."""


class Unanswered(Event):
    """The gateway has not said whether it took the money."""


class Retry(Event, by=[Role.MERCHANT]):
    """Take a failed order up again where it stood."""


class Return(Event, by=[Role.MERCHANT]):
    """Pieces came back: all that are left, or some by line and quantity. They are restocked and refunded."""

    lines: tuple[LineReturned, ...] = Field(default=(), max_length=MAX_LINES)
    """What came back; empty for everything that has not come back before."""
    reason: Text | None = None


class Expire(Event):
    """The order was not paid in time."""


class Abandon(Event):
    """The draft was not submitted in time."""


def pieces_returned(event: Return, lines: list[OrderLine]) -> Counter[int]:
    """Sum what comes back by line; a return without lines is of everything left."""
    if not event.lines:
        return +Counter({line.number: line.quantity - line.returned for line in lines})
    returned: Counter[int] = Counter()
    for line in event.lines:
        returned[line.number] += line.quantity
    return returned
