"""How money is asked for, and what follows from the gateway's answer: taken, held ready, declined, or none of these."""

from collections.abc import Iterator
from datetime import datetime

from statemachines.commands import Call, Command, Set
from statemachines.declaration import asks
from statemachines.payment import news
from statemachines.payment.accounts import move, tell
from statemachines.payment.events import Begin, Confirm
from statemachines.payment.model import Payment, PaymentPolicy
from statemachines.payments import (
    AUTHORIZE,
    CHARGE,
    AuthorizeArguments,
    Authorized,
    Captured,
    ChargeArguments,
    Charged,
    CustomerActionRequired,
    Declined,
)
from statemachines.values import money

SILENCE = "no answer from the payment gateway"
NOT_PAID = "nobody said in time with what it is paid"


def take_down(event: Begin) -> Iterator[Command]:
    """Note what is to be paid, by whom and for what."""
    same = event.model_dump(exclude={"order"})
    yield Set(**same, order_id=event.order, asked=event.amount)


@asks(CHARGE)
def charge(payment: Payment, event: Begin | Confirm) -> Iterator[Command]:
    """Ask the gateway to take the money; the answer comes back as charged or declined."""
    amount, currency, method, order = _asked(payment, event)
    yield Call(CHARGE, ChargeArguments(amount=amount, currency=currency, method=method, order=order))
    yield Set(method=method, payment_asked=True)


@asks(AUTHORIZE)
def authorize(payment: Payment, event: Begin | Confirm) -> Iterator[Command]:
    """Ask the gateway to hold the money ready; the answer comes back as authorized or declined."""
    amount, currency, method, order = _asked(payment, event)
    yield Call(AUTHORIZE, AuthorizeArguments(amount=amount, currency=currency, method=method, order=order))
    yield Set(method=method, payment_asked=True)


def _asked(payment: Payment, event: Begin | Confirm) -> tuple[int, str, str, str]:
    assert event.method is not None
    if isinstance(event, Begin):
        return event.amount, event.currency, event.method, event.order
    return payment.amount, payment.currency, event.method, payment.order_id


def ask_customer(payment: Payment, event: CustomerActionRequired) -> Iterator[Command]:
    """Say where the customer has to confirm it with the bank; a webhook tells how that ends."""
    yield Set(payment=event.payment, payment_url=event.url, attention=None)
    yield tell(payment, news.CustomerActionRequired(payment=payment.id, url=event.url))


def record_charge(payment: Payment, event: Charged, now: datetime) -> Iterator[Command]:
    """Note what was taken; the order decides what to do if that is not what was asked."""
    yield Set(payment=event.payment, payment_asked=False, payment_url=None, asked=0, taken_at=now, reason=None)
    yield Set(attention=_difference(payment, event))
    yield from move(payment, captured=payment.captured + event.amount)
    yield tell(
        payment,
        news.Charged(payment=payment.id, asked=payment.asked, amount=event.amount, currency=event.currency),
    )


def record_hold(payment: Payment, event: Authorized, now: datetime, policy: PaymentPolicy) -> Iterator[Command]:
    """Note what is held ready, and until when."""
    yield Set(payment=event.payment, payment_asked=False, payment_url=None, asked=0, held=event.amount)
    yield Set(expires_at=now + policy.hold_for, attention=_difference(payment, event), reason=None)
    yield tell(
        payment,
        news.Authorized(payment=payment.id, asked=payment.asked, amount=event.amount, currency=event.currency),
    )


def record_decline(payment: Payment, event: Declined) -> Iterator[Command]:
    """Note why the money will not come."""
    yield Set(payment_asked=False, payment_url=None, attention=None)
    yield from give_up(payment, event.reason)


def record_wrong_answer(payment: Payment, event: Charged | Authorized) -> Iterator[Command]:
    """Note an answer about no money or about other money than ours; where that is, a person has to find out."""
    reason = _difference(payment, event)
    yield Set(payment=event.payment, payment_asked=False, payment_url=None)
    yield from call_a_person(payment, reason or "")


def record_wrong_capture(payment: Payment, event: Captured) -> Iterator[Command]:
    """Note an answer about other money than ours."""
    taken, asked = money(event.amount, event.currency), money(payment.capturing, payment.currency)
    yield Set(capturing=0, capture_next=payment.capturing + payment.capture_next)
    yield from call_a_person(payment, f"{taken} taken, {asked} asked")


def note_silence(payment: Payment) -> Iterator[Command]:
    """Say that a person should ask the gateway."""
    yield from call_a_person(payment, SILENCE)


def let_expire(payment: Payment) -> Iterator[Command]:
    """Ask for the money no longer."""
    yield from give_up(payment, NOT_PAID)


def give_up(payment: Payment, reason: str, told: str | None = None) -> Iterator[Command]:
    """Set what was asked for to nothing, and tell the order, unless that was done before.

    Args:
        payment: which payment.
        reason: why, for the shop.
        told: why, as the order may tell its customer; the same by default.
    """
    yield Set(asked=0, reason=reason)
    if payment.asked:
        declined = news.Declined(payment=payment.id, asked=payment.asked, reason=(told or reason)[:200])
        yield tell(payment, declined)


def call_a_person(payment: Payment, reason: str) -> Iterator[Command]:
    """Say what a person should look at."""
    yield Set(attention=reason)
    yield tell(payment, news.PaymentStuck(payment=payment.id, reason=reason[:200]))


def _difference(payment: Payment, event: Charged | Authorized) -> str | None:
    """Say how an answer differs from what was asked."""
    if (event.amount, event.currency) == (payment.amount, payment.currency):
        return None
    done = "taken" if isinstance(event, Charged) else "held ready"
    return f"{money(event.amount, event.currency)} {done}, {money(payment.amount, payment.currency)} asked"
