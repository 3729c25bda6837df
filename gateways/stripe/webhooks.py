"""What Stripe tells by webhook (https://docs.stripe.com/api/events), as far as anyone here acts on it.

Every payment and refund that we make carries the id of its effect in its metadata, and a message about it is that
effect's answer. What was paid or refunded elsewhere, in Stripe's dashboard for example, names no effect: it is kept for
a person to see. A dispute names the payment alone.
"""

from typing import Any, TypeVar

from pydantic import BaseModel, Field

from gateways.incoming import Body, Known, Reply, Request, Source, Unroutable
from gateways.port import Done, Refused
from gateways.quoting import quoted
from gateways.stripe.amounts import in_minor_units
from gateways.stripe.answers import Failure, Intent, Made, Refund
from gateways.stripe.declines import decline
from statemachines.declaration import Event
from statemachines.payment.events import Dispute, DisputeLost, DisputeWon, Lapse
from statemachines.values import Name

M = TypeVar("M", bound=BaseModel)


class _ToldIntent(Intent):
    capture_method: str = "automatic"
    amount_capturable: int = 0


class _ToldDispute(BaseModel):
    id: Name
    amount: int = Field(ge=0)
    currency: str
    payment_intent: Name | None = None
    reason: str
    status: str

    @property
    def our_currency(self) -> str:
        return self.currency.upper()

    @property
    def claim(self) -> int:
        """What the bank took back, in minor units; as long as it only asks, nothing."""
        return 0 if self.status.startswith("warning") else in_minor_units(self.amount, self.our_currency)


class _Data(BaseModel):
    object: dict[str, Any]


class _Event(BaseModel):
    data: _Data


def _succeeded(body: Body) -> Reply | None:
    """Money was taken. Where it was held ready first, our own capture took it and heard of it."""
    intent = _object(body, _ToldIntent)
    if intent.capture_method == "manual":
        return None
    taken = intent.amount if intent.amount_received is None else intent.amount_received
    return _about(intent, _money(intent, taken, payment=intent.id))


def _held_ready(body: Body) -> Reply | None:
    """Money is held ready to be taken. Where some was taken already, our own capture heard of the rest."""
    intent = _object(body, _ToldIntent)
    if intent.amount_received:
        return None
    return _about(intent, _money(intent, intent.amount_capturable, payment=intent.id))


def _let_go(body: Body) -> Request:
    """What was held ready is so no longer: we let it go, somebody did so at Stripe, or its time is over."""
    return Request("payment", Known("payment", _object(body, Intent).id), Lapse())


def _failed(body: Body) -> Reply:
    """A payment was declined, or the customer did not confirm it."""
    intent = _object(body, _ToldIntent)
    return _about(intent, Refused(decline((intent.last_payment_error or Failure()).exact_code)))


def _refund_moved(body: Body) -> Reply | None:
    """A refund arrived, or did not; on its way it says nothing new."""
    refund = _object(body, Refund)
    match refund.status:
        case "succeeded":
            return _about(refund, _money(refund, refund.amount, refund=refund.id))
        case "failed" | "canceled":
            amount = in_minor_units(refund.amount, refund.currency.upper())
            reason = f"the refund failed ({quoted(refund.failure_reason or refund.status)})"
            return _about(refund, Refused({"amount": amount, "reason": reason}))
    return None


def _disputed(body: Body) -> Request:
    """A customer claims money back from the bank."""
    told = _object(body, _ToldDispute)
    reason = quoted(told.reason) or "unknown"
    event = Dispute(dispute=told.id, amount=told.claim, currency=told.our_currency, reason=reason)
    return _about_payment(told, event)


def _decided(body: Body) -> Request | None:
    """The bank decided on a dispute, or asks no longer."""
    told = _object(body, _ToldDispute)
    match told.status:
        case "won" | "warning_closed":
            won = DisputeWon(dispute=told.id, amount=told.claim, currency=told.our_currency)
            return _about_payment(told, won)
        case "lost":
            lost = DisputeLost(dispute=told.id, amount=told.claim, currency=told.our_currency)
            return _about_payment(told, lost)
    return None


def _about_payment(told: _ToldDispute, event: Event) -> Request:
    if told.payment_intent is None:
        raise Unroutable("it names no payment")
    return Request("payment", Known("payment", told.payment_intent), event)


def _object(body: Body, model: type[M]) -> M:
    return model.model_validate(_Event.model_validate(body).data.object)


def _about(told: Made, answer: Done | Refused) -> Reply:
    if told.effect is None:
        raise Unroutable("it is about nothing that we asked for: its metadata name no effect")
    return Reply(told.effect, answer)


def _money(moved: Intent | Refund, amount: int, **named: str) -> Done:
    currency = moved.currency.upper()
    return Done({"amount": in_minor_units(amount, currency), "currency": currency, **named})


STRIPE = Source(
    kinds={
        "payment_intent.succeeded": _succeeded,
        "payment_intent.amount_capturable_updated": _held_ready,
        "payment_intent.payment_failed": _failed,
        "payment_intent.canceled": _let_go,
        "refund.created": _refund_moved,
        "refund.updated": _refund_moved,
        "refund.failed": _refund_moved,
        "charge.dispute.created": _disputed,
        "charge.dispute.funds_withdrawn": _disputed,
        "charge.dispute.closed": _decided,
    },
    answers="payments",
    hidden=frozenset({"client_secret"}),
)
"""Stripe's messages."""
