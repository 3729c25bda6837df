"""A bank in memory: it knows what it holds and took, does what it is asked when it likes, and answers when it likes."""

from dataclasses import dataclass, field
from random import Random

from statemachines.commands import Call
from statemachines.declaration import Event
from statemachines.payments import (
    AUTHORIZE,
    CAPTURE,
    CHARGE,
    VOID,
    AuthorizeArguments,
    Authorized,
    CaptureArguments,
    Captured,
    CaptureFailed,
    ChargeArguments,
    Charged,
    CustomerActionRequired,
    Declined,
    VoidArguments,
    Voided,
    VoidFailed,
)


@dataclass
class Bank:
    """Answers one till's calls. Each call is done once and answered once, but in no particular order."""

    random: Random
    held: int = 0
    taken: int = 0
    ended: bool = False
    """Whether nothing more can be held or taken."""
    calls: list[Call] = field(default_factory=list)
    answers: list[Event] = field(default_factory=list)
    waiting: Call | None = None
    """What the customer has to confirm."""

    def asked(self, call: Call) -> None:
        """Take a call."""
        if call.effect in (CHARGE, AUTHORIZE, CAPTURE, VOID):
            self.calls.append(call)

    def works(self) -> None:
        """Do one of the things that were asked."""
        if self.calls:
            call = self.calls.pop(self.random.randrange(len(self.calls)))
            match call.arguments:
                case ChargeArguments() | AuthorizeArguments() if self.random.random() < 0.3:
                    self.waiting = call
                    self.answers.append(CustomerActionRequired(payment="pi_1"))
                case ChargeArguments() | AuthorizeArguments():
                    self._decides(call)
                case CaptureArguments() as asked:
                    self.answers.append(self._captures(asked))
                case VoidArguments() as asked:
                    self.answers.append(self._lets_go(asked))

    def customer_acts(self) -> None:
        """Let the customer confirm, or not, what waits for that."""
        if self.waiting:
            call, self.waiting = self.waiting, None
            if not self.ended:
                self._decides(call)

    def _decides(self, call: Call) -> None:
        asked = call.arguments
        assert isinstance(asked, ChargeArguments | AuthorizeArguments)
        if self.random.random() < 0.2:
            self.ended = True
            self.answers.append(Declined(reason="insufficient funds"))
        elif call.effect is CHARGE:
            self.taken, self.ended = asked.amount, True
            self.answers.append(Charged(amount=asked.amount, currency="EUR", payment="pi_1"))
        else:
            self.held = asked.amount
            self.answers.append(Authorized(amount=asked.amount, currency="EUR", payment="pi_1"))

    def _captures(self, asked: CaptureArguments) -> Event:
        if self.taken != asked.captured + asked.amount:  # or it was done before
            if self.taken != asked.captured or asked.amount > self.held or self.random.random() < 0.2:
                return CaptureFailed(amount=asked.amount, payment="pi_1", reason="not now")
            self.taken += asked.amount
            self.held = 0 if asked.final else self.held - asked.amount
        return Captured(amount=asked.amount, total=self.taken, held=self.held, currency="EUR", payment="pi_1")

    def _lets_go(self, asked: VoidArguments) -> Event:
        if self.taken > asked.captured:
            return VoidFailed(payment="pi_1", reason="captured before")
        self.held, self.ended = 0, True
        return Voided(payment="pi_1")

    def answer(self, *, in_order: bool = False) -> Event | None:
        """Return an answer that was not given before, if there is one."""
        return self.answers.pop(0 if in_order else self.random.randrange(len(self.answers))) if self.answers else None
