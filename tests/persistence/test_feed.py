"""The stream of transitions: each of them once and in order, however many transactions write at once."""

import asyncio
import random
from collections import defaultdict
from contextlib import suppress

import pytest
from sqlalchemy import Connection, insert, text

from orderly.service import NotReady, Service
from orderly.settings import Settings
from persistence import feed, schema
from persistence.database import Database
from persistence.feed import BEGINNING, Place
from persistence.queries import BadCursor, cursor_of
from persistence.tables import TABLES, History
from tests.conftest import NOON

WRITERS, TRANSACTIONS, THINGS = 8, 25, 6


def row(number: int, *, entity: str = "thing", version: int | None = None) -> dict[str, object]:
    return {
        "event_id": f"evt_{entity}_{number}",
        "machine": "thing",
        "entity_id": entity,
        "version": version or number,
        "event": "move",
        "source": "here",
        "target": "there",
        "actor": "system:test",
        "payload": {},
        "at": NOON,
    }


async def write(database: Database, *numbers: int) -> None:
    await database.write(lambda c: c.execute(insert(TABLES[History]), [row(number) for number in numbers]))


async def versions(database: Database, after: Place = BEGINNING, most: int = 100) -> list[int]:
    entries = await database.read(lambda c: feed.scan(c, after, most))
    return [entry.version for entry in entries]


async def test_a_reader_goes_on_where_it_stopped(database: Database) -> None:
    await write(database, 1, 2, 3)
    first = await database.read(lambda c: feed.scan(c, BEGINNING, 2))
    assert [entry.version for entry in first] == [1, 2]
    await write(database, 4)
    again = Place.read(first[-1].place.cursor)
    assert await versions(database, again) == [3, 4]


async def test_full_rows_come_in_the_same_order(database: Database) -> None:
    await write(database, 1, 2, 3)
    entries = await database.read(lambda c: feed.scan(c, BEGINNING, 10))
    rows = await database.read(lambda c: feed.rows_at(c, [entry.place for entry in reversed(entries)]))
    assert [each["event_id"] for each in rows] == ["evt_thing_1", "evt_thing_2", "evt_thing_3"]


@pytest.mark.parametrize(
    "cursor", ["", "x", cursor_of("a"), cursor_of(1), cursor_of(-1, 2), cursor_of(1, 2**63), cursor_of(1.0, 2)]
)
def test_a_place_that_no_page_gave_out_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        Place.read(cursor)


