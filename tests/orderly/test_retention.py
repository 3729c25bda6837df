"""Retention: what is old and done with goes, the history stays, and a legal hold stops it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text

from engine.envelope import Rejected
from engine.inbox import Message
from orderly.jobs import retention
from persistence.delivery_rows import DeliveryRow
from persistence.tables import TABLES, EffectRow, History, IdempotencyKeyRow, InboxRow
from statemachines.declaration import Actor, Role
from statemachines.job import Hold, Release, Run
from statemachines.order import Submit
from tests.conftest import NOON, OpenService
from tests.engine.shop import ANNA, Shop, committed

ROOT = Actor("root", Role.ADMIN)
DAY = timedelta(days=1)


class Archive(Shop):
    """A shop whose old records are deleted every night."""

    async def count(self, row: type) -> int:
        table = TABLES[row]
        return await self.service.database.read(
            lambda c: c.execute(select(func.count()).select_from(table)).scalar_one()
        )

    async def job(self) -> dict[str, Any]:
        return await self.row("job", "retention")


@pytest.fixture
async def archive(open_service: OpenService, database_url: str) -> AsyncIterator[Archive]:
    """A shop with a paid order and a parked effect, a request of which was made under an idempotency key."""
    others = {name: {"enabled": False} for name in ("daily_sales_report", "weekly_summary", "low_stock_check")}
    async with open_service(database_url, jobs=others) as service:
        await service.jobs.declare()
        archive = Archive(service)
        await archive.sells("MUG", on_hand=100)
        await archive.paid(MUG=1)
        order = await archive.draft(MUG=1)
        committed(await archive.tell("order", order, Submit(), ANNA, key="once"))
        await archive.paid(MUG=1)
        parked = (await archive.effects())[0]["id"]
        await service.database.write(
            lambda c: c.execute(text("UPDATE effects SET status = 'parked' WHERE id = :id"), {"id": parked})
        )
        yield archive


async def test_records_go_when_their_time_is_over_and_the_history_stays(archive: Archive) -> None:
    before = await archive.count(History)
    await archive.service.advance(7 * DAY)
    assert (await archive.count(IdempotencyKeyRow), await archive.count(EffectRow)) == (1, 2 + 7)

    await archive.service.advance(DAY)
    assert await archive.count(IdempotencyKeyRow) == 0

    await archive.service.advance(82 * DAY)
    assert [row["status"] for row in await archive.effects() if row["name"] == "payments.charge"] == ["parked", "done"]
    await archive.service.advance(DAY)
    assert [row["status"] for row in await archive.effects() if row["name"] == "payments.charge"] == ["parked"]
    assert await archive.count(History) > before + 2 * 91


async def test_settled_messages_and_the_log_of_webhooks_go_after_a_month(archive: Archive) -> None:
    ended = NOON + timedelta(hours=1)
    delivery = {"id": "dlv_1", "subscription_id": "whs_1", "event_id": "evt_1", "machine": "order"}
    delivery |= {"entity_id": "ord_1", "version": 1, "event": "pay", "attempt": 1, "duration_ms": 1}
    delivery |= {"outcome": "delivered", "at": ended}
    await archive.service.database.write(lambda c: c.execute(insert(TABLES[DeliveryRow]), [delivery]))
    await archive.service.inbox.receive(Message("carrier", "msg_1", {"type": "parcel.weighed"}))
    await archive.service.settle()
    assert (await archive.count(InboxRow), await archive.count(DeliveryRow)) == (1, 1)

    await archive.service.advance(30 * DAY)
    assert (await archive.count(InboxRow), await archive.count(DeliveryRow)) == (1, 1)
    await archive.service.advance(DAY)
    assert (await archive.count(InboxRow), await archive.count(DeliveryRow)) == (0, 0)


async def test_it_says_how_much_it_deleted(archive: Archive) -> None:
    await archive.service.advance(7.7 * DAY)

    job = await archive.job()
    assert job["last_summary"].startswith("deleted 1 idempotency keys, 0 effects, 0 messages of the inbox")


async def test_under_a_legal_hold_nothing_goes_until_it_is_released(archive: Archive) -> None:
    committed(await archive.tell("job", "retention", Hold(reason="case 7"), ROOT))
    await archive.service.advance(20 * DAY)
    assert await archive.count(IdempotencyKeyRow) == 1
    assert isinstance(await archive.tell("job", "retention", Run(), ROOT), Rejected)

    committed(await archive.tell("job", "retention", Release(reason="case 7 is closed"), ROOT))
    await archive.service.advance(DAY)

    assert await archive.count(IdempotencyKeyRow) == 0
    told = [(row["event"], row["actor"], row["reason"]) for row in await archive.history("job", "retention")]
    assert ("hold", "admin:root", "case 7") in told
    assert ("release", "admin:root", "case 7 is closed") in told


async def test_a_hold_stops_a_run_that_has_begun(archive: Archive, monkeypatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 1)
    orders = [await archive.draft(MUG=1) for _ in range(5)]
    for order in orders:
        committed(await archive.tell("order", order, Submit(), ANNA, key=order))
    archive.service.clock.advance(8 * DAY)

    chunks = 0
    delete = retention.queue.delete_expired_keys

    def count_chunks(connection, now, most):
        nonlocal chunks
        chunks += 1
        deleted = delete(connection, now, most)
        if chunks == 2:
            connection.execute(text("UPDATE jobs SET legal_hold = 'case 7'"))
        return deleted

    monkeypatch.setattr(retention.queue, "delete_expired_keys", count_chunks)
    await archive.service.settle()

    assert (chunks, await archive.count(IdempotencyKeyRow)) == (2, 4)
    job = await archive.job()
    assert (job["last_outcome"], job["last_error"]) == ("failed", "a legal hold was put on it")


async def test_more_than_one_run_may_do_is_done_by_the_next_at_once(archive: Archive, monkeypatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 1)
    monkeypatch.setattr(retention, "CHUNKS", 2)
    orders = [await archive.draft(MUG=1) for _ in range(4)]
    for order in orders:
        committed(await archive.tell("order", order, Submit(), ANNA, key=order))
    archive.service.clock.advance(8 * DAY)
    await archive.service.settle()

    assert await archive.count(IdempotencyKeyRow) == 0
    assert (await archive.job())["runs"] == 3
