"""The inbox: what webhooks and other programs ask for, from its arrival to whatever came of it."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, ScalarSelect, Select, bindparam, delete, func, literal, select, text, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from persistence.bulk import Values
from persistence.queries import BadCursor, Page, cursor_of, read_cursor
from persistence.tables import TABLES, InboxRow

_inbox = TABLES[InboxRow]

# A literal word: with a parameter, no database sees that the partial index holds these rows.
_PENDING = _inbox.c.status == bindparam("pending", "pending", literal_execute=True)

_ORDER = (_inbox.c.due_at, _inbox.c.seq)

REPLAYABLE: Final = ("pending", "refused", "unroutable", "unknown", "dismissed")
DISMISSIBLE: Final = ("pending", "refused", "unroutable", "unknown")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands in the order in which rows are worked on."""

    due_at: datetime
    seq: int


# -- arrival -------------------------------------------------------------------------------------------------------


def keep(connection: Connection, rows: Sequence[Values]) -> list[bool]:
    """Keep messages, each of them once; return of each whether it is new.

    Args:
        connection: within a transaction.
        rows: each with a `source` and an `external_id`, which together name the message.
    """
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(_inbox).on_conflict_do_nothing(index_elements=["source", "external_id"])
    kept = connection.execute(statement.returning(_inbox.c.source, _inbox.c.external_id), rows)
    left = {(source, external_id) for source, external_id in kept}
    new = []
    for row in rows:
        name = row["source"], row["external_id"]
        new.append(name in left)
        left.discard(name)
    return new


# -- working on it -------------------------------------------------------------------------------------------------


def next_due() -> ScalarSelect[Any]:
    """Return when the next row is to be worked on, as a subquery."""
    return select(func.min(_inbox.c.due_at)).where(_PENDING).scalar_subquery()


def due(connection: Connection, now: datetime, most: int, after: Place | None = None) -> list[Values]:
    """Return up to `most` rows that are due, in the order in which they fell due, beginning behind `after`."""
    return [dict(row) for row in connection.execute(_due(select(_inbox), now, most, after)).mappings()]


def due_places(connection: Connection, now: datetime, most: int, after: Place | None = None) -> list[Place]:
    """Return where the rows that are due stand, without reading what other programs wrote into them."""
    return [Place(*row) for row in connection.execute(_due(select(*_ORDER), now, most, after))]


def _due(statement: Select[Any], now: datetime, most: int, after: Place | None) -> Select[Any]:
    if after is not None:
        last = [literal(after.due_at, _inbox.c.due_at.type), literal(after.seq, _inbox.c.seq.type)]
        statement = statement.where(tuple_(*_ORDER) > tuple_(*last))
    return statement.where(_PENDING, _inbox.c.due_at <= now).order_by(*_ORDER).limit(most)


_SETTLED = ("status", "reason", "attempts", "due_at", "finished_at")

_SETTLE = (
    update(_inbox)
    .where(_inbox.c.seq == bindparam("key_seq"), _inbox.c.status == "pending")
    .values({name: bindparam(name, type_=_inbox.c[name].type) for name in _SETTLED})
)


def settle(connection: Connection, rows: Sequence[Values]) -> None:
    """Note why rows wait, and until when, or why nothing comes of them. What is settled already is left alone."""
    if rows:
        connection.execute(_SETTLE, [{"key_seq": row["seq"], **{name: row[name] for name in _SETTLED}} for row in rows])


def is_unreadable(error: Exception) -> bool:
    """Tell whether rows could not be read for what another program wrote into them, rather than for the database."""
    if isinstance(error, DBAPIError):  # what SQLite's driver can't decode is no error of SQLite's
        return isinstance(error.orig, sqlite3.Error) and not hasattr(error.orig, "sqlite_errorcode")
    return not isinstance(error, SQLAlchemyError | OSError)


_DOCUMENTS = ("body", "payload")
_TEXTS = ("source", "external_id", "kind", "machine", "entity_id", "event")


def set_aside(connection: Connection, seq: int, now: datetime, reason: str) -> None:
    """Refuse a row that can't be read, and keep it so that it can: SQLite's texts in hexadecimal, JSON as a text."""
    values: dict[str, Any] = {"status": "refused", "reason": reason, "finished_at": now}
    if connection.dialect.name == "sqlite":
        values |= {name: func.nullif(func.hex(_inbox.c[name]), "") for name in _TEXTS}
        values |= {name: text(f"iif({name} IS NULL, NULL, json_object('hex', hex({name})))") for name in _DOCUMENTS}
    else:
        values |= {
            name: text(f"CASE WHEN {name} IS NOT NULL THEN jsonb_build_object('text', {name}::text) END")
            for name in _DOCUMENTS
        }
    connection.execute(update(_inbox).where(_inbox.c.seq == seq, _PENDING).values(values))


def get(connection: Connection, seq: int) -> Values | None:
    """Return a row, or None if there is none."""
    row = connection.execute(select(_inbox).where(_inbox.c.seq == seq)).mappings().first()
    return dict(row) if row else None


# -- what people see and decide ------------------------------------------------------------------------------------


def list_rows(connection: Connection, status: str | None, source: str | None, limit: int, cursor: str | None) -> Page:
    """Return a page of rows, newest first, without the documents.

    Raises:
        BadCursor: the cursor is not one of this list.
    """
    statement = select(*(column for column in _inbox.columns if column.name not in _DOCUMENTS))
    if status is not None:
        statement = statement.where(_inbox.c.status == status)
    if source is not None:
        statement = statement.where(_inbox.c.source == source)
    if cursor:
        (seq,) = read_cursor(cursor, int)
        if not 0 <= seq < 2**63:
            raise BadCursor
        statement = statement.where(_inbox.c.seq < seq)
    rows = [
        dict(row) for row in connection.execute(statement.order_by(_inbox.c.seq.desc()).limit(limit + 1)).mappings()
    ]
    return Page(rows[:limit], cursor_of(rows[limit - 1]["seq"]) if len(rows) > limit else None)


def replay(connection: Connection, seq: int, now: datetime, by: str, decision: str) -> Values | None:
    """Have a row worked on again from the start; return it, or None if there is none or its event was accepted."""
    again = {"status": "pending", "reason": None, "attempts": 0, "due_at": now, "finished_at": None}
    return _decide(connection, seq, REPLAYABLE, {**again, "decided_by": by, "decision": decision})


def dismiss(connection: Connection, seq: int, now: datetime, by: str, decision: str) -> Values | None:
    """Let nothing come of a row; return it, or None if there is none or it is settled for good already."""
    return _decide(
        connection,
        seq,
        DISMISSIBLE,
        {"status": "dismissed", "finished_at": now, "decided_by": by, "decision": decision},
    )


def _decide(connection: Connection, seq: int, statuses: Sequence[str], values: Values) -> Values | None:
    statement = update(_inbox).where(_inbox.c.seq == seq, _inbox.c.status.in_(statuses)).values(values)
    row = connection.execute(statement.returning(*_inbox.c)).mappings().first()
    return dict(row) if row else None


# -- clearing up ---------------------------------------------------------------------------------------------------


def delete_finished(connection: Connection, before: datetime, most: int) -> int:
    """Delete up to `most` rows that were settled before a moment, the oldest first; return how many.

    A source that repeats a message after that is no longer found out.
    """
    old = select(_inbox.c.seq).where(_inbox.c.finished_at < before).order_by(_inbox.c.finished_at).limit(most)
    return connection.execute(delete(_inbox).where(_inbox.c.seq.in_(old))).rowcount
