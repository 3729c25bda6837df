"""Questions about the database itself rather than about what is in it: its clock, its settings, its backlog."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection, func, select, text

from persistence.tables import TABLES, EffectRow, TimerRow

_effects = TABLES[EffectRow]
_timers = TABLES[TimerRow]

_POSTGRESQL_SETTINGS = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "max_connections")
_SQLITE_PRAGMAS = ("journal_mode", "synchronous", "foreign_keys", "quick_check(1)")


def clock(connection: Connection) -> datetime:
    """Return the present moment by the database's clock."""
    if connection.dialect.name == "sqlite":
        moment = connection.execute(text("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')")).scalar_one()
        return datetime.fromisoformat(moment).replace(tzinfo=UTC)
    found: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return found


def settings(connection: Connection) -> Mapping[str, str]:
    """Return the database's own settings that durability rests on, and on SQLite whether its file is sound."""
    if connection.dialect.name == "sqlite":
        return {
            name.partition("(")[0]: str(connection.execute(text(f"PRAGMA {name}")).scalar()) for name in _SQLITE_PRAGMAS
        }
    statement = text("SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(:names)")
    rows = connection.execute(statement, {"names": list(_POSTGRESQL_SETTINGS)})
    return {name: value for name, value in rows}  # noqa: C416  (a row is no pair to a type checker)


def parked_effects(connection: Connection) -> int:
    """Count the effects that were given up and wait for a person."""
    return connection.execute(select(func.count()).where(_effects.c.status == "parked")).scalar_one()


def overdue_timers(connection: Connection, before: datetime) -> int:
    """Count the timers that should have fired before a moment."""
    return connection.execute(select(func.count()).select_from(_timers).where(_timers.c.due_at < before)).scalar_one()


def overdue_effects(connection: Connection, before: datetime) -> int:
    """Count the effects that should have been claimed before a moment."""
    statement = select(func.count()).where(_effects.c.status.in_(["pending", "running"]), _effects.c.due_at < before)
    return connection.execute(statement).scalar_one()
