"""The replay of the file made by hand, on each kind of database."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, select

from engine.envelope import Envelope
from orderly.replay import children
from orderly.replay.book import NotOurs
from orderly.replay.lines import BadFile, CannotReplay
from orderly.replay.plan import Plan
from orderly.replay.report import Report
from orderly.replay.run import plan_of, run
from orderly.replay.steps import Outcome
from orderly.settings import Settings
from persistence.database import Database
from persistence.tables import TABLES, History
from statemachines.declaration import Actor, Role
from statemachines.order import Create, Order, OrderLine
from statemachines.payment import Payment
from statemachines.product import Product
from statemachines.refund import Refund
from statemachines.returns.model import ReturnCase, ReturnLine
from statemachines.shipment import Shipment, ShipmentLine
from statemachines.stock import Stock
from tests.conftest import OpenService
from tests.replay.shop import INVOICES

CHILDREN = (Payment, Refund, Shipment, ShipmentLine, ReturnCase, ReturnLine)
EVERYTHING = (Order, OrderLine, Product, Stock, History, *CHILDREN)


class Stopped(Exception):
    """The replay was stopped in the middle."""


def settings(url: str) -> Settings:
    return Settings(database_url=url)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_of(INVOICES, Settings())


async def replay(plan: Plan, url: str, stop_at: int | None = None) -> Report:
    def progress(done: int, _total: int) -> None:
        if stop_at is not None and done >= stop_at:
            raise Stopped

    return await run(plan, "by hand", settings(url), progress)


async def rows(url: str, *kinds: type) -> list[dict[str, Any]]:
    """Return the rows of these tables."""

    def read(connection: Connection) -> list[dict[str, Any]]:
        return [
            dict(row)
            for kind in kinds
            for row in connection.execute(select(TABLES[kind]).order_by(*TABLES[kind].primary_key)).mappings()
        ]

    database = Database(url)
    try:
        return await database.read(read)
    finally:
        await database.close()


async def outcome(url: str) -> list[Any]:
    """Return all that a replay leads to; what the service and the gateway name is called otherwise each time."""
    named = {"id", "payment", "payment_id", "shipment_id", "return_id", "return_case", "refund", "decided_at"}
    belonging = await rows(url, *CHILDREN)
    anonymous = [{name: value for name, value in row.items() if name not in named} for row in belonging]
    return [*await rows(url, Order, OrderLine, Product, Stock), *sorted(anonymous, key=repr)]


async def test_every_rule_is_met_and_the_report_adds_up(plan: Plan, database_url: str) -> None:
    report = await replay(plan, database_url)
    assert report.adds_up, report.checks
    assert report.states == {
        "orders": {"cancelled": 1, "completed": 5, "returned": 1},
        "payments": {"captured": 7},
        "shipments": {"delivered": 6},
        "returns": {"refunded": 4},
        "refunds": {"succeeded": 5},
    }
    refused = [(each.reason.partition(":")[0], each.example) for each in report.buckets if each.outcome == "refused"]
    assert refused == [
        (
            "takes_only_what_is_free",
            "500014/adjust/18: 7 pieces to take off, but of 0 on hand 0 are reserved and 0 available",
        ),
        (
            "within_return_window",
            "C500019/request_return/500018: completed 79 days ago; the return window is 30 days",
        ),
    ]
    money = {(each.outcome, each.reason): str(each.amount) for each in report.buckets}
    assert money[Outcome.SOLD, ""] == "88.15"
    assert money[Outcome.RETURNED, ""] == "-31.75"


async def test_orders_live_at_the_moments_of_their_invoices(plan: Plan, sqlite_url: str) -> None:
    await replay(plan, sqlite_url)
    orders = {row["reference"]: row for row in await rows(sqlite_url, Order)}
    order = orders["500003"]
    assert (order["customer"], order["total"], order["state"]) == ("guest", 750, "completed")
    assert order["created_at"] == datetime(2010, 1, 4, 11, 15, tzinfo=UTC)
    assert order["fulfilled_at"] == datetime(2010, 1, 5, 16, tzinfo=UTC)
    assert order["completed_at"] == datetime(2010, 1, 19, 16, tzinfo=UTC)  # by itself, after two weeks
    assert orders["500018"]["completed_at"] == datetime(2010, 1, 30, 12, tzinfo=UTC)  # said the customer


async def test_parcels_leave_and_arrive_at_the_moments_of_a_careful_shop(plan: Plan, sqlite_url: str) -> None:
    await replay(plan, sqlite_url)
    parcels = {row["called"]: row for row in await rows(sqlite_url, Shipment)}
    followed, silent = parcels["500018"], parcels["500003"]
    assert followed["tracking"] == "parcel-500018"
    assert followed["sent_at"] == datetime(2010, 1, 26, 16, tzinfo=UTC)
    assert followed["delivered_at"] == datetime(2010, 1, 28, 12, tzinfo=UTC)
    assert silent["sent_at"] == datetime(2010, 1, 5, 16, tzinfo=UTC)
    assert silent["delivered_at"] == datetime(2010, 1, 19, 16, tzinfo=UTC)  # with the order that completed by itself


async def test_a_credit_note_is_a_return_that_was_looked_at_and_refunded_at_its_moment(
    plan: Plan, sqlite_url: str
) -> None:
    await replay(plan, sqlite_url)
    back = next(row for row in await rows(sqlite_url, ReturnCase) if row["reason"] == "credit note C500008")
    looked_at = datetime(2010, 1, 20, 8, tzinfo=UTC)
    assert (back["called"], back["state"], back["inspected_at"]) == ("500007", "refunded", looked_at)
    assert (back["refund_amount"], back["refunded"]) == (170, 170)
    refund = next(row for row in await rows(sqlite_url, Refund) if row["return_case"] == back["id"])
    assert (refund["state"], refund["amount"], refund["currency"]) == ("succeeded", 170, "GBP")


async def test_a_second_run_changes_nothing(plan: Plan, database_url: str) -> None:
    report = await replay(plan, database_url)
    before = await rows(database_url, *EVERYTHING)
    assert await replay(plan, database_url) == report
    assert await rows(database_url, *EVERYTHING) == before


@pytest.mark.parametrize("stop_at", [0, 6, 7, 20, 30, 40, 46])
async def test_a_stopped_replay_goes_on_to_the_same_end(
    plan: Plan, tmp_path: Path, sqlite_url: str, stop_at: int
) -> None:
    straight = f"sqlite:///{tmp_path / 'straight.db'}"
    report = await replay(plan, straight)
    with pytest.raises(Stopped):
        await replay(plan, sqlite_url, stop_at)
    assert await replay(plan, sqlite_url) == report
    assert await outcome(sqlite_url) == await outcome(straight)


async def test_a_replay_stopped_before_it_asks_for_parcels_and_returns_comes_to_the_same_end(
    plan: Plan, tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = f"sqlite:///{tmp_path / 'straight.db'}"
    report = await replay(plan, straight)
    for at in (1, 2, 3, 4):
        with monkeypatch.context() as patch:
            patch.setattr(children, "find", stops(children.find, at))
            with pytest.raises(Stopped):
                await replay(plan, sqlite_url)
    assert await replay(plan, sqlite_url) == report
    assert await outcome(sqlite_url) == await outcome(straight)


def stops(look: Callable[..., Any], at: int) -> Callable[..., Any]:
    """Return a look that stops the replay when it is taken for the time number `at`."""
    looks = count(1)

    def look_or_stop(*arguments: Any, **named: Any) -> Any:
        if next(looks) == at:
            raise Stopped
        return look(*arguments, **named)

    return look_or_stop


async def test_a_replay_stopped_after_every_window_comes_to_the_same_end(
    plan: Plan, tmp_path: Path, database_url: str
) -> None:
    report = await replay(plan, f"sqlite:///{tmp_path / 'straight.db'}")
    for stop_at in range(1, len(plan.steps), 4):
        with pytest.raises(Stopped):
            await replay(plan, database_url, stop_at)
    assert await replay(plan, database_url) == report


@pytest.mark.parametrize(
    "policies",
    [
        {"order": {"approval_above": 1, "review_above": 1, "take": "later"}},
        {"refund": {"approval_above": 1}, "returns": {"approve_up_to": 1000}},
        {"shipment": {"ask_carrier": True, "deliver_within": timedelta(hours=1)}},
    ],
)
async def test_what_a_shop_leaves_to_people_does_not_hold_up_its_replay(
    plan: Plan, sqlite_url: str, policies: dict[str, Any]
) -> None:
    report = await run(plan, "by hand", Settings(database_url=sqlite_url, **policies), lambda _done, _total: None)
    assert report.adds_up, report.checks
    assert report.states["orders"] == {"cancelled": 1, "completed": 5, "returned": 1}


async def test_nobody_is_asked_to_look_at_anything(plan: Plan, sqlite_url: str) -> None:
    await replay(plan, sqlite_url)
    noted = [row["attention"] for row in await rows(sqlite_url, Order, Payment, Shipment, ReturnCase, Refund)]
    assert set(noted) == {None}


async def trade(open_service: OpenService, url: str) -> None:
    """Have a shop place an order of its own."""
    async with open_service(url) as shop:
        await shop.dispatcher.dispatch(Envelope("order", Create(customer="bob"), Actor("shop", Role.MERCHANT)))


async def test_never_runs_over_a_shops_own_database(plan: Plan, sqlite_url: str, open_service: OpenService) -> None:
    await trade(open_service, sqlite_url)
    with pytest.raises(NotOurs, match="orders that no replay made; replay into a new database"):
        await replay(plan, sqlite_url)
    assert not await rows(sqlite_url, Product)


@pytest.mark.parametrize("migrated", [False])
async def test_does_not_even_migrate_a_shops_own_database(plan: Plan, sqlite_url: str) -> None:
    """A shop on an older version: one table, and no revision that this program knows."""
    database = Database(sqlite_url)
    await database.write(lambda connection: connection.exec_driver_sql("CREATE TABLE orders AS SELECT 'ord_1' AS id"))
    with pytest.raises(NotOurs, match="orders that no replay made"):
        await replay(plan, sqlite_url)
    tables = await database.read(lambda connection: inspect(connection).get_table_names())
    await database.close()
    assert tables == ["orders"]


async def test_refuses_a_database_that_a_shop_has_taken_over(
    plan: Plan, sqlite_url: str, open_service: OpenService
) -> None:
    await replay(plan, sqlite_url)
    await trade(open_service, sqlite_url)
    with pytest.raises(NotOurs, match="orders that no replay made, for example 'ord_"):
        await replay(plan, sqlite_url)


async def test_refuses_the_database_of_another_file(plan: Plan, sqlite_url: str) -> None:
    await replay(plan, sqlite_url)
    with pytest.raises(NotOurs, match="another file"):
        await run(plan, "another", settings(sqlite_url), lambda _done, _total: None)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotReplay, match="No such file"):
        plan_of(tmp_path / "missing.csv", Settings())


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(BadFile):
        plan_of(path, Settings())


async def test_a_file_without_lines_leaves_nothing_to_do(tmp_path: Path, sqlite_url: str) -> None:
    path = tmp_path / "empty.csv"
    path.write_text(INVOICES.read_text().splitlines()[0] + "\n")
    report = await replay(plan_of(path, Settings()), sqlite_url)
    assert (report.adds_up, report.buckets, report.states["orders"]) == (True, [], {})
