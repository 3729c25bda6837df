"""What a benchmark stands on: a database full of orders, a server of its own, a table of results."""

import json
import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGTERM

import httpx
import psutil
from sqlalchemy import event

from persistence import schema
from persistence.bulk import Values
from persistence.database import Database
from persistence.store import Changes, Store
from statemachines.declaration import NEW, Actor, Role
from statemachines.order import Order, OrderLine
from statemachines.payment import Payment
from statemachines.product import Product
from statemachines.stock import Stock

RESULTS = Path(__file__).parent / "results"
CHUNK = 5_000
NOW = datetime.now(UTC)
SHOP = Actor("bench", Role.MERCHANT)
PEPPER = "benchmark"
PRICE = 1250
"""What each product costs, and so what each order of one piece does."""

VERSIONS = {"draft": 1, "pending": 2}
PAID_WITH = {"paying": "capturing", "completed": "captured"}
"""The states of orders that have a payment, with the payment's."""


@dataclass(slots=True)
class Result:
    """One benchmark's figures: absolute ones for orientation, ratios to compare."""

    name: str
    figures: dict[str, float] = field(default_factory=dict)

    def write(self) -> None:
        """Keep the figures, with the machine and the date."""
        RESULTS.mkdir(exist_ok=True)
        machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
        kept = {"name": self.name, "date": f"{NOW:%Y-%m-%d}", "machine": machine, **self.figures}
        (RESULTS / f"{self.name}.json").write_text(json.dumps(kept, indent=2) + "\n")


def order_id(number: int) -> str:
    """Return the id of the nth seeded order."""
    return f"ord_{number:026}"


def payment_id(number: int) -> str:
    """Return the id of the payment of the nth seeded order."""
    return f"pay_{number:026}"


def sku(number: int) -> str:
    """Return the nth seeded SKU."""
    return f"SKU-{number:07}"


def _entity(**columns: object) -> Values:
    return {"version": 1, "created_at": NOW, "state_since": NOW, **columns}


def product_rows(numbers: Sequence[int], on_hand: int) -> Changes:
    """Return products with so many pieces in stock each."""
    changes = Changes()
    for number in numbers:
        product = _entity(id=sku(number), state="active", name="Mug", price=PRICE, currency="EUR")
        changes.added[Product].append(product)
        blank = Stock(id=sku(number), state="stocked", sku=sku(number))
        counts = blank.counted(on_hand=on_hand, reserved=0, reorder_level=0)
        shelf = {**blank.model_dump(), **_entity(**counts)}
        changes.added[Stock].append(shelf)
    return changes


def order_rows(numbers: Sequence[int], state: str, skus: Sequence[str]) -> Changes:
    """Return orders in `state`, each with one line, and what there is by then: history, its timer, its payment."""
    changes = Changes()
    for number, product in zip(numbers, skus, strict=True):
        identity = order_id(number)
        changes.added[Order].append(_order(identity, state))
        changes.added[OrderLine].append(_line(identity, product, state))
        changes.history.append(_history("order", identity, 1, "create", NEW, "draft"))
        if state != "draft":
            changes.history.append(_history("order", identity, 2, "submit", "draft", "pending"))
        if state == "pending":
            changes.timers_set.append(_timer("order", identity, "expire"))
        if state in PAID_WITH:
            payment = payment_id(number)
            changes.added[Payment].append(_payment(payment, identity, state))
            changes.history.append(_history("order", identity, 3, "pay", "pending", "paying"))
            changes.history.append(_history("payment", payment, 1, "begin", NEW, "capturing"))
        if state == "paying":
            changes.timers_set.append(_timer("payment", payment, "unanswered"))
    return changes


def _order(identity: str, state: str) -> Values:
    money: dict[str, Values] = {
        "paying": {"asked": PRICE},
        "completed": {"paid": PRICE, "paid_at": NOW, "completed_at": NOW},
    }
    return {
        **Order.model_construct(id=identity).model_dump(),
        **_entity(id=identity, state=state, customer=_customer(identity), currency="EUR", total=PRICE),
        "version": VERSIONS.get(state, 3),
        "stock_held": {"draft": "nothing", "completed": "taken"}.get(state, "reserved"),
        **money.get(state, {}),
    }


