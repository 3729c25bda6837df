"""The figures of reports are those that adding up by hand gives, and indexes find them."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text

from persistence import reports, schema
from persistence.database import Database
from persistence.tables import TABLES
from statemachines.order import Order, OrderLine
from statemachines.product import Product
from statemachines.stock import Stock
from tests.conftest import NOON, _administer, _fresh_postgresql
from tests.persistence.plans import full_scans

HOURS = 24 * 21
SKUS = [f"SKU-{number:04}" for number in range(2000)]
CURRENCIES = ["EUR", "JPY", "KWD"]
WAITING = ["fraud_hold", "on_hold", "failed", "cancellation_failed"]
STATES = [*["draft", "processing", "fulfilled", "completed", "cancelled", "returned"] * 9, *WAITING]

Rows = dict[type, list[dict[str, Any]]]


def random_shop(random: Random, orders: int) -> Rows:
    """Make up orders of three weeks, some of them paid, some of that given back, and a stock for each product."""
    shop: Rows = defaultdict(list)
    for sku in SKUS:
        row = {"id": sku, "version": 1, "created_at": NOON, "state_since": NOON}
        shop[Product].append({**row, "state": "active", "name": f"Product {sku}", "price": 100, "currency": "EUR"})
        shelf = Stock(id=sku, sku=sku)
        counts = shelf.counted(on_hand=random.randrange(20), reorder_level=random.randrange(10))
        alerted = NOON if counts["is_low"] and random.random() < 0.9 else None
        state = random.choice(["stocked", "frozen", "retired"])
        shop[Stock].append({**shelf.model_dump(), **row, "state": state, **counts, "alerted_at": alerted})
    for number in range(orders):
        at = NOON + timedelta(hours=random.randrange(HOURS))
        paid = random.choice([0, 1, 10**12, random.randrange(10**6)])
        is_paid = random.random() < 0.7
        refunded = random.randrange(paid + 1) if is_paid and random.random() < 0.3 else 0
        order = Order(
            id=f"ord_{number:05}",
            state=random.choice(STATES),
            version=1,
            created_at=at,
            state_since=at,
            customer="ann",
            currency=random.choice(CURRENCIES),
            paid=paid if is_paid else 0,
            paid_at=at if is_paid else None,
            refunded=refunded,
            charged_back=paid - refunded if is_paid and random.random() < 0.1 else 0,
        )
        shop[Order].append(order.model_dump())
        for line, sku in enumerate(random.sample(SKUS[:100], random.randrange(1, 4)), 1):
            pieces = random.randrange(1, 6)
            row = OrderLine(order_id=order.id, number=line, sku=sku, name=sku, quantity=pieces, unit_price=1)
            row.removed = random.choice([0, 0, 0, random.randrange(pieces)])
            row.returned = random.choice([0, 0, 0, pieces - row.removed])
            shop[OrderLine].append(row.model_dump())
    return shop


def store(connection: Connection, shop: Rows) -> None:
    for kind in (Product, Stock, Order, OrderLine):
        connection.execute(insert(TABLES[kind]), shop[kind])
    connection.execute(text("ANALYZE"))


@pytest.fixture(scope="module")
def shop() -> Rows:
    """Three weeks of a shop."""
    return random_shop(Random(7), 4000)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shop: Rows) -> Iterator[str]:
    """A database of each kind that holds the three weeks; the tests only read it."""

    async def fill(url: str) -> None:
        database = Database(url)
        await schema.migrate(database)
        await database.write(lambda connection: store(connection, shop))
        await database.close()

    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('weeks') / 'orderly.db'}"
        asyncio.run(fill(url))
        yield url
        return
    server = request.getfixturevalue("postgresql")
    name, url = asyncio.run(_fresh_postgresql(server))
    asyncio.run(fill(url))
    yield url
    asyncio.run(_administer(server, f'DROP DATABASE "{name}" WITH (FORCE)'))


def spans() -> Iterator[tuple[datetime, datetime]]:
    """Yield stretches of time: random ones, all, nothing, and what begins or ends at an order's very moment."""
    random = Random(11)
    yield NOON, NOON + timedelta(hours=HOURS)
    yield NOON + timedelta(hours=3), NOON + timedelta(hours=3)
    yield NOON - timedelta(days=9), NOON
    for _ in range(40):
        begin = NOON + timedelta(hours=random.randrange(HOURS))
        yield begin, begin + timedelta(hours=random.choice([1, 24, 24 * 7]))


