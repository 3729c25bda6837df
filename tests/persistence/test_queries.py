"""Questions about entities: what they find, how they turn pages, and that an index answers each of them."""

import asyncio
import base64
import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, insert, select, text

from persistence import inbox, queries, queue, schema, waiting
from persistence.database import Database
from persistence.queries import BadCursor, Filter
from persistence.store import Store
from persistence.tables import TABLES, EffectAttemptRow, EffectRow, History, InboxRow, TimerRow
from persistence.waiting import EffectFilter, Whose
from statemachines.order import Cancel, Order
from statemachines.product import Create
from statemachines.registry import MACHINES
from tests.conftest import NOON, _administer, _fresh_postgresql
from tests.engine.shop import ANNA, BEN, MERCHANT, Shop, basket
from tests.persistence.plans import full_scans, plan_of

ORDER, PRODUCT = MACHINES["order"], MACHINES["product"]
NAMES = [machine.name for machine in MACHINES]
FAR = 5000


async def listed(shop: Shop, wanted: Filter, machine=ORDER, limit: int = 50) -> list[str]:
    page = await shop.service.database.read(lambda c: queries.list_entities(c, machine, wanted, limit, None))
    return [row["id"] for row in page.rows]


@pytest.fixture
async def shop(service) -> Shop:
    """A shop with four drafts, an hour apart; the second is Ben's, the third was cancelled an hour after the last."""
    shop = Shop(service)
    await shop.sells("MUG")
    shop.names = []
    for number, by in enumerate([ANNA, BEN, ANNA, ANNA]):
        shop.names.append(await shop.draft(by=by, reference=f"Shop-{number}", MUG=1))
        service.clock.advance(timedelta(hours=1))
    await shop.tell("order", shop.names[2], Cancel(), MERCHANT)
    return shop


async def test_orders_come_newest_first(shop) -> None:
    assert await listed(shop, Filter()) == shop.names[::-1]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(owner="ben"), [1]),
        (Filter(owner="nobody"), []),
        (Filter(state="cancelled"), [2]),
        (Filter(state="draft"), [0, 1, 3]),
        (Filter(state="draft", owner="anna"), [0, 3]),
        (Filter(state="draft", in_state_since=NOON + timedelta(hours=1)), [0, 1]),
        (Filter(created_after=NOON + timedelta(hours=2)), [3, 2]),
        (Filter(created_before=NOON + timedelta(hours=2)), [1, 0]),
        (Filter(text="shop-1"), [1]),
        (Filter(text="SHOP-"), [3, 2, 1, 0]),
        (Filter(text="hop-1"), []),
        (Filter(text="%"), []),
        (Filter(text="ord_"), [3, 2, 1, 0]),
    ],
)
async def test_finds_what_is_asked_for(shop, wanted, found) -> None:
    assert await listed(shop, wanted) == [shop.names[at] for at in found]


async def test_finds_names_beyond_ascii_as_they_are_written(service) -> None:
    shop = Shop(service)
    await shop.tell("product", None, Create(sku="P-1", name="Émile Mug", price=1, currency="EUR"))
    assert await listed(shop, Filter(text="Émile m"), PRODUCT) == ["P-1"]


@pytest.mark.parametrize("wanted", [Filter(), Filter(state="draft"), Filter(owner="anna")])
async def test_pages_neither_repeat_nor_skip_while_orders_are_placed(service, wanted) -> None:
    shop = Shop(service)
    await shop.sells("MUG")
    before = {(await shop.tell("order", None, basket(MUG=1), ANNA)).id for _ in range(25)}
    seen, cursor = [], None
    while True:
        page = await service.database.read(lambda c, at=cursor: queries.list_entities(c, ORDER, wanted, 4, at))
        seen += [row["id"] for row in page.rows]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
        service.clock.advance(timedelta(milliseconds=1))
        if len(seen) < 40:
            await shop.draft(MUG=1)
    assert len(seen) == len(set(seen))
    assert before <= set(seen)


async def test_history_is_read_page_by_page(shop) -> None:
    def pages(connection: Connection) -> list[str]:
        first = queries.list_history(connection, ORDER, shop.names[2], 1, None)
        second = queries.list_history(connection, ORDER, shop.names[2], 1, first.next_cursor)
        return [row["event"] for row in (*first.rows, *second.rows)] + [second.next_cursor]

    assert await shop.service.database.read(pages) == ["create", "cancel", None]


async def test_states_are_counted(shop) -> None:
    database = shop.service.database
    assert await database.read(lambda c: queries.count_states(c, ORDER)) == {"draft": 3, "cancelled": 1}
    assert await database.read(lambda c: queries.count_states(c, ORDER, "ben")) == {"draft": 1}


