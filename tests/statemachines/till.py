"""A till in memory: one payment, the calls that it makes, and an order that adds up what it is told."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel

from statemachines.commands import Call, Send
from statemachines.decision import Accepted, Decision, TimerSet, decide
from statemachines.declaration import NEW, Actor, Effect, Event, Role
from statemachines.machine import SYSTEM
from statemachines.messages import POST_MESSAGE, SEND_MAIL, PostMessage, SendMail
from statemachines.payment import Payment, PaymentPolicy, payment
from statemachines.payment.events import Begin, Capture, Dispute, DisputeLost, DisputeWon, RefundAsked
from statemachines.payment.news import Authorized, Charged, Declined, DisputeClosed, PaymentDisputed, Released
from statemachines.payments import (
    AUTHORIZE,
    CAPTURE,
    CHARGE,
    VOID,
)
from statemachines.payments import Authorized as HeldReady
from statemachines.payments import Captured as CaptureDone
from statemachines.payments import Charged as Taken

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA = Actor("anna", Role.CUSTOMER)
MERCHANT = Actor("shop", Role.MERCHANT)

E = TypeVar("E", bound=Event)


class Till:
    """Decides on one payment and carries the decisions out; the keywords are the figures of the shop's policy."""

    def __init__(self, **policy: Any) -> None:
        self.machine = payment.with_policy(PaymentPolicy.model_validate(policy))
        self.payment = Payment(id="pay_1", state=NEW)
        self.now: datetime = NOON
        self.timers: dict[str, TimerSet] = {}
        self.calls: list[Call] = []
        self.told: list[Event] = []
        self.book: Counter[str] = Counter()

    # -- given

    def begun(self, amount: int = 5000, currency: str = "EUR", **more: Any) -> Payment:
        """Ask for a payment."""
        how = {"method": "tok_approve", **more}
        begin = Begin(order="ord_1", customer="anna", amount=amount, currency=currency, **how)
        self.book["asked"] = amount
        self.tell(begin)
        return self.payment

    def charged(self, amount: int = 5000) -> Payment:
        """Take money at once."""
        self.begun(amount)
        self.tell(self.taken(amount))
        return self.payment

    def held(self, amount: int = 5000, **more: Any) -> Payment:
        """Hold money ready."""
        self.begun(amount, take="later", **more)
        self.tell(self.ready(amount))
        return self.payment

    def disputed(self, amount: int = 5000, claim: int = 5000) -> Payment:
        """Take money that the bank then claims back."""
        self.charged(amount)
        self.tell(self.claim(claim))
        return self.payment

    # -- when

    def tell(self, event: Event, by: Actor = SYSTEM) -> Accepted:
        """Raise an event that must be taken."""
        decision = self.ask(event, by)
        assert isinstance(decision, Accepted), decision
        return decision

    def ask(self, event: Event, by: Actor = SYSTEM) -> Decision:
        """Raise an event, and carry out what follows if it is taken."""
        decision = decide(self.machine, self.payment, event, self.now, actor=by)
        if isinstance(decision, Accepted):
            changes = {**decision.changes, "state": decision.target, "version": self.payment.version + 1}
            self.payment = self.payment.model_copy(update=changes)
            for name in decision.cancels:
                self.timers.pop(name, None)
            self.timers.update({timer.name: timer for timer in decision.starts})
            for command in decision.commands:
                if isinstance(command, Call):
                    self.calls.append(command)
                else:
                    assert isinstance(command, Send)
                    assert (command.machine, command.id) == ("order", "ord_1")
                    self.hear(command.event)
        return decision

    def hear(self, news: Event) -> None:
        """Add up as the order does."""
        self.told.append(news)
        match news:
            case Authorized():
                self.book.update(asked=-news.asked, held=news.amount)
            case Charged():
                self.book.update(asked=-news.asked, held=-news.held, taken=news.amount)
            case Declined():
                self.book.update(asked=-news.asked)
            case Released():
                self.book.update(held=-news.held)
            case PaymentDisputed():
                self.book.update(disputed=news.amount)
            case DisputeClosed():
                self.book.update(disputed=-news.amount, lost=0 if news.won else news.amount)

    def wait(self, **time: float) -> None:
        """Let time pass and due timers fire, the earliest first."""
        end = self.now + timedelta(**time)
        while due := [(timer.at, name) for name, timer in self.timers.items() if timer.at <= end]:
            self.now, name = min(due)
            self.tell(self.machine.events[self.timers.pop(name).event]())
        self.now = end

    # -- what others say

    def taken(self, amount: int = 5000, currency: str = "EUR") -> Taken:
        return Taken(amount=amount, currency=currency, payment="pi_1")

    def ready(self, amount: int = 5000, currency: str = "EUR") -> HeldReady:
        return HeldReady(amount=amount, currency=currency, payment="pi_1")

    def captured(self, amount: int, held: int = 0, currency: str = "EUR") -> CaptureDone:
        total = self.payment.captured + amount
        return CaptureDone(amount=amount, total=total, currency=currency, payment="pi_1", held=held)

    def capture(self, amount: int, *, final: bool = True) -> Capture:
        return Capture(amount=amount, final=final)

    def claim(self, amount: int, dispute: str = "du_1", currency: str = "EUR") -> Dispute:
        return Dispute(dispute=dispute, amount=amount, currency=currency, reason="fraudulent")

    def won(self, amount: int, dispute: str = "du_1") -> DisputeWon:
        return DisputeWon(dispute=dispute, amount=amount, currency="EUR")

    def lost(self, amount: int, dispute: str = "du_1") -> DisputeLost:
        return DisputeLost(dispute=dispute, amount=amount, currency="EUR")

    def refund(self, amount: int) -> RefundAsked:
        return RefundAsked(refund="rfd_1", amount=amount)

    # -- then

    def asked_of(self, effect: Effect) -> list[BaseModel]:
        """Return what the gateway was asked by an effect, the oldest first."""
        return [call.arguments for call in self.calls if call.effect is effect]

    @property
    def gateway(self) -> list[str]:
        """What was asked of the gateway."""
        effects = [call.effect for call in self.calls if call.effect in (CHARGE, AUTHORIZE, CAPTURE, VOID)]
        return [effect.name.removeprefix("payments.") for effect in effects]

    @property
    def chat(self) -> list[str]:
        return [text.text for text in self.asked_of(POST_MESSAGE) if isinstance(text, PostMessage)]

    @property
    def mails(self) -> list[SendMail]:
        return [each for each in self.asked_of(SEND_MAIL) if isinstance(each, SendMail)]

    def last(self, kind: type[E]) -> E:
        """Return the latest news of a kind."""
        return [each for each in self.told if isinstance(each, kind)][-1]

    def is_in_step(self) -> bool:
        """Tell whether the order, by adding up what it was told, knows where the money is."""
        mine = self.payment
        gone = min(mine.lost, mine.charged_back)
        columns = {
            "asked": mine.asked,
            "held": mine.held,
            "taken": mine.captured,
            "disputed": mine.charged_back - gone,
            "lost": gone,
        }
        assert {name: self.book[name] for name in columns} == columns
        return True
