"""What is on its way to subscriptions: who may take it up, and that an index answers whatever is asked of it."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text, update

from persistence import deliveries, feed, lanes, readers, schema
from persistence.database import Database
from persistence.delivery_rows import DeliveryRow, EndpointRow, FeedCursorRow, LaneRow
from persistence.feed import Place
from persistence.lanes import LaneKey
from persistence.queries import cursor_of
from persistence.tables import TABLES, History
from statemachines.subscription import Subscription
from tests.conftest import NOON, _administer, _fresh_postgresql
from tests.persistence.plans import full_scans

MANY = 6000
SOON = NOON + timedelta(minutes=50)
LATER = NOON + timedelta(days=30)
KEY = LaneKey("whs_active_1", "order", "ord_00007", "")


def subscribed(name: str, state: str) -> dict[str, Any]:
    values = Subscription(id=name, state=state, version=1, created_at=NOON, state_since=NOON, url="https://a.example")
    return {**values.model_dump(), "patterns": ["*"]}


def lane(number: int, to: str) -> dict[str, Any]:
    values = {"subscription_id": to, "machine": "order", "entity_id": f"ord_{number:05}", "asked_by": ""}
    values |= {"next_version": 1, "last_version": 3, "running": False, "token": 0, "attempts": number % 2}
    return values | {"due_at": NOON + timedelta(minutes=number)}


def told(number: int) -> dict[str, Any]:
    values = {"event_id": f"evt_{number:05}", "machine": "order", "entity_id": f"ord_{number // 3:05}"}
    values |= {"version": 1 + number % 3, "event": "pay", "source": "a", "target": "b", "actor": "system:x"}
    return values | {"payload": {}, "at": NOON + timedelta(minutes=number)}


def sent(number: int) -> dict[str, Any]:
    values = {"id": f"dlv_{number:05}", "subscription_id": f"whs_active_{number % 3}", "event_id": f"evt_{number:05}"}
    values |= {"machine": "order", "entity_id": "ord_1", "version": 1, "event": "pay", "attempt": 1, "duration_ms": 1}
    outcome = "failed" if number % 100 == 0 else "delivered"
    return values | {"at": NOON + timedelta(minutes=number), "status": 200, "error": None, "outcome": outcome}


def fill(connection: Connection) -> None:
    """Store some subscriptions and thousands of lanes, deliveries and transitions, and count them for the planner."""
    names = [f"whs_active_{number}" for number in range(3)]
    states = dict.fromkeys(names, "active") | {
        "whs_paused": "paused",
        "whs_disabled": "disabled",
        "whs_gone": "removed",
    }
    connection.execute(insert(TABLES[Subscription]), [subscribed(*each) for each in states.items()])
    connection.execute(insert(TABLES[LaneRow]), [lane(number, names[number % 3]) for number in range(MANY)])
    connection.execute(insert(TABLES[History]), [told(number) for number in range(MANY)])
    connection.execute(insert(TABLES[DeliveryRow]), [sent(number) for number in range(MANY)])
    seq = connection.execute(select(TABLES[History].c.seq, TABLES[History].c.commit_order)).all()[MANY // 2]
    connection.execute(update(TABLES[FeedCursorRow]).values(commit_order=seq.commit_order, seq=seq.seq))
    connection.execute(text("ANALYZE"))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def full_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database of each kind with thousands of lanes."""

    async def fill_new(url: str) -> None:
        database = Database(url)
        await schema.migrate(database)
        await database.write(fill)
        await database.close()

    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('full') / 'orderly.db'}"
        asyncio.run(fill_new(url))
        yield url
        return
    server = request.getfixturevalue("postgresql")
    name, url = asyncio.run(_fresh_postgresql(server))
    asyncio.run(fill_new(url))
    yield url
    asyncio.run(_administer(server, f'DROP DATABASE "{name}" WITH (FORCE)'))


def is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


