"""What people are told of a payment: the customer who has to confirm it by mail, the shop by chat.

The order writes to the customer about everything else.
"""

from collections.abc import Iterator

from statemachines.commands import Call, Command
from statemachines.declaration import asks
from statemachines.letters import PaymentActionRequired
from statemachines.messages import POST_MESSAGE, SEND_MAIL, PostMessage, mail
from statemachines.payment.actions import SILENCE
from statemachines.payment.claims import claimed
from statemachines.payment.events import Dispute, DisputeLost, DisputeWon, RefundMade
from statemachines.payment.model import Payment
from statemachines.payments import (
    Authorized,
    Captured,
    CaptureFailed,
    Charged,
    CustomerActionRequired,
    VoidFailed,
)
from statemachines.values import money


@asks(SEND_MAIL)
def write_to_confirm(payment: Payment, event: CustomerActionRequired) -> Iterator[Command]:
    """Tell the customer where to confirm the payment."""
    if payment.email and event.url:
        message = PaymentActionRequired(
            order=_order(payment), amount=payment.amount, currency=payment.currency, url=event.url
        )
        yield mail(payment.email, message)


@asks(POST_MESSAGE)
def alert_silence(payment: Payment) -> Iterator[Command]:
    """Ask somebody of the shop to ask the gateway."""
    yield _alert(payment, SILENCE)


@asks(POST_MESSAGE)
def alert_wrong_answer(payment: Payment, event: Charged | Authorized | Captured) -> Iterator[Command]:
    """Ask somebody of the shop to find out where the money is."""
    yield _alert(payment, f"the gateway answered about {money(event.amount, event.currency)}")


@asks(POST_MESSAGE)
def alert_refusal(payment: Payment, event: CaptureFailed | VoidFailed) -> Iterator[Command]:
    """Ask somebody of the shop to look at what the gateway won't do."""
    what = "take" if isinstance(event, CaptureFailed) else "let go"
    yield _alert(payment, f"the gateway won't {what} what it holds: {event.reason}")


@asks(POST_MESSAGE)
def alert_stray_refund(payment: Payment, event: RefundMade) -> Iterator[Command]:
    """Ask somebody of the shop to look at money that nobody asked to give back."""
    yield _alert(payment, f"{money(event.amount, payment.currency)} given back that nobody asked for")


@asks(POST_MESSAGE)
def alert_dispute(payment: Payment, event: Dispute) -> Iterator[Command]:
    """Ask somebody of the shop to answer the bank."""
    yield _alert(payment, claimed(event.amount, event.currency, event.reason))


@asks(POST_MESSAGE)
def tell_decision(payment: Payment, event: DisputeWon | DisputeLost) -> Iterator[Command]:
    """Tell the shop what the bank decided."""
    won = "is won" if isinstance(event, DisputeWon) else "is lost"
    yield _post(
        f"Payment {payment.id} of order {_order(payment)}: the dispute about "
        f"{money(event.amount, event.currency)} {won}"
    )


def _alert(payment: Payment, text: str) -> Command:
    return _post(f"Payment {payment.id} of order {_order(payment)} needs attention: {text}")


def _post(text: str) -> Command:
    return Call(POST_MESSAGE, PostMessage(text=text))


def _order(payment: Payment) -> str:
    """Return what people call the order."""
    return payment.called or payment.order_id
