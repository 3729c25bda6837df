"""How far the history was read for subscriptions: as it happens, and once more where somebody asked for a replay."""

from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, Connection, bindparam, delete, func, select, update

from persistence.bulk import Values, bulk
from persistence.delivery_rows import FeedCursorRow
from persistence.feed import Place
from persistence.tables import TABLES, History

READER: Final = "deliveries"
"""The name under which it is kept how far the history was read. Any other name is the event that asked for a replay."""

SLACK: Final = 1000
"""How many rows that were written behind a place may come before it in the order of commits."""

_history = TABLES[History]
_cursors = TABLES[FeedCursorRow]


def lock_cursor(connection: Connection, name: str = READER) -> Place | None:
    """Return how far a reader got, and let nobody else go on until the commit; None if there is no such reader."""
    row = connection.execute(
        select(_cursors.c.commit_order, _cursors.c.seq).where(_cursors.c.name == name).with_for_update()
    ).first()
    return Place(*row) if row else None


def move_cursor(connection: Connection, place: Place, name: str = READER) -> None:
    """Note how far the history was read."""
    connection.execute(update(_cursors).where(_cursors.c.name == name).values(place._asdict()))


def replays(connection: Connection) -> list[str]:
    """Return the events that asked for a replay that has not come to its end."""
    return list(connection.execute(select(_cursors.c.name).where(_cursors.c.name != READER)).scalars())


def begin_replay(connection: Connection, event_id: str, after: Place) -> None:
    """Have the history read once more, from a place on."""
    row = {"name": event_id, **after._asdict()}
    bulk(connection).upsert(_cursors, [row])


def end_replay(connection: Connection, event_id: str) -> None:
    """Forget a replay."""
    connection.execute(delete(_cursors).where(_cursors.c.name == event_id))


def event(connection: Connection, event_id: str) -> Values | None:
    """Return the transition that an event led to, or None."""
    row = connection.execute(select(_history).where(_history.c.event_id == event_id)).mappings().first()
    return dict(row) if row else None


def place_before(connection: Connection, moment: datetime) -> Place:
    """Return a place before everything that happened since a moment.

    Moments are no index, but rows are written in about their order: it halves the history again and again.
    """
    low, high = 0, connection.execute(select(func.coalesce(func.max(_history.c.seq), 0))).scalar_one()
    first_from = (
        select(_history.c.seq, _history.c.at)
        .where(_history.c.seq >= bindparam("from", type_=BigInteger()))
        .order_by(_history.c.seq)
        .limit(1)
    )
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(first_from, {"from": middle + 1}).first()
        if row is None or row.at >= moment:
            high = middle
        else:
            low = row.seq
    near = select(func.min(_history.c.commit_order)).where(_history.c.seq.between(low + 1, low + SLACK))
    return Place(connection.execute(near).scalar() or 0, 0 if connection.dialect.name == "postgresql" else low)
