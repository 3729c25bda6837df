"""What follows when a refund's row is taken: each action yields what it asks for and changes nothing itself."""

from collections.abc import Iterator
from datetime import datetime

from statemachines import approval
from statemachines.approval import ApprovalOpened, Rejected
from statemachines.commands import Call, Command, Send, Set, Spawn, Start
from statemachines.declaration import Actor, Event, asks
from statemachines.payment import events as payment
from statemachines.payments import REFUND, RefundArguments, Refunded, RefundFailed, RefundReturned
from statemachines.refund import news
from statemachines.refund.events import (
    Cancel,
    Clarify,
    Explain,
    Proceed,
    Refuse,
    Remind,
    Request,
    Settle,
)
from statemachines.refund.model import Refund, RefundPolicy
from statemachines.values import money

SILENCE = "no answer from the payment gateway"
CALLED_OFF = "nobody wants it any more"
LOST = "the bank gave the money back"


# -- asking --------------------------------------------------------------------------------------------------------


def asked(refund: Refund, event: Request) -> Refund:
    """Return the refund as it is once it is asked for."""
    lines = [each.model_dump() for each in event.lines]
    renamed = {"order_id": event.order, "payment_id": event.payment, "payment": event.gateway_payment}
    same = event.model_dump(exclude={"order", "payment", "gateway_payment", "lines"})
    return refund.model_copy(update={**same, **renamed, "lines": lines})


def take_down(refund: Refund, event: Request) -> Iterator[Command]:
    """Note what is asked, and see to it that nobody else gives the same money back."""
    put = asked(refund, event)
    names = (*Request.model_fields.keys() & Refund.model_fields.keys(), "order_id", "payment_id")
    yield Set(**{name: getattr(put, name) for name in names})
    yield Send("payment", event.payment, payment.RefundAsked(refund=refund.id, amount=event.amount))


def ask_approvers_from_the_start(refund: Refund, event: Request) -> Iterator[Command]:
    """Ask those who approve refunds, in the name of whoever asks."""
    yield _ask_approvers(asked(refund, event), event.requested_by)


def ask_approvers(refund: Refund) -> Iterator[Command]:
    """Ask those who approve refunds, in the customer's name."""
    yield _ask_approvers(refund, refund.requested_by)


def ask_other_approvers(refund: Refund, actor: Actor) -> Iterator[Command]:
    """Ask those who approve refunds, in the name of whoever accepted it, so that it is somebody else who approves."""
    yield _ask_approvers(refund, actor.id)


def _ask_approvers(refund: Refund, requested_by: str) -> Command:
    return Spawn(
        "approval",
        approval.Request(
            kind="refund",
            machine="refund",
            reference=refund.id,
            description=_description(refund, refund.reason),
            amount=refund.amount,
            currency=refund.currency,
            requested_by=requested_by,
        ),
    )


def _description(refund: Refund, reason: str | None) -> str:
    asked_for = f"a refund to {refund.customer} for order {refund.called or refund.order_id}"
    return (f"{asked_for}: {reason}" if reason else asked_for)[:500]


def note_approval(event: ApprovalOpened) -> Iterator[Command]:
    """Remember whose answer to wait for."""
    yield Set(approval=event.approval)


def explain(refund: Refund, event: Explain) -> Iterator[Command]:
    """Let those who approve decide anew, knowing more."""
    assert refund.approval is not None
    yield Set(reason=event.reason)
    yield Send("approval", refund.approval, approval.Resubmit(description=_description(refund, event.reason)))


def ask_no_longer(refund: Refund) -> Iterator[Command]:
    """Let those who approve go home."""
    assert refund.approval is not None
    yield Send("approval", refund.approval, approval.Withdraw(reason="the refund no longer needs it"))


def note_acceptance(actor: Actor, now: datetime) -> Iterator[Command]:
    """Note who gave the customer what was asked for."""
    yield Set(accepted_by=actor.id, decided_at=now)


