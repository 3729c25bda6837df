"""When something may happen to a refund: each guard is a sentence that holds, or returns the reason why not."""

from datetime import datetime

from statemachines.approval import ApprovalVote, Approved, Rejected
from statemachines.declaration import Actor, Role
from statemachines.payment.model import Payment
from statemachines.payments import Refunded, RefundReturned
from statemachines.refund.events import Clarify, Request
from statemachines.refund.model import NOT_GIVEN, Refund, RefundPolicy
from statemachines.values import money


def is_of_a_payment_of_the_order(event: Request, asked_of: dict[str, Payment]) -> str | None:
    """Refuse to give back what was paid for something else, or in another currency."""
    payment = asked_of.get(event.payment)
    if payment is None or payment.order_id != event.order:
        return f"order '{event.order}' has no payment '{event.payment}'"
    if payment.currency != event.currency:
        return f"payment '{event.payment}' is in {payment.currency}, not in {event.currency}"
    return None


def the_customer_asks(event: Request) -> str | None:
    """Hold if the shop has to accept it first."""
    return None if event.by_customer else "the shop asks for it"


def needs_no_approval_from_the_start(
    event: Request, now: datetime, policy: RefundPolicy, asked_before: list[Refund]
) -> str | None:
    """Refuse what others have to approve."""
    if event.owed:
        return None
    return _too_much(event.amount, event.currency, asked_before, policy) or _too_late(event.taken_at, now, policy)


def needs_no_approval(refund: Refund, now: datetime, policy: RefundPolicy, of_the_order: list[Refund]) -> str | None:
    """Refuse what others have to approve."""
    if refund.owed:
        return None
    assert refund.taken_at is not None
    others = [other for other in of_the_order if other.id != refund.id]
    return _too_much(refund.amount, refund.currency, others, policy) or _too_late(refund.taken_at, now, policy)


def _too_much(amount: int, currency: str, others: list[Refund], policy: RefundPolicy) -> str | None:
    """Return why an amount has to be approved: with the order's other refunds, or nothing is large in small parts."""
    asked = amount + sum(each.amount for each in others if not each.owed and each.state not in NOT_GIVEN)
    if not 0 < policy.approval_above < asked:
        return None
    return f"{money(asked, currency)} asked of the order; above {money(policy.approval_above, currency)} others approve"


def _too_late(taken_at: datetime, now: datetime, policy: RefundPolicy) -> str | None:
    days = (now - taken_at).days
    if not policy.approval_after or now - taken_at <= policy.approval_after:
        return None
    return f"the money was taken {days} days ago; after {policy.approval_after.days} others approve"


def accepts_for_another(refund: Refund, actor: Actor) -> str | None:
    """Refuse whoever asked for it: nobody accepts their own refund."""
    if actor.id not in (refund.requested_by, refund.customer):
        return None
    return f"'{actor.id}' asked for this; nobody accepts their own refund"


def may_call_it_off(refund: Refund, actor: Actor) -> str | None:
    """Refuse customers who call off what they did not ask for."""
    if actor.role is not Role.CUSTOMER or refund.by_customer:
        return None
    return "the shop gives this back of its own accord"


def is_the_shop(actor: Actor) -> str | None:
    """Refuse customers."""
    return "the shop has agreed to it already" if actor.role is Role.CUSTOMER else None


def is_what_was_approved(refund: Refund, event: Approved) -> str | None:
    """Refuse the approval of something else."""
    if (event.approval, event.amount, event.currency) == (refund.approval, refund.amount, refund.currency):
        return None
    return f"'{event.approval}' is of {money(event.amount or 0, event.currency or '')}, not of this refund"


def was_approved_by_others(refund: Refund, votes: list[ApprovalVote]) -> str | None:
    """Refuse an approval in which those voted who asked for the refund, or get it."""
    own = {refund.requested_by, refund.customer, refund.accepted_by}
    interested = sorted({vote.person for vote in votes if vote.choice == "approve"} & own)
    return f"'{interested[0]}' asked for this refund; nobody approves their own" if interested else None


def was_withdrawn(event: Rejected) -> str | None:
    """Hold if whoever asked for the approval thought better of it."""
    return None if event.outcome == "withdrawn" else f"it is {event.outcome}"


def no_dispute_stands(refund: Refund, payments: dict[str, Payment]) -> str | None:
    """Refuse while the customer's bank may take the money back by itself: it would be given twice."""
    disputed = payments[refund.payment_id].disputed
    return f"the bank claims {money(disputed, refund.currency)} of the payment back" if disputed else None


def enough_is_left(refund: Refund, payments: dict[str, Payment]) -> str | None:
    """Refuse what the customer's bank has given back already; other refunds on their way count, too."""
    payment = payments[refund.payment_id]
    left = payment.captured - payment.refunded - payment.lost - (payment.refunding - refund.amount)
    if refund.amount <= left:
        return None
    return f"{money(refund.amount, refund.currency)} asked, {money(max(left, 0), refund.currency)} left of the payment"


def is_what_was_asked(refund: Refund, event: Refunded) -> str | None:
    """Refuse an answer about another amount than was asked for."""
    if (event.amount, event.currency) == (refund.amount, refund.currency):
        return None
    return f"{money(event.amount, event.currency)} given, {money(refund.amount, refund.currency)} asked"


def was_told_before(refund: Refund, event: Refunded) -> str | None:
    """Hold if an answer is about the very refund that was heard of before."""
    return None if event.refund == refund.refund else f"'{event.refund}' is not '{refund.refund}'"


def is_what_was_given(refund: Refund, event: RefundReturned) -> str | None:
    """Refuse what came back of an earlier attempt, which is known."""
    return None if event.refund == refund.refund else f"'{event.refund}' is not '{refund.refund}'"


def is_unanswered(refund: Refund) -> str | None:
    """Hold if nobody knows for sure what the gateway did."""
    return None if refund.unanswered else "the gateway has answered"


def it_is_the_last_answer(refund: Refund) -> str | None:
    """Hold if the gateway owes no other answer, by which it might say that it gave the money."""
    return None if refund.awaited <= 1 else f"{refund.awaited} answers are awaited"


def outcome_is_known(refund: Refund) -> str | None:
    """Refuse to give again, otherwise or not at all what the gateway may have given: it would be given twice."""
    if not refund.unanswered:
        return None
    return "the gateway has not said whether it gave the money back; look there, and tell what it shows by 'clarify'"


def was_given(event: Clarify) -> str | None:
    """Hold if the gateway gave the money back."""
    return None if event.given else "the gateway shows that it did not give the money back"
