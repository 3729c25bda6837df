"""Refunds at one desk, to which anything may happen; a gateway that answers late, twice, or not at all."""

from dataclasses import dataclass
from datetime import timedelta
from random import Random

from statemachines.approval import Approve, Reject, RequestChanges, Withdraw
from statemachines.approval.model import UNDECIDED
from statemachines.declaration import Actor, Event, Role
from statemachines.machine import SYSTEM
from statemachines.payments import REFUND, Refunded, RefundFailed, RefundReturned
from statemachines.refund import (
    Accept,
    Cancel,
    Clarify,
    Explain,
    Owe,
    Refuse,
    Resume,
    Retry,
    Settle,
    refund,
)
from statemachines.transaction import Happened
from tests.statemachines.desk import RETURN, Desk, Ledger
from tests.statemachines.office import approver
from tests.statemachines.shop import ANNA, MERCHANT, NOON, Seen, accepted

COLLEAGUE = Actor("colin", Role.MERCHANT)
PEOPLE = [ANNA, MERCHANT, COLLEAGUE, Actor("anna", Role.MERCHANT)]
APPROVERS = [approver(name) for name in ("eve", "oscar", "vera", "anna", "shop")]

WHERE = {"succeeded": "refunded", "failed": "due", "rejected": None, "cancelled": None}
"""Where the amount of a refund in these states is; else it is pending."""


@dataclass
class Asked:
    """What the gateway was asked to do once, and did; it is answered once, whoever tells, as the engine sees to."""

    refund: Seen
    name: str
    gave: bool | None = None
    """Whether it gave the money; None until it worked on it."""
    came_back: bool = False
    answered: bool = False

    def answer(self) -> Event:
        amount = self.refund.amount
        if self.gave:
            return Refunded(amount=amount, currency="EUR", refund=self.name)
        return RefundFailed(amount=amount, reason="no")


