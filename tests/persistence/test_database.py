"""What a transaction is, on each kind of database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Connection, text
from sqlalchemy import exc as sql

from persistence import schema
from persistence.database import CommitUnknown, Database, is_unavailable
from tests.engine.proxy import Proxy
from tests.waiting import until

PIECES = text("SELECT on_hand FROM stock")

SHELF = (
    "INSERT INTO stock (id, state, version, created_at, state_since, on_hand, reserved, reorder_level, is_low, sku, "
    "location, priority, waiting, tickets, served) "
    "VALUES ('MUG', 'stocked', 1, '2026-01-05', '2026-01-05', 0, 0, 1000, true, 'MUG', 'main', 1, 0, 0, 0)"
)


@pytest.fixture
async def shelf(database: Database) -> Database:
    """A database with one empty shelf."""
    await database.write(lambda connection: connection.execute(text(SHELF)))
    return database


def add_one(connection: Connection) -> int:
    """Read under the lock, then write what was read and one more."""
    lock = "" if connection.dialect.name == "sqlite" else " FOR UPDATE"
    pieces = connection.execute(text(f"{PIECES.text}{lock}")).scalar_one()
    connection.execute(text("UPDATE stock SET on_hand = :pieces"), {"pieces": pieces + 1})
    return pieces + 1


def count(connection: Connection) -> int:
    return connection.execute(PIECES).scalar_one()


def in_use(database: Database) -> int:
    """Return how many connections are checked out."""
    return database._writer.engine.pool.checkedout() + database._reader.engine.pool.checkedout()


@asynccontextmanager
async def half_way(database: Database) -> AsyncIterator[None]:
    """Hold a transaction open that has added one."""
    if database.is_sqlite:
        with database._writer.engine.begin() as connection:
            add_one(connection)
            yield
    else:
        async with database._writer._engine.begin() as connection:
            await connection.run_sync(add_one)
            yield


async def test_sixteen_tasks_that_read_and_write_lose_nothing(shelf) -> None:
    seen = await asyncio.gather(*(shelf.write(add_one) for _ in range(16)))
    assert sorted(seen) == list(range(1, 17))
    assert await shelf.read(count) == 16


async def test_a_read_sees_the_last_commit_while_a_write_is_in_flight(shelf) -> None:
    async with half_way(shelf):
        assert await asyncio.wait_for(shelf.read(count), timeout=2) == 0
    assert await shelf.read(count) == 1


async def test_work_that_fails_leaves_nothing(shelf) -> None:
    def fail(connection: Connection) -> None:
        add_one(connection)
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        await shelf.write(fail)
    assert (await shelf.read(count), in_use(shelf)) == (0, 0)


async def test_cancelled_tasks_leave_no_transaction_open(shelf) -> None:
    tasks = [asyncio.create_task(shelf.write(add_one) if at % 3 else shelf.read(count)) for at in range(60)]
    for turns, task in enumerate(tasks):
        for _ in range(turns % 7):
            await asyncio.sleep(0)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    before = await shelf.write(count)
    assert await asyncio.wait_for(shelf.write(add_one), timeout=5) == before + 1
    await until(lambda: in_use(shelf) == 0)  # threads that read go on when nobody waits for them


async def test_a_write_whose_task_is_cancelled_is_done_whole_or_not_at_all(shelf) -> None:
    begun, loop = asyncio.Event(), asyncio.get_running_loop()

    def dawdle(connection: Connection) -> None:
        add_one(connection)
        loop.call_soon_threadsafe(begun.set)
        for _ in range(10_000):
            connection.execute(PIECES)

    task = asyncio.create_task(shelf.write(dawdle))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    finished = 1 if shelf.is_sqlite else 0  # a thread runs to its end, a greenlet ends where it waits
    assert await asyncio.wait_for(shelf.write(add_one), timeout=5) == finished + 1
    assert in_use(shelf) == 0


@pytest.fixture
async def proxied(postgresql_url: str) -> AsyncIterator[tuple[Database, Proxy]]:
    async with Proxy(postgresql_url) as proxy:
        database = Database(proxy.url)
        await schema.migrate(database)
        yield database, proxy
        await database.close()


@pytest.mark.parametrize(("moment", "versions"), [("before", 0), ("after", 1)])
async def test_a_connection_lost_at_commit_leaves_the_outcome_open(proxied, moment, versions) -> None:
    database, proxy = proxied
    proxy.cuts.append(moment)
    with pytest.raises(CommitUnknown):
        await database.write(lambda connection: connection.execute(text(SHELF)))
    rows = await database.read(lambda connection: connection.execute(text("SELECT count(*) FROM stock")).scalar_one())
    assert (proxy.fired, rows, in_use(database)) == (1, versions, 0)


async def test_sqlite_keeps_commits_through_a_loss_of_power(tmp_path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'orderly.db'}")
    await schema.migrate(database)
    mode = await database.read(lambda connection: connection.execute(text("PRAGMA journal_mode")).scalar_one())
    full = await database.read(lambda connection: connection.execute(text("PRAGMA synchronous")).scalar_one())
    assert (mode, full) == ("wal", 2)
    await database.close()


@pytest.mark.parametrize(
    ("error", "unavailable"),
    [
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (sql.TimeoutError("no connection is free"), True),
        (sql.OperationalError("", {}, Exception("database or disk is full")), True),
        (sql.IntegrityError("", {}, Exception("CHECK constraint failed")), False),
        (sql.ProgrammingError("", {}, Exception("syntax error")), False),
        (ValueError(), False),
    ],
)
def test_tells_a_database_that_is_away_from_one_that_refuses(error, unavailable) -> None:
    assert is_unavailable(error) is unavailable
