"""The replay's own book, kept in the database that it fills: how far it has come, and what was refused.

The book is what makes a replay resumable and a second run of it harmless. It is written about once a virtual day. What
was done after the last entry is done again from there under the same idempotency keys, which the service keeps for a
week: it answers as it did before, and nothing happens twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, func, insert, inspect, select, update

from orderly.replay.lines import CannotReplay
from orderly.replay.report import Refusal
from persistence.tables import TABLES
from statemachines.order import Order
from statemachines.product import Product

_metadata = MetaData()
_books = Table(
    "replay_books",
    _metadata,
    Column("plan", String, primary_key=True),
    Column("done", Integer, nullable=False),
)
_refusals = Table(
    "replay_refusals",
    _metadata,
    Column("step", String, primary_key=True),
    Column("guard", String),
    Column("reason", String, nullable=False),
)


class NotOurs(CannotReplay):
    """The database holds what this replay did not make; the message says what."""


@dataclass(frozen=True, slots=True)
class Entry:
    """How far a replay has come."""

    done: int
    """How many steps of the plan."""
    refusals: Mapping[str, Refusal]


def refuse_a_shop(connection: Connection) -> None:
    """Refuse a database that a shop uses, before anything in it is touched.

    Raises:
        NotOurs: the database holds orders or products, and no replay's book.
    """
    tables = inspect(connection)
    if tables.has_table(_books.name):
        return
    for table in (TABLES[Order], TABLES[Product]):
        if tables.has_table(table.name) and connection.scalar(select(func.count()).select_from(table)):
            raise NotOurs(
                f"the database holds {table.name} that no replay made; replay into a new database, never into a "
                "shop's own"
            )


def open_book(connection: Connection, plan: str) -> Entry:
    """Open the book of this plan, or begin it in an empty database.

    Args:
        connection: within a transaction.
        plan: the plan's fingerprint.

    Raises:
        NotOurs: the database holds another plan's replay, or orders or products that no replay made.
    """
    refuse_a_shop(connection)
    if not inspect(connection).has_table(_books.name):
        _metadata.create_all(connection)
        connection.execute(insert(_books).values(plan=plan, done=0))
    book = connection.execute(select(_books)).one()
    if book.plan != plan:
        raise NotOurs(
            "the database holds the replay of another file, or of this one under other settings; "
            "replay into a new database"
        )
    rows = connection.execute(select(_refusals))
    return Entry(book.done, {row.step: Refusal(row.guard, row.reason) for row in rows})


def write(connection: Connection, before: int, done: int, refusals: Mapping[str, Refusal]) -> None:
    """Note that the replay has come from step `before` to step `done`, and what was refused in between.

    Raises:
        NotOurs: another process has moved the book on.
    """
    moved = connection.execute(update(_books).where(_books.c.done == before).values(done=done))
    if moved.rowcount != 1:
        raise NotOurs("another replay is at work in this database")
    if refusals:
        rows = [{"step": key, "guard": each.guard, "reason": each.reason} for key, each in refusals.items()]
        connection.execute(insert(_refusals), rows)


def order_ids(connection: Connection) -> set[str]:
    """Return the ids of all orders."""
    return set(connection.scalars(select(TABLES[Order].c.id)))
