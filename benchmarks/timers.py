"""Timers: a backlog that falls due at once, the lateness of a timer on an idle system, and what idling costs.

The backlog is compared with plain transitions over HTTP, made in the same run by as many processes, and with
APScheduler's own job store firing as many date jobs as it can.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import Connection, func, select

from benchmarks import stage, transitions
from benchmarks.effects import forget_effects, promise, working
from engine.dispatcher import CommittedBatch
from orderly.service import Service
from orderly.settings import Settings
from persistence.database import Database
from persistence.tables import TABLES, History, TimerRow

TIMERS = 100_000
PAYMENTS = 5_000
DATE_JOBS = 2_000
LATE_TIMERS = 100
IDLE_SECONDS = 10

_fired: list[float] = []


async def run(url: str, kind: str, workers: int, scratch: Path) -> stage.Result:
    """Measure on one kind of database."""
    database = await stage.fresh(url)
    await stage.seed_products(database, 1, on_hand=10_000_000)
    await database.write(promise)
    key = await transitions.merchant_key(database)
    paid = range(1, PAYMENTS + 1)
    await stage.seed_orders(database, paid, "pending")
    with stage.serving(url, key, workers=workers) as server:
        await transitions.pay(server, range(1, PAYMENTS // 5 + 1))
        plain = (await transitions.pay(server, range(PAYMENTS // 5 + 1, PAYMENTS + 1))).rate
    await database.write(forget_effects)
    lateness, statements = await _when_idle(url, database)
    await stage.seed_orders(database, range(PAYMENTS + 1, PAYMENTS + 1 + TIMERS), "pending")
    await database.write(_all_due)
    await stage.analyze(database)
    with working(url, workers, {}):
        drained = await _drain(database)
    await database.close()
    jobs = await asyncio.to_thread(_date_jobs, scratch / "jobs.db")
    return stage.Result(
        f"timers_{kind}",
        {
            "workers": workers,
            "timers_per_second": round(drained),
            "transitions_per_second": round(plain),
            "date_jobs_per_second": round(jobs),
            "ratio_to_transitions": round(drained / plain, 2),
            "ratio_to_date_jobs": round(drained / jobs, 1),
            "median_lateness_ms": round(lateness * 1000, 1),
            "idle_statements_per_second": round(statements, 2),
        },
    )


def _all_due(connection: Connection) -> None:
    """Let all unpaid orders expire now; the payments that were begun wait on for their gateway."""
    table = TABLES[TimerRow]
    connection.execute(table.update().where(table.c.name == "expire").values(due_at=stage.NOW))


async def _drain(database: Database) -> float:
    """Return how many timers fire a second from now on, from the first to the last."""
    table, history, since = TABLES[TimerRow], TABLES[History], datetime.now(UTC)
    left = select(table.c.entity_id).where(table.c.name == "expire").limit(1)
    while await database.read(lambda connection: connection.execute(left).first()):
        await asyncio.sleep(0.5)
    span = select(func.count(), func.min(history.c.at), func.max(history.c.at)).where(
        history.c.event == "expire", history.c.at >= since
    )
    fired, first, last = await database.read(lambda connection: tuple(connection.execute(span).one()))
    return float(fired / (last - first).total_seconds())


async def _when_idle(url: str, database: Database) -> tuple[float, float]:
    """Return the median seconds from a timer's moment to its commit, and the statements a second while idle."""
    settings = Settings(database_url=url, key_pepper=stage.PEPPER)
    late: list[float] = []
    async with Service.open(settings, random=Random(1), background=True) as service:
        due = {}
        begin, chance = datetime.now(UTC) + timedelta(seconds=1), Random(2)
        for number in range(LATE_TIMERS):
            order = stage.order_id(9_000_000 + number)
            due[order] = begin + timedelta(seconds=0.05 * number + 0.04 * chance.random())

        def on_commit(batch: CommittedBatch) -> None:
            now = datetime.now(UTC)
            late.extend(
                (now - due[record["entity_id"]]).total_seconds()
                for record in batch.changes.history
                if record["entity_id"] in due
            )

        service.dispatcher.listen(on_commit)
        changes = stage.order_rows(range(9_000_000, 9_000_000 + LATE_TIMERS), "pending", [stage.sku(0)] * LATE_TIMERS)
        for timer in changes.timers_set:
            timer["due_at"] = due[timer["entity_id"]]
        await stage.save(database, changes)
        while len(late) < LATE_TIMERS:
            await asyncio.sleep(0.1)
        await asyncio.sleep(2)
        statements = [0]
        stage.count_statements(service.database, statements)
        await asyncio.sleep(IDLE_SECONDS)
    return median(late), statements[0] / IDLE_SECONDS


def _tick(_number: int) -> None:
    _fired.append(time.perf_counter())


def _date_jobs(file: Path) -> float:
    """Return how many due date jobs a second APScheduler fires from its own job store."""
    _fired.clear()
    scheduler: Any = BackgroundScheduler(
        jobstores={"default": SQLAlchemyJobStore(url=f"sqlite:///{file}")},
        job_defaults={"misfire_grace_time": None},
        timezone=UTC,
    )
    scheduler.start(paused=True)
    for number in range(DATE_JOBS):
        scheduler.add_job(_tick, "date", run_date=datetime.now(UTC), args=[number])
    started = time.perf_counter()
    scheduler.resume()
    while len(_fired) < DATE_JOBS:
        time.sleep(0.01)
    scheduler.shutdown()
    return DATE_JOBS / (_fired[-1] - started)