ASKED = {
    "the stream": lambda c: feed.scan(c, Place(0, 3000), 100),
    "a page of the feed": lambda c: feed.page(c, Place(0, 3000), ["*"], 100),
    "the rows of a page": lambda c: feed.rows_at(c, [Place(0, 7), Place(0, 9)]),
    "what is due next": lambda c: c.execute(select(lanes.next_due(sqlite=is_sqlite(c)))),
    "news": lambda c: c.execute(lanes.news(sqlite=is_sqlite(c))),
    "who is due": lambda c: lanes.due_subscribers(c, SOON),
    "claims": lambda c: lanes.claim(c, "whs_active_1", SOON, LATER, 10),
    "stretches": lambda c: lanes.stretches(c, [KEY, KEY._replace(entity_id="ord_00010")], 20),
    "locks": lambda c: lanes.lock_lanes(c, [KEY, KEY._replace(entity_id="ord_00010")]),
    "one that is hurried": lambda c: lanes.hurry_one(c, KEY, SOON),
    "an event": lambda c: readers.event(c, "evt_00007"),
    "where a moment stands": lambda c: readers.place_before(c, SOON),
    "the log": lambda c: deliveries.list_deliveries(c, "whs_active_1", None, 50, cursor_of("dlv_03000")),
    "what failed": lambda c: deliveries.list_deliveries(c, "whs_active_0", "failed", 50, cursor_of("dlv_03000")),
    "what is old": lambda c: deliveries.delete_old(c, SOON, 10),
}


@pytest.mark.parametrize("asked", ASKED)
async def test_an_index_answers(full_url: str, asked: str) -> None:
    assert await full_scans(full_url, ASKED[asked], "history|delivery_lanes( USING .*)?|deliveries") == []


# -- who takes it up


async def filled(database: Database) -> None:
    await database.write(lambda c: c.execute(insert(TABLES[Subscription]), subscribed("whs_1", "active")))
    await database.write(lambda c: c.execute(insert(TABLES[LaneRow]), [lane(number, "whs_1") for number in range(30)]))


async def test_two_runners_never_hold_the_same_lane(postgresql_url: str) -> None:
    databases = [Database(postgresql_url) for _ in range(4)]
    await schema.migrate(databases[0])
    await filled(databases[0])
    claims = [each.write(lambda c: lanes.claim(c, "whs_1", SOON, LATER, 9)) for each in databases]
    held = [row["entity_id"] for rows in await asyncio.gather(*claims) for row in rows]
    assert len(held) == len(set(held)) == 30
    for each in databases:
        await each.close()


async def test_the_longest_due_are_claimed_first_and_no_more_than_asked(database: Database) -> None:
    await filled(database)
    rows = await database.write(lambda c: lanes.claim(c, "whs_1", SOON, LATER, 4))
    assert sorted(row["entity_id"] for row in rows) == [f"ord_0000{number}" for number in range(4)]
    assert {(row["running"], row["token"], row["due_at"]) for row in rows} == {(True, 1, LATER)}


async def test_of_several_who_would_see_how_an_address_is_one_does(database: Database) -> None:
    await filled(database)
    await database.write(lambda c: c.execute(update(TABLES[EndpointRow]).values(failures=9)))
    (held,) = await database.read(lanes.subscribers)
    tried = [await database.write(lambda c: lanes.hold(c, held, LATER)) for _ in range(3)]
    assert tried == [True, False, False]
    assert await database.read(lambda c: lanes.due_subscribers(c, LATER - timedelta(seconds=1))) == []
    assert len(await database.read(lambda c: lanes.due_subscribers(c, LATER))) == 1


async def test_a_lane_that_is_there_grows_and_keeps_its_place(database: Database) -> None:
    await filled(database)
    key = LaneKey("whs_1", "order", "ord_00001", "")
    await database.write(lambda c: lanes.add_lanes(c, {key: (4, 7)}, LATER))
    row = (await database.write(lambda c: lanes.lock_lanes(c, [key])))[key]
    assert (row["next_version"], row["last_version"], row["due_at"]) == (1, 7, NOON + timedelta(minutes=1))


