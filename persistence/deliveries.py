"""The log of deliveries: every attempt to deliver an event, and what came of it."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select

from persistence.delivery_rows import DeliveryRow
from persistence.queries import Page, cursor_of, read_cursor
from persistence.tables import TABLES

_deliveries = TABLES[DeliveryRow]


def list_deliveries(
    connection: Connection, subscription_id: str, outcome: str | None, limit: int, cursor: str | None
) -> Page:
    """Return a page of what was sent to a subscription, the newest first.

    Raises:
        BadCursor: the cursor is not one of this list.
    """
    statement = select(_deliveries).where(_deliveries.c.subscription_id == subscription_id)
    if outcome is not None:
        statement = statement.where(_deliveries.c.outcome == outcome)
        if outcome != "delivered":  # said again, so that the planner sees that the smaller index holds them
            statement = statement.where(_deliveries.c.outcome != bindparam("most", "delivered", literal_execute=True))
    if cursor:
        (last,) = read_cursor(cursor, str)
        statement = statement.where(_deliveries.c.id < last)
    statement = statement.order_by(_deliveries.c.id.desc()).limit(limit + 1)
    rows = [dict(row) for row in connection.execute(statement).mappings()]
    return Page(rows[:limit], cursor_of(rows[limit - 1]["id"]) if len(rows) > limit else None)


def delete_old(connection: Connection, before: datetime, most: int) -> int:
    """Delete up to `most` entries of the log from before a moment; return how many."""
    old = select(_deliveries.c.id).where(_deliveries.c.at < before).order_by(_deliveries.c.at).limit(most)
    return connection.execute(delete(_deliveries).where(_deliveries.c.id.in_(old))).rowcount
