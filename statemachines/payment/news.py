"""What a payment tells its order, in the transaction in which it comes to know.

`payment` is the payment's own id. Of the amount that the order asked for, each piece is at every moment asked, held,
taken or none of these; the news say what moves from where to where.
"""

from typing import Annotated

from statemachines.declaration import Event
from statemachines.privacy import PRIVATE
from statemachines.values import Amount, Currency, Name, PositiveAmount, Reference, Url


class Authorized(Event):
    """Money that was asked for is held ready (asked becomes held)."""

    payment: Reference
    asked: PositiveAmount
    """What was asked for, and is so no longer."""
    amount: PositiveAmount
    """What is held."""
    currency: Currency


class Charged(Event):
    """Money was taken."""

    payment: Reference
    asked: Amount = 0
    """How much is no longer asked for: the payment's amount if it was taken at once, else 0."""
    held: Amount = 0
    """How much is no longer held ready: what was taken and what was let go with it, 0 if it was taken at once."""
    amount: PositiveAmount
    """What was taken; not always what was asked for."""
    currency: Currency


class Declined(Event):
    """Money that was asked for will not come (asked becomes nothing)."""

    payment: Reference
    asked: PositiveAmount
    reason: Name


class Released(Event):
    """Money that was held ready was let go: voided, or its time ran out (held becomes nothing)."""

    payment: Reference
    held: PositiveAmount
    reason: Name


class CustomerActionRequired(Event):
    """The customer has to confirm the payment with the bank."""

    payment: Reference
    url: Annotated[Url | None, PRIVATE] = None


class PaymentStuck(Event):
    """The gateway does not answer, or refuses to take or let go what it holds: a person has to look. Amounts stay."""

    payment: Reference
    reason: Name


class PaymentDisputed(Event):
    """The customer's bank took the money back for now (chargeback)."""

    payment: Reference
    amount: PositiveAmount
    reason: Name


class DisputeClosed(Event):
    """The bank decided: the money came back to us, or it is gone (taken becomes lost)."""

    payment: Reference
    amount: PositiveAmount
    won: bool
