"""How taken money leaves again: by refunds that the shop gives, and by disputes that the customer's bank decides."""

from collections.abc import Iterator

from statemachines.commands import Command, Set
from statemachines.payment.accounts import move
from statemachines.payment.events import (
    Dispute,
    DisputeLost,
    DisputeWon,
    RefundAsked,
    RefundDropped,
    RefundMade,
    RefundReturned,
)
from statemachines.payment.model import Payment
from statemachines.values import money


def record_refund_asked(payment: Payment, event: RefundAsked) -> Iterator[Command]:
    """Note that nobody else may give that back."""
    yield from move(payment, refunding=payment.refunding + event.amount)


def record_refund(payment: Payment, event: RefundMade) -> Iterator[Command]:
    """Note that it was given back."""
    yield from move(payment, refunding=payment.refunding - event.amount, refunded=payment.refunded + event.amount)


def take_refund_back(payment: Payment, event: RefundReturned) -> Iterator[Command]:
    """Note that what was given back is with us again, and still to be given."""
    yield from move(payment, refunding=payment.refunding + event.amount, refunded=payment.refunded - event.amount)


def note_stray_refund(payment: Payment, event: RefundMade) -> Iterator[Command]:
    """Say that more was given back than was asked for."""
    yield Set(attention=f"{money(event.amount, payment.currency)} given back that nobody asked for ({event.refund})")


def drop_refund(payment: Payment, event: RefundDropped) -> Iterator[Command]:
    """Note that it stays with us, unless the bank claims it."""
    yield from move(payment, refunding=payment.refunding - event.amount)


def record_dispute(payment: Payment, event: Dispute) -> Iterator[Command]:
    """Note what the bank claims."""
    claim = _ours(payment, event)
    yield Set(dispute=event.dispute, attention=claimed(claim, payment.currency, event.reason))
    yield from move(payment, why=event.reason, disputed=payment.disputed + claim)


def record_win(payment: Payment, event: DisputeWon) -> Iterator[Command]:
    """Note that the money came back."""
    yield Set(dispute=event.dispute, attention=None)
    yield from move(payment, disputed=payment.disputed - min(payment.disputed, _ours(payment, event)))


def record_loss(payment: Payment, event: DisputeLost) -> Iterator[Command]:
    """Note that the money is gone."""
    claim = _ours(payment, event)
    yield Set(dispute=event.dispute, attention=None)
    yield from move(payment, disputed=payment.disputed - min(payment.disputed, claim), lost=payment.lost + claim)


def claimed(amount: int, currency: str, reason: str) -> str:
    """Say what the bank wants."""
    return f"the bank claims {money(amount, currency)} back: {reason}" if amount else f"the bank asks: {reason}"


def _ours(payment: Payment, event: Dispute | DisputeWon | DisputeLost) -> int:
    """Return what is claimed in our currency; what is claimed in another counts as everything that was taken."""
    return event.amount if event.currency == payment.currency or not event.amount else payment.captured