async def test_what_is_added_to_a_lane_that_is_being_taken_off_is_not_lost(postgresql_url: str) -> None:
    """The one who takes it off did not see what came; so the other waits, and then begins a new one."""
    one, other = Database(postgresql_url), Database(postgresql_url)
    await schema.migrate(one)
    await filled(one)
    key, loop, locked = LaneKey("whs_1", "order", "ord_00001", ""), asyncio.get_running_loop(), asyncio.Event()

    def take_off(connection: Connection) -> None:
        lanes.lock_lanes(connection, [key])
        loop.call_soon(locked.set)
        connection.execute(text("SELECT pg_sleep(0.3)"))
        lanes.settle(connection, lanes.Settled(finished=[key]))

    taking = asyncio.create_task(one.write(take_off))
    await locked.wait()
    await other.write(lambda c: lanes.add_lanes(c, {key: (4, 4)}, LATER))
    await taking
    row = (await one.write(lambda c: lanes.lock_lanes(c, [key])))[key]
    assert (row["next_version"], row["last_version"], row["token"]) == (4, 4, 0)
    await one.close()
    await other.close()


async def test_a_new_subscription_hears_of_what_others_have_not_committed_yet(postgresql_url: str) -> None:
    """It was answered before they committed, so whoever made it could not have seen what they did."""
    one, other = Database(postgresql_url), Database(postgresql_url)
    await schema.migrate(one)
    await one.write(lambda c: c.execute(insert(TABLES[History]), told(0)))
    loop, written = asyncio.get_running_loop(), asyncio.Event()

    def work_on(connection: Connection) -> None:
        connection.execute(insert(TABLES[History]), told(1))
        loop.call_soon(written.set)
        connection.execute(text("SELECT pg_sleep(0.3)"))

    working = asyncio.create_task(one.write(work_on))
    await written.wait()
    await other.write(lambda c: c.execute(insert(TABLES[Subscription]), subscribed("whs_1", "active")))
    await working
    (receiver,) = await one.read(lanes.subscribers)
    heard = await one.read(lambda c: feed.scan(c, receiver.after, 10))
    assert [entry.version for entry in heard] == [2]
    await one.close()
    await other.close()


async def test_who_is_resumed_after_being_disabled_begins_anew(database: Database) -> None:
    await database.write(lambda c: c.execute(insert(TABLES[Subscription]), subscribed("whs_1", "active")))
    await database.write(lambda c: c.execute(update(TABLES[EndpointRow]).values(failures=9, failing_since=NOON)))
    for number, state in enumerate(["disabled", "active"]):
        happened, change = (
            insert(TABLES[History]).values(told(number)),
            update(TABLES[Subscription]).values(state=state),
        )
        await database.write(lambda c, happened=happened: c.execute(happened))
        await database.write(lambda c, change=change: c.execute(change))
    (receiver,) = await database.read(lanes.subscribers)
    assert (receiver.failures, receiver.failing_since) == (0, None)
    assert await database.read(lambda c: feed.scan(c, receiver.after, 10)) == []


# -- where a moment stands


@pytest.mark.parametrize("minutes", [-5, 0, 1, 17, 99, 100, 500])
async def test_nothing_that_happened_since_a_moment_stands_before_its_place(database: Database, minutes: int) -> None:
    await database.write(lambda c: c.execute(insert(TABLES[History]), [told(number) for number in range(100)]))
    moment = NOON + timedelta(minutes=minutes)
    place = await database.read(lambda c: readers.place_before(c, moment))
    found = [entry for entry in await database.read(lambda c: feed.scan(c, place, 1000)) if entry.at >= moment]
    assert len(found) == min(100, max(0, 100 - minutes))