# -- cursors that no page gave out --------------------------------------------------------------------------------


def cursor_of(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


FORGED = [
    "x",
    "é",
    "",
    *map(
        cursor_of,
        [
            [],
            {},
            ["2026-01-05T12:00:00+00:00"],
            ["2026-01-05T12:00:00", "ord_1"],
            ["2026-01-05T12:00:00+00:00", 7],
            ["2026-01-05T12:00:00+00:00", "ord_\0"],
            ["2026-01-05T12:00:00+00:00", "\ud800"],
            ["0001-01-01T00:00:00+23:00", "ord_1"],
            [7, 7],
            [True],
            [2**70],
            ["one"],
        ],
    ),
    base64.urlsafe_b64encode(b"[" * 100_000).decode(),
]


@pytest.mark.parametrize("cursor", [cursor for cursor in FORGED if cursor])
async def test_a_forged_cursor_is_refused(database, cursor) -> None:
    for wanted in (Filter(), Filter(state="draft")):
        with pytest.raises(BadCursor):
            await database.read(lambda c, w=wanted: queries.list_entities(c, ORDER, w, 10, cursor))
    with pytest.raises(BadCursor):
        await database.read(lambda c: queries.list_history(c, ORDER, "ord_1", 10, cursor))


# -- an index answers ---------------------------------------------------------------------------------------------


def fill(connection: Connection) -> None:
    """Store a few thousand orders with history, effects, attempts and timers, and count them for the planner."""
    moments = [NOON + timedelta(minutes=number) for number in range(FAR)]
    orders, histories, effects, attempts, timers, received = [], [], [], [], [], []
    for number, at in enumerate(moments):
        name = f"ord_{number:05}"
        state = "failed" if number % 50 == 0 else "draft"
        owner = f"customer-{number % 500}"
        order = Order(
            id=name, state=state, version=1, created_at=at, state_since=at, reference=f"Ref-{number}", customer=owner
        )
        orders.append({**order.model_dump(), "currency": "EUR"})
        told = {"machine": "order", "entity_id": name, "event": "create", "cause": "e"}
        histories.append(
            {**told, "event_id": f"evt_{number}", "version": 1, "source": "", "target": state, "actor": "a"}
        )
        histories[-1] |= {"reason": None, "payload": {}, "at": at}
        status = {0: "pending", 50: "parked"}.get(number % 100, "done")
        effects.append({"id": f"eff_{number:05}", "machine": "order", "entity_id": name, "name": "payments.charge"})
        effects[-1] |= {"destination": "payments", "arguments": {}, "status": status, "attempts": 0, "token": 0}
        effects[-1] |= {"due_at": at, "cause": "e", "created_at": at}
        attempts.append({"effect_id": f"eff_{number:05}", "token": 1, "began_at": at, "ended_at": at, "error": "none"})
        timers.append(
            {"machine": "order", "entity_id": name, "name": "abandon", "event": "abandon", "due_at": at, "cause": "e"}
        )
        heard = {"source": f"s{number % 9}", "external_id": name, "body": {}, "received_at": at, "due_at": at}
        received.append({**heard, "status": "pending" if number % 100 == 0 else "applied", "finished_at": at})
    stored = {
        InboxRow: received,
        Order: orders,
        History: histories,
        EffectRow: effects,
        EffectAttemptRow: attempts,
        TimerRow: timers,
    }
    for kind, rows in stored.items():
        connection.execute(insert(TABLES[kind]), rows)
    connection.execute(text("ANALYZE"))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def full_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database of each kind with a few thousand orders, which the tests only read."""

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


CURSOR = queries.cursor_of(NOON + timedelta(hours=9), "ord_00500")
EFFECT_CURSOR = queries.cursor_of("eff_00500")
TIMER_CURSOR = queries.cursor_of(NOON + timedelta(hours=1), "ord_00060", "order", "abandon")
SOON = NOON + timedelta(minutes=200)
ONE = Whose("order", "ord_00007")
ASKED = {
    "newest first": lambda c: queries.list_entities(c, ORDER, Filter(), 50, None),
    "newest first, further on": lambda c: queries.list_entities(c, ORDER, Filter(), 50, CURSOR),
    "in a state": lambda c: queries.list_entities(c, ORDER, Filter(state="failed"), 50, None),
    "in a state, further on": lambda c: queries.list_entities(c, ORDER, Filter(state="draft"), 50, CURSOR),
    "long in a state": lambda c: queries.list_entities(c, ORDER, Filter(state="failed", in_state_since=NOON), 50, None),
    "of a customer": lambda c: queries.list_entities(c, ORDER, Filter(owner="customer-7"), 50, None),
    "by reference": lambda c: queries.list_entities(c, ORDER, Filter(text="ref-49"), 50, None),
    "by id": lambda c: queries.list_entities(c, ORDER, Filter(text="ord_049"), 50, None),
    "of a day": lambda c: queries.list_entities(c, ORDER, Filter(created_after=NOON + timedelta(days=3)), 50, None),
    "history": lambda c: queries.list_history(c, ORDER, "ord_00007", 50, None),
    "effects of an order": lambda c: queries.effects_of(c, ORDER, "ord_00007"),
    "timers of an order": lambda c: queries.timers_of(c, ORDER, "ord_00007"),
    "one order": lambda c: queries.get_entity(c, ORDER, "ord_00007"),
    "due timers": lambda c: queue.due_timers(c, NAMES, NOON + timedelta(minutes=20), 500),
    "next dues": lambda c: queue.next_dues(
        c, {"timers": queue.next_timer(NAMES), "effects": queue.next_effect({"payments": None})}
    ),
    "next dues while a destination is down": lambda c: queue.next_dues(
        c, {"effects": queue.next_effect({"payments": SOON, "mail": None})}
    ),
    "claims": lambda c: queue.claim_effects(c, "payments", SOON, SOON + timedelta(minutes=1), 50),
    "newest effects": lambda c: waiting.list_effects(c, EffectFilter(), 50, None),
    "newest effects, further on": lambda c: waiting.list_effects(c, EffectFilter(), 50, EFFECT_CURSOR),
    "effects that are done": lambda c: waiting.list_effects(c, EffectFilter("done"), 50, EFFECT_CURSOR),
    "parked effects": lambda c: waiting.list_effects(c, EffectFilter("parked"), 50, EFFECT_CURSOR),
    "effects of some machines": lambda c: waiting.list_effects(
        c, EffectFilter(whose=Whose(machines=["order"])), 5, None
    ),
    "parked of a destination": lambda c: waiting.list_effects(c, EffectFilter("parked", "payments"), 50, EFFECT_CURSOR),
    "pending of a name": lambda c: waiting.list_effects(c, EffectFilter("pending", None, "payments.charge"), 50, None),
    "an order's effects of a name": lambda c: waiting.list_effects(c, EffectFilter("done", None, "n", ONE), 50, None),
    "one effect": lambda c: waiting.get_effect(c, "eff_00007"),
    "failed attempts": lambda c: waiting.failures_of(c, "eff_00007"),
    "timers": lambda c: waiting.list_timers(c, Whose(), None, 50, None),
    "timers, further on": lambda c: waiting.list_timers(c, Whose(), None, 50, TIMER_CURSOR),
    "timers before": lambda c: waiting.list_timers(c, Whose(), SOON, 50, TIMER_CURSOR),
    "next row of the inbox": lambda c: c.execute(select(inbox.next_due())),
    "due rows of the inbox": lambda c: inbox.due(c, SOON, 200),
    "due rows of the inbox, further on": lambda c: inbox.due(c, SOON, 200, inbox.Place(NOON, 1)),
    "rows of the inbox that events settle": lambda c: Store(c).pending(range(1, 200)),
    "newest of the inbox, further on": lambda c: inbox.list_rows(c, None, None, 50, queries.cursor_of(2000)),
    "inbox with a status": lambda c: inbox.list_rows(c, "pending", None, 50, queries.cursor_of(2000)),
    "inbox of a source": lambda c: inbox.list_rows(c, None, "s3", 50, None),
    "one row of the inbox": lambda c: inbox.get(c, 7),
    "old rows of the inbox": lambda c: inbox.delete_finished(c, NOON + timedelta(minutes=9), 100),
    "an order's timers before": lambda c: waiting.list_timers(c, ONE, SOON, 50, None),
}
"""Everything that is asked of big tables again and again."""


@pytest.mark.parametrize("asked", ASKED)
async def test_an_index_answers(full_url: str, asked: str) -> None:
    assert await full_scans(full_url, ASKED[asked], "orders|history|effects|effect_attempts|timers|inbox") == []


async def test_what_a_customer_has_in_a_state_is_looked_for_among_its_own(database_url) -> None:
    wanted = Filter(state="completed", owner="anna")
    plan = await plan_of(database_url, lambda c: queries.list_entities(c, ORDER, wanted, 50, None))
    assert not any("ix_orders_state" in line for line in plan)


@pytest.mark.parametrize("machine", list(MACHINES), ids=lambda machine: machine.name)
async def test_details_are_rows_of_the_entity_itself(database, machine) -> None:
    own = {"order": ["lines"], "shipment": ["lines"], "return": ["lines"], "reservation": ["lines", "waiting"]}
    details = await database.read(lambda c: queries.get_details(c, machine, "any"))
    assert list(details) == (own | {"approval": ["seats", "votes"]}).get(machine.name, [])