def _line(order: str, product: str, state: str) -> Values:
    blank = OrderLine(order_id=order, number=1, sku=product, name="Mug", quantity=1, unit_price=PRICE)
    gone = ("packed", "shipped", "delivered") if state == "completed" else ()
    return {**blank.model_dump(), **dict.fromkeys(gone, 1)}


def _payment(identity: str, order: str, state: str) -> Values:
    where: dict[str, Values] = {
        "paying": {"asked": PRICE, "payment_asked": True},
        "completed": {"captured": PRICE, "taken_at": NOW, "payment": f"pi_{identity}"},
    }
    return {
        **Payment.model_construct(id=identity).model_dump(),
        **_entity(id=identity, state=PAID_WITH[state], order_id=order, customer=_customer(order), currency="EUR"),
        "amount": PRICE,
        "method": "tok_approve",
        **where[state],
    }


def _customer(order: str) -> str:
    return f"customer-{order[-3:]}"


def _timer(machine: str, identity: str, name: str) -> Values:
    timer = {"machine": machine, "entity_id": identity, "name": name, "event": name, "fired": 0}
    return {**timer, "due_at": NOW + timedelta(days=1), "cause": "benchmark"}


def _history(machine: str, identity: str, version: int, event_name: str, source: str, target: str) -> Values:
    return {
        "event_id": f"evt_{identity}_{version}",
        "machine": machine,
        "entity_id": identity,
        "version": version,
        "event": event_name,
        "source": source,
        "target": target,
        "actor": str(SHOP),
        "cause": None,
        "reason": None,
        "payload": {},
        "at": NOW,
    }


async def seed_products(database: Database, count: int, on_hand: int, first: int = 0) -> None:
    """Fill the catalogue."""
    for start in range(first, first + count, CHUNK):
        await save(database, product_rows(range(start, min(start + CHUNK, first + count)), on_hand))


async def seed_orders(database: Database, numbers: range, state: str, products: int = 1) -> None:
    """Store orders in `state`, spread over so many products."""
    for start in range(numbers.start, numbers.stop, CHUNK):
        chunk = range(start, min(start + CHUNK, numbers.stop))
        await save(database, order_rows(chunk, state, [sku(number % products) for number in chunk]))


async def save(database: Database, changes: Changes) -> None:
    """Store rows."""
    await database.write(lambda connection: Store(connection).save(changes))


def count_statements(database: Database, counted: list[int]) -> None:
    """Count in `counted` the statements that a database is sent from now on."""
    for engine in database.engines:
        event.listen(engine, "before_cursor_execute", lambda *_: counted.__setitem__(0, counted[0] + 1))


async def analyze(database: Database) -> None:
    """Let the database's planner know how large its tables are."""
    await database.write(lambda connection: connection.exec_driver_sql("ANALYZE"))


async def fresh(url: str) -> Database:
    """Open and migrate a database."""
    database = Database(url, pool_size=4)
    await schema.migrate(database)
    return database


@dataclass(frozen=True, slots=True)
class Server:
    """A serving process and a merchant's key to it."""

    port: int
    key: str
    pid: int

    def resident_megabytes(self) -> float:
        """Return the memory of the serving processes."""
        process = psutil.Process(self.pid)
        return sum(each.memory_info().rss for each in [process, *process.children(recursive=True)]) / 1e6


def environment(url: str, workers: int) -> dict[str, str]:
    """Return the settings of a server that is measured: no rate limit, no background work."""
    return {
        **os.environ,
        "ORDERLY_DATABASE_URL": url,
        "ORDERLY_WORKERS": str(workers),
        "ORDERLY_KEY_PEPPER": PEPPER,
        "ORDERLY_REQUESTS_PER_SECOND": "0",
        "ORDERLY_RUN_BACKGROUND_WORK": "false",
        "ORDERLY_LOG_LEVEL": "warning",
    }


@contextmanager
def serving(url: str, key: str, *, workers: int, command: Sequence[str] = ("orderly", "serve")) -> Iterator[Server]:
    """Run a server on a free port until the block ends."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--port", str(port)],
        env=environment(url, workers),
        stdout=subprocess.DEVNULL,
    )
    try:
        _await_ready(port, process)
        yield Server(port, key, process.pid)
    finally:
        process.send_signal(SIGTERM)
        process.wait(timeout=40)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise RuntimeError("the server did not become ready")
