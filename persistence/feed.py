"""The history as a stream: every transition once, in one order, and none that could still be preceded by another.

A reader remembers the place of the last transition that it has seen, and asks for those behind it. SQLite has one
writer, so the order of its rows is the order of their commits. On PostgreSQL many transactions write at once, and a row
with a smaller `seq` may become visible after one with a greater: whoever remembered the greater would never see it.

There a row is numbered by `commit_order` first: the greater of its transaction's id and of the newest id that had ended
when the row was written. Whoever still writes has an id of at least ``pg_snapshot_xmin``, the oldest id that has not
ended, and so has every row that is yet to come: all rows below that are there for good, and only those are given out.
And since whoever waited for an entity's lock writes when the transaction before has ended, an entity's transitions come
in the order of their versions, even where transaction ids do not.

Ids of transactions begin anew in another cluster. After a restore of a dump `continue_order` adds to all that follow.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, bindparam, literal_column, select, text, tuple_

from persistence.bulk import Values
from persistence.queries import BadCursor, cursor_of, read_cursor
from persistence.tables import TABLES, History
from statemachines.patterns import matches

_history = TABLES[History]

_FIRST_UNSETTLED: Final[ColumnElement[int]] = literal_column(
    "history_commit_order(pg_snapshot_xmin(pg_current_snapshot()))", BigInteger
)
_LARGEST: Final = 2**63


class Place(NamedTuple):
    """Where a transition stands in the stream."""

    commit_order: int
    seq: int

    @classmethod
    def read(cls, cursor: str) -> "Place":
        """Return the place that a cursor names.

        Raises:
            BadCursor: no page gave it out.
        """
        place = cls(*read_cursor(cursor, int, int))
        if not all(0 <= part < _LARGEST for part in place):
            raise BadCursor
        return place

    @property
    def cursor(self) -> str:
        """The place as text, for those who come back later."""
        return cursor_of(*self)


SCAN_STEP: Final = 1000
SCAN_STEPS: Final = 10
"""How many transitions are looked through for a page, and how often, before it is given out as it is."""

BEGINNING: Final = Place(0, 0)
"""Before the first transition."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened to what, and where it stands in the stream."""

    place: Place
    machine: str
    entity_id: str
    version: int
    event: str
    at: datetime


_ENTRY = [_history.c[name] for name in ("commit_order", "seq", "machine", "entity_id", "version", "event", "at")]
_SEQ = bindparam("seq", type_=BigInteger())
_MOST = bindparam("most", type_=BigInteger())

_SCAN_SQLITE = select(*_ENTRY).where(_history.c.seq > _SEQ).order_by(_history.c.seq).limit(_MOST)


def behind(commit_order: ColumnElement[int], seq: ColumnElement[int]) -> list[ColumnElement[bool]]:
    """Return the conditions, on PostgreSQL, of transitions that stand behind a place and are there for good."""
    place = tuple_(_history.c.commit_order, _history.c.seq)
    return [place > tuple_(commit_order, seq), _history.c.commit_order < _FIRST_UNSETTLED]


_SCAN_POSTGRESQL = (
    select(*_ENTRY)
    .where(*behind(bindparam("commit_order", type_=BigInteger()), _SEQ))
    .order_by(_history.c.commit_order, _history.c.seq)
    .limit(_MOST)
)


def scan(connection: Connection, after: Place, most: int) -> list[Entry]:
    """Return up to `most` transitions behind a place, in order."""
    sqlite = connection.dialect.name == "sqlite"
    parameters = {"seq": after.seq, "most": most} | ({} if sqlite else {"commit_order": after.commit_order})
    rows = connection.execute(_SCAN_SQLITE if sqlite else _SCAN_POSTGRESQL, parameters)
    return [Entry(Place(order, seq), *rest) for order, seq, *rest in rows]


def rows_at(connection: Connection, places: Sequence[Place]) -> list[Values]:
    """Return the history's rows at these places, in order."""
    statement = select(_history).where(_history.c.seq.in_([place.seq for place in places]))
    rows: list[Values] = [dict(row) for row in connection.execute(statement).mappings()]
    return sorted(rows, key=lambda row: (row["commit_order"], row["seq"]))


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Some of what happened, and how far the stream was read for it."""

    rows: Sequence[Values]
    place: Place
    more: bool
    """Whether there may be more behind it already."""


def page(connection: Connection, after: Place, patterns: Collection[str], limit: int) -> FeedPage:
    """Return up to `limit` transitions behind a place that the patterns mean; fewer if they are few and far between."""
    step = limit + 1 if "*" in patterns else SCAN_STEP
    found: list[Place] = []
    for _ in range(SCAN_STEPS):
        entries = scan(connection, after, step)
        for entry in entries:
            if matches(patterns, entry.machine, entry.event):
                if len(found) == limit:
                    return FeedPage(rows_at(connection, found), after, more=True)
                found.append(entry.place)
            after = entry.place
        if len(entries) < step:
            return FeedPage(rows_at(connection, found), after, more=False)
    return FeedPage(rows_at(connection, found), after, more=True)


# -- another cluster -----------------------------------------------------------------------------------------------

_OUT_OF_STEP = text(
    "SELECT coalesce((SELECT max(commit_order) FROM history), 0) "
    ">= history_commit_order(pg_snapshot_xmax(pg_current_snapshot()))"
)
_ADD = """
DO $$ BEGIN
EXECUTE format(
    'CREATE OR REPLACE FUNCTION history_commit_order(xid8) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE '
    'AS ''SELECT $1::text::bigint + %s''', (SELECT max(commit_order) FROM history)
);
END $$
"""


def is_out_of_step(connection: Connection) -> bool:
    """Tell whether new transitions would come before old ones: the database was restored into another cluster."""
    return connection.dialect.name == "postgresql" and bool(connection.execute(_OUT_OF_STEP).scalar())


def continue_order(connection: Connection) -> bool:
    """Make new transitions come after all that are there; return whether that was needed."""
    if not is_out_of_step(connection):
        return False
    connection.exec_driver_sql(_ADD)
    return True
