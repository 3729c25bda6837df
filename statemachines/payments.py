"""What is asked of a payment gateway, and the answers it may give."""

from pydantic import BaseModel

from statemachines.declaration import Effect, Event
from statemachines.values import Amount, Currency, Name, PositiveAmount


class Charged(Event):
    """The gateway took the money."""

    amount: Amount
    currency: Currency
    payment: Name
    """The gateway's name for the payment, needed to refund it."""


class Declined(Event):
    """The gateway refused to take the money, for good."""

    reason: Name


class Refunded(Event):
    """The gateway gave money back."""

    amount: PositiveAmount
    currency: Currency


class RefundFailed(Event):
    """The gateway refused to give money back, for good."""

    amount: PositiveAmount
    reason: Name


class ChargeArguments(BaseModel):
    """Take `amount` from the payment method."""

    amount: Amount
    currency: Currency
    method: str
    order: str


class RefundArguments(BaseModel):
    """Give `amount` of a payment back."""

    amount: PositiveAmount
    currency: Currency
    payment: str
    order: str


CHARGE = Effect("payments.charge", ChargeArguments, ok=Charged, failed=Declined)
REFUND = Effect("payments.refund", RefundArguments, ok=Refunded, failed=RefundFailed)