class Things:
    """Entities that many transactions move at once, as the dispatchers of several processes would."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database = database
        self.random = random.Random(seed)
        self.committed = 0

    async def open(self) -> None:
        def make(connection: Connection) -> None:
            connection.execute(text("CREATE TABLE things (id text PRIMARY KEY, version bigint NOT NULL)"))
            for number in range(THINGS):
                connection.execute(text("INSERT INTO things VALUES (:id, 0)"), {"id": f"t{number}"})

        await self.database.write(make)

    async def move(self) -> None:
        """Move some things in one transaction that pauses wherever one may, and is rolled back now and then."""
        chosen = sorted(self.random.sample(range(THINGS), self.random.randint(1, 2)))
        pauses = [self.random.choice([0, 0, 0.002, 0.01]) for _ in range(2 * len(chosen) + 1)]
        fails = self.random.random() < 0.1

        def work(connection: Connection) -> None:
            moved = []
            for number in chosen:
                pause(connection, pauses.pop())
                lock = text("UPDATE things SET version = version + 1 WHERE id = :id RETURNING version")
                moved.append((f"t{number}", connection.execute(lock, {"id": f"t{number}"}).scalar_one()))
            for entity, version in moved:
                pause(connection, pauses.pop())
                connection.execute(insert(TABLES[History]), row(version, entity=entity))
            pause(connection, pauses.pop())
            if fails:
                raise ZeroDivisionError
            self.committed += len(moved)

        with suppress(ZeroDivisionError):
            await self.database.write(work)


def pause(connection: Connection, seconds: float) -> None:
    if seconds:
        connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})


@pytest.mark.parametrize("seed", range(3))
async def test_a_reader_sees_every_transition_once_and_each_entitys_in_order(postgresql_url: str, seed: int) -> None:
    database = Database(postgresql_url, pool_size=WRITERS + 2)
    await schema.migrate(database)
    things = Things(database, seed)
    await things.open()
    seen: list[feed.Entry] = []
    overtaken = 0

    async def write_on() -> None:
        for _ in range(TRANSACTIONS):
            await things.move()

    async def read_on() -> None:
        place = seen[-1].place if seen else BEGINNING
        seen.extend(await database.read(lambda c: feed.scan(c, place, 3)))

    async def watch() -> None:
        nonlocal overtaken
        newest = 0
        while not done.is_set():
            newest, late = await database.read(lambda c, newest=newest: _late(c, newest))
            overtaken += late
            await asyncio.sleep(0.001)

    done = asyncio.Event()
    watching = asyncio.create_task(watch())
    writing = asyncio.gather(*(write_on() for _ in range(WRITERS)))
    while not writing.done():
        await read_on()
    done.set()
    await asyncio.gather(writing, watching)
    for _ in range(2 * things.committed):
        await read_on()
    stories = defaultdict(list)
    for entry in seen:
        stories[entry.entity_id].append(entry.version)
    assert all(story == list(range(1, len(story) + 1)) for story in stories.values())
    assert len({entry.place for entry in seen}) == len(seen) == things.committed
    assert [entry.place for entry in seen] == sorted(entry.place for entry in seen)
    assert overtaken, "no row became visible after one with a greater number: this run shows nothing"
    await database.close()


def _late(connection: Connection, newest: int) -> tuple[int, int]:
    """Return the newest row's number, and how many with smaller ones became visible only now."""
    seqs = {seq for (seq,) in connection.execute(text("SELECT seq FROM history"))}
    known: set[int] = connection.info.setdefault("known", set())
    late = sum(seq < newest for seq in seqs - known)
    connection.info["known"] = known | seqs
    return max(seqs, default=newest), late


async def test_nothing_is_given_out_that_an_open_transaction_could_precede(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    await schema.migrate(database)
    opened = asyncio.Event()

    async def hold() -> None:
        loop = asyncio.get_running_loop()
        other = Database(postgresql_url)
        await other.write(lambda c: _hold(c, loop, opened))
        await other.close()

    holding = asyncio.create_task(hold())
    await opened.wait()
    await write(database, 2)
    assert await versions(database) == []
    await holding
    assert await versions(database) == [1, 2]
    await database.close()


def _hold(connection: Connection, loop: asyncio.AbstractEventLoop, opened: asyncio.Event) -> None:
    connection.execute(insert(TABLES[History]), row(1))
    loop.call_soon(opened.set)
    pause(connection, 0.3)


async def test_after_a_restore_into_a_younger_cluster_new_transitions_come_after_the_old(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    await schema.migrate(database)
    future = 10**12
    await database.write(lambda c: c.execute(insert(TABLES[History]), {**row(1), "commit_order": future}))
    assert await database.read(feed.is_out_of_step)
    await schema.migrate(database)
    assert not await database.read(feed.is_out_of_step)
    await write(database, 2)
    assert await versions(database) == [1, 2]
    last = (await database.read(lambda c: feed.scan(c, BEGINNING, 10)))[-1]
    assert last.place.commit_order > future
    await schema.migrate(database)
    await write(database, 3)
    assert await versions(database, last.place) == [3]
    await database.close()


async def test_no_service_starts_while_new_transitions_would_come_before_old_ones(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    await schema.migrate(database)
    await database.write(lambda c: c.execute(insert(TABLES[History]), {**row(1), "commit_order": 10**12}))
    await database.close()
    settings = Settings(database_url=postgresql_url, key_pepper="pepper")
    with pytest.raises(NotReady, match="run `orderly migrate`"):
        async with Service.open(settings):
            pass
    async with Service.open(settings, migrate=True):
        pass
