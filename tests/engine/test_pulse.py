"""The background: awake when something is to be done, in any process, and still when nothing is."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from random import Random

from sqlalchemy import event, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from engine.clock import SteadyClock
from engine.destinations import ENOUGH_CALLS
from orderly.service import Service
from orderly.settings import Settings
from persistence.tables import TABLES, EffectRow
from statemachines.order import OrderPolicy
from tests.engine.shop import Shop
from tests.engine.test_keeper import in_state, opened, until

BEAT = timedelta(seconds=0.25)
LONG = timedelta(seconds=60)


@contextmanager
def counted(service: Service) -> Iterator[list[str]]:
    """Note every statement that a service sends."""
    statements: list[str] = []

    def note(_connection, _cursor, statement: str, *_rest: object) -> None:
        statements.append(statement)

    for engine in service.database.engines:
        event.listen(engine, "before_cursor_execute", note)
    yield statements
    for engine in service.database.engines:
        event.remove(engine, "before_cursor_execute", note)


async def statements_per_beat(service: Service, beats: int = 8) -> float:
    """Let some time pass; return how many statements were sent for each beat of the pulse."""
    with counted(service) as statements:
        await asyncio.sleep(beats * BEAT.total_seconds())
    return len(statements) / beats


async def test_an_idle_service_sends_one_statement_a_beat(database_url) -> None:
    async with opened(database_url, poll_interval=BEAT) as service:
        shop = Shop(service)
        await shop.sells("MUG")
        order, _ = await shop.paying(MUG=1), await shop.pending(MUG=1)
        await until(lambda: in_state(shop, order, "processing"), 20)
        await asyncio.sleep(2 * BEAT.total_seconds())
        assert 0 < await statements_per_beat(service) <= 1.5


async def test_a_destination_that_is_down_is_not_looked_at_in_vain(sqlite_url) -> None:
    async with opened(sqlite_url, poll_interval=BEAT) as service:
        shop = Shop(service)
        await shop.sells("MUG", on_hand=100)
        for _ in range(ENOUGH_CALLS + 10):
            await shop.paying("tok_timeout", MUG=1)
        payments = service.effects.destinations["payments"]
        await until(lambda: is_down(payments), 40)
        await asyncio.sleep(2 * BEAT.total_seconds())
        assert await statements_per_beat(service) <= 1.5


async def is_down(destination) -> bool:
    return bool(destination.is_down)


async def test_what_is_due_and_held_by_others_is_looked_at_once_a_beat(postgresql_url) -> None:
    async with opened(postgresql_url, poll_interval=BEAT) as service, held_back(service) as order:
        assert await statements_per_beat(service) <= 8
        assert await Shop(service).state(order) == "paying"
    async with opened(postgresql_url, poll_interval=BEAT) as service:
        await until(lambda: in_state(Shop(service), order, "processing"), 20)


@asynccontextmanager
async def held_back(service: Service) -> AsyncIterator[str]:
    """Have an order paid whose effect's row is locked by somebody else."""
    shop = Shop(service)
    await shop.sells("MUG")
    service.effects.stopping = True
    order = await shop.paying(MUG=1)
    effects = TABLES[EffectRow]
    leave, locked = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        engine = create_async_engine(service.database.url)
        async with engine.begin() as connection:
            await connection.execute(select(effects).with_for_update())
            locked.set()
            await leave.wait()
        await engine.dispose()

    holding = asyncio.create_task(hold())
    await locked.wait()
    service.effects.stopping = False
    yield order
    leave.set()
    await holding


async def test_work_that_one_process_makes_is_done_by_another_that_hardly_ever_looks(postgresql_url) -> None:
    policy = OrderPolicy(expire_after=timedelta(seconds=0.5))
    settings = Settings(database_url=postgresql_url, key_pepper="pepper", poll_interval=LONG, order=policy)
    async with (
        Service.open(settings, random=Random(2), migrate=True, background=False) as api,
        opened(postgresql_url, poll_interval=LONG, order=policy) as worker,
    ):
        shop = Shop(api)
        await shop.sells("MUG")
        await until(lambda: hear_each_other(api, worker), 30)
        paid, unpaid = await shop.paying(MUG=1), await shop.pending(MUG=1)
        await asyncio.wait_for(api.watchers.changed("order", paid, 5), 20)
        await until(lambda: in_state(shop, paid, "processing"), 20)
        await until(lambda: in_state(shop, unpaid, "cancelled"), 20)
        submitted, expired = (await shop.history("order", unpaid))[-2:]
        lateness = expired["at"] - submitted["at"] - policy.expire_after
        assert timedelta() <= lateness < LONG / 3


async def hear_each_other(*services: Service) -> bool:
    """Tell whether as many as these listen for words."""
    listening = text(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'orderly-signals' AND state = 'idle'"
        " AND datname = current_database() AND query ~* 'listen|notify'"
    )
    count = await services[0].database.read(lambda c: c.execute(listening).scalar_one())
    return bool(count >= len(services))


async def test_nothing_is_done_by_a_clock_that_the_database_has_not_set(postgresql_url, monkeypatch) -> None:
    settings = Settings(database_url=postgresql_url, key_pepper="pepper")
    async with Service.open(settings, random=Random(2), migrate=True) as service:
        shop = Shop(service)
        await shop.sells("MUG")
        order = await shop.pending(MUG=1)
    fast = SteadyClock()
    fast.set(fast.now() + timedelta(days=1))
    async with Service.open(settings, clock=fast, random=Random(3), background=True) as service:
        await asyncio.sleep(0.5)
        assert await Shop(service).state(order) == "pending"
        assert abs(service.clock.now() - SteadyClock().now()) < timedelta(seconds=5)
