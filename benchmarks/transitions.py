"""From HTTP to the durable commit, against the same row changes made bare, and against an ORM session for each request.

The transition is `pay`, which begins a payment: one order updated, one payment inserted, a row of history for each, one
effect asked for by the payment, one timer cleared (the order's) and one set (the payment's), one idempotency key looked
up and kept, one caller authenticated.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median

from api.keys import Keys
from benchmarks import baselines, load, stage
from engine.clock import SteadyClock
from persistence.database import Database
from statemachines.declaration import Role

ROUNDS = 3
ORDERS = 6_000
ORM_ORDERS = 2_500
CONNECTIONS = 64
PGBENCH_CLIENTS = (8, 16, 32, 64)
PGBENCH_SECONDS = 3
BODY = b'{"method":"tok_approve"}'


async def merchant_key(database: Database) -> str:
    """Make a merchant's key."""
    return (await Keys(database, SteadyClock(), stage.PEPPER).create("bench", Role.MERCHANT, "bench")).text


async def pay(server: stage.Server, orders: range) -> load.Report:
    """Pay the orders over all connections; every one of them must succeed."""
    requests = [
        load.post(f"/orders/{stage.order_id(number)}/pay", server.key, BODY, idempotency_key=f"k{number}")
        for number in orders
    ]
    report = await load.run(server.port, requests, CONNECTIONS)
    assert report.statuses == {200: len(orders)}, report.statuses
    return report


async def on_postgresql(url: str, workers: int, scratch: Path) -> stage.Result:
    """Measure on PostgreSQL: ratios to pgbench at its best concurrency, and to the ORM version."""
    database = await stage.fresh(url)
    total = ROUNDS * (ORDERS + ORM_ORDERS) + 2 * ORDERS
    await stage.seed_products(database, 1, on_hand=10_000_000)
    await stage.seed_orders(database, range(1, total + 1), "pending")
    key = await merchant_key(database)
    await database.close()
    numbers = iter(range(1, total + 1))
    bare_orders = _take(numbers, ORDERS)
    ours, bare, orm = [], [], []
    for _ in range(ROUNDS):
        rates = [
            baselines.pgbench(url, bare_orders, scratch / "pay.sql", clients, PGBENCH_SECONDS)
            for clients in PGBENCH_CLIENTS
        ]
        bare.append(max(rates))
        with stage.serving(url, key, workers=workers) as server:
            await pay(server, _take(numbers, ORDERS // 6))
            ours.append(await pay(server, _take(numbers, ORDERS * 5 // 6)))
        with stage.serving(url, key, workers=workers, command=["benchmarks.orm_service"]) as server:
            await pay(server, _take(numbers, ORM_ORDERS // 5))
            orm.append((await pay(server, _take(numbers, ORM_ORDERS * 4 // 5))).rate)
    rates_of_ours = [report.rate for report in ours]
    return stage.Result(
        "transitions_postgresql",
        {
            "workers": workers,
            "transitions_per_second": round(median(rates_of_ours)),
            "pgbench_per_second": round(median(bare)),
            "orm_per_second": round(median(orm)),
            "median_latency_ms": round(median(report.percentile(0.5) for report in ours) * 1000, 1),
            "p99_latency_ms": round(median(report.percentile(0.99) for report in ours) * 1000, 1),
            "ratio_to_pgbench": round(median(a / b for a, b in zip(rates_of_ours, bare, strict=True)), 2),
            "ratio_to_orm": round(median(a / b for a, b in zip(rates_of_ours, orm, strict=True)), 2),
        },
    )


async def on_sqlite(scratch: Path) -> stage.Result:
    """Measure on SQLite: the ratio to bare sqlite3 with one transaction per event and synchronous FULL."""
    file = scratch / "transitions.db"
    url = f"sqlite:///{file}"
    database = await stage.fresh(url)
    total = ROUNDS * 2 * ORDERS
    await stage.seed_products(database, 1, on_hand=10_000_000)
    await stage.seed_orders(database, range(1, total + 1), "pending")
    key = await merchant_key(database)
    await database.close()
    numbers = iter(range(1, total + 1))
    ours, bare = [], []
    for _ in range(ROUNDS):
        bare.append(baselines.bare_sqlite(file, _take(numbers, ORDERS // 2)))
        with stage.serving(url, key, workers=1) as server:
            await pay(server, _take(numbers, ORDERS // 6))
            ours.append((await pay(server, _take(numbers, ORDERS * 5 // 6))).rate)
    return stage.Result(
        "transitions_sqlite",
        {
            "transitions_per_second": round(median(ours)),
            "sqlite3_per_second": round(median(bare)),
            "ratio_to_sqlite3": round(median(a / b for a, b in zip(ours, bare, strict=True)), 2),
        },
    )


def _take(numbers: Iterator[int], count: int) -> range:
    taken = list(islice(numbers, count))
    return range(taken[0], taken[-1] + 1)