def note_decision(now: datetime) -> Iterator[Command]:
    """Note when it was approved."""
    yield Set(decided_at=now)


def become_owed(now: datetime) -> Iterator[Command]:
    """Note that nobody has to agree any more."""
    yield Set(owed=True, decided_at=now)


def remind_again(now: datetime, policy: RefundPolicy) -> Iterator[Command]:
    """Remind once more after a while, for as long as it waits."""
    yield Start(Remind.event_name, Remind, now + policy.remind_every)


# -- giving --------------------------------------------------------------------------------------------------------


def proceed(refund: Refund) -> Iterator[Command]:
    """Go on by itself."""
    yield Send("refund", refund.id, Proceed())


def look_again(now: datetime, policy: RefundPolicy) -> Iterator[Command]:
    """See after a while whether the dispute is over."""
    yield Start(Proceed.event_name, Proceed, now + policy.remind_every)


@asks(REFUND)
def ask_gateway(refund: Refund) -> Iterator[Command]:
    """Ask the gateway to give the money back; the answer comes back as refunded or as refund failed."""
    yield Call(
        REFUND,
        RefundArguments(amount=refund.amount, currency=refund.currency, payment=refund.payment, order=refund.order_id),
    )
    yield Set(attempts=refund.attempts + 1, awaited=refund.awaited + 1, attention=None)


def record_success(refund: Refund, event: Refunded, now: datetime) -> Iterator[Command]:
    """Note that the gateway gave the money back."""
    yield Set(refund=event.refund, unanswered=False)
    yield from count_answer(refund)
    yield from _succeed(refund, now)


def record_wrong_amount(refund: Refund, event: Refunded) -> Iterator[Command]:
    """Note an answer about another amount: a person has to look what the gateway gave."""
    yield from count_answer(refund)
    yield from _fail(refund, wrong_amount(refund, event), unanswered=True)


def note_wrong_amount(refund: Refund, event: Refunded) -> Iterator[Command]:
    """Note a late answer about another amount; it is owed as before."""
    yield Set(unanswered=True, attention=wrong_amount(refund, event))
    yield from count_answer(refund)


def wrong_amount(refund: Refund, event: Refunded) -> str:
    """Say what a person should look at."""
    return f"{money(event.amount, event.currency)} given back, {money(refund.amount, refund.currency)} asked"


def record_failure(refund: Refund, event: RefundFailed) -> Iterator[Command]:
    """Note that the money is still with us, and why, unless an earlier call may have been the one that was answered."""
    yield from count_answer(refund)
    yield from _fail(refund, event.reason, unanswered=refund.awaited > 1)


def record_silence(refund: Refund) -> Iterator[Command]:
    """Note that nobody knows whether the money was given back."""
    yield from _fail(refund, SILENCE, unanswered=True)


def record_late_failure(refund: Refund, event: RefundFailed) -> Iterator[Command]:
    """Note that the money is still with us after all, once no other answer is awaited."""
    yield Set(unanswered=refund.awaited > 1, attention=event.reason)
    yield from count_answer(refund)


def count_answer(refund: Refund) -> Iterator[Command]:
    """Note that the gateway owes one answer less."""
    yield Set(awaited=max(refund.awaited - 1, 0))


def record_that_it_was_given(refund: Refund, event: Clarify, now: datetime) -> Iterator[Command]:
    """Note that the gateway gave the money back, as a person found out; it may still say so itself."""
    yield Set(decided_because=event.reason)
    yield from _succeed(refund, now)


def note_late_success(refund: Refund, event: Refunded) -> Iterator[Command]:
    """Note that the gateway says itself what a person had found out."""
    yield Set(refund=event.refund, unanswered=False)
    yield from count_answer(refund)


def record_that_it_was_not_given(event: Clarify) -> Iterator[Command]:
    """Note that the money is still with us, as a person found out."""
    yield Set(unanswered=False, attention=event.reason)


