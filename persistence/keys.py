"""API keys as they are kept."""

from datetime import datetime

from sqlalchemy import Connection, insert, or_, select, update

from persistence.bulk import Values
from persistence.tables import TABLES, ApiKeyRow

_keys = TABLES[ApiKeyRow]


def find(connection: Connection, key_id: str) -> Values | None:
    """Return a key's row, or None if there is none."""
    row = connection.execute(select(_keys).where(_keys.c.id == key_id)).mappings().first()
    return dict(row) if row else None


def add(connection: Connection, row: Values) -> None:
    """Keep a new key."""
    connection.execute(insert(_keys).values(row))


def list_keys(connection: Connection, limit: int) -> list[Values]:
    """Return the newest keys."""
    statement = select(_keys).order_by(_keys.c.id.desc()).limit(limit)
    return [dict(row) for row in connection.execute(statement).mappings()]


def count_active(connection: Connection, principal: str, now: datetime) -> int:
    """Count the keys with which a principal may come in."""
    rows = connection.execute(
        select(_keys.c.id).where(
            _keys.c.principal == principal,
            _keys.c.revoked_at.is_(None),
            or_(_keys.c.expires_at.is_(None), _keys.c.expires_at > now),
        )
    )
    return len(rows.all())


def count(connection: Connection) -> int:
    """Tell whether there is any key: 0 if not."""
    return len(connection.execute(select(_keys.c.id).limit(1)).all())


def revoke(connection: Connection, key_id: str, now: datetime, by: str) -> bool:
    """Revoke a key; return whether there was one to revoke."""
    statement = (
        update(_keys)
        .where(_keys.c.id == key_id, _keys.c.revoked_at.is_(None))
        .values(revoked_at=now, revoked_by=by)
        .returning(_keys.c.id)
    )
    return connection.execute(statement).first() is not None
