"""Whatever people do with a request, in whatever order: it is approved only by enough others, on every level."""

from collections import Counter, defaultdict
from random import Random

from hypothesis import given, note, settings
from hypothesis import strategies as st

from statemachines.approval import Approve
from statemachines.approval import approval as machine
from statemachines.approval.voting import fingerprint, levels_of
from statemachines.transaction import Happened
from tests.statemachines.office import Office, approver
from tests.statemachines.week import PEOPLE, REQUESTER, AnyWeek

STEPS = 60


@given(st.randoms(use_true_random=True))
@settings(max_examples=250, deadline=None)
def test_nothing_is_approved_without_enough_others_on_every_level(random: Random) -> None:
    week = AnyWeek(random)
    for _ in range(STEPS):
        what = week.choose()
        note(f"{what}: {week.happens(what)}")
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
    assert set(office.timers(asked)) == set(machine.timer_names(asked.state))
    if asked.state in ("pending", "escalated"):
        assert any(_could_approve(office, name) for name in [*PEOPLE, "p9", "p10", "p11"])


def _could_approve(office: Office, name: str) -> bool:
    asked, world = office.approval, office.world.fork()
    approved = world.raise_("approval", asked.id, Approve(round=asked.round), approver(name))
    return isinstance(approved, Happened)
