"""Whatever happens in whatever order: no piece is lost, promised twice or given to who came later."""

from datetime import timedelta
from random import Random

from hypothesis import given, note, settings
from hypothesis import strategies as st

from statemachines.reservation import Reservation, reservation
from statemachines.transaction import Happened
from statemachines.world import World
from tests.anyweek import SKUS, AnyWeek
from tests.shelves import Shelves
from tests.statemachines.storeroom import Storeroom

STEPS = 60
MINUTES = [0, 1, 20, 61]


@given(st.randoms(use_true_random=True))
@settings(max_examples=80, deadline=None)
def test_whatever_happens_the_shelves_are_right(random: Random) -> None:
    week, room = AnyWeek(random), Storeroom()
    for sku in SKUS:
        room.sells(sku)
    for _ in range(STEPS):
        before = Shelves.of_world(room.world)
        note(f"{step(week, room)}")
        after = Shelves.of_world(room.world)
        after.check(week.came)
        after.check_nobody_overtook(before)
        clocks_run_where_something_is_to_happen(room.world)
        settled = room.world.fork()
        settled.advance(timedelta())
        Shelves.of_world(settled).check_nobody_waits_for_what_is_there()


def step(week: AnyWeek, room: Storeroom) -> object:
    """Let something happen; return what it was."""
    if week.random.random() < 0.15:
        span = timedelta(minutes=week.random.choice(MINUTES))
        room.world.advance(span)
        return span
    told = week.choose(room.world.ids("order"))
    outcome = room.tell(*told)
    if isinstance(outcome, Happened):
        week.happened(told)
    return told, outcome


def clocks_run_where_something_is_to_happen(world: World) -> None:
    due = {(timer.id, timer.name): timer.due_at for timer in world.timers}
    for row in world.rows(Reservation):
        assert due.get((row.id, "expire")) == (row.expires_at if row.state in ("held", "backordered") else None)
        assert all((row.id, name) in due for name in reservation.timer_names(row.state))
