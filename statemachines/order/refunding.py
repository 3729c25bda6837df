"""How money goes back: by one refund or several, each an entity of its own that tells what became of it.

The order sees to it that there is so much to give back, and divides the amount among its payments, the oldest first.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from statemachines.commands import Command, Send, Set, Spawn
from statemachines.declaration import Actor, Role
from statemachines.order import events
from statemachines.order.basket import changed_total, unavailable_worth
from statemachines.order.ledger import as_told, moves
from statemachines.order.model import Order, OrderLine, worth
from statemachines.payment.model import Payment
from statemachines.payment.news import Charged, DisputeClosed
from statemachines.pieces import Pieces, by_line
from statemachines.product import Product
from statemachines.refund.events import Owe, Request, Resume, Retry
from statemachines.refund.model import NOT_GIVEN, Refund
from statemachines.refund.news import RefundDropped, RefundFailed, RefundRetried, RefundReturned, RefundSettled
from statemachines.values import money

OF_REFUND = "refund of"
"""How that begins which a person is to look at because of a refund."""

# -- only if ------------------------------------------------------------------------------------------------------


def names_one_measure(event: events.Refund) -> str | None:
    """Refuse both an amount and lines."""
    return "give either an amount or lines" if event.amount is not None and event.lines else None


def refunds_lines_it_has(event: events.Refund, lines: list[OrderLine], refunds: list[Refund]) -> str | None:
    """Refuse lines that the order does not have, and more pieces than it is about and were not refunded before."""
    known = {line.number: line for line in lines}
    before = refunded_pieces(refunds)
    for number, quantity in by_line(event.lines).items():
        if number not in known:
            return f"the order has no line {number}"
        left = min(known[number].kept, known[number].quantity - before[number])
        if quantity > left:
            return f"line {number}: {quantity} to refund, {left} kept and not refunded before"
    return None


def no_more_than_taken(order: Order, event: events.Refund, lines: list[OrderLine]) -> str | None:
    """Refuse to give back more than was taken and is not given back, on its way back or lost already."""
    amount = _amount_asked(order, event, lines)
    if amount <= 0:
        return "there is nothing to give back"
    if amount <= order.refundable:
        return None
    back = order.refunding + order.refunded + order.refund_due + order.charged_back
    return (
        f"{money(amount, order.currency)} asked back, but {money(order.paid, order.currency)} were taken "
        f"and {money(back, order.currency)} of it are back, on their way back or lost"
    )


def has_refund_due(order: Order, refunds: list[Refund]) -> str | None:
    """Refuse if nothing is owed that the gateway refused to give back."""
    if not order.refund_due:
        return "no refund has failed"
    if any(_may_be_tried_again(refund) for refund in refunds):
        return None
    return "the gateway has not said whether it gave the money back; look there, and clarify the refund"


# -- then ---------------------------------------------------------------------------------------------------------


def ask_refund(
    order: Order, event: events.Refund, actor: Actor, lines: list[OrderLine], payments: list[Payment]
) -> Iterator[Command]:
    """Ask for the money back; unless it is for lines, an order that is still worked on costs as much as before."""
    yield from give_back(
        order,
        payments,
        _amount_asked(order, event, lines),
        actor.id,
        owed=False,
        reason=event.reason,
        by_customer=actor.role is Role.CUSTOMER,
        lines=event.lines,
        goodwill=not event.lines and order.state not in ("failed", "cancelled"),
    )


def give_back_excess(
    order: Order,
    event: events.Edit,
    lines: list[OrderLine],
    products: dict[str, Product],
    payments: list[Payment],
    actor: Actor,
) -> Iterator[Command]:
    """Give back what was taken beyond the changed order's total; of what is only held, less will be taken."""
    excess = order.refundable + order.goodwill - changed_total(order, event, lines, products)
    yield from give_back(order, payments, excess, actor.id, reason="the order costs less")


def give_back_overpaid(order: Order, event: Charged, payments: list[Payment]) -> Iterator[Command]:
    """Give back what a payment took beyond the total, because the order changed or was paid otherwise meanwhile."""
    told = as_told(order, event)
    mine = [payment for payment in payments if payment.id == event.payment]
    excess = min(told.refundable + told.goodwill - told.total, event.amount)
    yield from give_back(told, mine, excess, "system", reason="the order is paid already")


def give_back_unavailable(
    order: Order, lines: list[OrderLine], payments: list[Payment], actor: Actor
) -> Iterator[Command]:
    """Give back what pieces had cost that can't be delivered; of what is only held, less will be taken."""
    excess = order.refundable + order.goodwill - order.total + unavailable_worth(lines)
    yield from give_back(order, payments, excess, actor.id, reason="not available")


