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
    asked: Amount
    """What was asked for, and is so no longer; 0 if it was given up before, and is let go again at once."""
    amount: PositiveAmount
    """What is held."""
    currency: Currency


class Charged(Event):
    """Money was taken."""

    payment: Reference
    asked: Amount = 0
    """How much is no longer asked for: the payment's amount if it was taken at once and not given up before, else 0."""
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
    """The customer's bank took money back for now (chargeback): so much more is gone."""

    payment: Reference
    amount: PositiveAmount
    """Of what was taken and neither given back nor on its way; less than the bank claims if that is less."""
    reason: Name


class DisputeClosed(Event):
    """The bank decided: so much came back to us, or stays gone."""

    payment: Reference
    amount: PositiveAmount
    """Of what was told to be disputed."""
    won: bool
