"""PostgreSQL's backends are killed under load: events happen as a whole or not at all, and may be asked for again."""

import asyncio
from random import Random

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from engine.envelope import Committed, Unavailable
from orderly.service import Service
from persistence.database import CommitUnknown, Database
from statemachines.declaration import Event
from statemachines.order import Pay, Submit
from tests.engine.shop import ANNA, Shop, basket
from tests.faults.server import prepare, settings, settled_books

KILLS = 25
KILL = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name AND pid <> pg_backend_pid()")


class Customer:
    """Orders in process, and asks again under the same key until there is an answer."""

    def __init__(self, shop: Shop, name: str) -> None:
        self._shop, self._name = shop, name
        self.acknowledged: list[tuple[str, str, int, str]] = []
        self.failures = 0

    async def order(self, running: asyncio.Event) -> None:
        number = 0
        while running.is_set():
            number += 1
            order = await self._ask(None, basket(MUG=1, POT=1), f"{self._name}-{number}-create")
            await self._ask(order, Submit(), f"{self._name}-{number}-submit")
            await self._ask(order, Pay(method="tok_approve"), f"{self._name}-{number}-pay")

    async def _ask(self, order: str | None, event: Event, key: str) -> str:
        while True:
            try:
                outcome = await self._shop.tell("order", order, event, ANNA, key=key)
            except Unavailable:
                self.failures += 1
                continue
            assert isinstance(outcome, Committed), outcome
            self.acknowledged.append((outcome.event, outcome.id, outcome.version, outcome.state))
            return outcome.id


async def kill_backends(url: str) -> int:
    """Kill every backend of a database, many times; return how many died."""
    database, died, random = Database(url), 0, Random(3)
    for _ in range(KILLS):
        await asyncio.sleep(random.uniform(0.02, 0.12))
        name = {"name": database.url.database}
        died += len(await database.read(lambda connection, name=name: connection.execute(KILL, name).all()))
    await database.close()
    return died


async def settle(service: Service, running: asyncio.Event) -> None:
    while running.is_set():
        try:
            await service.settle()
        except (SQLAlchemyError, OSError, CommitUnknown):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)


async def test_killed_backends_lose_and_double_nothing(postgresql_url, capsys) -> None:
    await prepare(postgresql_url, "MUG", "POT")
    running = asyncio.Event()
    running.set()
    async with Service.open(settings(postgresql_url), random=Random(5)) as service:
        customers = [Customer(Shop(service), f"customer-{number}") for number in range(8)]
        people = [asyncio.create_task(customer.order(running)) for customer in customers]
        worker = asyncio.create_task(settle(service, running))
        died = await kill_backends(postgresql_url)
        running.clear()
        await asyncio.gather(*people, worker)
    acknowledged = [each for customer in customers for each in customer.acknowledged]
    transitions = await settled_books(postgresql_url, acknowledged)
    failures = sum(customer.failures for customer in customers)
    with capsys.disabled():
        figures = f"{len(acknowledged)} acknowledged, {failures} failed, {transitions} told"
        print(f"\n{died} backends killed: {figures}")  # noqa: T201
    assert died >= KILLS
    assert failures > 0, "no kill ever met an event"
    assert transitions >= len(acknowledged) > 0
