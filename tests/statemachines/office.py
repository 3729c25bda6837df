"""An office in memory, where people ask and others decide."""

from typing import Any

from statemachines.approval import (
    Abstain,
    Approval,
    ApprovalPolicy,
    ApprovalSeat,
    ApprovalVote,
    Approve,
    Delegate,
    Reject,
    Request,
    RequestChanges,
    Resubmit,
)
from statemachines.decision import Decision
from statemachines.declaration import Actor, Event, Role
from statemachines.messages import SendMail
from statemachines.order import Order
from statemachines.registry import MACHINES, Registry
from tests.deal import Ask, Offer, deal
from tests.statemachines.shop import ANNA, MERCHANT, Shop, accepted, refused


def approver(name: str) -> Actor:
    """Return somebody with the role approver."""
    return Actor(name, Role.APPROVER)


class Office(Shop):
    """Decides on requests as the dispatcher does; the keywords are the figures of the shop's policy."""

    def __init__(self, **policy: Any) -> None:
        super().__init__()
        machines = Registry([*MACHINES, deal])
        self.machines = machines.with_policies({"approval": ApprovalPolicy.model_validate(policy)})

    # -- given

    def asked(self, amount: int | None = 5000, currency: str | None = "EUR", by: Actor = ANNA, **more: Any) -> Approval:
        """Ask for approval of an expense."""
        accepted(self.ask(amount, currency, by, **more))
        return self.approval

    def ask(self, amount: int | None = 5000, currency: str | None = "EUR", by: Actor = ANNA, **more: Any) -> Decision:
        asked = {"kind": "expense", "reference": "E-14", "description": "the trip", **more}
        return self.create("approval", Request(amount=amount, currency=currency, **asked), by)

    def deal(self, total: int = 5000) -> Order:
        """Offer a deal and ask for its approval."""
        accepted(self.create("deal", Offer(customer="anna", total=total), MERCHANT))
        accepted(self.say(Ask()))
        return self.orders[-1]

    def say(self, event: Event) -> Decision:
        """Raise an event on the deal."""
        return self._decide(self.machines["deal"], self.orders[-1], event, MERCHANT)

    # -- when

    def vote(self, name: str, event: Event) -> Decision:
        return self.tell(self.approval, event, approver(name))

    def approve(self, *names: str) -> None:
        for name in names:
            accepted(self.vote(name, Approve(round=self.approval.round)))

    def reject(self, name: str, reason: str = "too dear") -> None:
        accepted(self.vote(name, Reject(round=self.approval.round, reason=reason)))

    def abstain(self, name: str) -> None:
        accepted(self.vote(name, Abstain(round=self.approval.round)))

    def send_back(self, name: str) -> None:
        accepted(self.vote(name, RequestChanges(round=self.approval.round, reason="which hotel?")))

    def resubmit(self, by: Actor = ANNA, **changes: Any) -> Decision:
        return self.tell(self.approval, Resubmit(**changes), by)

    def delegate(self, name: str, to: str) -> Decision:
        return self.vote(name, Delegate(to=to))

    def hand_on(self, name: str, to: str) -> None:
        accepted(self.delegate(name, to))

    # -- then

    @property
    def approval(self) -> Approval:
        """The newest request."""
        return [row for row in self.rows if isinstance(row, Approval)][-1]

    @property
    def state(self) -> str:
        return self.approval.state

    def refusal(self, name: str) -> str:
        """Return why somebody can't approve."""
        return self.why(self.vote(name, Approve(round=self.approval.round)))

    def why(self, decision: Decision) -> str:
        return refused(decision).reason

    @property
    def votes(self) -> list[ApprovalVote]:
        return [row for row in self.rows if isinstance(row, ApprovalVote)]

    @property
    def seats(self) -> dict[tuple[int, str], str]:
        """Who votes in which seat, by level and the person whose seat it is."""
        return {(row.level, row.person): row.holder for row in self.rows if isinstance(row, ApprovalSeat)}

    def mails(self) -> list[tuple[str, str]]:
        """Return to whom mails go, and what they say: an occasion or an outcome."""
        sent = [call.arguments for call in self.calls if isinstance(call.arguments, SendMail)]
        return [
            (mail.to, str(getattr(mail.message, "occasion", None) or vars(mail.message)["outcome"])) for mail in sent
        ]

    def _decide(self, kind: Any, entity: Any, event: Event, by: Actor) -> Decision:
        return super()._decide(self.machines["deal"] if entity.id.startswith("dea_") else kind, entity, event, by)
