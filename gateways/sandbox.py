"""A payment gateway within the process, for trying things out: the token says what happens.

| token | a charge or an authorisation |
| --- | --- |
| ``tok_approve`` | is approved |
| ``tok_decline`` | is declined |
| ``tok_action`` | waits for the customer, for ever |
| ``tok_slow`` | is approved after two seconds |
| ``tok_timeout`` | is never answered |
| ``tok_fail_once`` | fails at the first attempt and is approved at the second |
| ``tok_no_capture`` | is approved, but captures of it are refused |
| ``tok_no_void`` | is approved, but an authorisation is not let go |
| ``tok_no_refund`` | is approved, but refunds of it are refused |

Any other token is declined as unknown. The same key gives the same answer, so a repeated attempt charges once.
"""

import asyncio
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from gateways.port import ActionRequired, Answer, Attempt, Done, Handlers, NoAnswer, Refused
from statemachines.payments import (
    AUTHORIZE,
    CAPTURE,
    CHARGE,
    REFUND,
    VOID,
    AuthorizeArguments,
    CaptureArguments,
    ChargeArguments,
    RefundArguments,
    VoidArguments,
)
from statemachines.values import money

MEMORY = 10_000
"""How many payments and answers are remembered."""

_PAYMENT = re.compile(r"sbx_(taken|held)_(approve|action|no_capture|no_void|no_refund)_([A-Z]{3})(\d{1,13})_.+")

T = TypeVar("T")


@dataclass(slots=True)
class _Payment:
    """What the gateway holds or took. What another process did with it is not known here, and taken to be in order."""

    amount: int
    currency: str
    held: bool
    kind: str
    captured: int | None = None
    refunded: int = 0
    voided: bool = False
    """Whether what was not captured is let go."""

    @property
    def left_to_capture(self) -> int:
        return 0 if self.voided or not self.held else self.amount - (self.captured or 0)

    @property
    def left_to_refund(self) -> int:
        return (self.amount if self.captured is None else self.captured) - self.refunded


