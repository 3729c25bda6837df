"""How an order is paid: by one payment or several, each an entity of its own that tells what became of it."""

from collections.abc import Iterator
from datetime import datetime

from statemachines.commands import Command, Send, Set, Spawn
from statemachines.declaration import Actor, Role
from statemachines.order.basket import unavailable_worth
from statemachines.order.events import Pay
from statemachines.order.ledger import as_told, moves
from statemachines.order.model import Order, OrderLine, OrderPolicy
from statemachines.payment.events import Begin, Void
from statemachines.payment.news import (
    Authorized,
    Charged,
    CustomerActionRequired,
    Declined,
    PaymentDisputed,
    PaymentStuck,
    Released,
)
from statemachines.values import money

CONFIRM = "the customer has to confirm the payment with the bank"
STUCK = "a payment is stuck:"

# -- only if ------------------------------------------------------------------------------------------------------


def costs_nothing(order: Order) -> str | None:
    """Hold if there is nothing to pay."""
    return None if order.total == 0 else f"{money(order.total, order.currency)} are to be paid"


def leaves_that_to_pay(order: Order, event: Pay) -> str | None:
    """Refuse a payment of more than is still to be paid."""
    open_amount = _still_to_pay(order)
    if open_amount <= 0:
        return "everything is paid, held ready or being paid already"
    if event.amount is None or event.amount <= open_amount:
        return None
    return f"{money(event.amount, order.currency)} to pay, but only {money(open_amount, order.currency)} are left"


def is_as_asked(event: Charged | Authorized) -> str | None:
    """Refuse an answer about another amount than was asked for."""
    if not event.asked or event.amount == event.asked:
        return None
    return f"{money(event.amount, event.currency)} taken, {money(event.asked, event.currency)} asked"


def covers_total(order: Order, event: Charged | Authorized) -> str | None:
    """Hold if with this everything is paid or held ready, for good: what was given up before is let go again."""
    if isinstance(event, Authorized) and not event.asked:
        return f"{money(event.amount, event.currency)} were given up before, and are let go again"
    covered = as_told(order, event).covered
    if covered >= order.total:
        return None
    return f"{money(covered, order.currency)} of {money(order.total, order.currency)} are paid or held ready"


def is_not_needed(order: Order, event: Released) -> str | None:
    """Hold if the order is covered without what was let go."""
    lacking = order.total - as_told(order, event).covered
    return f"{money(lacking, order.currency)} are lacking now" if lacking > 0 else None


def lapsed(order: Order, lines: list[OrderLine]) -> str | None:
    """Hold if money that was held ready is so no longer, and the order lacks it; refunds and disputes don't count."""
    lacking = order.total - unavailable_worth(lines) - order.authorized - order.paid
    return None if lacking > 0 else f"{money(order.authorized + order.paid, order.currency)} were paid or are held"


def is_to_be_reviewed(order: Order, policy: OrderPolicy) -> str | None:
    """Hold if the shop looks at orders of this size first."""
    if policy.review_above is not None and order.total > policy.review_above:
        return None
    return "the order is not above the limit for reviews"


def another_payment_is_open(order: Order, event: Charged | Authorized | Declined) -> str | None:
    """Hold if another payment is still without an answer."""
    return None if as_told(order, event).asked else "no other payment is open"


def tries_left(order: Order, policy: OrderPolicy) -> str | None:
    """Refuse once the last try has been declined."""
    tries = order.payment_tries + 1
    return None if tries < policy.payment_tries else f"declined {tries} times; the limit is {policy.payment_tries}"


def before_capture(order: Order, actor: Actor) -> str | None:
    """Refuse a customer once money was taken; from there on the merchant cancels."""
    if actor.role is not Role.CUSTOMER or order.paid == 0:
        return None
    return "the order is paid; ask the merchant to cancel it"


def payments_are_known(order: Order) -> str | None:
    """Refuse while nobody knows whether a payment was made."""
    if not order.asked:
        return None
    return f"a payment of {money(order.asked, order.currency)} has no known outcome yet"


