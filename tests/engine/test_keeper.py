"""Keepers wake by the real clock: when something falls due, and at the latest when it is time to look."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random

import pytest

from engine.clock import SteadyClock
from engine.keeper import Keeper, alarm_clock
from orderly.service import Service
from orderly.settings import Settings
from statemachines.order import OrderPolicy
from tests.engine.shop import Shop


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 10) -> float:
    """Poll until something holds; return how long it took."""
    started = time.monotonic()
    while not await holds():
        assert time.monotonic() - started < seconds, "it never came about"
        await asyncio.sleep(0.01)
    return time.monotonic() - started


def opened(url: str, *, seed: int = 1, **settings: object):
    """Open a service that works in the background by the machine's clock."""
    chosen = Settings(database_url=url, key_pepper="pepper", **settings)
    return Service.open(chosen, random=Random(seed), migrate=True, background=True)


async def test_an_order_is_charged_and_expires_while_nobody_looks(database_url) -> None:
    policy = OrderPolicy(expire_after=timedelta(seconds=0.4))
    async with opened(database_url, order=policy, poll_interval=timedelta(seconds=60)) as service:
        shop = Shop(service)
        await shop.sells("MUG")
        paid, unpaid = await shop.paying(MUG=1), await shop.pending(MUG=1)
        await until(lambda: in_state(shop, paid, "processing"), 20)
        await until(lambda: in_state(shop, unpaid, "cancelled"), 20)
        submitted, expired = (await shop.history("order", unpaid))[-2:]
        assert expired["at"] - submitted["at"] >= policy.expire_after


async def in_state(shop: Shop, order: str, state: str) -> bool:
    return await shop.state(order) == state


async def test_what_another_process_left_is_found_by_polling(postgresql_url) -> None:
    poll = timedelta(seconds=0.2)
    async with opened(postgresql_url, poll_interval=poll) as _worker:
        settings = Settings(database_url=postgresql_url, key_pepper="pepper")
        async with Service.open(settings, random=Random(2)) as api:
            shop = Shop(api)
            await shop.sells("MUG")
            order = await shop.paying(MUG=1)
            await until(lambda: in_state(shop, order, "processing"), 20)


async def test_what_fell_due_while_nobody_was_awake_is_done_at_once(database_url) -> None:
    settings = Settings(database_url=database_url, key_pepper="pepper")
    async with Service.open(settings, random=Random(1), migrate=True) as service:
        shop = Shop(service)
        await shop.sells("MUG")
        order = await shop.paying(MUG=1)
    async with opened(database_url, seed=2, poll_interval=timedelta(seconds=60)) as service:
        await until(lambda: in_state(Shop(service), order, "processing"), 20)


@pytest.fixture
async def alarms():
    started = alarm_clock()
    started.start()
    yield started
    started.shutdown(wait=False)


async def test_a_keeper_is_woken_by_the_earliest_alarm_and_no_more_often_than_it_polls(alarms) -> None:
    clock, calls = SteadyClock(), []

    async def work():
        calls.append(time.monotonic())

    keeper = Keeper("test", work, clock, alarms, timedelta(seconds=60))
    keeper.start()
    await until(lambda: made(calls, 1))
    keeper.wake_at(clock.now() + timedelta(seconds=30))
    keeper.wake_at(clock.now() + timedelta(seconds=0.2))
    keeper.wake_at(clock.now() + timedelta(seconds=20))
    await until(lambda: made(calls, 2), 15)
    assert calls[1] - calls[0] >= 0.19
    keeper.wake()
    await until(lambda: made(calls, 3), 15)
    await keeper.stop()
    assert len(calls) == 3


async def made(calls: list[float], count: int) -> bool:
    return len(calls) >= count


async def test_a_keeper_whose_work_fails_tries_again_later(alarms, monkeypatch) -> None:
    monkeypatch.setattr("engine.keeper.RETRY_DELAY", timedelta(seconds=0.2))
    calls = []

    async def work():
        calls.append(time.monotonic())
        if len(calls) == 1:
            raise RuntimeError("the database is away")

    keeper = Keeper("test", work, SteadyClock(), alarms, timedelta(seconds=60))
    keeper.start()
    await until(lambda: made(calls, 2), 15)
    await keeper.stop()
    assert calls[1] - calls[0] >= 0.19
