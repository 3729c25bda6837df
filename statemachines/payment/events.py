"""What may be asked of a payment: by its order, its refunds, the customer and time."""

from typing import Annotated, Literal

from statemachines.declaration import Event, Role
from statemachines.messages import MailAddress
from statemachines.privacy import PRIVATE
from statemachines.values import Amount, Currency, Name, PaymentToken, PositiveAmount, Reference, Text

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
    email: MailAddress | None = None
    """Where the customer is written to who has to confirm the payment with the bank."""
    called: Name | None = None
    """What people call the order, if it has a name of its own."""


class Confirm(Event, by=BUYERS):
    """Say with what it is paid."""

    method: PaymentToken


class Capture(Event):
    """Take what is held ready, or part of it."""

    amount: PositiveAmount
    final: bool = True
    """Whether the rest is let go."""


class Void(Event, by=[Role.MERCHANT]):
    """The money is no longer wanted: let go what is held, and take no more."""

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


class RefundReturned(Event):
    """A refund was given but did not arrive; it is on its way again until it is given or dropped."""

    refund: Reference
    amount: PositiveAmount


class Retry(Event, by=[Role.MERCHANT]):
    """Ask the gateway once more to take what it holds, or to let it go."""


class Settle(Event, by=[Role.MERCHANT]):
    """A person has seen to it at the gateway that nothing is held or taken any more."""

    reason: Text


class Dispute(Event, by=[Role.SYSTEM]):
    """The customer claims money back from the bank (chargeback)."""

    dispute: Name
    """The gateway's name for it."""
    amount: Amount
    """What the bank took back for now; 0 if it only asks."""
    currency: Currency
    reason: Name


class DisputeWon(Event, by=[Role.SYSTEM]):
    """The bank decided that the money is ours, or asks no longer."""

    dispute: Name
    amount: Amount
    currency: Currency


class DisputeLost(Event, by=[Role.SYSTEM]):
    """The bank decided that the money is the customer's."""

    dispute: Name
    amount: Amount
    currency: Currency


class Expire(Event):
    """Nobody said in time with what it is paid."""


class NotConfirmed(Event):
    """The customer did not confirm it with the bank in time."""


class Lapse(Event, by=[Role.SYSTEM]):
    """The bank no longer holds the money ready: its time is over, or somebody let it go at the gateway."""


class Unanswered(Event):
    """The gateway has not answered in time."""
