"""A flash sale: ten thousand orders for one SKU of which half are in stock, against as many for SKUs of their own."""

from pathlib import Path
from statistics import median

from benchmarks import load, stage
from benchmarks.transitions import CONNECTIONS, merchant_key
from persistence import queries
from persistence.database import Database
from statemachines.registry import MACHINES

ORDERS = 10_000
IN_STOCK = 5_000
ROUNDS = 2


async def run(url: str, name: str, workers: int, scratch: Path) -> stage.Result:  # noqa: ARG001
    """Measure the rate at which one hot SKU is reserved, and check that not one piece too many is."""
    database = await stage.fresh(url)
    key = await merchant_key(database)
    hot_rates, cold_rates = [], []
    for round_number in range(ROUNDS):
        base = round_number * 100_000
        hot_sku = base + 99_999
        await stage.seed_products(database, 1, on_hand=IN_STOCK, first=hot_sku)
        await stage.seed_products(database, IN_STOCK, on_hand=1, first=base)
        await stage.seed_products(database, ORDERS - IN_STOCK, on_hand=0, first=base + IN_STOCK)
        hot = range(base + 1, base + ORDERS + 1)
        cold = range(base + 50_001, base + 50_001 + ORDERS)
        await _store(database, hot, [stage.sku(hot_sku)] * ORDERS)
        await _store(database, cold, [stage.sku(base + _shuffled(place)) for place in range(ORDERS)])
        with stage.serving(url, key, workers=workers) as server:
            cold_rates.append(await _submit(server, cold))
            hot_rates.append(await _submit(server, hot))
        await _check(database, stage.sku(hot_sku))
    await database.close()
    return stage.Result(
        f"flash_sale_{name}",
        {
            "contended_per_second": round(median(hot_rates)),
            "uncontended_per_second": round(median(cold_rates)),
            "reserved": IN_STOCK,
            "ratio_to_uncontended": round(median(a / b for a, b in zip(hot_rates, cold_rates, strict=True)), 2),
        },
    )


def _shuffled(place: int) -> int:
    """Mix the SKUs that are in stock with those that are not: 7919 is prime to the number of orders."""
    return place * 7919 % ORDERS


async def _store(database: Database, numbers: range, skus: list[str]) -> None:
    for start in range(0, len(numbers), stage.CHUNK):
        part = slice(start, start + stage.CHUNK)
        await stage.save(database, stage.order_rows(numbers[part], "draft", skus[part]))


async def _submit(server: stage.Server, orders: range) -> float:
    requests = [load.post(f"/orders/{stage.order_id(n)}/submit", server.key, idempotency_key=f"s{n}") for n in orders]
    report = await load.run(server.port, requests, CONNECTIONS)
    assert report.statuses == {200: IN_STOCK, 409: ORDERS - IN_STOCK}, report.statuses
    return report.rate


async def _check(database: Database, sku: str) -> None:
    shelf = await database.read(lambda connection: queries.get_entity(connection, MACHINES["stock"], sku))
    assert shelf is not None
    assert (shelf["on_hand"], shelf["reserved"]) == (IN_STOCK, IN_STOCK), shelf
