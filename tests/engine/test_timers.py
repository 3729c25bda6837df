"""Timers fire once, in time and in order, as long as they are set."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import insert, text, update

from engine.clock import VirtualClock
from engine.envelope import DueTimer, Envelope, Superseded
from engine.timers import FAILED_PAUSE
from orderly.service import Service
from orderly.settings import Settings
from persistence.tables import TABLES, TimerRow
from statemachines.declaration import NEW, Actor, After, Event, Role, State, Transition
from statemachines.machine import Machine
from statemachines.order import Cancel, Expire
from statemachines.product import Product
from statemachines.registry import Registry
from tests.conftest import NOON
from tests.engine.shop import ANNA, Shop, committed

HALF_AN_HOUR = timedelta(minutes=30)
CLOCKWORK = Actor("timer.expire", Role.SYSTEM)


@pytest.fixture
async def mugs(shop: Shop) -> Shop:
    """A shop with ten mugs."""
    await shop.sells("MUG")
    return shop


async def test_an_unpaid_order_expires_after_thirty_minutes_and_gives_its_stock_back(mugs: Shop) -> None:
    order = await mugs.pending(MUG=4)
    await mugs.service.advance(HALF_AN_HOUR - timedelta(microseconds=1))
    assert (await mugs.state(order), await mugs.shelf()) == ("pending", (10, 4))
    await mugs.service.advance(timedelta(microseconds=1))
    assert (await mugs.state(order), await mugs.shelf()) == ("cancelled", (10, 0))


async def test_thirty_days_pass_in_one_go_and_everything_happens_in_its_time(mugs: Shop) -> None:
    unpaid, sent = await mugs.pending(MUG=4), await mugs.fulfilled(MUG=1)
    await mugs.service.advance(timedelta(days=30))
    expired, completed = (await mugs.history("order", unpaid))[-1], (await mugs.history("order", sent))[-1]
    assert (expired["event"], expired["at"]) == ("expire", NOON + HALF_AN_HOUR)
    assert (completed["event"], completed["at"]) == ("complete", NOON + timedelta(days=14))
    assert await mugs.shelf() == (9, 0)
    assert await mugs.timers() == []
    assert mugs.service.clock.now() == NOON + timedelta(days=30)


async def test_timers_survive_a_restart(open_service, database_url) -> None:
    async with open_service(database_url) as service:
        shop = Shop(service)
        await shop.sells("MUG")
        unpaid, sent = await shop.pending(MUG=4), await shop.fulfilled(MUG=1)
    async with open_service(database_url, seed=2) as service:
        shop = Shop(service)
        await service.advance(timedelta(days=30))
        assert (await shop.state(unpaid), await shop.state(sent)) == ("cancelled", "completed")
        assert await shop.shelf() == (9, 0)


async def test_a_payment_asked_for_before_a_restart_is_made_after_it(open_service, database_url) -> None:
    async with open_service(database_url) as service:
        shop = Shop(service)
        await shop.sells("MUG")
        order = await shop.paying(MUG=1)
    async with open_service(database_url, seed=2) as service:
        await service.settle()
        assert await Shop(service).state(order) == "processing"


async def test_a_timer_that_was_cancelled_after_it_was_found_due_does_not_fire(mugs: Shop) -> None:
    order = await mugs.pending(MUG=1)
    due = NOON + HALF_AN_HOUR
    mugs.service.clock.advance_to(due)
    late = Envelope(machine="order", id=order, event=Expire(), actor=CLOCKWORK, fires=DueTimer("expire", due))
    cancel = mugs.tell("order", order, Cancel(), ANNA)
    cancelled, fired = await asyncio.gather(cancel, mugs.service.dispatcher.dispatch(late), return_exceptions=True)
    assert committed(cancelled).state == "cancelled"
    assert isinstance(fired, Superseded)
    assert await mugs.story("order", order) == ["create", "submit", "cancel"]


async def test_a_timer_that_was_moved_after_it_was_found_due_does_not_fire(mugs: Shop) -> None:
    order = await mugs.pending(MUG=1)
    moved = text("UPDATE timers SET due_at = :due WHERE entity_id = :id").bindparams(id=order)
    stale = Envelope(
        machine="order", id=order, event=Expire(), actor=CLOCKWORK, fires=DueTimer("expire", NOON + HALF_AN_HOUR)
    )
    later = NOON + timedelta(hours=1)
    value = later.strftime("%Y-%m-%d %H:%M:%S.%f") if mugs.service.database.is_sqlite else later
    await mugs.service.database.write(lambda c: c.execute(moved, {"due": value}))
    with pytest.raises(Superseded):
        await mugs.service.dispatcher.dispatch(stale)
    await mugs.service.advance(timedelta(hours=1))
    assert (await mugs.history("order", order))[-1]["at"] == later


async def test_timers_fire_in_the_order_in_which_they_fell_due(mugs: Shop) -> None:
    orders = []
    for _ in range(5):
        orders.append(await mugs.pending(MUG=1))
        mugs.service.clock.advance(timedelta(seconds=1))
    mugs.service.clock.advance(timedelta(days=1))
    fired = []
    mugs.service.dispatcher.listen(lambda batch: fired.extend(batch.changes.history))
    assert await mugs.service.timers.run() == 5
    assert [row["entity_id"] for row in fired if row["machine"] == "order"] == orders


async def test_each_timer_fires_once_although_two_services_sweep(open_service, postgresql_url) -> None:
    async with open_service(postgresql_url) as one, open_service(postgresql_url, seed=2) as other:
        shop = Shop(one)
        await shop.sells("MUG", on_hand=100)
        orders = [await shop.pending(MUG=1) for _ in range(40)]
        one.clock.advance(HALF_AN_HOUR)
        await asyncio.gather(one.timers.run(), other.timers.run(), one.timers.run())
        assert {tuple(await shop.story("order", each)) for each in orders} == {("create", "submit", "expire")}
        assert await shop.shelf() == (100, 0)
        assert await shop.timers() == []


# -- timers whose event fails -------------------------------------------------------------------------------------


class Wind(Event, by=[Role.MERCHANT]):
    """Wind a clock up."""

    sku: str


class Ring(Event):
    """Ring, if it works."""


REPAIRED: list[bool] = []


class Break(Event, by=[Role.MERCHANT]):
    """Break it."""


def works(clock: Product) -> str | None:
    if clock.id.startswith("BROKEN") and not REPAIRED:
        raise RuntimeError("a guard fails")
    return None


alarm = Machine(
    Product,
    name="alarm",
    plural="alarms",
    key=lambda event: event.sku,
    states=[State("wound", [After(timedelta(hours=1), Ring)]), State("rung", final=True)],
    transitions=[
        Transition(Wind, NEW, "wound"),
        Transition(Ring, "wound", "rung", [works]),
        Transition(Break, "wound", "rung"),
    ],
)


async def test_a_sweep_that_is_told_to_stop_leaves_what_it_has_not_begun(mugs: Shop, monkeypatch) -> None:
    monkeypatch.setattr("engine.timers.SWEEP_LIMIT", 3)
    for _ in range(7):
        await mugs.pending(MUG=1)
    mugs.service.clock.advance(HALF_AN_HOUR)
    mugs.service.dispatcher.listen(lambda _: setattr(mugs.service.timers, "stopping", True))
    assert await mugs.service.timers.run() == 3
    assert len([timer for timer in await mugs.timers() if timer["machine"] == "order"]) == 4


@asynccontextmanager
async def alarms(url: str, clock: VirtualClock) -> AsyncIterator[Shop]:
    """Open a shop that has alarms and nothing else."""
    settings, machines = Settings(database_url=url, key_pepper="pepper"), Registry([alarm])
    async with Service.open(settings, clock=clock, random=Random(1), machines=machines, migrate=True) as service:
        yield Shop(service)


async def test_a_timer_whose_event_fails_is_put_off_and_holds_up_nobody(database_url, clock, monkeypatch) -> None:
    monkeypatch.setattr("engine.timers.SWEEP_LIMIT", 3)
    async with alarms(database_url, clock) as shop:
        for number in range(4):
            await shop.tell("alarm", None, Wind(sku=f"BROKEN-{number}"))
        clock.advance(timedelta(seconds=1))
        await shop.tell("alarm", None, Wind(sku="GOOD"))
        await shop.service.advance(timedelta(hours=1))
        assert (await shop.row("alarm", "GOOD"))["state"] == "rung"
        timers = await shop.timers()
        assert [timer["entity_id"] for timer in timers] == [f"BROKEN-{number}" for number in range(4)]
        assert {timer["due_at"] for timer in timers} == {NOON + timedelta(hours=1) + FAILED_PAUSE}
        monkeypatch.setattr(f"{__name__}.REPAIRED", [True])
        await shop.service.advance(FAILED_PAUSE)
        assert await shop.timers() == []
        assert (await shop.row("alarm", "BROKEN-0"))["state"] == "rung"


async def test_timers_that_this_program_does_not_know_hold_up_nobody(database_url, clock) -> None:
    async with alarms(database_url, clock) as shop:
        await shop.tell("alarm", None, Wind(sku="STRANGE"))
        await shop.tell("alarm", None, Wind(sku="GOOD"))
        table = TABLES[TimerRow]
        (strange,) = [timer for timer in await shop.timers() if timer["entity_id"] == "STRANGE"]
        foreign = insert(table).values({**strange, "machine": "bell"})
        await shop.service.database.write(lambda c: c.execute(foreign))
        renamed = update(table).where(table.c.entity_id == "STRANGE", table.c.machine == "alarm").values(event="jingle")
        await shop.service.database.write(lambda c: c.execute(renamed))
        await shop.service.advance(timedelta(hours=1))
        assert (await shop.row("alarm", "GOOD"))["state"] == "rung"
        left = {timer["machine"]: timer["due_at"] for timer in await shop.timers()}
        assert left == {"alarm": NOON + timedelta(hours=1) + FAILED_PAUSE, "bell": NOON + timedelta(hours=1)}
        assert await shop.service.next_due() == NOON + timedelta(hours=1) + FAILED_PAUSE
