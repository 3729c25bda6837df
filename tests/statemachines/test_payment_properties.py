"""Whatever is asked of a payment and whatever the gateway says, and when: the order knows where the money is."""

from random import Random

from hypothesis import given, note, settings
from hypothesis import strategies as st

from statemachines.decision import Accepted
from statemachines.declaration import Event
from statemachines.payment import Payment
from statemachines.payment.events import (
    Capture,
    Confirm,
    RefundDropped,
    RefundMade,
    RefundReturned,
    Retry,
    Settle,
    Void,
)
from statemachines.payments import (
    CaptureFailed,
    CustomerActionRequired,
    Declined,
    Voided,
    VoidFailed,
)
from tests.statemachines.bank import Bank
from tests.statemachines.till import Till

STEPS = 60
CURRENCIES = ("EUR", "EUR", "EUR", "EUR", "JPY")
ANSWERS = ("taken", "ready", "declined", "action", "captured", "capture_failed", "voided", "void_failed")


class AnyDay:
    """What may happen to a payment, sensible or not, in any order."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.till = Till()
        method = random.choice(["tok_approve", None])
        self.till.begun(self.amount(), method=method, take=random.choice(["now", "later"]))

    def amount(self) -> int:
        return self.random.randint(1, 5)

    def likely(self) -> int:
        """Return an amount that the payment knows of, or any."""
        mine = self.till.payment
        known = [mine.amount, mine.capturing, mine.held, mine.refunding, mine.disputed]
        return self.random.choice([*(each for each in known if each), self.amount()])

    def answer(self) -> Event:
        till, currency = self.till, self.random.choice(CURRENCIES)
        match self.random.choice(ANSWERS):
            case "taken":
                return till.taken(self.random.choice([self.likely(), 0]), currency)
            case "ready":
                return till.ready(self.random.choice([self.likely(), 0]), currency)
            case "declined":
                return Declined(reason="insufficient funds")
            case "action":
                return CustomerActionRequired(payment="pi_1", url="https://bank.example/confirm")
            case "captured":
                captured = till.captured(self.likely(), self.random.randint(0, 5), currency)
                return captured.model_copy(update={"total": max(1, captured.total - self.random.choice([0, 0, 1, 5]))})
            case "capture_failed":
                return CaptureFailed(amount=self.likely(), payment="pi_1", reason="the bank let it go")
            case "voided":
                return Voided(payment="pi_1")
            case _:
                return VoidFailed(payment="pi_1", reason="captured before")

    def request(self) -> Event:
        till, dispute = self.till, self.random.choice(["du_1", "du_2"])
        kinds = (
            Confirm(method="tok_approve"),
            Capture(amount=self.likely(), final=self.random.random() < 0.5),
            Void(),
            Retry(),
            Settle(reason="seen to"),
            till.refund(self.likely()),
            RefundMade(refund="rfd_1", amount=self.likely()),
            RefundReturned(refund="rfd_1", amount=self.likely()),
            RefundDropped(refund="rfd_1", amount=self.likely()),
            till.claim(self.random.choice([self.likely(), 0]), dispute, self.random.choice(CURRENCIES)),
            till.won(self.likely(), dispute),
            till.lost(self.likely(), dispute),
        )
        return self.random.choice(kinds)


def holds_what_the_database_checks(payment: Payment) -> None:
    assert payment.asked in (0, payment.amount)
    assert min(payment.held, payment.captured, payment.capturing, payment.capture_next) >= 0
    assert min(payment.refunding, payment.refunded, payment.disputed, payment.lost) >= 0
    assert payment.refunded + payment.refunding + payment.charged_back <= payment.captured
    assert 0 <= payment.charged_back <= payment.disputed + payment.lost
    assert (payment.captured == 0) == (payment.taken_at is None)
    assert payment.held + payment.captured == 0 or payment.payment is not None


@given(st.randoms(use_true_random=True))
@settings(max_examples=300, deadline=None)
def test_the_order_knows_where_the_money_is(random: Random) -> None:
    day = AnyDay(random)
    for _ in range(STEPS):
        what, till = random.choice(["answer", "answer", "request", "request", "time"]), day.till
        if what == "time":
            till.wait(hours=random.choice([1, 25, 200]))
        else:
            event = day.answer() if what == "answer" else day.request()
            before = till.payment.state
            decision = till.ask(event)
            note(f"{before}: {event!r} -> {till.payment.state} {till.payment!r}")
            if what == "answer" and before != "created":
                assert isinstance(decision, Accepted), "an answer of the gateway would be lost"
        assert till.is_in_step()
        holds_what_the_database_checks(till.payment)


def serve(till: Till, bank: Bank) -> None:
    """Hand what was asked since to the bank."""
    for call in till.calls:
        bank.asked(call)
    till.calls.clear()


def hear(till: Till, bank: Bank) -> None:
    if event := bank.answer():
        before = till.payment.state
        till.tell(event)
        note(f"{before}: {event!r} -> {till.payment!r}")
        serve(till, bank)
        assert till.is_in_step()


@given(st.randoms(use_true_random=True))
@settings(max_examples=300, deadline=None)
def test_in_the_end_the_payment_says_what_the_bank_has(random: Random) -> None:
    till, bank = Till(), Bank(random)
    till.begun(random.randint(1, 9), take=random.choice(["now", "later"]))
    serve(till, bank)
    for _ in range(STEPS):
        what = random.choice(["bank", "bank", "hears", "hears", "customer", "time", "capture", "void", "retry"])
        note(f"{what}, the bank: {bank.held} held, {bank.taken} taken")
        match what:
            case "bank":
                bank.works()
            case "hears":
                hear(till, bank)
            case "customer":
                bank.customer_acts()
            case "time":
                till.wait(hours=random.choice([1, 25]))
            case "capture":
                till.ask(Capture(amount=random.randint(1, 4), final=random.random() < 0.3))
            case "void" if random.random() < 0.3:
                till.tell(Void())
            case "retry":
                till.ask(Retry())
        serve(till, bank)
        note(f"{till.payment!r}")
    bank.customer_acts()
    for _ in range(20 * STEPS):
        bank.works()
        hear(till, bank)
        if not bank.calls and not bank.answers and not bank.waiting:
            break
    assert (till.payment.captured, till.payment.held) == (bank.taken, bank.held)