class AnyCounter:
    """Lets one thing after the other happen, and keeps the gateway's books."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.desk = Desk(approval_above=5000)
        self.ledger = Ledger(self.desk)
        self.asked: list[Asked] = []
        self.settled: list[str] = []

    @property
    def refunds(self) -> list[Seen]:
        return self.desk.all("refund")

    # -- what may happen

    def step(self) -> str:
        """Let one thing happen, and say what."""
        things = [self.ask, self.people, self.people, self.people, self.vote, self.gateway, self.gateway, self.gateway]
        said = self.random.choice([*things, self.wait, self.dispute, self.order])()
        self._note_calls()
        return said

    def ask(self) -> str:
        if len(self.refunds) >= 4:
            return "enough is asked for"
        by_customer = self.random.random() < 0.5
        outcome = self.desk.ask(
            self.random.choice([100, 5000, 5001, 200_000]),
            taken_at=NOON - timedelta(days=self.random.choice([0, 61])),
            owed=self.random.random() < 0.2,
            by_customer=by_customer,
            requested_by="anna" if by_customer else "shop",
            email="anna@home.example",
            return_case=self.random.choice([None, RETURN]),
        )
        return f"asked: {accepted(outcome).steps[0].target}"

    def people(self) -> str:
        one, by = self._one(), self.random.choice(PEOPLE)
        if one is None:
            return "nobody has anything to do"
        made = self._asked_for(one)
        event = self.random.choice(
            [
                Accept(),
                Refuse(reason="worn"),
                Cancel(),
                Retry(),
                Settle(reason="by bank transfer"),
                Clarify(given=any(asked.gave and not asked.came_back for asked in made), reason="seen"),
                Explain(reason="it burnt"),
            ]
        )
        if isinstance(event, Clarify) and any(asked.gave is None for asked in made):
            return "nobody can look before the gateway has worked on it"
        if by.role not in event.raised_by:
            return "not theirs to say"
        outcome = self.desk.tell(one, event, by)
        if isinstance(event, Settle) and isinstance(outcome, Happened):
            self.settled.append(one.id)
        return f"{by} {event!r} on {one.id}: {outcome}"

    def order(self) -> str:
        one = self._one()
        event = self.random.choice([Owe(), Resume(), Resume(), Resume()])
        return "no refund" if one is None else f"{event!r}: {accepted(self.desk.tell(one, event, SYSTEM))}"

    def vote(self) -> str:
        waiting = [row for row in self.refunds if row.state == "awaiting_approval"]
        if not waiting:
            return "nothing to vote on"
        one, by = self.random.choice(waiting), self.random.choice([*APPROVERS, MERCHANT])
        asked = Seen(self.desk.world, "approval", one.approval)
        if by is MERCHANT:
            return f"{self.desk.tell(asked, Withdraw(), by)}"
        yes, no = Approve(round=asked.round), Reject(round=asked.round, reason="no")
        event = self.random.choice([yes, yes, yes, no, RequestChanges(round=asked.round, reason="why?")])
        return f"{by} {event!r}: {self.desk.tell(asked, event, by)}"

    def gateway(self) -> str:
        """Work on something, answer it, say again what was said, or have it come back."""
        if not self.asked:
            return "the gateway has nothing to do"
        asked = self.random.choice(self.asked)
        if asked.gave is None:
            asked.gave = self.random.random() < 0.6
            return f"the gateway works on {asked.name}: {asked.gave}"
        if not asked.answered:
            asked.answered = True
            return self._hear(asked, asked.answer())
        if asked.gave and self.random.random() < 0.5:
            asked.came_back = True
            return self._hear(asked, RefundReturned(amount=asked.refund.amount, refund=asked.name, reason="closed"))
        if asked.gave and not asked.came_back:
            return self._hear(asked, asked.answer())
        return "silence"

    def wait(self) -> str:
        hours = self.random.choice([1, 24, 25, 80])
        self.desk.wait(hours=hours)
        return f"{hours} hours pass"

    def dispute(self) -> str:
        if self.desk.payment.disputed:
            self.desk.won()
        else:
            self.desk.disputed(100)
        return f"{self.desk.payment.disputed} disputed"

    # -- what holds

    def the_news_add_up(self) -> None:
        for each in self.refunds:
            where = WHERE.get(each.state, "pending")
            assert self.ledger.amounts(each) == ({where: each.amount} if where else {}), each
        wheres = [(WHERE.get(each.state, "pending"), each.amount) for each in self.refunds]
        payment = self.desk.payment
        assert payment.refunding == sum(amount for where, amount in wheres if where in ("pending", "due"))
        assert payment.refunded == sum(amount for where, amount in wheres if where == "refunded")

    def nothing_is_given_twice(self) -> None:
        for each in self.refunds:
            made = self._asked_for(each)
            given = sum(bool(asked.gave) and not asked.came_back for asked in made) + self.settled.count(each.id)
            assert given <= 1, each
            assert "more than was asked" not in (each.attention or "")
            assert each.state != "succeeded" or given == 1 or made[-1].came_back
            assert sum(asked.gave is None for asked in made) <= 1
            assert each.awaited == sum(not asked.answered for asked in made)
            if each.state in ("rejected", "cancelled"):
                assert given == 0

    def approvals_are_open_while_they_are_waited_for(self) -> None:
        waiting = {row.approval for row in self.refunds if row.state == "awaiting_approval"}
        assert {row.id for row in self.desk.all("approval") if row.state in UNDECIDED} == waiting

    def a_clock_runs_while_it_waits(self) -> None:
        for each in self.refunds:
            assert set(self.desk.timers(each)) == set(refund.timer_names(each.state))

    # -- how

    def _one(self) -> Seen | None:
        return self.random.choice(self.refunds) if self.refunds else None

    def _asked_for(self, refund: Seen) -> list[Asked]:
        return [asked for asked in self.asked if asked.refund.id == refund.id]

    def _hear(self, asked: Asked, event: Event) -> str:
        outcome = self.desk.tell(asked.refund, event, SYSTEM)
        return f"{asked.name} {event!r}: {accepted(outcome).steps[0].target}"

    def _note_calls(self) -> None:
        """Note what the gateway was newly asked."""
        calls = [asked for asked in self.desk.world.asked if asked.call.effect is REFUND]
        for call in calls[len(self.asked) :]:
            self.asked.append(Asked(Seen(self.desk.world, "refund", call.id), f"re_{call.number}"))
