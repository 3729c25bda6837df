"""What people are told of an order: the customer by mail, the shop by chat.

A customer is told where the order names an address; the messages go out after the commit that asked for them. Of its
payments, parcels and returns these tell by themselves.
"""

from collections.abc import Iterator
from datetime import datetime

from statemachines.approval import Rejected
from statemachines.commands import Call, Command
from statemachines.declaration import Event, asks
from statemachines.letters import (
    BasketItem,
    BasketReminder,
    ItemsUnavailable,
    MailLine,
    OrderCancelled,
    OrderConfirmed,
    PaymentFailed,
    PaymentReminder,
    RefundMade,
)
from statemachines.messages import POST_MESSAGE, SEND_MAIL, PostMessage, mail
from statemachines.order.basket import changed_total, unavailable_worth
from statemachines.order.events import Cancel, Edit, Fail, ReportUnavailable
from statemachines.order.ledger import as_told
from statemachines.order.model import Order, OrderLine, OrderPolicy
from statemachines.payment.news import Authorized, Charged, Declined
from statemachines.pieces import by_line
from statemachines.product import Product
from statemachines.refund.news import Refunded
from statemachines.shipment.news import RecallRefused
from statemachines.values import money

BASKET_SHOWN = 100
"""The most lines that a reminder shows."""


@asks(SEND_MAIL)
def remind_of_basket(order: Order, lines: list[OrderLine]) -> Iterator[Command]:
    """Remind the customer of a draft that lies about."""
    yield from _remind(order, lines, again=False)


@asks(SEND_MAIL)
def remind_of_basket_again(order: Order, lines: list[OrderLine]) -> Iterator[Command]:
    """Remind the customer once more, for the last time."""
    yield from _remind(order, lines, again=True)


def _remind(order: Order, lines: list[OrderLine], *, again: bool) -> Iterator[Command]:
    items = tuple(BasketItem(sku=line.sku, name=line.name, quantity=line.kept) for line in lines if line.kept)
    if order.email and items:
        yield mail(order.email, BasketReminder(items=items[:BASKET_SHOWN], again=again))


@asks(SEND_MAIL)
def confirm(order: Order, lines: list[OrderLine]) -> Iterator[Command]:
    """Tell the customer that the order is paid and taken."""
    if order.email:
        shown = tuple(
            MailLine(name=line.name, quantity=line.kept, unit_price=line.unit_price) for line in lines if line.kept
        )
        message = OrderConfirmed(order=order.called, lines=shown, total=order.total, currency=order.currency)
        yield mail(order.email, message)


@asks(SEND_MAIL)
def confirm_late(order: Order, lines: list[OrderLine]) -> Iterator[Command]:
    """Tell a customer who does not know it yet that the order is paid and taken."""
    if order.paid_at is None:
        yield from confirm(order, lines)


@asks(SEND_MAIL)
def tell_declined(order: Order, event: Declined, policy: OrderPolicy) -> Iterator[Command]:
    """Tell the customer that a payment was declined, and may be tried again."""
    yield from _tell_declined(order, event, tries_left=max(1, policy.payment_tries - order.payment_tries - 1))


@asks(SEND_MAIL)
def tell_declined_for_good(order: Order, event: Declined) -> Iterator[Command]:
    """Tell the customer that a payment was declined, and that none is taken any more."""
    yield from _tell_declined(order, event, tries_left=0)


def _tell_declined(order: Order, event: Declined, tries_left: int) -> Iterator[Command]:
    if order.email:
        yield mail(
            order.email,
            PaymentFailed(
                order=order.called,
                amount=event.asked,
                currency=order.currency,
                reason=event.reason,
                tries_left=tries_left,
                others=order.authorized + order.refundable,
            ),
        )


@asks(SEND_MAIL)
def tell_to_pay(
    order: Order, event: Event, now: datetime, lines: list[OrderLine], policy: OrderPolicy
) -> Iterator[Command]:
    """Tell the customer that there is something to pay, and until when."""
    if order.email:
        waits = policy.expire_after if order.state == "awaiting_approval" else policy.extra_payment_within
        told = as_told(order, event)
        lacking, until = told.total - unavailable_worth(lines) - told.covered, now + waits
        message = PaymentReminder(order=order.called, total=lacking, currency=order.currency, expires_at=until)
        yield mail(order.email, message)