class SandboxPayments:
    """Payments that move no money.

    Args:
        slowness: how long ``tok_slow`` takes.
    """

    def __init__(self, slowness: timedelta = timedelta(seconds=2)) -> None:
        self._slowness = slowness
        self._payments: dict[str, _Payment] = {}
        self._answers: dict[str, Answer] = {}

    @property
    def handlers(self) -> Handlers:
        """The effects that this gateway carries out."""
        return {
            CHARGE.name: self.charge,
            AUTHORIZE.name: self.authorize,
            CAPTURE.name: self.capture,
            VOID.name: self.void,
            REFUND.name: self.refund,
        }

    async def charge(self, attempt: Attempt) -> Answer:
        """Take money.

        Raises:
            NoAnswer: the token asks for it.
        """
        asked = attempt.arguments
        assert isinstance(asked, ChargeArguments)
        return await self._approve(attempt, asked, "taken")

    async def authorize(self, attempt: Attempt) -> Answer:
        """Hold money ready.

        Raises:
            NoAnswer: the token asks for it.
        """
        asked = attempt.arguments
        assert isinstance(asked, AuthorizeArguments)
        return await self._approve(attempt, asked, "held")

    async def capture(self, attempt: Attempt) -> Answer:
        """Take money that is held ready."""
        asked = attempt.arguments
        assert isinstance(asked, CaptureArguments)
        if answer := self._answers.get(attempt.key):
            return answer
        payment, total = self._find(asked.payment), asked.captured + asked.amount
        if payment:  # another process may have captured more
            payment.captured = max(payment.captured or 0, asked.captured)
        if payment is None:
            reason = "unknown payment"
        elif payment.currency != asked.currency:
            reason = f"the payment is in {payment.currency}, not in {asked.currency}"
        elif payment.kind == "action":
            reason = "the customer has not confirmed the payment"
        elif payment.kind == "no_capture":
            reason = "the bank no longer holds the money ready"
        elif payment.captured not in (asked.captured, total) or not payment.held:
            reason = "the payment was captured before"
        elif payment.captured < total and payment.voided:
            reason = "the payment was let go"
        elif payment.captured < total and asked.amount > (left := payment.left_to_capture):
            reason = f"{money(asked.amount, asked.currency)} asked, {money(left, payment.currency)} held ready"
        else:
            payment.captured, payment.voided = total, payment.voided or asked.final
            taken = asked.model_dump(include={"amount", "currency", "payment"})
            return self._answer(attempt, Done({**taken, "total": total, "held": payment.left_to_capture}))
        return self._answer(attempt, Refused({"amount": asked.amount, "payment": asked.payment, "reason": reason}))

    async def void(self, attempt: Attempt) -> Answer:
        """Let money go that is held ready."""
        asked = attempt.arguments
        assert isinstance(asked, VoidArguments)
        payment = self._find(asked.payment)
        if payment is None:
            reason = "unknown payment"
        elif not payment.held or (payment.captured or 0) > asked.captured:
            reason = "the payment was captured before"
        elif payment.kind == "no_void":
            reason = "the bank cannot let the money go"
        else:
            payment.voided = True
            return Done({"payment": asked.payment})
        return Refused({"payment": asked.payment, "reason": reason})

    async def refund(self, attempt: Attempt) -> Answer:
        """Give money back."""
        asked = attempt.arguments
        assert isinstance(asked, RefundArguments)
        if answer := self._answers.get(attempt.key):
            return answer
        payment = self._find(asked.payment)
        if payment is None:
            reason = "unknown payment"
        elif payment.currency != asked.currency:
            reason = f"the payment is in {payment.currency}, not in {asked.currency}"
        elif payment.captured == 0 or payment.kind == "action":
            reason = "nothing was taken"
        elif payment.kind == "no_refund":
            reason = "the payment cannot be refunded"
        elif asked.amount > (left := payment.left_to_refund):
            reason = f"{money(asked.amount, asked.currency)} asked, {money(left, payment.currency)} left to refund"
        else:
            payment.refunded += asked.amount
            refund = {"amount": asked.amount, "currency": asked.currency, "refund": f"sbx_back_{attempt.key}"}
            return self._answer(attempt, Done(refund))
        return self._answer(attempt, Refused({"amount": asked.amount, "reason": reason}))

    async def _approve(self, attempt: Attempt, asked: ChargeArguments | AuthorizeArguments, how: str) -> Answer:
        kind = "approve"
        match asked.method:
            case "tok_approve":
                pass
            case "tok_slow":
                await asyncio.sleep(self._slowness.total_seconds())
            case "tok_action" | "tok_no_capture" | "tok_no_void" | "tok_no_refund":
                kind = asked.method.removeprefix("tok_")
            case "tok_fail_once" if attempt.number > 1:
                pass
            case "tok_fail_once":
                raise NoAnswer("the sandbox fails once")
            case "tok_timeout":
                raise NoAnswer("the sandbox does not answer")
            case "tok_decline":
                return Refused({"reason": "insufficient funds", "code": "insufficient_funds"})
            case unknown:
                return Refused({"reason": f"unknown payment method '{unknown}'"})
        # What was promised stands in the name, so that a process that was started later knows the payment too.
        payment = f"sbx_{how}_{kind}_{asked.currency}{asked.amount}_{attempt.key}"
        if how == "held" and payment not in self._payments:
            _remember(self._payments, payment, _Payment(asked.amount, asked.currency, held=True, kind=kind, captured=0))
        if kind == "action":
            return ActionRequired({"payment": payment, "url": f"https://sandbox.invalid/confirm/{payment}"})
        return Done({"amount": asked.amount, "currency": asked.currency, "payment": payment})

    def _find(self, name: str) -> _Payment | None:
        if name not in self._payments:
            if (parts := _PAYMENT.fullmatch(name)) is None:
                return None
            how, kind, currency, amount = parts.groups()
            _remember(
                self._payments, name, _Payment(int(amount), currency, held=how == "held" or kind == "action", kind=kind)
            )
        return self._payments[name]

    def _answer(self, attempt: Attempt, answer: Answer) -> Answer:
        _remember(self._answers, attempt.key, answer)
        return answer


def _remember(memory: dict[str, T], key: str, value: T) -> None:
    memory[key] = value
    if len(memory) > MEMORY:
        del memory[next(iter(memory))]
