"""An office in memory, where people ask and others decide."""

from typing import Any

from statemachines.approval import (
    Abstain,
    ApprovalPolicy,
    ApprovalSeat,
    ApprovalVote,
    Approve,
    Delegate,
    Reject,
    Request,
    RequestChanges,
    Resubmit,
    approval,
)
from statemachines.declaration import Actor, Event, Role
from statemachines.messages import SendMail
from statemachines.transaction import Outcome
from tests.deal import Ask, Offer, deal
from tests.statemachines.shop import ANNA, MERCHANT, Seen, Shop, accepted, refused


def approver(name: str) -> Actor:
    """Return somebody with the role approver."""
    return Actor(name, Role.APPROVER)


class Office(Shop):
    """Requests, some of them for deals; the keywords are the figures of the shop's policy."""

    def __init__(self, **policy: Any) -> None:
        super().__init__([approval, deal], approval=ApprovalPolicy.model_validate(policy))

    # -- given

    def asked(self, amount: int | None = 5000, currency: str | None = "EUR", by: Actor = ANNA, **more: Any) -> Seen:
        """Ask for approval of an expense."""
        accepted(self.ask(amount, currency, by, **more))
        return self.approval

    def ask(self, amount: int | None = 5000, currency: str | None = "EUR", by: Actor = ANNA, **more: Any) -> Outcome:
        asked = {"kind": "expense", "reference": "E-14", "description": "the trip", **more}
        return self.create("approval", Request(amount=amount, currency=currency, **asked), by)

    def deal(self, total: int = 5000) -> Seen:
        """Offer a deal and ask for its approval."""
        accepted(self.create("deal", Offer(customer="anna", total=total), MERCHANT))
        accepted(self.say(Ask()))
        return self.last("deal")

    def say(self, event: Event) -> Outcome:
        """Raise an event on the deal."""
        return self.tell(self.last("deal"), event)

    # -- when

    def vote(self, name: str, event: Event) -> Outcome:
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

    def resubmit(self, by: Actor = ANNA, **changes: Any) -> Outcome:
        return self.tell(self.approval, Resubmit(**changes), by)

    def delegate(self, name: str, to: str) -> Outcome:
        return self.vote(name, Delegate(to=to))

    def hand_on(self, name: str, to: str) -> None:
        accepted(self.delegate(name, to))

    # -- then

    @property
    def approval(self) -> Seen:
        """The newest request."""
        return self.last("approval")

    @property
    def state(self) -> str:
        return str(self.approval.state)

    def refusal(self, name: str) -> str:
        """Return why somebody can't approve."""
        return self.why(self.vote(name, Approve(round=self.approval.round)))

    def why(self, outcome: Outcome) -> str:
        return refused(outcome).reason

    @property
    def votes(self) -> list[ApprovalVote]:
        return self.world.rows(ApprovalVote)

    @property
    def seats(self) -> dict[tuple[int, str], str]:
        """Who votes in which seat, by level and the person whose seat it is."""
        return {(row.level, row.person): row.holder for row in self.world.rows(ApprovalSeat)}

    def mails(self) -> list[tuple[str, str]]:
        """Return to whom mails go, and what they say: an occasion or an outcome."""
        sent = self.sent(SendMail)
        return [
            (mail.to, str(getattr(mail.message, "occasion", None) or vars(mail.message)["outcome"])) for mail in sent
        ]