@asks(SEND_MAIL)
def tell_to_pay_more(
    order: Order,
    event: Edit,
    now: datetime,
    lines: list[OrderLine],
    products: dict[str, Product],
    policy: OrderPolicy,
) -> Iterator[Command]:
    """Tell the customer what a change costs more, and until when it is to be paid."""
    if order.email:
        lacking = changed_total(order, event, lines, products) - order.covered
        until = now + policy.extra_payment_within
        message = PaymentReminder(order=order.called, total=lacking, currency=order.currency, expires_at=until)
        yield mail(order.email, message)


@asks(SEND_MAIL)
def tell_cancelled(order: Order, event: Cancel) -> Iterator[Command]:
    """Tell the customer that the order is off, and what is given back."""
    yield from _tell_off(order, event.reason)


@asks(SEND_MAIL)
def tell_expired(order: Order) -> Iterator[Command]:
    """Tell the customer that the order was not paid in time."""
    yield from _tell_off(order, "It was not paid in time.")


@asks(SEND_MAIL)
def tell_unanswered(order: Order) -> Iterator[Command]:
    """Tell the customer that the order is off because they did not say whether to go on."""
    yield from _tell_off(order, "We did not hear from you whether to go on without what we can't deliver.")


@asks(SEND_MAIL)
def tell_rejected(order: Order, event: Rejected) -> Iterator[Command]:
    """Tell the customer that the order was not approved."""
    yield from _tell_off(order, event.reason)


def _tell_off(order: Order, reason: str | None) -> Iterator[Command]:
    if order.email:
        refund = order.paid - order.refunded - order.charged_back
        message = OrderCancelled(order=order.called, reason=reason, refund=refund, currency=order.currency)
        yield mail(order.email, message)


@asks(SEND_MAIL)
def ask_about_unavailable(
    order: Order, event: ReportUnavailable, lines: list[OrderLine], now: datetime, policy: OrderPolicy
) -> Iterator[Command]:
    """Ask the customer whether to go on without what can't be delivered."""
    if order.email:
        missing = by_line(event.lines)
        items = tuple(
            BasketItem(sku=line.sku, name=line.name, quantity=missing[line.number])
            for line in lines
            if missing[line.number]
        )
        until = now + policy.customer_answer_within
        message = ItemsUnavailable(
            order=order.called,
            items=items[:BASKET_SHOWN],
            answer_until=until,
            others_left=any(line.shipped for line in lines),
        )
        yield mail(order.email, message)


@asks(SEND_MAIL)
def tell_refunded(order: Order, event: Refunded) -> Iterator[Command]:
    """Tell the customer that money was given back."""
    if order.email:
        yield mail(order.email, RefundMade(order=order.called, amount=event.amount, currency=event.currency))


@asks(POST_MESSAGE)
def alert_wrong_payment(order: Order, event: Charged | Authorized) -> Iterator[Command]:
    """Ask somebody of the shop to settle money that was not asked for."""
    yield _alert(order, f"{money(event.amount, event.currency)} came that nobody waited for")


@asks(POST_MESSAGE)
def alert_review(order: Order) -> Iterator[Command]:
    """Ask somebody of the shop to look for fraud."""
    yield _alert(order, f"{money(order.total, order.currency)} are paid; clear the order, or cancel it")


@asks(POST_MESSAGE)
def alert_failure(order: Order, event: Fail) -> Iterator[Command]:
    """Ask somebody of the shop to look at an order that can't be fulfilled."""
    yield _alert(order, event.reason)


@asks(POST_MESSAGE)
def alert_paid_in_part(order: Order) -> Iterator[Command]:
    """Ask somebody of the shop what to do about an order that failed although a part of it is paid."""
    if covered := order.authorized + order.refundable:
        yield _alert(
            order, f"it failed, but {money(covered, order.currency)} are paid or held ready; retry or cancel it"
        )


@asks(POST_MESSAGE)
def alert_recall(order: Order, event: RecallRefused) -> Iterator[Command]:
    """Ask somebody of the shop what to do about a parcel that can't be called back."""
    yield _alert(order, f"shipment '{event.shipment}' can't be called back: {event.reason}")


@asks(POST_MESSAGE)
def alert_attention(order: Order, event: Event) -> Iterator[Command]:
    """Ask somebody of the shop to look."""
    yield _alert(order, event.event_name.replace("_", " "))


def _alert(order: Order, text: str) -> Command:
    return Call(POST_MESSAGE, PostMessage(text=f"Order {order.called} needs attention: {text}"))