def record_error(refund: Refund, event: RefundFailed) -> Iterator[Command]:
    """Note that the money was not given after all, although a person said so."""
    yield from count_answer(refund)
    yield from record_return(refund, event)


def record_return(refund: Refund, event: RefundReturned | RefundFailed) -> Iterator[Command]:
    """Note that what was given is with us again, or was not given after all, and why."""
    yield Set(refund=None, unanswered=False, attention=event.reason, processed_at=None)
    yield Send("payment", refund.payment_id, payment.RefundReturned(refund=refund.id, amount=refund.amount))
    yield from _tell(refund, news.RefundReturned(refund=refund.id, amount=refund.amount, reason=event.reason))


def record_second_gift(refund: Refund, event: Refunded) -> Iterator[Command]:
    """Note money that was given back although nobody waited for it."""
    yield Set(attention=second_gift(event))
    yield from count_answer(refund)


def second_gift(event: Refunded) -> str:
    """Say what a person should look at."""
    return f"{money(event.amount, event.currency)} more than was asked for was given back, as '{event.refund}'"


def tell_retried(refund: Refund) -> Iterator[Command]:
    """Tell that what had failed is on its way once more."""
    yield from _tell(refund, news.RefundRetried(refund=refund.id, amount=refund.amount))


def settle(refund: Refund, event: Settle, now: datetime) -> Iterator[Command]:
    """Note that the money was given back in another way."""
    yield Set(decided_because=event.reason, attention=None, processed_at=now)
    yield _tell_payment_made(refund)
    yield from _tell(refund, news.RefundSettled(refund=refund.id, amount=refund.amount))


def _succeed(refund: Refund, now: datetime) -> Iterator[Command]:
    yield Set(attention=None, processed_at=now)
    yield _tell_payment_made(refund)
    yield from _tell(refund, news.Refunded(refund=refund.id, amount=refund.amount, currency=refund.currency))


def _fail(refund: Refund, why: str, *, unanswered: bool) -> Iterator[Command]:
    yield Set(unanswered=unanswered, attention=why)
    yield from _tell(refund, news.RefundFailed(refund=refund.id, amount=refund.amount, reason=why))


def _tell_payment_made(refund: Refund) -> Command:
    return Send("payment", refund.payment_id, payment.RefundMade(refund=refund.id, amount=refund.amount))


# -- not giving ----------------------------------------------------------------------------------------------------


def refuse(refund: Refund, event: Refuse, now: datetime) -> Iterator[Command]:
    """Note that the shop does not give it."""
    yield from _end(refund, event.reason, now)


def turn_down(refund: Refund, event: Rejected, now: datetime) -> Iterator[Command]:
    """Note that it was not approved."""
    yield from _end(refund, event.reason, now)


def call_off(refund: Refund, event: Cancel, now: datetime) -> Iterator[Command]:
    """Note that it is not wanted any more."""
    yield from _end(refund, event.reason or CALLED_OFF, now)


def give_up(refund: Refund, now: datetime) -> Iterator[Command]:
    """Note that the customer's bank gave the money back, so that we don't."""
    yield from _end(refund, LOST, now)


def _end(refund: Refund, why: str, now: datetime) -> Iterator[Command]:
    yield Set(decided_at=now, decided_because=why, attention=None)
    yield Send("payment", refund.payment_id, payment.RefundDropped(refund=refund.id, amount=refund.amount))
    dropped = news.RefundDropped(
        refund=refund.id,
        amount=refund.amount,
        had_failed=refund.state == "failed",
        goodwill=refund.goodwill,
        reason=why[:200],
    )
    yield from _tell(refund, dropped)


def _tell(refund: Refund, event: Event) -> Iterator[Command]:
    """Tell the order, and the return that it is for."""
    yield Send("order", refund.order_id, event)
    if refund.return_case:
        yield Send("return", refund.return_case, event)
