"""A database from before payments were entities: what orders asked of the gateway is theirs after the upgrade."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, select

from persistence import schema
from persistence.database import Database
from tests.conftest import NOON
from tests.persistence.rows import tables_of

BEFORE = "0014"


@pytest.fixture
def migrated() -> bool:
    return False


@pytest.fixture
async def upgraded(database_url: str) -> AsyncIterator[Database]:
    """A shop of yesterday, brought up to date."""
    opened = Database(database_url)
    await schema.migrate(opened, BEFORE)
    await opened.write(_trade)
    await schema.migrate(opened)
    yield opened
    await opened.close()


def _trade(connection: Connection) -> None:
    tables = {table.name: table for table in tables_of(connection)}

    def order(number: int, state: str, **columns: object) -> None:
        row: dict[str, object] = dict.fromkeys(("total", "paid", "refunding", "refunded", "refund_due"), 0)
        row |= {"id": f"ord_{number}", "state": state, "version": 4, "created_at": NOON, "state_since": NOON}
        row |= {"customer": "anna", "currency": "EUR", "total": 1000, "payment_tries": 0, "payment_asked": False}
        connection.execute(tables["orders"].insert(), row | {"stock_held": "taken"} | columns)

    def asked(number: int, of: int, name: str, status: str) -> None:
        row: dict[str, object] = dict.fromkeys(("attempts", "lost", "token"), 0)
        row |= dict.fromkeys(("due_at", "created_at", "retrying_since"), NOON)
        row |= {"id": f"eff_{number}", "machine": "order", "entity_id": f"ord_{of}", "name": f"payments.{name}"}
        row |= {"destination": "payments", "status": status, "cause": "evt_1"}
        row["arguments"] = '{"amount": 1000}' if connection.dialect.name == "sqlite" else {"amount": 1000}
        connection.execute(tables["effects"].insert(), row)

    paid = {"paid": 1000, "paid_at": NOON}
    order(1, "processing", payment="pi_1", **paid)
    order(2, "paying", payment_asked=True)
    order(3, "cancelled", payment="pi_3", refunding=1000, **paid)
    order(4, "cancelled", payment="pi_4", refunded=600, refund_due=400, **paid)
    order(5, "failed", payment_asked=True)
    order(6, "draft")
    order(7, "completed", payment="pi_7", **paid)
    order(8, "fulfilled", payment="pi_8", reference="shop-8", fulfilled_at=NOON, **paid)
    asked(1, of=1, name="charge", status="done")
    asked(2, of=2, name="charge", status="pending")
    asked(3, of=3, name="refund", status="running")
    asked(5, of=5, name="charge", status="parked")
    timer = {"machine": "order", "entity_id": "ord_2", "name": "unanswered", "event": "unanswered"}
    connection.execute(tables["timers"].insert(), timer | {"due_at": NOON, "fired": 0, "cause": "evt_1"})
    product = {"id": "MUG", "state": "active", "version": 1, "created_at": NOON, "state_since": NOON}
    connection.execute(tables["products"].insert(), product | {"name": "Mug", "price": 1000, "currency": "EUR"})
    shelf: dict[str, object] = dict.fromkeys(
        ("on_hand", "reserved", "reorder_level", "waiting", "tickets", "served"), 0
    )
    shelf |= {
        "id": "MUG",
        "sku": "MUG",
        "location": "main",
        "priority": 1,
        "state": "stocked",
        "version": 1,
        "is_low": True,
    }
    connection.execute(tables["stock"].insert(), shelf | {"created_at": NOON, "state_since": NOON})
    line = {"number": 1, "sku": "MUG", "name": "Mug", "quantity": 2, "unit_price": 500}
    connection.execute(tables["order_lines"].insert(), line | {"order_id": "ord_7", "returned": 1})
    connection.execute(tables["order_lines"].insert(), line | {"order_id": "ord_8", "returned": 0})


async def kept(database: Database, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """Return these columns of every row."""

    def read(connection: Connection) -> list[tuple[Any, ...]]:
        found = next(each for each in tables_of(connection) if each.name == table)
        return sorted(tuple(row) for row in connection.execute(select(*(found.c[name] for name in columns))))

    return await database.read(read)


async def test_each_order_that_paid_or_asked_has_a_payment(upgraded: Database) -> None:
    assert await kept(upgraded, "payments", "id", "order_id", "state", "asked", "captured") == [
        ("pay_1", "ord_1", "captured", 0, 1000),
        ("pay_2", "ord_2", "capturing", 1000, 0),
        ("pay_3", "ord_3", "captured", 0, 1000),
        ("pay_4", "ord_4", "captured", 0, 1000),
        ("pay_5", "ord_5", "failed", 1000, 0),
        ("pay_7", "ord_7", "captured", 0, 1000),
        ("pay_8", "ord_8", "captured", 0, 1000),
    ]
    assert await kept(upgraded, "orders", "id", "asked") == [
        (f"ord_{number}", 1000 if number in (2, 5) else 0) for number in range(1, 9)
    ]


async def test_refunds_that_are_open_or_were_refused_stand_for_themselves(upgraded: Database) -> None:
    assert await kept(upgraded, "refunds", "id", "order_id", "payment_id", "payment", "state", "amount") == [
        ("rfd_3", "ord_3", "pay_3", "pi_3", "processing", 1000),
        ("rfd_4", "ord_4", "pay_4", "pi_4", "failed", 400),
    ]
    assert await kept(upgraded, "payments", "id", "refunding", "refunded") == [
        ("pay_1", 0, 0),
        ("pay_2", 0, 0),
        ("pay_3", 1000, 0),
        ("pay_4", 400, 600),
        ("pay_5", 0, 0),
        ("pay_7", 0, 0),
        ("pay_8", 0, 0),
    ]


async def test_open_calls_and_timers_go_to_whom_they_concern_now(upgraded: Database) -> None:
    assert await kept(upgraded, "effects", "id", "machine", "entity_id") == [
        ("eff_1", "order", "ord_1"),
        ("eff_2", "payment", "pay_2"),
        ("eff_3", "refund", "rfd_3"),
        ("eff_5", "payment", "pay_5"),
    ]
    assert await kept(upgraded, "timers", "machine", "entity_id", "name") == [
        ("payment", "pay_2", "unanswered"),
        ("refund", "rfd_3", "unanswered"),
        ("refund", "rfd_4", "remind"),
        ("shipment", "shp_8", "overdue"),
    ]


async def test_what_was_completed_has_left_and_arrived(upgraded: Database) -> None:
    assert await kept(upgraded, "order_lines", "order_id", "packed", "shipped", "delivered", "returned") == [
        ("ord_7", 2, 2, 2, 1),
        ("ord_8", 2, 2, 0, 0),
    ]


async def test_what_is_under_way_is_a_parcel_that_can_be_called_back(upgraded: Database) -> None:
    parcel = ("shp_8", "ord_8", "shop-8", "in_transit")
    assert await kept(upgraded, "shipments", "id", "order_id", "called", "state") == [parcel]
    assert await kept(upgraded, "shipment_lines", "shipment_id", "number", "sku", "quantity") == [
        ("shp_8", 1, "MUG", 2)
    ]
    assert [row for row in await kept(upgraded, "orders", "id", "parcels") if row[1]] == [("ord_8", 1)]


async def test_the_upgrade_can_be_taken_back_and_made_again(upgraded: Database) -> None:
    looked_at = {
        "payments": ("id", "order_id", "state", "asked", "captured", "refunding", "refunded"),
        "refunds": ("id", "order_id", "payment_id", "state", "amount"),
        "shipment_lines": ("shipment_id", "number", "quantity"),
        "effects": ("id", "machine", "entity_id"),
        "timers": ("machine", "entity_id", "name", "due_at"),
    }
    before = {table: await kept(upgraded, table, *columns) for table, columns in looked_at.items()}
    await upgraded.write(lambda c: command.downgrade(schema._config(c), BEFORE))
    assert {row[:2] for row in await kept(upgraded, "effects", "machine", "entity_id")} == {
        ("order", f"ord_{number}") for number in (1, 2, 3, 5)
    }
    assert await kept(upgraded, "timers", "machine", "entity_id", "name") == [("order", "ord_2", "unanswered")]
    await schema.migrate(upgraded)
    assert {table: await kept(upgraded, table, *columns) for table, columns in looked_at.items()} == before
