"""What is due: claiming effects, finding timers. Every statement here is indexed by the time at which rows fall due."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Update,
    and_,
    bindparam,
    delete,
    func,
    literal,
    select,
    tuple_,
    update,
)

from persistence.bulk import Values
from persistence.tables import TABLES, EffectRow, IdempotencyKeyRow, TimerRow

_effects = TABLES[EffectRow]
_timers = TABLES[TimerRow]
_keys = TABLES[IdempotencyKeyRow]

# Literal words: with parameters, SQLite and PostgreSQL's generic plans do not see that the partial index holds them.
_OPEN = _effects.c.status.in_(bindparam("open", ["pending", "running"], expanding=True, literal_execute=True))


def _claim(chosen: Select[Any]) -> Update:
    """Claim the chosen effects: one more attempt, a new token, due again when the lease ends."""
    claimed = {
        "status": "running",
        "attempts": _effects.c.attempts + 1,
        "token": _effects.c.token + 1,
        "due_at": bindparam("lease_until", type_=_effects.c.due_at.type),
    }
    # Materialized: a planner that runs the subquery again would lock and claim more than the limit.
    due = chosen.cte("due").prefix_with("MATERIALIZED", dialect="postgresql")
    return update(_effects).values(claimed).where(_effects.c.id.in_(select(due.c.id))).returning(*_effects.c)


_CLAIM = _claim(
    select(_effects.c.id)
    .where(_OPEN, _effects.c.due_at <= bindparam("now", type_=_effects.c.due_at.type))
    .order_by(_effects.c.due_at)
    .limit(bindparam("most", type_=_effects.c.attempts.type))
    .with_for_update(skip_locked=True)
)


def claim_effects(connection: Connection, now: datetime, lease_until: datetime, most: int) -> list[Values]:
    """Claim up to `most` due effects, the longest due first, until `lease_until`.

    An effect whose lease has lapsed counts as due: its runner is gone.
    """
    result = connection.execute(_CLAIM, {"now": now, "lease_until": lease_until, "most": most})
    return sorted((dict(row) for row in result.mappings()), key=lambda row: row["id"])


_RELEASE = (
    update(_effects)
    .where(
        and_(
            _effects.c.id == bindparam("key_id"),
            _effects.c.status == "running",
            _effects.c.token == bindparam("key_token"),
        )
    )
    .values({name: bindparam(name) for name in ("status", "attempts", "due_at", "error", "finished_at")})
)


def release_effects(connection: Connection, rows: Sequence[Values]) -> None:
    """Give claimed effects back: for another attempt at `due_at`, or parked."""
    if rows:
        connection.execute(_RELEASE, rows)


def next_effect(connection: Connection) -> datetime | None:
    """Return when the next effect falls due."""
    moment: datetime | None = connection.execute(select(func.min(_effects.c.due_at)).where(_OPEN)).scalar()
    return moment


_TIMER_ORDER = [_timers.c.due_at, _timers.c.entity_id, _timers.c.machine, _timers.c.name]


def due_timers(connection: Connection, now: datetime, most: int, after: Values | None = None) -> list[Values]:
    """Return up to `most` timers that are due, in the order in which they fell due, beginning behind `after`."""
    statement = select(_timers).where(_timers.c.due_at <= now).order_by(*_TIMER_ORDER).limit(most)
    if after is not None:
        last = [literal(after[column.name], column.type) for column in _TIMER_ORDER]
        statement = statement.where(tuple_(*_TIMER_ORDER) > tuple_(*last))
    return [dict(row) for row in connection.execute(statement).mappings()]


def next_timer(connection: Connection, after: datetime | None = None) -> datetime | None:
    """Return when the next timer falls due, of those that fall due after a moment."""
    statement = select(func.min(_timers.c.due_at))
    if after is not None:
        statement = statement.where(_timers.c.due_at > after)
    moment: datetime | None = connection.execute(statement).scalar()
    return moment


def counts_due(connection: Connection, now: datetime) -> dict[str, int]:
    """Count the effects and timers that are due."""
    effects = select(func.count()).where(_OPEN, _effects.c.due_at <= now)
    timers = select(func.count()).select_from(_timers).where(_timers.c.due_at <= now)
    return {
        "effects": connection.execute(effects).scalar_one(),
        "timers": connection.execute(timers).scalar_one(),
    }


def delete_expired_keys(connection: Connection, now: datetime, most: int) -> int:
    """Delete up to `most` idempotency keys whose time has passed; return how many."""
    expired = select(_keys.c.scope, _keys.c.key).where(_keys.c.expires_at <= now).limit(most)
    result = connection.execute(delete(_keys).where(tuple_(_keys.c.scope, _keys.c.key).in_(expired)))
    return result.rowcount
