"""When something may happen to a payment: each guard is a sentence that holds, or returns the reason why not."""

from statemachines.payment.accounts import held_freely, refundable, still_held
from statemachines.payment.events import (
    Begin,
    Capture,
    Confirm,
    Dispute,
    DisputeLost,
    DisputeWon,
    RefundAsked,
    RefundDropped,
    RefundMade,
    RefundReturned,
)
from statemachines.payment.model import Payment
from statemachines.payments import Authorized, Captured, Charged
from statemachines.values import money

# -- asking for money ----------------------------------------------------------------------------------------------


def nobody_said_with_what(event: Begin) -> str | None:
    """Hold if the customer has yet to say with what it is paid."""
    return None if event.method is None else "it is known with what it is paid"


def is_taken_now(payment: Payment, event: Begin | Confirm) -> str | None:
    """Hold if the money is not held ready first."""
    take = event.take if isinstance(event, Begin) else payment.take
    return None if take == "now" else "the money is held ready first"


# -- what the gateway answers --------------------------------------------------------------------------------------


def is_awaited(payment: Payment) -> str | None:
    """Refuse an answer that was given before."""
    return None if payment.payment_asked else "the gateway has said before how the payment ended"


def is_real_money(payment: Payment, event: Charged | Authorized) -> str | None:
    """Refuse an answer about no money, or about other money than ours."""
    if event.amount and event.currency == payment.currency:
        return None
    return f"{money(event.amount, event.currency)} answered, {money(payment.amount, payment.currency)} asked"


def is_still_wanted(payment: Payment) -> str | None:
    """Refuse money that the order called off."""
    return "the order called it off" if payment.void_asked else None


def is_called_off(payment: Payment) -> str | None:
    """Hold if the order called it off."""
    return None if payment.void_asked else "nobody called it off"


# -- taking what is held -------------------------------------------------------------------------------------------


def is_held_ready(payment: Payment, event: Capture) -> str | None:
    """Refuse to take more than is held ready and not to be taken already."""
    if event.amount <= held_freely(payment):
        return None
    asked = money(event.amount, payment.currency)
    return f"{asked} to take, but only {money(max(0, held_freely(payment)), payment.currency)} are held ready"


def is_being_taken(payment: Payment) -> str | None:
    """Refuse an answer to a capture that was given before."""
    return None if payment.capturing else "no capture waits for an answer"


def more_was_taken(payment: Payment, event: Captured) -> str | None:
    """Refuse an answer that says nothing new: it came twice, or another capture found the same money taken."""
    if event.total > payment.captured:
        return None
    return f"it is known that {money(payment.captured, payment.currency)} were taken"


def is_in_its_currency(payment: Payment, event: Captured) -> str | None:
    """Refuse an answer about other money than ours."""
    if event.currency == payment.currency:
        return None
    return f"{money(event.amount, event.currency)} taken, {money(payment.capturing, payment.currency)} asked"


def more_is_to_be_taken(payment: Payment, event: Captured) -> str | None:
    """Hold if another parcel left meanwhile, and its money is still held ready."""
    if payment.capture_next:
        return some_stays_held(payment, event)
    return "nothing else is to be taken"


def some_stays_held(payment: Payment, event: Captured) -> str | None:
    """Hold if the gateway still holds money ready."""
    return None if still_held(payment, event) else "nothing is held any more"


def something_is_to_be_taken(payment: Payment) -> str | None:
    """Refuse unless a capture failed or is without an answer, and the money is still held."""
    if payment.held and payment.capturing + payment.capture_next:
        return None
    return "there is nothing to try again: ask the gateway what became of the payment"


# -- letting go ----------------------------------------------------------------------------------------------------


def the_gateway_has_it(payment: Payment) -> str | None:
    """Refuse if there is nothing that the gateway could let go."""
    if payment.payment and payment.held + payment.asked:
        return None
    return "there is nothing that the gateway could let go"


def is_asked_for(payment: Payment) -> str | None:
    """Refuse if nothing is asked for."""
    return None if payment.asked else "nothing is asked for"


def money_was_taken(payment: Payment) -> str | None:
    """Hold if part of it was taken."""
    return None if payment.captured else "nothing was taken"


# -- giving back ---------------------------------------------------------------------------------------------------


def is_left_to_refund(payment: Payment, event: RefundAsked) -> str | None:
    """Refuse to give back more than was taken and is not given back, on its way back or gone already."""
    if event.amount <= refundable(payment):
        return None
    asked, left = money(event.amount, payment.currency), money(refundable(payment), payment.currency)
    return f"{asked} asked back, but only {left} of {money(payment.captured, payment.currency)} are left"


def was_refunded(payment: Payment, event: RefundReturned) -> str | None:
    """Refuse to take back what was not given back."""
    if event.amount <= payment.refunded:
        return None
    returned, refunded = money(event.amount, payment.currency), money(payment.refunded, payment.currency)
    return f"{returned} came back, but {refunded} were given back"


def is_being_refunded(payment: Payment, event: RefundMade | RefundDropped) -> str | None:
    """Refuse news of more than refunds were asked for."""
    if event.amount <= payment.refunding:
        return None
    return f"{money(event.amount, payment.currency)} told, {money(payment.refunding, payment.currency)} asked"


# -- disputes ------------------------------------------------------------------------------------------------------


def is_disputed(payment: Payment) -> str | None:
    """Hold if the bank has not decided yet on what it claims."""
    return None if payment.disputed else "nothing is disputed"


def is_news(payment: Payment, event: Dispute) -> str | None:
    """Refuse a dispute that is known; one that becomes serious is not."""
    if event.dispute != payment.dispute or (event.amount and not payment.disputed and payment.state == "disputed"):
        return None
    return f"the dispute {event.dispute} is known"


def others_are_open(payment: Payment, event: DisputeWon | DisputeLost) -> str | None:
    """Hold if the bank has yet to decide on another dispute."""
    return None if payment.disputed > event.amount else "no other dispute is open"


def nothing_was_lost(payment: Payment) -> str | None:
    """Refuse if an earlier dispute was lost."""
    return None if not payment.lost else f"{money(payment.lost, payment.currency)} were lost before"


def is_open_or_new(payment: Payment, event: DisputeLost) -> str | None:
    """Refuse a decision that is known."""
    if payment.disputed or event.dispute != payment.dispute:
        return None
    return f"it is known how the dispute {event.dispute} ended"
