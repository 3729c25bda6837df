"""A week in which people do with a request what they like."""

from random import Random

from statemachines.approval import Abstain, Approve, Delegate, Reject, RequestChanges, Resubmit, Withdraw
from statemachines.declaration import Actor, Event, Role
from statemachines.transaction import Happened, Outcome
from tests.statemachines.office import Office

PEOPLE = [f"p{number}" for number in range(9)]
REQUESTER = "p0"

Happening = tuple[Actor, Event] | int
"""What somebody does, or how many hours pass."""


class AnyWeek:
    """People vote, hand votes on, change and wait as they like; some of them with the requester's name on their key."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.policy = {"levels": self.levels(), "escalate_to": random.sample(PEOPLE, random.randint(0, 3))}
        self.asker, self.amount = Actor(REQUESTER, Role.MERCHANT), random.choice([50, 150])
        self.office = Office(**self.policy)
        self.office.asked(self.amount, by=self.asker)

    def levels(self) -> list[dict[str, object]]:
        """Make up one to three levels, of people named or of everybody."""
        people = self.random.sample(PEOPLE, len(PEOPLE))
        levels: list[dict[str, object]] = []
        for number in range(self.random.randint(1, 3)):
            named = [people.pop() for _ in range(self.random.choice([0, 1, 2, 3]))]
            named = [] if REQUESTER in named else named
            quorum = self.random.randint(1, len(named) or 3)
            above = self.random.choice([{}, {}, {"EUR": 100}]) if number else {}
            rejections = self.random.randint(1, 2)
            levels.append(
                {"name": f"{number}", "approvers": named, "quorum": quorum, "above": above, "rejections": rejections}
            )
        return levels

    def choose(self) -> Happening:
        """Choose what happens next."""
        if self.random.random() < 0.05:
            return self.random.choice([10, 25, 49])
        name = self.random.choice(PEOPLE)
        actor = Actor(name, self.random.choice([Role.APPROVER] * 20 + [Role.SYSTEM]))
        event = self.event()
        if isinstance(event, Resubmit | Withdraw):
            actor = Actor(self.random.choice([REQUESTER, REQUESTER, name]), Role.MERCHANT)
        return actor, event

    def happens(self, what: Happening) -> Outcome | None:
        """Let it happen; return what came of it."""
        if isinstance(what, int):
            self.office.wait(hours=what)
            return None
        actor, event = what
        asked, before = self.office.approval, self.office.approval.version
        outcome = self.office.tell(asked, event, actor)
        assert asked.version == before + isinstance(outcome, Happened)
        return outcome

    def event(self) -> Event:
        round_ = self.random.choice([self.office.approval.round] * 9 + [1])
        chance = self.random.random()
        if chance < 0.5:
            return Approve(round=round_)
        if chance < 0.75:
            return Delegate(to=self.random.choice(PEOPLE))
        if chance < 0.85:
            return Resubmit(amount=self.random.choice([50, 150]), description=f"trip {self.random.randrange(9)}")
        if chance < 0.86:
            return Withdraw()
        kind = self.random.choice([Reject, Abstain, Abstain, RequestChanges])
        return kind.model_validate({"round": round_, **({} if kind is Abstain else {"reason": "no"})})