async def ask(url: str, question: Any) -> list[Any]:
    """Ask for the figures of all stretches of time."""
    database = Database(url)
    answers = await database.read(lambda connection: [question(connection, *span) for span in spans()])
    await database.close()
    return answers


def paid(shop: Rows, begin: datetime, end: datetime) -> list[dict[str, Any]]:
    return [order for order in shop[Order] if order["paid_at"] is not None and begin <= order["paid_at"] < end]


async def test_takings_are_what_was_paid_less_what_was_given_back(url: str, shop: Rows) -> None:
    for span, answer in zip(spans(), await ask(url, reports.takings), strict=True):
        orders, revenue = Counter(), Counter()
        for order in paid(shop, *span):
            orders[order["currency"]] += 1
            revenue[order["currency"]] += order["paid"] - order["refunded"] - order["charged_back"]
        assert answer == [
            {"currency": each, "orders": orders[each], "revenue": revenue[each]} for each in sorted(orders)
        ]
        assert all(type(row["revenue"]) is int for row in answer)


async def test_bestsellers_are_the_pieces_that_stayed_with_customers(url: str, shop: Rows) -> None:
    for span, answer in zip(
        spans(), await ask(url, lambda c, begin, end: reports.bestsellers(c, begin, end, 10)), strict=True
    ):
        orders = {order["id"] for order in paid(shop, *span) if order["state"] != "cancelled"}
        pieces = Counter()
        for line in shop[OrderLine]:
            if line["order_id"] in orders:
                pieces[line["sku"]] += line["quantity"] - line["removed"] - line["returned"]
        best = sorted((+pieces).items(), key=lambda item: (-item[1], item[0]))[:10]
        assert answer == [{"sku": sku, "quantity": quantity} for sku, quantity in best]


async def test_cancelled_orders_are_counted_when_they_were_called_off(url: str, shop: Rows) -> None:
    for (begin, end), answer in zip(spans(), await ask(url, reports.count_cancelled), strict=True):
        assert answer == sum(
            order["state"] == "cancelled" and begin <= order["state_since"] < end for order in shop[Order]
        )


async def test_orders_that_wait_for_a_person_are_counted(url: str, shop: Rows) -> None:
    expected = sum(order["state"] in WAITING for order in shop[Order])
    assert set(await ask(url, lambda c, *_: reports.count_waiting(c))) == {expected}


async def test_low_stocks_are_those_of_which_nobody_was_told(url: str, shop: Rows) -> None:
    expected = [
        {
            "sku": row["id"],
            "name": f"Product {row['id']}",
            "available": row["on_hand"],
            "reorder_level": row["reorder_level"],
        }
        for row in shop[Stock]
        if row["on_hand"] <= row["reorder_level"] and row["alerted_at"] is None and row["state"] != "retired"
    ]
    assert len(expected) > 10
    for most in (3, 10, 500):
        answer = await ask(url, lambda c, *_, most=most: reports.low_stocks(c, most))
        assert answer[0] == expected[:most]


HOUR = (NOON + timedelta(days=3), NOON + timedelta(days=3, hours=1))
ASKED = {
    "takings": lambda c: reports.takings(c, *HOUR),
    "bestsellers": lambda c: reports.bestsellers(c, *HOUR, 10),
    "cancelled": lambda c: reports.count_cancelled(c, *HOUR),
    "waiting for a person": reports.count_waiting,
    "low stocks": lambda c: reports.low_stocks(c, 51),
}


@pytest.mark.parametrize("asked", ASKED)
async def test_an_index_answers(url: str, asked: str) -> None:
    assert await full_scans(url, ASKED[asked], "orders|order_lines|stock|products") == []
