"""Reminders, debounce, several timers with names, computed durations; many timers at once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from random import Random

import pytest
from sqlalchemy import insert

from engine.clock import VirtualClock
from engine.envelope import Envelope
from engine.interventions import PostponeTimer
from persistence import schema
from persistence.database import Database
from persistence.tables import TABLES, TimerRow
from statemachines.commands import Cancel, Command, Set, Start
from statemachines.declaration import NEW, After, Event, Role, State, Transition
from statemachines.machine import Machine
from statemachines.product import Product
from statemachines.registry import Registry
from tests.conftest import NOON
from tests.engine.works import FOREMAN, Works, committed

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Lend(Event, by=[Role.MERCHANT]):
    """Lend a book for so many days."""

    sku: str
    days: int = 14


class Remind(Event):
    """Remind the reader, if the reader wants to be."""


class Recall(Event):
    """Want it back: the time is over."""


class Touch(Event, by=[Role.MERCHANT]):
    """The reader turns a page: the nap is put off by ten minutes."""


class Nap(Event):
    """Nobody has turned a page for ten minutes."""


class Stay(Event, by=[Role.MERCHANT]):
    """The reader stays awake: no nap."""


class Renew(Event, by=[Role.MERCHANT]):
    """Begin the loan anew."""


class Return(Event, by=[Role.MERCHANT]):
    """Bring it back."""


def note_days(event: Lend) -> Iterator[Command]:
    yield Set(price=event.days)


def is_wanted(book: Product) -> str | None:
    return "the reader wants no reminders" if book.id.startswith("QUIET") else None


def as_long_as_agreed(book: Product) -> timedelta:
    return timedelta(days=book.price)


def put_off(now: datetime) -> Iterator[Command]:
    yield Start("nap", Nap, now + 10 * MINUTE)


def stay_awake() -> Iterator[Command]:
    yield Cancel("nap")


book = Machine(
    Product,
    name="book",
    plural="books",
    key=lambda event: event.sku,
    states=[
        State(
            "lent",
            [
                After(2 * DAY, Remind, every=DAY, times=4),
                After(as_long_as_agreed, Recall, name="the end"),
            ],
        ),
        State("wanted", [After(HOUR, Remind, every=HOUR, times=2)]),
        State("back", final=True),
    ],
    transitions=[
        Transition(Lend, NEW, "lent", [], [note_days]),
        Transition(Remind, ["lent", "wanted"], None, [is_wanted]),
        Transition(Recall, "lent", "wanted"),
        Transition(Touch, ["lent", "wanted"], None, [], [put_off]),
        Transition(Nap, ["lent", "wanted"], None),
        Transition(Stay, ["lent", "wanted"], None, [], [stay_awake]),
        Transition(Renew, ["lent", "wanted"], "lent"),
        Transition(Return, ["lent", "wanted"], "back"),
    ],
)


class Library(Works):
    """A works that lends books."""

    async def lend(self, *skus: str, days: int = 14) -> None:
        for sku in skus:
            committed(await self.tell(None, Lend(sku=sku, days=days), machine="book"))

    async def happened(self, event: str, sku: str = "B") -> list[timedelta]:
        """Return when something happened to a book, counted from noon."""
        return [row["at"] - NOON for row in await self.history(sku, "book") if row["event"] == event]


@pytest.fixture
async def library(sqlite_url: str, clock: VirtualClock) -> AsyncIterator[Library]:
    """A library on SQLite, for what does not depend on the database."""
    database = Database(sqlite_url, synchronous="OFF")
    await schema.migrate(database)
    async with Library.open(database, clock, machines=Registry([book])) as opened:
        yield opened
    await database.close()


@pytest.fixture
async def large_library(database: Database, clock: VirtualClock) -> AsyncIterator[Library]:
    """A library on each kind of database."""
    async with Library.open(database, clock, machines=Registry([book])) as opened:
        yield opened


# -- reminders -----------------------------------------------------------------------------------------------------


async def test_a_reminder_fires_so_many_times_in_all(large_library: Library) -> None:
    library = large_library
    await library.lend("B", days=30)
    await library.advance(20 * DAY)
    assert await library.happened("remind") == [2 * DAY, 3 * DAY, 4 * DAY, 5 * DAY]
    assert [timer["name"] for timer in await library.timer_rows()] == ["the end"]


async def test_a_reminder_is_never_early(library: Library) -> None:
    await library.lend("B", days=30)
    await library.advance(2 * DAY - timedelta(microseconds=1))
    assert await library.happened("remind") == []
    await library.advance(timedelta(microseconds=1))
    await library.advance(DAY - timedelta(microseconds=1))
    assert await library.happened("remind") == [2 * DAY]


async def test_a_reminder_ends_with_its_state_and_that_of_the_next_state_begins_anew(library: Library) -> None:
    await library.lend("B", days=3)
    await library.advance(10 * DAY)
    assert await library.happened("remind") == [2 * DAY, 3 * DAY, 3 * DAY + HOUR, 3 * DAY + 2 * HOUR]
    assert await library.happened("recall") == [3 * DAY]
    committed(await library.tell("B", Return(), machine="book"))
    assert await library.timer_rows() == []


async def test_entering_the_state_anew_counts_from_one(library: Library) -> None:
    await library.lend("B", days=30)
    await library.advance(3 * DAY)
    committed(await library.tell("B", Renew(), machine="book"))
    await library.advance(20 * DAY)
    reminded = [2 * DAY, 3 * DAY, *(3 * DAY + days * DAY for days in (2, 3, 4, 5))]
    assert await library.happened("remind") == reminded


async def test_a_reminder_goes_on_although_a_guard_refuses_it(library: Library) -> None:
    await library.lend("QUIET", days=30)
    await library.advance(2 * DAY)
    (reminder,) = [timer for timer in await library.timer_rows() if timer["name"] == "remind"]
    assert (reminder["fired"], reminder["due_at"]) == (1, NOON + 3 * DAY)
    await library.advance(20 * DAY)
    assert [timer["name"] for timer in await library.timer_rows()] == ["the end"]
    assert await library.story("QUIET", "book") == ["lend"]


async def test_of_reminders_missed_in_a_downtime_only_the_latest_is_made_up_for(large_library: Library) -> None:
    library = large_library
    await library.lend("B", days=30)
    library.clock.advance(4 * DAY + HOUR)
    await library.settle()
    assert await library.happened("remind") == [4 * DAY + HOUR]
    await library.advance(20 * DAY)
    assert await library.happened("remind") == [days * DAY + HOUR for days in (4, 5, 6, 7)]


async def test_a_reminder_that_an_admin_moved_goes_on_from_there(library: Library) -> None:
    await library.lend("B", days=30)
    later = PostponeTimer(timer="remind", until=NOON + 5 * DAY, reason="on holiday")
    committed(await library.admin(later, "B", "book"))
    await library.advance(20 * DAY)
    assert await library.happened("remind") == [days * DAY for days in (5, 6, 7, 8)]


# -- debounce, names, computed durations ---------------------------------------------------------------------------


async def test_a_later_event_moves_the_timer(library: Library) -> None:
    await library.lend("B")
    for _ in range(5):
        committed(await library.tell("B", Touch(), machine="book"))
        await library.advance(9 * MINUTE)
    assert await library.happened("nap") == []
    await library.advance(HOUR)
    assert await library.happened("nap") == [46 * MINUTE]


async def test_a_timer_that_was_started_outlives_its_state_until_it_is_cancelled(library: Library) -> None:
    await library.lend("B", "C")
    for sku in "BC":
        committed(await library.tell(sku, Touch(), machine="book"))
        committed(await library.tell(sku, Renew(), machine="book"))
    committed(await library.tell("C", Stay(), machine="book"))
    await library.advance(HOUR)
    assert (await library.happened("nap"), await library.happened("nap", "C")) == ([10 * MINUTE], [])


async def test_durations_are_computed_from_the_entity(library: Library) -> None:
    await library.lend("B", days=3)
    await library.lend("C", days=5)
    await library.advance(6 * DAY)
    assert (await library.happened("recall"), await library.happened("recall", "C")) == ([3 * DAY], [5 * DAY])


async def test_timers_of_one_entity_fire_in_the_order_in_which_they_fell_due(library: Library) -> None:
    await library.lend("B", days=1)
    committed(await library.tell("B", Touch(), machine="book"))
    library.clock.advance(30 * DAY)
    await library.settle()
    story = await library.story("B", "book")
    assert story[:4] == ["lend", "touch", "nap", "recall"]


# -- many at once --------------------------------------------------------------------------------------------------


async def lent(library: Library, count: int) -> list[str]:
    """Lend books whose naps are due at random moments, as after a downtime; return them in the order of their naps."""
    skus = [f"B{number:04}" for number in range(count)]
    tells = [Envelope(machine="book", event=Lend(sku=sku, days=900), actor=FOREMAN) for sku in skus]
    await asyncio.gather(*(library.dispatcher.dispatch(each) for each in tells))
    random = Random(3)
    due = {sku: NOON + timedelta(seconds=random.randrange(1000)) for sku in skus}
    rows = [
        {"machine": "book", "entity_id": sku, "name": "nap", "event": "nap", "due_at": at, "fired": 0, "cause": "x"}
        for sku, at in due.items()
    ]
    await library.database.write(lambda c: c.execute(insert(TABLES[TimerRow]), rows))
    library.clock.advance(HOUR)
    return sorted(skus, key=lambda sku: (due[sku], sku))


def napped(*works: Works) -> list[str]:
    """Return the books that were napped over, in the order of the commits."""
    batches = [batch for each in works for batch in each.batches]
    return [row["entity_id"] for batch in batches for row in batch.changes.history if row["event"] == "nap"]


async def test_two_thousand_timers_due_at_once_fire_in_the_order_in_which_they_fell_due(large_library: Library) -> None:
    library = large_library
    order = await lent(library, 2000)
    assert await library.timers.run() == 2000
    assert napped(library) == order
    assert await library.timers.run() == 0


async def test_two_services_fire_each_timer_once(large_library: Library, database_url) -> None:
    library = large_library
    order = await lent(library, 400)
    another = Database(database_url)
    async with Library.open(another, library.clock, machines=Registry([book]), seed=2) as other:
        await asyncio.gather(library.timers.run(), other.timers.run())
        assert sorted(napped(library, other)) == sorted(order)
        for sku in order[:20]:
            assert await library.happened("nap", sku) == [HOUR]
    await another.close()
