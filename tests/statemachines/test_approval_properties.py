"""Whatever people do with a request, in whatever order: it is approved only by enough others, on every level."""

from collections import Counter, defaultdict
from random import Random

from hypothesis import given, note, settings
from hypothesis import strategies as st

from statemachines.approval import Abstain, Approve, Delegate, Reject, RequestChanges, Resubmit, Withdraw
from statemachines.approval import approval as machine
from statemachines.approval.voting import fingerprint, levels_of
from statemachines.decision import Accepted, Decision
from statemachines.declaration import Actor, Event, Role
from statemachines.trial import Trial
from tests.statemachines.office import Office, approver

STEPS = 60
PEOPLE = [f"p{number}" for number in range(9)]
REQUESTER = "p0"


class AnyWeek:
    """People vote, hand votes on, change and wait as they like; some of them with the requester's name on their key."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.office = Office(levels=self.levels(), escalate_to=random.sample(PEOPLE, random.randint(0, 3)))

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

    def begin(self) -> None:
        self.office.asked(self.random.choice([50, 150]), by=Actor(REQUESTER, Role.MERCHANT))

    def step(self) -> str:
        """Let one thing happen and say what."""
        if self.random.random() < 0.05:
            hours = self.random.choice([10, 25, 49])
            self.office.wait(hours=hours)
            return f"{hours} hours pass"
        name = self.random.choice(PEOPLE)
        actor = Actor(name, self.random.choice([Role.APPROVER] * 12 + [Role.MERCHANT, Role.ADMIN, Role.SYSTEM]))
        event = self.event()
        if isinstance(event, Resubmit | Withdraw):
            actor = Actor(self.random.choice([REQUESTER, REQUESTER, name]), Role.MERCHANT)
        return f"{actor} {event!r}: {self.tell(event, actor)}"

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

    def tell(self, event: Event, actor: Actor) -> Decision:
        before, after = self.office.approval.model_copy(), self.office.approval
        decision = self.office.tell(after, event, actor)
        assert after.version == before.version + isinstance(decision, Accepted)
        return decision


@given(st.randoms(use_true_random=True))
@settings(max_examples=250, deadline=None)
def test_nothing_is_approved_without_enough_others_on_every_level(random: Random) -> None:
    week = AnyWeek(random)
    week.begin()
    for _ in range(STEPS):
        note(week.step())
        nobody_votes_twice_or_on_their_own_request(week.office)
        everybody_has_one_vote_at_most(week.office)
        an_end_is_one_that_the_votes_account_for(week.office)
        it_waits_only_for_what_can_come(week.office)


def nobody_votes_twice_or_on_their_own_request(office: Office) -> None:
    assert REQUESTER not in {name for vote in office.votes for name in (vote.person, vote.seat)}
    assert max(Counter((vote.round, vote.person) for vote in office.votes).values(), default=1) == 1
    assert max(Counter((vote.round, vote.seat) for vote in office.votes).values(), default=1) == 1


def everybody_has_one_vote_at_most(office: Office) -> None:
    holders = defaultdict(set)
    for (_, person), holder in office.seats.items():
        assert REQUESTER not in (person, holder)
        holders[holder].add(person)
    assert all(len(persons) == 1 for persons in holders.values())


def an_end_is_one_that_the_votes_account_for(office: Office) -> None:
    asked = office.approval
    votes = [vote for vote in office.votes if vote.round == asked.round]
    given = Counter((vote.level, vote.choice) for vote in votes)
    levels = {n: level for n, level in enumerate(levels_of(asked), 1) if level.decides_on(asked.amount, asked.currency)}
    assert {vote.fingerprint for vote in votes} <= {fingerprint(asked)}
    reached = [given[number, "approve"] >= level.quorum for number, level in levels.items()]
    assert all(reached) == (asked.state == "approved")
    assert given[asked.level, "reject"] < levels[asked.level].rejections or asked.state == "rejected"
    assert (asked.state == "changes_requested") <= bool(given[asked.level, "request_changes"])
    assert (asked.decided_at is not None) == machine.states[asked.state].final


def it_waits_only_for_what_can_come(office: Office) -> None:
    """While votes are taken, somebody is there who may give one, and a clock runs."""
    asked = office.approval
    timers = {name for id_, name in office.timers if id_ == asked.id}
    assert timers == set(machine.timer_names(asked.state))
    if asked.state in ("pending", "escalated"):
        decisions = [_could_approve(office, name) for name in [*PEOPLE, "p9", "p10", "p11"]]
        assert any(decisions)


def _could_approve(office: Office, name: str) -> bool:
    asked = office.approval
    guards = [machine.guards_of(row) for row in machine.rows_for(asked.state, "approve")][-1]
    event, actor = Approve(round=asked.round), approver(name)
    trial = Trial(asked, event, office.now, office.loaded(machine, asked, event), machine.policy, actor)
    return all(guard(trial) is None for guard in guards)
