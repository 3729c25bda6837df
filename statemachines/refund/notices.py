"""What people are told of a refund: the customer of a refusal by mail, the shop by chat of what waits for it.

The order writes to the customer when money was given back.
"""

from collections.abc import Iterator

from statemachines.approval import Rejected
from statemachines.commands import Call, Command
from statemachines.declaration import Actor, asks
from statemachines.letters import RefundRefused
from statemachines.messages import POST_MESSAGE, SEND_MAIL, PostMessage, mail
from statemachines.payments import Refunded, RefundFailed, RefundReturned
from statemachines.refund.actions import CALLED_OFF, LOST, SILENCE, asked, second_gift, wrong_amount
from statemachines.refund.events import Cancel, Refuse, Request
from statemachines.refund.model import Refund
from statemachines.values import money


@asks(SEND_MAIL)
def tell_refused(refund: Refund, event: Refuse | Rejected) -> Iterator[Command]:
    """Tell the customer that the shop does not give what they asked for, and why."""
    yield from _write(refund, event.reason)


@asks(SEND_MAIL)
def tell_called_off(refund: Refund, event: Cancel, actor: Actor) -> Iterator[Command]:
    """Tell the customer that it is off, unless they called it off themselves."""
    if actor.id != refund.customer:
        yield from _write(refund, event.reason or CALLED_OFF)


@asks(SEND_MAIL)
def tell_given_up(refund: Refund) -> Iterator[Command]:
    """Tell the customer that their bank gave them the money."""
    yield from _write(refund, LOST)


def _write(refund: Refund, reason: str) -> Iterator[Command]:
    """Write to customers who asked for it; others never heard of it."""
    if refund.email and refund.by_customer:
        order = refund.called or refund.order_id
        letter = RefundRefused(order=order, amount=refund.amount, currency=refund.currency, reason=reason)
        yield mail(refund.email, letter)


@asks(POST_MESSAGE)
def announce(refund: Refund, event: Request) -> Iterator[Command]:
    """Ask the shop to accept or to refuse what a customer asks for."""
    yield _alert(asked(refund, event), "the customer asks for it; accept or refuse it")


@asks(POST_MESSAGE)
def remind_of_request(refund: Refund) -> Iterator[Command]:
    """Remind the shop of a customer who waits for an answer."""
    yield _alert(refund, "the customer still waits; accept or refuse it")


@asks(POST_MESSAGE)
def remind_of_failure(refund: Refund) -> Iterator[Command]:
    """Remind the shop of money that it still owes."""
    yield _alert(refund, f"still not given back: {refund.attention}")


@asks(POST_MESSAGE)
def remind_of_dispute(refund: Refund) -> Iterator[Command]:
    """Ask the shop to look why a dispute does not end."""
    yield _alert(refund, "it has waited long for the end of a dispute")


@asks(POST_MESSAGE)
def alert_failure(refund: Refund, event: RefundFailed | RefundReturned) -> Iterator[Command]:
    """Ask somebody of the shop to look at money that is still owed, or owed again."""
    yield _alert(refund, event.reason)


@asks(POST_MESSAGE)
def alert_silence(refund: Refund) -> Iterator[Command]:
    """Ask somebody of the shop to look what the gateway did."""
    yield _alert(refund, SILENCE)


@asks(POST_MESSAGE)
def alert_late_failure(refund: Refund, event: RefundFailed) -> Iterator[Command]:
    """Tell the shop that it may be tried again: the gateway says at last that it did not give it."""
    yield _alert(refund, f"it was not given: {event.reason}")


@asks(POST_MESSAGE)
def alert_wrong_amount(refund: Refund, event: Refunded) -> Iterator[Command]:
    """Ask somebody of the shop to look at another amount than was asked for."""
    yield _alert(refund, wrong_amount(refund, event))


@asks(POST_MESSAGE)
def alert_second_gift(refund: Refund, event: Refunded) -> Iterator[Command]:
    """Ask somebody of the shop to look at money for which nobody waited."""
    yield _alert(refund, second_gift(event))


def _alert(refund: Refund, text: str) -> Command:
    what = f"Refund {refund.id} of {money(refund.amount, refund.currency)} for order {refund.called or refund.order_id}"
    return Call(POST_MESSAGE, PostMessage(text=f"{what} needs attention: {text}"))
