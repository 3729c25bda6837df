"""Reservations on real databases: many orders for the same pieces at once, and everybody in turn."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from engine.clock import VirtualClock
from engine.envelope import Committed, NotFound, Outcome
from orderly.service import Service
from orderly.settings import Settings
from statemachines.product import OpenLocation
from statemachines.registry import MACHINES, Registry
from statemachines.reservation import PiecesOf
from statemachines.stock import Receive
from tests.anyweek import SKUS, AnyWeek
from tests.basket import Fill, Pay, PutBack, basket
from tests.engine.shop import Shop, committed, rejected
from tests.engine.test_batch import counted
from tests.shelves import Shelves

BASKETS = Registry([*(machine for machine in MACHINES if machine.name != "order"), basket])
PIECE = (PiecesOf(sku="MUG", quantity=1),)
WAITS, TAKES_WHAT_IS_THERE = Fill(pieces=PIECE, patient=True), Fill(pieces=PIECE)


@asynccontextmanager
async def storerooms(url: str, clock: VirtualClock, *seeds: int) -> AsyncIterator[list[Shop]]:
    """Open services in which baskets stand for orders."""
    async with AsyncExitStack() as stack:
        chosen = Settings(database_url=url, key_pepper="pepper", sqlite_synchronous="NORMAL")
        opened = [
            Service.open(chosen, clock=clock, random=Random(seed), machines=BASKETS, migrate=True) for seed in seeds
        ]
        yield [Shop(await stack.enter_async_context(service)) for service in opened]


@pytest.fixture
async def shop(database_url: str, clock: VirtualClock) -> AsyncIterator[Shop]:
    """A shop that sells mugs and has none."""
    async with storerooms(database_url, clock, 1) as (shop,):
        await shop.sells("MUG", on_hand=0)
        yield shop


async def fill(shop: Shop, times: int, event: Fill = WAITS) -> list[Outcome]:
    return await asyncio.gather(*(shop.tell("order", None, event) for _ in range(times)))


async def shelves(shop: Shop) -> Shelves:
    return await shop.service.database.read(Shelves.of_database)


async def states(shop: Shop) -> Counter[str]:
    return Counter(row.state for row in (await shelves(shop)).reservations)


async def statements(shop: Shop, times: int, event: Fill) -> int:
    with counted(shop.service.database) as executed:
        await fill(shop, times, event)
    return len(executed)


# -- many at once --------------------------------------------------------------------------------------------------


async def test_a_flash_sale_sells_what_there_is_and_no_more(shop: Shop) -> None:
    committed(await shop.tell("product", "MUG", OpenLocation(location="berlin", on_hand=20)))
    committed(await shop.tell("stock", "MUG", Receive(quantity=50)))
    outcomes = await fill(shop, 150, TAKES_WHAT_IS_THERE)

    assert sum(isinstance(outcome, Committed) for outcome in outcomes) == 70
    assert (await shop.shelf("MUG"), await shop.shelf("MUG@berlin")) == ((50, 50), (20, 20))
    assert rejected(outcomes[-1]).reason.endswith("not in stock: MUG: 1 asked, 0 available")


async def test_two_hundred_baskets_take_as_many_statements_as_two(shop: Shop) -> None:
    committed(await shop.tell("stock", "MUG", Receive(quantity=300)))
    assert await statements(shop, 200, TAKES_WHAT_IS_THERE) == await statements(shop, 2, TAKES_WHAT_IS_THERE)


async def test_two_hundred_who_must_wait_take_as_many_statements_as_two(shop: Shop) -> None:
    await fill(shop, 1)
    assert await statements(shop, 200, WAITS) == await statements(shop, 2, WAITS)


async def test_a_delivery_to_many_takes_as_many_statements_as_one_to_two(shop: Shop) -> None:
    await fill(shop, 40)
    executed = []
    for quantity in (2, 19):
        with counted(shop.service.database) as counting:
            committed(await shop.tell("stock", "MUG", Receive(quantity=quantity)))
        executed.append(len(counting))

    assert executed[0] == executed[1]
    assert await states(shop) == {"held": 21, "backordered": 19}


async def test_who_comes_first_in_a_batch_is_served_first(shop: Shop) -> None:
    outcomes = await fill(shop, 30)
    committed(await shop.tell("stock", "MUG", Receive(quantity=12)))

    seen = await shelves(shop)
    state_of = {row.order_id: row.state for row in seen.reservations}
    assert [state_of[committed(each).id] for each in outcomes] == ["held"] * 12 + ["backordered"] * 18


async def test_a_delivery_sees_who_began_to_wait_in_the_same_batch(shop: Shop) -> None:
    await asyncio.gather(
        shop.tell("order", None, WAITS),
        shop.tell("stock", "MUG", Receive(quantity=1)),
        shop.tell("order", None, WAITS),
    )

    assert await states(shop) == {"held": 1, "backordered": 1}
    assert await shop.shelf() == (1, 1)


async def test_many_who_wait_are_all_served_by_and_by(shop: Shop) -> None:
    await fill(shop, 200)
    committed(await shop.tell("stock", "MUG", Receive(quantity=500)))
    await shop.service.settle()

    assert await states(shop) == {"held": 200}
    assert await shop.shelf() == (500, 200)
    assert [row["name"] for row in await shop.timers() if row["machine"] == "stock"] == []


async def test_what_expires_goes_to_the_next(shop: Shop) -> None:
    committed(await shop.tell("stock", "MUG", Receive(quantity=3)))
    await fill(shop, 3)
    await shop.service.advance(timedelta(minutes=30))
    await fill(shop, 5)
    await shop.service.advance(timedelta(minutes=30))

    assert await states(shop) == {"expired": 3, "held": 3, "backordered": 2}


async def test_two_services_share_the_pieces_and_the_queue(postgresql_url: str, clock: VirtualClock) -> None:
    async with storerooms(postgresql_url, clock, 1, 2) as shops:
        await shops[0].sells("MUG", on_hand=10)
        for _ in range(3):
            told = [shops[n % 2].tell("order", None, WAITS) for n in range(20)]
            told += [shops[n % 2].tell("stock", "MUG", Receive(quantity=2)) for n in range(4)]
            Random(len(told)).shuffle(told)
            await asyncio.gather(*told)
            await shops[0].service.settle()
            seen = await shelves(shops[0])
            seen.check_nobody_waits_for_what_is_there()
        seen.check({"MUG": 34})
        assert await states(shops[1]) == {"held": 34, "backordered": 26}


# -- whatever happens ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_the_shelves_are_right(database_url: str, clock: VirtualClock, seed: int) -> None:
    week = AnyWeek(Random(seed))
    async with storerooms(database_url, clock, seed) as (shop,):
        await shop.sells(*SKUS, on_hand=0)
        orders: list[str] = []
        for _ in range(25):
            before = await shelves(shop)
            chosen = [week.choose(orders) for _ in range(week.random.randint(1, 6))]
            outcomes = await asyncio.gather(*(shop.tell(*each) for each in chosen), return_exceptions=True)
            for told, outcome in zip(chosen, outcomes, strict=True):
                assert not isinstance(outcome, BaseException) or isinstance(outcome, NotFound), outcome
                if isinstance(outcome, Committed):
                    week.happened(told)
                    orders += [outcome.id] if isinstance(told[2], Fill) else []
            after = await shelves(shop)
            after.check(week.came)
            if len(chosen) == 1:
                after.check_nobody_overtook(before)
            await shop.service.advance(timedelta(minutes=week.random.choice([0, 0, 1, 20, 61])))
            settled = await shelves(shop)
            settled.check(week.came)
            settled.check_nobody_waits_for_what_is_there()


# -- what the database holds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        "UPDATE stock SET waiting = -1",
        "UPDATE stock SET served = tickets + 1",
        "UPDATE stock SET priority = 0",
        "UPDATE stock SET sku = 'POT'",
        "UPDATE stock SET location = 'main'",
        "UPDATE backorders SET missing = quantity + 1",
        "UPDATE backorders SET missing = 0",
        "UPDATE backorders SET ticket = 1",
        "UPDATE reservation_lines SET quantity = 0",
        "UPDATE reservation_lines SET state = 'lost'",
        "UPDATE reservation_lines SET stock_id = 'POT'",
        "UPDATE reservations SET missing = 0",
        "UPDATE reservations SET state = 'held'",
        "UPDATE reservations SET order_id = 'ord_0'",
    ],
)
async def test_the_database_refuses_what_can_not_be(shop: Shop, wrong: str) -> None:
    committed(await shop.tell("product", "MUG", OpenLocation(location="berlin", on_hand=1)))
    await fill(shop, 3)

    with pytest.raises(IntegrityError):
        await shop.service.database.write(lambda connection: connection.execute(text(wrong)))


async def test_a_basket_that_is_dropped_leaves_nothing_behind(shop: Shop) -> None:
    committed(await shop.tell("stock", "MUG", Receive(quantity=1)))
    paid, *waiting = [committed(each).id for each in await fill(shop, 3)]
    committed(await shop.tell("order", paid, Pay()))
    for each in waiting:
        committed(await shop.tell("order", each, PutBack()))

    assert await states(shop) == {"taken": 1, "released": 2}
    assert [row["name"] for row in await shop.timers()] == []
    assert (await shop.row("stock", "MUG"))["waiting"] == 0
