"""Whatever people, gateways and clocks do in whatever order, the books stay right, and both databases agree."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine.clock import VirtualClock
from engine.envelope import DispatchError
from orderly.service import Service
from orderly.settings import Settings
from persistence.tables import TABLES, EffectRow, History, TimerRow
from statemachines.declaration import Event
from statemachines.order import Order, OrderLine
from statemachines.product import Create as CreateProduct
from statemachines.product import Product
from statemachines.registry import MACHINES
from statemachines.stock import Stock
from tests.conftest import NOON, _administer, _fresh_postgresql
from tests.engine.books import audit, rows
from tests.engine.shop import ANNA, BEN, MERCHANT, Shop, basket

STEPS = 40
SEEDED = settings(
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # a smaller seed is no simpler day
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
TOKENS = ["tok_approve"] * 4 + ["tok_decline", "tok_fail_once", "tok_timeout", "tok_no_refund", "tok_nobody"]


class AnyDay:
    """People do what they like in a shop on a real service, several of them at once; the seed says what."""

    def __init__(self, service: Service, seed: int) -> None:
        self.shop, self.service, self.random = Shop(service), service, Random(seed)
        self.orders: list[str] = []
        self.skus = ["MUG", "POT"]

    async def begin(self) -> None:
        await self.shop.sells("MUG", price=1250, on_hand=12)
        await self.shop.sells("POT", price=4000, on_hand=5)

    async def step(self) -> object:
        """Let something happen; return what came of it, as plain text without ids."""
        match self.random.randrange(10):
            case 0 | 1:
                return await self.several(self.an_order())
            case 2:
                return await self.several(self.the_shelf(), self.the_catalogue())
            case 3:
                await self.service.advance(timedelta(minutes=self.random.choice([1, 31, 60 * 25, 60 * 24 * 15])))
                return str(self.service.clock.now())
            case 4 | 5:
                await self.service.settle()
                return "settled"
            case _:
                return await self.several(*(self.an_event() for _ in range(self.random.randint(1, 6))))

    async def several(self, *told: tuple[str, str | None, Event]) -> list[str]:
        by = self.random.choice([ANNA, ANNA, BEN, MERCHANT, MERCHANT])
        key = self.random.choice([None, None, f"k{self.random.randrange(30)}"])
        results = await asyncio.gather(
            *(self.shop.tell(*each, by, key=key and f"{key}{at}") for at, each in enumerate(told)),
            return_exceptions=True,
        )
        return [self.described(result) for result in results]

    def described(self, result: object) -> str:
        if isinstance(result, BaseException):
            assert isinstance(result, DispatchError), result
            return type(result).__name__
        if getattr(result, "event", "") == "create" and result.machine == "order" and hasattr(result, "entity"):
            self.orders.append(result.id)
        return f"{type(result).__name__} {result.machine} {result.event} {result.state} {result.version}"

    def an_order(self) -> tuple[str, None, Event]:
        pieces = {sku: self.random.randint(1, 4) for sku in self.random.sample(self.skus, self.random.randint(0, 2))}
        reference = self.random.choice([None, f"shop-{self.random.randrange(20)}"])
        return "order", None, basket(reference, **pieces).model_copy(update={"customer": "anna"})

    def an_event(self) -> tuple[str, str | None, Event]:
        """Choose an event that people may raise, mostly on one of the last orders."""
        if not self.orders:
            return self.an_order()
        kinds = [kind for kind in MACHINES["order"].events.values() if kind.raised_by and kind.event_name != "create"]
        kind = self.random.choice(kinds)
        payloads = {"pay": {"method": self.random.choice(TOKENS)}, "fail": {"reason": "lost"}}
        payload: dict[str, Any] = payloads.get(kind.event_name, {})
        if kind.event_name == "return" and self.random.random() < 0.5:
            payload = {"lines": ({"number": 1, "quantity": self.random.randint(1, 2)},)}
        return "order", self.random.choice(self.orders[-6:]), kind.model_validate(payload)

    def the_shelf(self) -> tuple[str, str, Event]:
        names = {
            "receive": {"quantity": 5},
            "adjust": {"difference": -2, "reason": "lost"},
            "freeze": {},
            "unfreeze": {},
        }
        name = self.random.choice(list(names))
        return "stock", self.random.choice(self.skus), MACHINES["stock"].events[name].model_validate(names[name])

    def the_catalogue(self) -> tuple[str, str | None, Event]:
        if self.random.random() < 0.2:
            return "product", None, CreateProduct(sku="CUP", name="Cup", price=100, currency="USD")
        event = self.random.choice(["discontinue", "relist", "relist"])
        return "product", self.random.choice(self.skus), MACHINES["product"].events[event]()


@asynccontextmanager
async def any_day(url: str, seed: int) -> AsyncIterator[AnyDay]:
    chosen = Settings(database_url=url, key_pepper="pepper", sqlite_synchronous="NORMAL")
    async with Service.open(chosen, clock=VirtualClock(NOON), random=Random(seed), migrate=True) as service:
        day = AnyDay(service, seed)
        await day.begin()
        yield day


async def a_day_on_sqlite(path: Path, seed: int) -> int:
    async with any_day(f"sqlite:///{path}", seed) as day:
        for _ in range(STEPS):
            await day.step()
            transitions = await day.service.database.read(audit)
        return transitions


@given(seed=st.integers(0, 2**32))
@settings(SEEDED, max_examples=10)
def test_whatever_happens_the_books_are_right(tmp_path: Path, seed: int) -> None:
    for leftover in tmp_path.iterdir():
        leftover.unlink()
    assert asyncio.run(a_day_on_sqlite(tmp_path / f"{seed}.db", seed)) > 10


@pytest.fixture
def new_postgresql(postgresql: str) -> Iterator[Any]:
    """Make empty databases, as many as a test asks for."""
    made = []

    async def make() -> str:
        name, url = await _fresh_postgresql(postgresql)
        made.append(name)
        return url

    yield make
    for name in made:
        asyncio.run(_administer(postgresql, f'DROP DATABASE "{name}" WITH (FORCE)'))


@given(seed=st.integers(0, 2**32))
@settings(SEEDED, max_examples=4)
def test_the_same_day_is_the_same_on_both_databases(tmp_path: Path, new_postgresql: Any, seed: int) -> None:
    for leftover in tmp_path.iterdir():
        leftover.unlink()
    asyncio.run(the_same_day_twice(tmp_path / f"{seed}.db", new_postgresql, seed))


async def the_same_day_twice(path: Path, new_postgresql: Any, seed: int) -> None:
    async with any_day(f"sqlite:///{path}", seed) as here, any_day(await new_postgresql(), seed) as there:
        for _ in range(STEPS):
            assert await here.step() == await there.step()
        ours, theirs = [await day.service.database.read(everything) for day in (here, there)]
        assert ours == theirs
        await there.service.database.read(audit)


def everything(connection: Any) -> dict[str, list[dict[str, Any]]]:
    """Return all that the tables hold."""
    kinds = [Order, OrderLine, Product, Stock, History, EffectRow, TimerRow]
    return {
        kind.__name__: [{**row, "seq": 0, "commit_order": 0} for row in rows(connection, kind)]
        for kind in kinds
        if kind in TABLES
    }
