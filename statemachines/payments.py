"""What is asked of a payment gateway, and the answers it may give.

Money is taken at once (`CHARGE`), or held ready first (`AUTHORIZE`) and then taken in full or in part (`CAPTURE`) or
let go (`VOID`). What was taken is given back in one piece or in several (`REFUND`). A payment method is a gateway's
token, never a card number.
"""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel

from statemachines.declaration import Effect, Event, Retry
from statemachines.privacy import PRIVATE
from statemachines.values import Amount, Currency, Name, PaymentToken, PositiveAmount, Url


class Charged(Event):
    """The gateway took the money."""

    amount: Amount
    currency: Currency
    payment: Name
    """The gateway's name for the payment, needed to refund it."""


class Authorized(Event):
    """The gateway holds the money ready; it is taken by a capture or let go."""

    amount: Amount
    currency: Currency
    payment: Name
    """The gateway's name for the payment, needed to capture, void and refund it."""


class Declined(Event):
    """The gateway refused to take or to hold the money, for good."""

    reason: Name
    code: Name | None = None
    """The gateway's code for it; one that tells nobody that a card was stolen."""


class CustomerActionRequired(Event):
    """The customer's bank wants to hear from the customer first (3-D Secure); how that ends is heard by a webhook."""

    payment: Name
    """The gateway's name for the payment, as it will stand in the webhook."""
    url: Annotated[Url | None, PRIVATE] = None
    """Where to send the customer's browser; without it the shop's page asks through the gateway's own script."""


class Captured(Event):
    """The gateway took money that it held ready."""

    amount: PositiveAmount
    """What it took now."""
    total: PositiveAmount
    """What it took of this payment by now, so that no answer counts twice."""
    currency: Currency
    payment: Name
    held: Amount = 0
    """What it still holds ready; the rest was let go."""


class CaptureFailed(Event):
    """The gateway refused to take the money that it held ready, for good."""

    amount: PositiveAmount
    payment: Name
    reason: Name


class Voided(Event):
    """The gateway let the money go that it held ready, or that was left of it."""

    payment: Name


class VoidFailed(Event):
    """The gateway refused to let the money go, for good."""

    payment: Name
    reason: Name


class Refunded(Event):
    """The gateway gave money back."""

    amount: PositiveAmount
    currency: Currency
    refund: Name | None = None
    """The gateway's name for the refund, as it will stand in webhooks about it."""


class RefundFailed(Event):
    """The gateway refused to give money back, for good."""

    amount: PositiveAmount
    reason: Name


class RefundReturned(Event):
    """Money that the gateway gave back did not arrive, and is with us again."""

    amount: PositiveAmount
    refund: Name
    """The gateway's name for the refund."""
    reason: Name


class ChargeArguments(BaseModel):
    """Take `amount` from the payment method."""

    amount: Amount
    currency: Currency
    method: PaymentToken
    order: str


class AuthorizeArguments(BaseModel):
    """Hold `amount` of the payment method ready."""

    amount: PositiveAmount
    currency: Currency
    method: PaymentToken
    order: str


class CaptureArguments(BaseModel):
    """Take `amount` of what is held ready, all of it or less."""

    amount: PositiveAmount
    currency: Currency
    payment: str
    order: str
    final: bool = True
    """Whether the rest is let go; otherwise more may be taken of it, where the gateway and the card allow that."""
    captured: Amount = 0
    """What was taken before, by other captures of the same payment."""


class VoidArguments(BaseModel):
    """Let what is held ready go."""

    payment: str
    order: str
    captured: Amount = 0
    """What was taken of it before, and stays taken."""


class RefundArguments(BaseModel):
    """Give `amount` of a payment back."""

    amount: PositiveAmount
    currency: Currency
    payment: str
    order: str


PATIENCE = Retry(attempts=300, within=timedelta(hours=23))
"""Money is not given up soon; but never later than gateways remember idempotency keys, which is a day."""

CHARGE = Effect(
    "payments.charge", ChargeArguments, ok=Charged, failed=Declined, action=CustomerActionRequired, retry=PATIENCE
)
AUTHORIZE = Effect(
    "payments.authorize",
    AuthorizeArguments,
    ok=Authorized,
    failed=Declined,
    action=CustomerActionRequired,
    retry=PATIENCE,
)
CAPTURE = Effect("payments.capture", CaptureArguments, ok=Captured, failed=CaptureFailed, retry=PATIENCE)
VOID = Effect("payments.void", VoidArguments, ok=Voided, failed=VoidFailed, retry=PATIENCE)
REFUND = Effect(
    "payments.refund", RefundArguments, ok=Refunded, failed=RefundFailed, undone=RefundReturned, retry=PATIENCE
)
