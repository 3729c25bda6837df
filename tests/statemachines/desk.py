"""A desk at which refunds of a payment are asked for and given; their order and their return just hear of them."""

from collections import Counter
from datetime import datetime
from typing import Any

import statemachines.payment.news
import statemachines.refund.news
from statemachines.approval import Approve, Reject, approval
from statemachines.declaration import Actor, Event
from statemachines.machine import SYSTEM
from statemachines.messages import PostMessage, SendMail
from statemachines.payment import payment
from statemachines.payment.events import Begin, Dispute, DisputeLost, DisputeWon
from statemachines.payments import REFUND, Charged, Refunded, RefundFailed
from statemachines.refund import RefundPolicy, Request, refund
from statemachines.transaction import Outcome, Step
from tests.statemachines.office import approver
from tests.statemachines.shop import NOON, Arrive, Seen, Shop, accepted, stand_in

ORDER, PAYMENT, RETURN = "ord_1", "pay_0001", "ret_1"

order = stand_in("order", statemachines.payment.news, statemachines.refund.news)
returns = stand_in("return", statemachines.refund.news)


class Desk(Shop):
    """Refunds of one payment, and their approvals; the keywords are the figures of the shop's policy."""

    def __init__(self, captured: int = 10**9, **policy: Any) -> None:
        super().__init__([order, returns, payment, refund, approval], refund=RefundPolicy.model_validate(policy))
        accepted(self.create("order", Arrive(called=ORDER), SYSTEM))
        accepted(self.create("return", Arrive(called=RETURN), SYSTEM))
        begin = Begin(order=ORDER, customer="anna", amount=captured, currency="EUR", method="tok_1")
        accepted(self.create("payment", begin, SYSTEM))
        self.payment = self.last("payment")
        self.disputes = 0
        (asked,) = self.world.awaited
        accepted(self.world.answer(asked, Charged(amount=captured, currency="EUR", payment="pi_1")))

    # -- given

    def ask(self, amount: int = 1000, *, taken_at: datetime = NOON, **more: Any) -> Outcome:
        """Let the order ask for a refund."""
        asked = {
            "order": ORDER,
            "payment": PAYMENT,
            "gateway_payment": "pi_1",
            "customer": "anna",
            "currency": "EUR",
            "requested_by": "shop",
            **more,
        }
        return self.create("refund", Request(amount=amount, taken_at=taken_at, **asked), SYSTEM)

    def asked(self, amount: int = 1000, **more: Any) -> Seen:
        accepted(self.ask(amount, **more))
        return self.refund

    def asked_by_customer(self, amount: int = 1000, **more: Any) -> Seen:
        return self.asked(amount, by_customer=True, requested_by="anna", **more)

    def failed(self, amount: int = 1000, **more: Any) -> Seen:
        asked = self.asked(amount, **more)
        accepted(self.fails())
        return asked

    def silent(self, amount: int = 1000, **more: Any) -> Seen:
        asked = self.asked(amount, **more)
        self.wait(hours=24)
        return asked

    # -- when

    def say(self, event: Event, by: Actor = SYSTEM) -> Outcome:
        """Raise an event on the newest refund."""
        return self.tell(self.refund, event, by)

    def gives(self, name: str | None = "re_1", amount: int | None = None, currency: str = "EUR") -> Outcome:
        """Let the gateway answer that it gave the money back."""
        return self.say(Refunded(amount=amount or self.refund.amount, currency=currency, refund=name))

    def fails(self, reason: str = "the card is closed") -> Outcome:
        """Let the gateway answer that it did not."""
        return self.say(RefundFailed(amount=self.refund.amount, reason=reason))

    def approve(self, *names: str) -> None:
        for name in names:
            accepted(self.tell(self.approval, Approve(round=self.approval.round), approver(name)))

    def reject(self, name: str = "eve", reason: str = "too dear") -> None:
        accepted(self.tell(self.approval, Reject(round=self.approval.round, reason=reason), approver(name)))

    def disputed(self, amount: int = 1000) -> None:
        """Let the customer's bank claim money back."""
        self.disputes += 1
        claim = Dispute(dispute=f"du_{self.disputes}", amount=amount, currency="EUR", reason="fraudulent")
        accepted(self.tell(self.payment, claim, SYSTEM))

    def won(self) -> None:
        """Let the bank decide that what it claims is ours."""
        won = DisputeWon(dispute=self.payment.dispute, amount=self.payment.disputed, currency="EUR")
        accepted(self.tell(self.payment, won, SYSTEM))

    def lost(self, amount: int) -> None:
        """Let the bank decide that so much of what it claims is the customer's."""
        lost = DisputeLost(dispute=self.payment.dispute, amount=amount, currency="EUR")
        accepted(self.tell(self.payment, lost, SYSTEM))

    # -- then

    @property
    def refund(self) -> Seen:
        return self.last("refund")

    @property
    def state(self) -> str:
        return str(self.refund.state)

    @property
    def approval(self) -> Seen:
        return self.last("approval")

    @property
    def told(self) -> list[Step]:
        """What refunds told others."""
        told = [step for step in self.steps if step.machine in ("order", "payment", "return")]
        return [step for step in told if step.event.event_name.startswith("refund")]

    def heard(self, machine: str = "order") -> list[str]:
        """Return the names of the events that another machine was sent."""
        return [step.event.event_name for step in self.told if step.machine == machine]

    def asked_of_gateway(self) -> int:
        """Count how often the gateway was asked to give money back."""
        return sum(call.effect is REFUND for call in self.calls())

    def mails(self) -> list[SendMail]:
        return self.sent(SendMail, "refund")

    def posts(self) -> list[str]:
        """Return what refunds told the shop."""
        return [post.text for post in self.sent(PostMessage, "refund")]


class Ledger:
    """What an order makes of the news of its refunds: of each, where its amount is."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def amounts(self, refund: Seen) -> Counter[str]:
        """Return what is pending, due and refunded of one refund, by the news alone."""
        moves = {
            "refunded": ("pending", "refunded"),
            "refund_failed": ("pending", "due"),
            "refund_retried": ("due", "pending"),
            "refund_settled": ("due", "refunded"),
            "refund_returned": ("refunded", "due"),
        }
        amounts = Counter({"pending": refund.amount})
        for step in self.desk.told:
            event, values = step.event, vars(step.event)
            if step.machine != "order" or values.get("refund") != refund.id:
                continue
            if event.event_name == "refund_dropped":
                amounts["due" if values["had_failed"] else "pending"] -= values["amount"]
            else:
                source, target = moves[event.event_name]
                amounts[source] -= values["amount"]
                amounts[target] += values["amount"]
            assert min(amounts.values()) >= 0, f"{event!r} takes what is not there"
        return +amounts
