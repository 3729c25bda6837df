"""A desk at which refunds are asked for and given; of orders, payments and returns there is what they were told."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from statemachines.approval import Approval, Approve, Reject
from statemachines.commands import Command, Send
from statemachines.decision import Decision
from statemachines.declaration import Actor, Entity, Event
from statemachines.machine import SYSTEM
from statemachines.messages import PostMessage, SendMail
from statemachines.payment.model import Payment
from statemachines.payments import REFUND, Refunded, RefundFailed
from statemachines.refund import Refund, RefundPolicy, Request, refund
from statemachines.registry import MACHINES, Registry
from tests.statemachines.office import approver
from tests.statemachines.shop import NOON, Shop, accepted

ORDER, PAYMENT, RETURN = "ord_1", "pay_1", "ret_1"
OTHERS = ("order", "payment", "return")
"""The machines that are told of refunds and are not there."""


class Desk(Shop):
    """Decides on refunds and their approvals; the keywords are the figures of the shop's policy."""

    def __init__(self, **policy: Any) -> None:
        super().__init__()
        others = [machine for machine in MACHINES if machine.name != "refund"]
        self.machines = Registry([*others, refund]).with_policies({"refund": RefundPolicy.model_validate(policy)})
        self.payment = Payment(
            id=PAYMENT, state="captured", order_id=ORDER, currency="EUR", captured=10**9, payment="pi_1"
        )
        self.rows.append(self.payment)
        self.told: list[tuple[str, str, Event]] = []

    # -- given

    def ask(self, amount: int = 1000, *, taken_at: datetime = NOON, **more: Any) -> Decision:
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

    def asked(self, amount: int = 1000, **more: Any) -> Refund:
        accepted(self.ask(amount, **more))
        return self.refund

    def asked_by_customer(self, amount: int = 1000, **more: Any) -> Refund:
        return self.asked(amount, by_customer=True, requested_by="anna", **more)

    def failed(self, amount: int = 1000, **more: Any) -> Refund:
        asked = self.asked(amount, **more)
        accepted(self.fails())
        return asked

    def silent(self, amount: int = 1000, **more: Any) -> Refund:
        asked = self.asked(amount, **more)
        self.wait(hours=24)
        return asked

    # -- when

    def say(self, event: Event, by: Actor = SYSTEM) -> Decision:
        """Raise an event on the newest refund."""
        return self.tell(self.refund, event, by)

    def gives(self, name: str | None = "re_1", amount: int | None = None, currency: str = "EUR") -> Decision:
        """Let the gateway answer that it gave the money back."""
        return self.say(Refunded(amount=amount or self.refund.amount, currency=currency, refund=name))

    def fails(self, reason: str = "the card is closed") -> Decision:
        """Let the gateway answer that it did not."""
        return self.say(RefundFailed(amount=self.refund.amount, reason=reason))

    def approve(self, *names: str) -> None:
        for name in names:
            accepted(self.tell(self.approval, Approve(round=self.approval.round), approver(name)))

    def reject(self, name: str = "eve", reason: str = "too dear") -> None:
        accepted(self.tell(self.approval, Reject(round=self.approval.round, reason=reason), approver(name)))

    def attempt(self, entity: Entity, event: Event, by: Actor) -> str:
        """Raise an event whose consequences may be refused; then nothing happens, as in the engine."""
        rows, before, told = list(self.rows), [dict(vars(row)) for row in self.rows], list(self.told)
        calls, timers = list(self.calls), dict(self.timers)
        try:
            return str(self.tell(entity, event, by))
        except AssertionError as refusal:
            for row, values in zip(rows, before, strict=True):
                vars(row).update(values)
            self.rows, self.told, self.calls, self.timers = rows, told, calls, timers
            return f"refused: {refusal}"

    # -- then

    @property
    def refund(self) -> Refund:
        return [row for row in self.rows if isinstance(row, Refund)][-1]

    @property
    def state(self) -> str:
        return self.refund.state

    @property
    def approvals(self) -> list[Approval]:
        return [row for row in self.rows if isinstance(row, Approval)]

    @property
    def approval(self) -> Approval:
        return self.approvals[-1]

    def heard(self, machine: str = "order") -> list[str]:
        """Return the names of the events that another machine was sent."""
        return [event.event_name for name, _, event in self.told if name == machine]

    def asked_of_gateway(self) -> int:
        """Count how often the gateway was asked to give money back."""
        return sum(call.effect is REFUND for call in self.calls)

    def mails(self) -> list[SendMail]:
        return [call.arguments for call in self.calls if isinstance(call.arguments, SendMail)]

    def posts(self) -> list[str]:
        return [call.arguments.text for call in self.calls if isinstance(call.arguments, PostMessage)]

    def _carry_out(self, entity: Entity, commands: Iterable[Command]) -> None:
        for command in commands:
            if isinstance(command, Send) and command.machine in OTHERS:
                self.told.append((command.machine, command.id, command.event))
                self._keep_books(command)
            else:
                super()._carry_out(entity, [command])

    def _keep_books(self, told: Send) -> None:
        """Let the payment count what is on its way back and what was given back."""
        if told.machine == "payment":
            amount = vars(told.event)["amount"]
            signs = {
                "refund_asked": (1, 0),
                "refund_made": (-1, 1),
                "refund_dropped": (-1, 0),
                "refund_returned": (1, -1),
            }
            refunding, refunded = signs[told.event.event_name]
            self.payment.refunding += refunding * amount
            self.payment.refunded += refunded * amount


class Ledger:
    """What an order makes of the news of its refunds: of each, where its amount is."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def amounts(self, refund: Refund) -> Counter[str]:
        """Return what is pending, due and refunded of one refund, by the news alone."""
        moves = {
            "refunded": ("pending", "refunded"),
            "refund_failed": ("pending", "due"),
            "refund_retried": ("due", "pending"),
            "refund_settled": ("due", "refunded"),
            "refund_returned": ("refunded", "due"),
        }
        amounts = Counter({"pending": refund.amount})
        for machine, _, event in self.desk.told:
            if machine != "order" or vars(event).get("refund") != refund.id:
                continue
            values = vars(event)
            if event.event_name == "refund_dropped":
                amounts["due" if values["had_failed"] else "pending"] -= values["amount"]
            else:
                source, target = moves[event.event_name]
                amounts[source] -= values["amount"]
                amounts[target] += values["amount"]
            assert min(amounts.values()) >= 0, f"{event!r} takes what is not there"
        return +amounts
