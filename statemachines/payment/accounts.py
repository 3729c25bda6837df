"""Where a payment's money is, and what its order is told whenever it moves.

What the bank took back is counted apart from what was given back by refunds: a customer can have both, but the order
loses no more than was taken. The rest of such a claim is for a person to dispute.
"""

from collections.abc import Iterator

from statemachines.commands import Command, Send, Set
from statemachines.declaration import Event
from statemachines.payment.model import Payment
from statemachines.payment.news import DisputeClosed, PaymentDisputed
from statemachines.payments import Captured


def tell(payment: Payment, news: Event) -> Command:
    """Tell the order."""
    return Send("order", payment.order_id, news)


def refundable(payment: Payment) -> int:
    """Return what was taken and is neither given back, nor on its way, nor gone."""
    return payment.captured - payment.refunding - payment.refunded - payment.charged_back


def held_freely(payment: Payment) -> int:
    """Return what is held ready and not to be taken already."""
    return payment.held - payment.capturing - payment.capture_next


def still_held(payment: Payment, event: Captured) -> int:
    """Return what stays held ready after a capture."""
    return min(payment.held, event.held)


def move(payment: Payment, why: str = "", **changes: int) -> Iterator[Command]:
    """Set amounts that were taken, given back or claimed, and tell the order what the bank has of it now.

    Args:
        payment: as it is.
        why: the bank's reason, if it claims something.
        changes: the amounts as they will be.
    """
    moved = payment.model_copy(update=changes)
    room = moved.captured - moved.refunding - moved.refunded
    gone = min(moved.disputed + moved.lost, room)
    yield Set(**changes, charged_back=gone)
    more, decided = gone - payment.charged_back, min(moved.lost, gone) - min(payment.lost, payment.charged_back)
    if more > 0:
        reason = why or "the bank claims more than was taken at first"
        yield tell(payment, PaymentDisputed(payment=payment.id, amount=more, reason=reason))
    if more < 0:
        yield tell(payment, DisputeClosed(payment=payment.id, amount=-more, won=True))
    if decided > 0:
        yield tell(payment, DisputeClosed(payment=payment.id, amount=decided, won=False))
