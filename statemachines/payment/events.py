"""What may be asked of a payment: by its order, its refunds, the customer and time."""

from typing import Annotated, Literal

from statemachines.declaration import Event, Role
from statemachines.privacy import PRIVATE
from statemachines.values import Currency, Name, PaymentToken, PositiveAmount, Reference, Text

BUYERS = [Role.CUSTOMER, Role.MERCHANT]

Taking = Literal["now", "later"]
"""Whether money is taken at once, or held ready first and taken when the parcels leave."""


class Begin(Event):
    """An order is to be paid, in full or in part."""

    order: Reference
    customer: Name
    amount: PositiveAmount
    currency: Currency
    method: Annotated[PaymentToken | None, PRIVATE] = None
    """With what; without it the customer is waited for to say."""
    take: Taking = "now"


class Confirm(Event, by=BUYERS):
    """Say with what it is paid."""

    method: PaymentToken


class Capture(Event):
    """Take what is held ready, or part of it."""

    amount: PositiveAmount
    final: bool = True
    """Whether the rest is let go."""


class Void(Event):
    """The order no longer wants the money: let go what is held, and take no more."""

    reason: Text | None = None


class RefundAsked(Event):
    """A refund wants part of what was taken; nobody else may give that back."""

    refund: Reference
    amount: PositiveAmount


class RefundMade(Event):
    """A refund was given."""

    refund: Reference
    amount: PositiveAmount


class RefundDropped(Event):
    """A refund will not be given after all."""

    refund: Reference
    amount: PositiveAmount