def is_covered(order: Order) -> str | None:
    """Refuse an order that was not paid in full, or of which money was given back."""
    if order.covered >= order.total:
        return None
    return f"{money(order.covered, order.currency)} of {money(order.total, order.currency)} are paid"


# -- then ---------------------------------------------------------------------------------------------------------


def pay(order: Order, event: Pay, policy: OrderPolicy) -> Iterator[Command]:
    """Begin a payment; what becomes of it is told as charged, authorized or declined."""
    amount = event.amount or _still_to_pay(order)
    begin = Begin(
        order=order.id,
        customer=order.customer,
        email=order.email,
        amount=amount,
        currency=order.currency,
        method=event.method,
        take=event.take or policy.take,
    )
    yield Spawn("payment", begin)
    yield Set(asked=order.asked + amount, attention=None)


def ask_customer(event: CustomerActionRequired) -> Iterator[Command]:
    """Say where the customer has to confirm the payment."""
    yield Set(payment_url=event.url, attention=CONFIRM)


def record_payment(order: Order, event: Charged | Authorized) -> Iterator[Command]:
    """Note what was taken or is held ready."""
    yield Set(**moves(order, event), payment_url=None, attention=None)


def record_answer(order: Order, event: Charged | Authorized | Declined) -> Iterator[Command]:
    """Note what was taken, is held ready or won't come; whatever else a person should look at stays."""
    yield Set(**moves(order, event), payment_url=None)
    if (order.attention or "").startswith((CONFIRM, STUCK)):
        yield Set(attention=None)


def stamp_paid(now: datetime) -> Iterator[Command]:
    """Note when everything was paid or held ready."""
    yield Set(paid_at=now, payment_tries=0)


def stamp_paid_late(order: Order, now: datetime) -> Iterator[Command]:
    """Note when everything was paid or held ready, if that is not known."""
    yield Set(paid_at=order.paid_at or now, payment_tries=0)


def record_wrong_payment(order: Order, event: Charged | Authorized) -> Iterator[Command]:
    """Note money that is not what was asked for, for a person to settle."""
    yield Set(**moves(order, event), payment_url=None, attention=is_as_asked(event) or "more was taken than asked for")


def record_late_payment(order: Order, event: Charged | Authorized) -> Iterator[Command]:
    """Note money that came when nobody waited for it any more."""
    text = f"{money(event.amount, event.currency)} came late; cancel the order to give it back, or take it up again"
    yield Set(**moves(order, event), attention=text)


def count_decline(order: Order, event: Declined) -> Iterator[Command]:
    """Note the refusal and why."""
    yield Set(
        **moves(order, event),
        payment_tries=order.payment_tries + 1,
        payment_url=None,
        attention=f"declined: {event.reason}",
    )


def note_stuck(event: PaymentStuck) -> Iterator[Command]:
    """Say that a person should ask the gateway."""
    yield Set(attention=f"{STUCK} {event.reason}")


def note_lapse(order: Order, event: Released) -> Iterator[Command]:
    """Note that money is no longer held, and has to be paid anew."""
    yield Set(
        **moves(order, event), attention=f"{money(event.held, order.currency)} are no longer held: {event.reason}"
    )


def note_dispute(order: Order, event: PaymentDisputed) -> Iterator[Command]:
    """Say that the customer's bank claims money back."""
    yield Set(attention=f"the customer's bank claims {money(event.amount, order.currency)} back: {event.reason}")


def start_over() -> Iterator[Command]:
    """Forget the declined payments."""
    yield Set(payment_tries=0, attention=None)


def let_go_late(event: Authorized) -> Iterator[Command]:
    """Let go money that is held for an order that was called off meanwhile."""
    yield Send("payment", event.payment, Void(reason="the order was called off"))


def _still_to_pay(order: Order) -> int:
    return order.total - order.covered - order.asked
