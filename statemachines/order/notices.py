"""What people are told of an order: the customer by mail and SMS, the shop by chat.

A customer is told where the order names an address; the messages go out after the commit that asked for them.
"""

from collections.abc import Iterator

from statemachines.commands import Call, Command
from statemachines.declaration import asks
from statemachines.letters import MailLine, OrderCancelled, OrderConfirmed, OrderShipped, PaymentFailed, RefundMade
from statemachines.messages import POST_MESSAGE, SEND_MAIL, SEND_SMS, PostMessage, SendSms, mail
from statemachines.order.events import Cancel, Fail, Fulfill
from statemachines.order.model import Order, OrderLine, OrderPolicy
from statemachines.payments import Charged, Declined, Refunded, RefundFailed
from statemachines.values import money


@asks(SEND_MAIL)
def confirm(order: Order, lines: list[OrderLine]) -> Iterator[Command]:
    """Tell the customer that the order is paid and taken."""
    if order.email:
        shown = tuple(MailLine(name=line.name, quantity=line.quantity, unit_price=line.unit_price) for line in lines)
        message = OrderConfirmed(order=_name(order), lines=shown, total=order.total, currency=order.currency)
        yield mail(order.email, message)


@asks(SEND_MAIL)
def tell_declined(order: Order, event: Declined, policy: OrderPolicy) -> Iterator[Command]:
    """Tell the customer that the payment was declined, and how often it may be tried again."""
    if order.email:
        yield mail(
            order.email,
            PaymentFailed(
                order=_name(order),
                amount=order.total,
                currency=order.currency,
                reason=event.reason,
                tries_left=max(0, policy.payment_tries - order.payment_tries - 1),
            ),
        )


@asks(SEND_MAIL, SEND_SMS)
def tell_shipped(order: Order, event: Fulfill) -> Iterator[Command]:
    """Tell the customer that the parcel is on its way."""
    if order.email:
        yield mail(order.email, OrderShipped(order=_name(order), tracking=event.tracking))
    if order.phone:
        tracking = f", tracking number {event.tracking}" if event.tracking else ""
        yield Call(SEND_SMS, SendSms(to=order.phone, text=f"Your order {_name(order)} is on its way{tracking}."))


@asks(SEND_MAIL)
def tell_cancelled(order: Order, event: Cancel) -> Iterator[Command]:
    """Tell the customer that the order is off, and what is given back."""
    if order.email:
        refund = order.paid - order.refunded
        yield mail(
            order.email,
            OrderCancelled(order=_name(order), reason=event.reason, refund=refund, currency=order.currency),
        )


@asks(SEND_MAIL)
def tell_expired(order: Order) -> Iterator[Command]:
    """Tell the customer that the order was not paid in time."""
    if order.email:
        reason = "It was not paid in time."
        yield mail(order.email, OrderCancelled(order=_name(order), reason=reason, refund=0, currency=order.currency))


@asks(SEND_MAIL)
def tell_refunded(order: Order, event: Refunded) -> Iterator[Command]:
    """Tell the customer that money was given back."""
    if order.email:
        yield mail(order.email, RefundMade(order=_name(order), amount=event.amount, currency=event.currency))


@asks(POST_MESSAGE)
def alert_silence(order: Order) -> Iterator[Command]:
    """Ask somebody of the shop to ask the gateway."""
    yield _alert(order, "no answer from the payment gateway")


@asks(POST_MESSAGE)
def alert_wrong_payment(order: Order, event: Charged) -> Iterator[Command]:
    """Ask somebody of the shop to settle money that was not asked for."""
    taken, asked = money(event.amount, event.currency), money(order.total, order.currency)
    yield _alert(order, f"{taken} taken, {asked} asked")


@asks(POST_MESSAGE)
def alert_failure(order: Order, event: Fail) -> Iterator[Command]:
    """Ask somebody of the shop to look at an order that can't be fulfilled."""
    yield _alert(order, event.reason)


@asks(POST_MESSAGE)
def alert_refund_failure(order: Order, event: RefundFailed) -> Iterator[Command]:
    """Ask somebody of the shop to look at a refund that the gateway refused."""
    yield _alert(order, f"refund of {money(event.amount, order.currency)} failed: {event.reason}")


def _alert(order: Order, text: str) -> Command:
    return Call(POST_MESSAGE, PostMessage(text=f"Order {_name(order)} needs attention: {text}"))


def _name(order: Order) -> str:
    """Return what people call the order."""
    return order.reference or order.id
