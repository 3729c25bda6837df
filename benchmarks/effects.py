"""Outbound calls: from the row that asks for one, through HTTP, to the commit of what came of it.

The call is a payment's charge by the Stripe gateway, the peer a process that answers at once. Its outcome, `charged`,
moves two entities: the payment, and the order that it tells, which takes its pieces out of the stock. It is compared
with plain transitions over HTTP, made in the same run by as many processes.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from signal import SIGTERM
from statistics import median

from sqlalchemy import Connection, func, select

from benchmarks import stage, transitions
from persistence.bulk import Values
from persistence.database import Database
from persistence.store import Changes
from persistence.tables import TABLES, EffectRow, History
from statemachines.payments import CHARGE
from statemachines.stock import Stock

ROUNDS = 3
CHARGES = 6_000
PAYMENTS = 5_000
CONCURRENCY = 50


async def run(url: str, kind: str, workers: int) -> stage.Result:
    """Measure on one kind of database."""
    database = await stage.fresh(url)
    await stage.seed_products(database, 1, on_hand=10_000_000)
    await database.write(promise)
    key = await transitions.merchant_key(database)
    called, plain = [], []
    for number in range(ROUNDS):
        first = number * (CHARGES + PAYMENTS) + 1
        paid = range(first + CHARGES, first + CHARGES + PAYMENTS)
        await stage.seed_orders(database, paid, "pending")
        with stage.serving(url, key, workers=workers) as server:
            await transitions.pay(server, range(paid.start, paid.start + PAYMENTS // 5))
            plain.append((await transitions.pay(server, range(paid.start + PAYMENTS // 5, paid.stop))).rate)
        await database.write(forget_effects)
        with _peer() as port, working(url, workers, _stripe(port)):
            called.append(await _charge(database, range(first, first + CHARGES)))
    await database.close()
    ratios = [ours / theirs for ours, theirs in zip(called, plain, strict=True)]
    return stage.Result(
        f"effects_{kind}",
        {
            "workers": workers,
            "effects_per_second": round(median(called)),
            "transitions_per_second": round(median(plain)),
            "ratio_to_transitions": round(median(ratios), 2),
        },
    )


async def _charge(database: Database, numbers: range) -> float:
    """Ask for charges of so many orders; return how many were done a second, from the first to the last."""
    await stage.seed_orders(database, numbers, "paying")
    changes = Changes()
    changes.effects = [_charge_row(number) for number in numbers]
    await stage.save(database, changes)
    ids = select(TABLES[EffectRow].c.id).where(TABLES[EffectRow].c.status != "done").limit(1)
    while await database.read(lambda connection: connection.execute(ids).first()):
        await asyncio.sleep(0.1)
    first, last = await database.read(_first_and_last)
    return len(numbers) / (last - first).total_seconds()


def _first_and_last(connection: Connection) -> Values:
    table = TABLES[History]
    charged = select(table.c.at).where(table.c.machine == "payment", table.c.event == "charged")
    newest = charged.order_by(table.c.seq.desc()).limit(CHARGES).subquery()
    return tuple(connection.execute(select(func.min(newest.c.at), func.max(newest.c.at))).one())  # type: ignore[return-value]


def promise(connection: Connection) -> None:
    """Let half of all pieces be promised to the orders that are seeded."""
    connection.execute(TABLES[Stock].update().values(reserved=TABLES[Stock].c.on_hand // 2))


def forget_effects(connection: Connection) -> None:
    """Leave nothing to be called that another measurement asked for."""
    connection.execute(TABLES[EffectRow].delete())


def _charge_row(number: int) -> Values:
    payment = stage.payment_id(number)
    return {
        "id": f"eff_{number:026}",
        "machine": "payment",
        "entity_id": payment,
        "name": CHARGE.name,
        "destination": CHARGE.destination,
        "arguments": {
            "amount": stage.PRICE,
            "currency": "EUR",
            "method": "pm_card_visa",
            "order": stage.order_id(number),
        },
        "status": "pending",
        "attempts": 0,
        "lost": 0,
        "token": 0,
        "due_at": stage.NOW,
        "outcome": None,
        "error": None,
        "cause": f"evt_{payment}_1",
        "created_at": stage.NOW,
        "retrying_since": stage.NOW + timedelta(minutes=30),
        "finished_at": None,
    }


def _stripe(port: int) -> dict[str, str]:
    return {
        "ORDERLY_PAYMENTS__GATEWAY": "stripe",
        "ORDERLY_PAYMENTS__SECRET_KEY": "sk_test_benchmark",
        "ORDERLY_PAYMENTS__URL": f"http://127.0.0.1:{port}",
        "ORDERLY_DESTINATIONS__PAYMENTS__CONCURRENCY": str(CONCURRENCY),
    }


@contextmanager
def _peer() -> Iterator[int]:
    port = stage.free_port()
    with _process(["benchmarks.quick_peer", str(port)], {}):
        yield port


@contextmanager
def working(url: str, workers: int, settings: dict[str, str]) -> Iterator[None]:
    """Run so many workers until the block ends."""
    environment = {**stage.environment(url, 1), **settings}
    if workers == 1:
        with _process(["orderly", "worker"], environment):
            yield
        return
    with _process(["orderly", "worker"], environment), working(url, workers - 1, settings):
        yield


@contextmanager
def _process(module: Sequence[str], environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", *module], env=environment or None, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.send_signal(SIGTERM)
        process.wait(timeout=40)
