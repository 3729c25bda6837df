"""What belongs to an order is locked after it, whoever moves it: those who want both wait, and never deadlock."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from engine.envelope import Committed
from statemachines.approval import Approve
from statemachines.declaration import Actor, Event
from statemachines.order import Pay, Ship
from statemachines.order.events import Refund as AskBack
from statemachines.payment.events import Void
from statemachines.refund import Cancel
from statemachines.shipment import Dispatch
from tests.conftest import OpenService
from tests.engine.shop import ANNA, MERCHANT, Shop, committed
from tests.engine.test_batch import counted
from tests.statemachines.office import approver

WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


async def an_order(shop: Shop) -> str:
    """Have an order paid by two payments, of which one is held ready, with a parcel and a refund over the limit."""
    order = await shop.pending(MUG=3)
    for take in ("now", "later"):
        committed(await shop.tell("order", order, Pay(method="tok_approve", amount=30_000, take=take), ANNA))
        await shop.service.settle()
    committed(await shop.tell("order", order, Ship()))
    committed(await shop.tell("order", order, AskBack(amount=200)))
    return order


async def ids(shop: Shop, rows: str) -> list[str]:
    """Return the ids of the rows of a table, or of some."""
    statement = text(f"SELECT id FROM {rows}")
    return await shop.service.database.read(lambda connection: list(connection.execute(statement).scalars()))


async def until_somebody_waits(connection: AsyncConnection) -> None:
    async with asyncio.timeout(10):
        while not (await connection.execute(WAITING)).scalar_one():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("machine", "rows", "event", "by"),
    [
        ("payment", "payments WHERE held > 0", Void(), MERCHANT),
        ("shipment", "shipments", Dispatch(), MERCHANT),
        ("refund", "refunds", Cancel(), MERCHANT),
        ("approval", "approvals", Approve(round=1), approver("eve")),
    ],
)
async def test_what_belongs_to_an_order_is_not_locked_before_it(
    open_service: OpenService, postgresql_url: str, machine: str, rows: str, event: Event, by: Actor
) -> None:
    engine = create_async_engine(postgresql_url)
    async with open_service(postgresql_url, refund={"approval_above": 100}) as service, engine.connect() as other:
        shop = Shop(service)
        await shop.sells("MUG", price=20_000)
        order = await an_order(shop)
        (child,) = await ids(shop, rows)
        await other.execute(text("SELECT id FROM orders WHERE id = :id FOR UPDATE"), {"id": order})
        moved = asyncio.create_task(shop.tell(machine, child, event, by))
        await until_somebody_waits(other)
        free = await other.execute(text(f"SELECT id FROM {rows} FOR UPDATE NOWAIT"))
        assert free.scalar_one() == child
        await other.rollback()
        assert isinstance(await moved, Committed)
    await engine.dispose()


async def test_it_takes_as_many_statements_for_the_payments_of_ten_orders_as_for_one(
    open_service: OpenService, database_url: str
) -> None:
    async with open_service(database_url) as service:
        shop = Shop(service)
        await shop.sells("MUG", on_hand=100)
        for _ in range(11):
            order = await shop.pending(MUG=1)
            committed(await shop.tell("order", order, Pay(method="tok_approve", take="later"), ANNA))
        await service.settle()
        asked, payments = [], await ids(shop, "payments")
        for some in (payments[:1], payments[1:]):
            with counted(service.database) as statements:
                outcomes = await asyncio.gather(*(shop.tell("payment", payment, Void()) for payment in some))
            assert all(isinstance(outcome, Committed) for outcome in outcomes)
            asked.append(len(statements))
        assert asked[0] == asked[1]


async def test_payments_do_not_wait_for_those_who_move_the_stock(
    open_service: OpenService, postgresql_url: str
) -> None:
    engine = create_async_engine(postgresql_url)
    async with open_service(postgresql_url) as service, engine.connect() as other:
        shop = Shop(service)
        await shop.sells("MUG", price=20_000)
        order = await shop.pending(MUG=1)
        await other.execute(text("SELECT id FROM stock FOR UPDATE"))
        paid = await asyncio.wait_for(shop.tell("order", order, Pay(method="tok_approve"), ANNA), timeout=10)
        assert committed(paid).state == "paying"
        await other.rollback()
    await engine.dispose()