def give_back_late(order: Order, event: Charged | DisputeClosed, payments: list[Payment]) -> Iterator[Command]:
    """Give back what was taken, or won back, for an order that was called off, unless its turn is still to come."""
    if order.state == "cancelling" and order.undoing != events.UndoPayment.event_name:
        return
    if isinstance(event, DisputeClosed) and not event.won:
        return
    mine = [payment for payment in payments if payment.id == event.payment]
    yield from give_back(as_told(order, event), mine, event.amount, "system", reason="the order was called off")


def try_refunds_again(refunds: list[Refund]) -> Iterator[Command]:
    """Ask once more for what the gateway refused to give back."""
    yield from (Send("refund", refund.id, Retry()) for refund in refunds if _may_be_tried_again(refund))
    yield Set(attention=None)


def owe_refunds(refunds: list[Refund]) -> Iterator[Command]:
    """Give what was only asked for until now without anybody's consent."""
    asked = [refund for refund in refunds if refund.state in ("requested", "awaiting_approval")]
    yield from (Send("refund", refund.id, Owe()) for refund in asked)


def free_refunds(event: DisputeClosed, refunds: list[Refund]) -> Iterator[Command]:
    """Let refunds of a payment look again that waited for its dispute: they go on, or end if the money is gone."""
    for refund in refunds:
        if refund.payment_id == event.payment and refund.state == "approved":
            yield Send("refund", refund.id, Resume())


def record_refund_failure(order: Order, event: RefundFailed | RefundReturned) -> Iterator[Command]:
    """Note that the money is still with us, and that a person should look."""
    text = f"{OF_REFUND} {money(event.amount, order.currency)} failed: {event.reason}"
    yield Set(**moves(order, event), attention=text)


def forget_failure(order: Order, event: RefundRetried | RefundSettled) -> Iterator[Command]:
    """Call nobody any more because of refunds that had failed, once none is left."""
    if (order.attention or "").startswith(OF_REFUND) and not as_told(order, event).refund_due:
        yield Set(attention=None)


def record_dropped_refund(order: Order, event: RefundDropped) -> Iterator[Command]:
    """Note that the money stays, and why."""
    text = f"{OF_REFUND} {money(event.amount, order.currency)} dropped: {event.reason}"
    yield Set(**moves(order, event), attention=text)


def give_back(
    order: Order,
    payments: Sequence[Payment],
    amount: int,
    requested_by: str,
    *,
    owed: bool = True,
    reason: str | None = None,
    by_customer: bool = False,
    lines: tuple[Pieces, ...] = (),
    return_case: str | None = None,
    goodwill: bool = False,
) -> Iterator[Command]:
    """Ask for a refund of each payment that has to give something back.

    Args:
        order: as it is once everything else was written down.
        payments: its payments.
        amount: in minor units; nothing is asked if it is 0 or less, and never more than the payments have left.
        requested_by: who asked.
        owed: whether the shop owes it, so that nobody has to approve it.
        reason: why.
        by_customer: whether the customer asks and the shop decides.
        lines: the pieces that it is for; of several refunds the first one names them.
        return_case: the return that it is for.
        goodwill: whether the order costs as much as before, so that the money does not have to be paid again.
    """
    left = amount
    for payment in sorted(payments, key=lambda each: each.id):
        part = min(left, payment.captured - payment.refunded - payment.refunding - payment.charged_back)
        if part <= 0:
            continue
        assert payment.payment is not None
        assert payment.taken_at is not None
        is_first, left = left == amount, left - part
        yield Spawn(
            "refund",
            Request(
                order=order.id,
                called=order.called,
                payment=payment.id,
                gateway_payment=payment.payment,
                customer=order.customer,
                email=order.email,
                amount=part,
                currency=order.currency,
                reason=reason,
                requested_by=requested_by,
                by_customer=by_customer,
                owed=owed,
                goodwill=goodwill,
                taken_at=payment.taken_at,
                lines=lines if is_first else (),
                return_case=return_case,
            ),
        )
    if given := max(0, amount) - max(0, left):
        yield Set(refunding=order.refunding + given, **({"goodwill": order.goodwill + given} if goodwill else {}))


def refunded_pieces(refunds: list[Refund]) -> Counter[int]:
    """Sum by line the pieces whose price was asked back by refunds of lines."""
    given = [refund for refund in refunds if refund.state not in NOT_GIVEN]
    return by_line(Pieces.model_validate(each) for refund in given for each in refund.lines)


def _may_be_tried_again(refund: Refund) -> bool:
    """Tell whether the gateway refused it; what it never answered about it may have given."""
    return refund.state == "failed" and not refund.unanswered


def _amount_asked(order: Order, event: events.Refund, lines: list[OrderLine]) -> int:
    if event.amount is not None:
        return event.amount
    if not event.lines:
        return order.refundable
    wanted = by_line(event.lines)
    return sum(worth(line, wanted[line.number]) for line in lines)
