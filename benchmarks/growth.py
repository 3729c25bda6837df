"""Growth: with a hundred times the orders stored, transitions, lists and the serving process's memory cost the same."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import load, stage
from benchmarks.transitions import merchant_key, pay
from persistence.database import Database

FEW = 10_000
MANY = 1_000_000
SPARE = 2_000_000
"""Where the numbers of the orders begin that are paid."""

PAID = 5_000
PAGES = 400
PRODUCTS = 1_000


async def run(url: str, name: str, workers: int, scratch: Path) -> stage.Result:  # noqa: ARG001
    """Measure with few orders stored, then with many."""
    database = await stage.fresh(url)
    key = await merchant_key(database)
    await stage.seed_products(database, PRODUCTS, on_hand=1_000_000)
    await stage.seed_orders(database, range(1, FEW + 1), "completed", PRODUCTS)
    few = await _measure(url, key, workers, database, SPARE)
    await stage.seed_orders(database, range(FEW + 1, MANY + 1), "completed", PRODUCTS)
    await stage.analyze(database)
    many = await _measure(url, key, workers, database, SPARE + 100_000)
    await database.close()
    return stage.Result(
        f"growth_{name}",
        {
            "transitions_per_second_at_10000": round(few.rate),
            "transitions_per_second_at_1000000": round(many.rate),
            "list_page_ms_at_10000": round(few.page * 1000, 2),
            "list_page_ms_at_1000000": round(many.page * 1000, 2),
            "megabytes_at_10000": round(few.megabytes),
            "megabytes_at_1000000": round(many.megabytes),
            "ratio_of_rates": round(many.rate / few.rate, 2),
            "ratio_of_page_costs": round(many.page / few.page, 2),
            "ratio_of_memory": round(many.megabytes / few.megabytes, 2),
        },
    )


@dataclass(frozen=True, slots=True)
class _Measured:
    rate: float
    page: float
    megabytes: float


async def _measure(url: str, key: str, workers: int, database: Database, first: int) -> _Measured:
    orders = range(first, first + 2 * PAID)
    await stage.seed_orders(database, orders, "pending", PRODUCTS)
    await stage.analyze(database)
    with stage.serving(url, key, workers=workers) as server:
        await pay(server, orders[: PAID // 5])
        parts = [orders[start : start + PAID // 2] for start in range(PAID // 5, len(orders) - PAID // 2, PAID // 2)]
        rates = [(await pay(server, part)).rate for part in parts]
        megabytes = server.resident_megabytes()
        paths = ["/orders", "/orders?state=completed", "/orders?customer=customer-042"]
        requests = [load.get(paths[page % len(paths)], server.key) for page in range(PAGES)]
        report = await load.run(server.port, requests, 1)
        assert report.statuses == {200: PAGES}, report.statuses
    return _Measured(median(rates), report.percentile(0.5), megabytes)
