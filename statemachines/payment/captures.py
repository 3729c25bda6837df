"""How money that is held ready is taken, in one piece or parcel by parcel, and how it is let go."""

from collections.abc import Iterator
from datetime import datetime

from statemachines.commands import Call, Command, Set
from statemachines.declaration import asks
from statemachines.payment import news
from statemachines.payment.accounts import move, still_held, tell
from statemachines.payment.actions import call_a_person, give_up
from statemachines.payment.events import Capture, Settle, Void
from statemachines.payment.model import Payment
from statemachines.payments import (
    CAPTURE,
    VOID,
    Authorized,
    CaptureArguments,
    Captured,
    CaptureFailed,
    CustomerActionRequired,
    VoidArguments,
    VoidFailed,
)

CALLED_OFF = "it was called off"
ONE_PIECE = "the bank lets it be taken in one piece only"
NOT_MADE = "it did not come about"
LAPSED = "the bank no longer holds it ready"
NOT_CONFIRMED = "the customer did not confirm it in time"

# -- taking it -----------------------------------------------------------------------------------------------------


@asks(CAPTURE)
def capture(payment: Payment, event: Capture) -> Iterator[Command]:
    """Ask the gateway to take what is held, or part of it; the answer comes back as captured or capture failed."""
    yield from _capture(payment, event.amount, final=event.final)


def note_capture(payment: Payment, event: Capture) -> Iterator[Command]:
    """Remember to take this too, once the gateway has answered."""
    yield Set(capture_next=payment.capture_next + event.amount, capture_final=event.final)


@asks(CAPTURE)
def capture_again(payment: Payment) -> Iterator[Command]:
    """Ask for what failed or was never answered; a gateway that took it after all says so and takes nothing more."""
    # What was never answered is asked for alone: only so can the gateway tell that it was done.
    if payment.capturing:
        yield from _capture(payment, payment.capturing, then=payment.capture_next, final=payment.capture_final)
    else:
        yield from _capture(payment, payment.capture_next, final=payment.capture_final)


@asks(CAPTURE)
def take_next(payment: Payment, event: Captured) -> Iterator[Command]:
    """Ask for what was to be taken next."""
    now = payment.model_copy(update={"captured": event.total})
    yield from _capture(now, min(payment.capture_next, still_held(payment, event)), final=payment.capture_final)


def _capture(payment: Payment, amount: int, *, then: int = 0, final: bool) -> Iterator[Command]:
    assert payment.payment is not None
    arguments = CaptureArguments(
        amount=amount,
        currency=payment.currency,
        payment=payment.payment,
        order=payment.order_id,
        final=final and not then,
        captured=payment.captured,
    )
    yield Call(CAPTURE, arguments)
    yield Set(capturing=amount, capture_next=then, capture_final=final, attention=None)


def record_capture(payment: Payment, event: Captured, now: datetime) -> Iterator[Command]:
    """Note what was taken, and what is held still; less than it should be if all was to be taken in one piece."""
    left, taken = still_held(payment, event), event.total - payment.captured
    final = payment.capture_final and not payment.capture_next
    lost = 0 if final else max(payment.held - taken - left, 0)
    yield Set(payment=event.payment, held=left, capturing=0, attention=None)
    yield Set(taken_at=payment.taken_at or now)
    yield from move(payment, captured=event.total)
    yield tell(
        payment,
        news.Charged(
            payment=payment.id,
            held=payment.held - left - lost,
            amount=taken,
            currency=event.currency,
        ),
    )
    if lost:
        yield tell(payment, news.Released(payment=payment.id, held=lost, reason=ONE_PIECE))


def forget_captures() -> Iterator[Command]:
    """Take nothing more: nothing is held any more."""
    yield Set(capture_next=0, capture_final=False)


def note_refused_capture(payment: Payment, event: CaptureFailed) -> Iterator[Command]:
    """Say that the gateway won't take it; a person may have it tried again."""
    yield Set(capturing=0, capture_next=payment.capturing + payment.capture_next)
    yield from call_a_person(payment, event.reason)


def drop_capture() -> Iterator[Command]:
    """Note that the gateway won't take what is let go anyway."""
    yield Set(capturing=0, capture_next=0)


# -- letting it go -------------------------------------------------------------------------------------------------


def note_call_off(payment: Payment, event: Void) -> Iterator[Command]:
    """Remember that the money is no longer wanted, but for what was to be taken already."""
    final = bool(payment.capturing or payment.capture_next) or payment.capture_final
    yield Set(void_asked=True, capture_final=final, reason=event.reason or CALLED_OFF)


def call_off(payment: Payment, event: Void) -> Iterator[Command]:
    """Ask for the money no longer."""
    yield Set(void_asked=True, attention=None)
    yield from give_up(payment, event.reason or CALLED_OFF)


def call_off_unconfirmed() -> Iterator[Command]:
    """Wait for the customer no longer."""
    yield Set(void_asked=True, reason=NOT_CONFIRMED)


@asks(VOID)
def let_go(payment: Payment) -> Iterator[Command]:
    """Ask the gateway to let go what it holds; the answer comes back as voided or void failed."""
    assert payment.payment is not None
    yield _let_go(payment, payment.payment, payment.captured)
    yield Set(attention=None)


@asks(VOID)
def let_go_at_once(payment: Payment, event: Authorized | Captured | CustomerActionRequired) -> Iterator[Command]:
    """Ask the gateway to let go what it just named."""
    yield Set(payment=event.payment)
    yield _let_go(payment, event.payment, event.total if isinstance(event, Captured) else payment.captured)


def _let_go(payment: Payment, name: str, captured: int) -> Command:
    return Call(VOID, VoidArguments(payment=name, order=payment.order_id, captured=captured))


def record_release(payment: Payment) -> Iterator[Command]:
    """Note that nothing is held or asked for any more."""
    yield from _release(payment, payment.reason or CALLED_OFF)


def record_lapse(payment: Payment) -> Iterator[Command]:
    """Note that nothing is held any more."""
    yield from _release(payment, LAPSED)


def settle(payment: Payment, event: Settle) -> Iterator[Command]:
    """Note what a person found out: nothing is held or asked for any more. Their words are not for the customer."""
    yield from _release(payment, event.reason, told=NOT_MADE)


def _release(payment: Payment, reason: str, told: str | None = None) -> Iterator[Command]:
    yield Set(void_asked=True, held=0, capture_next=0, capture_final=False, payment_url=None, attention=None)
    if payment.held:
        yield tell(payment, news.Released(payment=payment.id, held=payment.held, reason=reason[:200]))
    yield from give_up(payment, reason, told)


def note_refused_void(payment: Payment, event: VoidFailed) -> Iterator[Command]:
    """Say that the gateway won't let it go; a person may have it tried again."""
    yield from call_a_person(payment, event.reason)
