"""The one entrance: what it promises when it is full or closing, when callers leave, when others are in the way."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from sqlalchemy import event, text

from engine.envelope import Committed, Envelope, IdempotencyKey, KeyInFlight, Overloaded, Unavailable
from persistence import schema
from persistence.database import DEADLOCK, SERIALIZATION_FAILURE, Database, sqlstate
from tests.engine.yard import KEEPER, Hand, Put, Yard

PUT = Put(pieces=1)


@pytest.fixture
async def two_yards(postgresql_url: str, clock) -> AsyncIterator[tuple[Yard, Yard]]:
    """Two services on one PostgreSQL, with the shelves A and B."""
    databases = Database(postgresql_url), Database(postgresql_url)
    await schema.migrate(databases[0])
    yards = Yard(databases[0], clock), Yard(databases[1], clock, seed=2)
    for yard in yards:
        await yard.dispatcher.start()
    await yards[0].build("A", "B")
    yield yards
    for yard in yards:
        await yard.dispatcher.stop()
        await yard.database.close()


async def test_an_event_that_finds_the_queue_full_is_refused_at_once(database, clock) -> None:
    yard = Yard(database, clock, queue_limit=3)
    waiting = asyncio.gather(*(yard.tell(None, PUT) for _ in range(3)))
    await asyncio.sleep(0)
    assert yard.dispatcher.waiting == 3
    assert isinstance(await asyncio.wait_for(yard.tell("A", PUT), timeout=0.1), Overloaded)
    assert yard.dispatcher.waiting == 3
    waiting.cancel()


async def test_what_waits_when_the_dispatcher_closes_is_finished(yard: Yard) -> None:
    told = [asyncio.create_task(yard.tell("A", PUT)) for _ in range(50)]
    await asyncio.sleep(0)
    await yard.dispatcher.stop()
    assert [type(task.result()) for task in told] == [Committed] * 50
    assert isinstance(await yard.tell("A", PUT), Overloaded)
    assert await yard.pieces("A") == [50]


async def test_a_caller_that_leaves_neither_loses_nor_doubles_its_event(yard: Yard) -> None:
    leaving = [asyncio.create_task(yard.tell("A", PUT)) for _ in range(20)]
    staying = [asyncio.create_task(yard.tell("A", PUT)) for _ in range(5)]
    for turns, task in enumerate(leaving):
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
    assert [type(result) for result in await asyncio.gather(*staying)] == [Committed] * 5
    await yard.dispatcher.stop()
    history = await yard.story("A")
    assert [version for version, _ in history] == list(range(1, len(history) + 1))
    assert await yard.pieces("A") == [len(history) - 1]
    assert 5 <= len(history) - 1 <= 25


async def test_versions_have_no_gap_when_two_services_write_the_same_entity(two_yards) -> None:
    one, other = two_yards
    results = await asyncio.gather(*(yard.tell("A", PUT) for _ in range(40) for yard in two_yards))
    assert sorted(result.version for result in results) == list(range(2, 82))
    assert await one.pieces("A") == await other.pieces("A") == [80]


async def test_two_services_on_one_sqlite_file_lose_nothing(sqlite_url, clock) -> None:
    databases = Database(sqlite_url), Database(sqlite_url)
    await schema.migrate(databases[0])
    yards = [Yard(database, clock, seed=seed) for seed, database in enumerate(databases)]
    for yard in yards:
        await yard.dispatcher.start()
    await yards[0].build("A")
    results = await asyncio.gather(*(yard.tell("A", PUT) for _ in range(20) for yard in yards))
    assert sorted(result.version for result in results) == list(range(2, 42))
    for yard in yards:
        await yard.dispatcher.stop()
        await yard.database.close()


# -- others in the way --------------------------------------------------------------------------------------------


@contextmanager
def failures(*yards: Yard) -> Iterator[list[str]]:
    """Collect the SQLSTATEs of the errors that PostgreSQL answers meanwhile."""
    states: list[str] = []

    def note(context) -> None:
        states.append(sqlstate(context.original_exception) or "")

    for yard in yards:
        event.listen(yard.database._writer.engine, "handle_error", note)
    yield states
    for yard in yards:
        event.remove(yard.database._writer.engine, "handle_error", note)


async def test_the_victim_of_a_deadlock_is_run_again(two_yards) -> None:
    one, other = two_yards
    results = []
    with failures(one, other) as states:
        while DEADLOCK not in states:
            results += await asyncio.gather(
                one.tell("A", Hand(to=("B",), pieces=0)), other.tell("B", Hand(to=("A",), pieces=0))
            )
            assert len(results) < 400, "no deadlock came about"
    assert {type(result) for result in results} == {Committed}
    assert len(await one.story("A")) == min(200, 1 + len(results))


async def test_a_serialization_failure_is_run_again(two_yards) -> None:
    one, other = two_yards
    name = one.database.url.database
    strict = f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'serializable'"
    await one.database.write(lambda connection: connection.execute(text(strict)))
    for yard in two_yards:
        await yard.database.close()  # what is opened next is opened under the stricter rule
    with failures(one, other) as states:
        results = []
        while SERIALIZATION_FAILURE not in states:
            results += await asyncio.gather(one.tell("A", PUT), other.tell("A", PUT))
            assert len(results) < 400, "no conflict came about"
    assert {type(result) for result in results} == {Committed}
    assert await one.pieces("A") == [len(results)]


@asynccontextmanager
async def locked(url: str, sku: str) -> AsyncIterator[None]:
    """Hold a shelf's lock, as a person with a console might."""
    database = Database(url)
    async with database._writer._engine.connect() as connection:
        await connection.execute(text("SELECT * FROM stock WHERE id = :sku FOR UPDATE"), {"sku": sku})
        yield
        await connection.rollback()
    await database.close()


async def test_an_entity_that_stays_locked_fails_its_own_events_alone(two_yards, postgresql_url) -> None:
    yard, _ = two_yards
    key = IdempotencyKey("keeper", "put-1", "put")
    keyed = Envelope(machine="shelf", id="A", event=PUT, actor=KEEPER, key=key)
    async with locked(postgresql_url, "A"):
        free, stuck, keyed_stuck = await asyncio.gather(
            yard.tell("B", PUT), yard.tell("A", PUT), yard.dispatcher.dispatch(keyed), return_exceptions=True
        )
    assert isinstance(free, Committed)
    assert type(stuck) is Unavailable
    assert isinstance(keyed_stuck, KeyInFlight)
    assert (await yard.tell("A", PUT)).version == 2


async def test_a_database_that_cannot_be_reached_is_unavailable_and_then_served_again(two_yards) -> None:
    yard, _ = two_yards
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = :name"
    name = {"name": yard.database.url.database}
    killer = Database(yard.database.url.render_as_string(hide_password=False))
    await killer.write(lambda connection: connection.execute(text(kill), name))
    first = await yard.tell("A", PUT)
    assert type(first) in (Unavailable, Committed)
    second = await yard.tell("A", PUT)
    assert isinstance(second, Committed)
    assert second.version == len(await yard.story("A")) == 2 + isinstance(first, Committed)
    await killer.close()
