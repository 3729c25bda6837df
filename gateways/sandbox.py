"""A payment gateway within the process, for trying things out: the token says what happens.

| token | a charge |
| --- | --- |
| ``tok_approve`` | is approved |
| ``tok_decline`` | is declined |
| ``tok_slow`` | is approved after two seconds |
| ``tok_timeout`` | is never answered |
| ``tok_fail_once`` | fails at the first attempt and is approved at the second |
| ``tok_no_refund`` | is approved, but refunds of it are refused |

Any other token is declined as unknown. The same key gives the same answer, so a repeated attempt charges once.
"""

import asyncio
from datetime import timedelta

from gateways.port import Answer, Attempt, Done, Handlers, NoAnswer, Refused
from statemachines.payments import CHARGE, REFUND, ChargeArguments, RefundArguments


class SandboxPayments:
    """Charges and refunds that move no money.

    Args:
        slowness: how long ``tok_slow`` takes.
    """

    def __init__(self, slowness: timedelta = timedelta(seconds=2)) -> None:
        self._slowness = slowness

    @property
    def handlers(self) -> Handlers:
        """The effects that this gateway carries out."""
        return {CHARGE.name: self.charge, REFUND.name: self.refund}

    async def charge(self, attempt: Attempt) -> Answer:
        """Take money.

        Raises:
            NoAnswer: the token asks for it.
        """
        asked = attempt.arguments
        assert isinstance(asked, ChargeArguments)
        payment = f"sbx_{attempt.key}"
        match asked.method:
            case "tok_approve":
                pass
            case "tok_slow":
                await asyncio.sleep(self._slowness.total_seconds())
            case "tok_no_refund":
                payment = f"sbx_kept_{attempt.key}"
            case "tok_fail_once" if attempt.number > 1:
                pass
            case "tok_fail_once":
                raise NoAnswer("the sandbox fails once")
            case "tok_timeout":
                raise NoAnswer("the sandbox does not answer")
            case "tok_decline":
                return Refused({"reason": "insufficient funds"})
            case unknown:
                return Refused({"reason": f"unknown payment method '{unknown}'"})
        return Done({"amount": asked.amount, "currency": asked.currency, "payment": payment})

    async def refund(self, attempt: Attempt) -> Answer:
        """Give money back."""
        asked = attempt.arguments
        assert isinstance(asked, RefundArguments)
        if asked.payment.startswith("sbx_kept_"):
            return Refused({"amount": asked.amount, "reason": "the payment cannot be refunded"})
        return Done({"amount": asked.amount, "currency": asked.currency})
