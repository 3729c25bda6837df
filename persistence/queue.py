"""What is due: claiming effects, finding timers. Every statement here is indexed by the time at which rows fall due."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    select,
    tuple_,
    union_all,
    update,
)

from persistence.bulk import Values, bulk
from persistence.tables import TABLES, EffectAttemptRow, EffectRow, IdempotencyKeyRow, TimerRow

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
        "lost": _effects.c.lost + case((_effects.c.status == "running", 1), else_=0),
        "token": _effects.c.token + 1,
        "due_at": bindparam("lease_until", type_=_effects.c.due_at.type),
    }
    # Materialized: a planner that runs the subquery again would lock and claim more than the limit.
    due = chosen.cte("due").prefix_with("MATERIALIZED", dialect="postgresql")
    return update(_effects).values(claimed).where(_effects.c.id.in_(select(due.c.id))).returning(*_effects.c)


_CLAIM = _claim(
    select(_effects.c.id)
    .where(
        _OPEN,
        _effects.c.destination == bindparam("to"),
        _effects.c.due_at <= bindparam("now", type_=_effects.c.due_at.type),
    )
    .order_by(_effects.c.due_at)
    .limit(bindparam("most", type_=_effects.c.attempts.type))
    .with_for_update(skip_locked=True)
)


def claim_effects(
    connection: Connection, destination: str, now: datetime, lease_until: datetime, most: int
) -> list[Values]:
    """Claim up to `most` due effects of a destination, the longest due first, until `lease_until`.

    An effect whose lease has lapsed counts as due: its runner is gone.
    """
    values = {"to": destination, "now": now, "lease_until": lease_until, "most": most}
    rows = [dict(row) for row in connection.execute(_CLAIM, values).mappings()]
    return sorted(rows, key=lambda row: row["id"])


_HELD = and_(
    _effects.c.id == bindparam("key_id"),
    _effects.c.status == "running",
    _effects.c.token == bindparam("key_token"),
)
"""Whether a claim still holds."""


def _held(rows: Iterable[Values]) -> list[Values]:
    """Return what names claims, in the order in which everybody locks effects."""
    return [{"key_id": row["id"], "key_token": row["token"]} for row in sorted(rows, key=lambda row: str(row["id"]))]


_EXTEND = update(_effects).where(_HELD).values(due_at=bindparam("until", type_=_effects.c.due_at.type))


def extend_leases(connection: Connection, rows: Iterable[Values], until: datetime) -> None:
    """Keep claimed effects for longer, as far as they were not taken over."""
    connection.execute(_EXTEND, [{**held, "until": until} for held in _held(rows)])


_RELEASED = ("status", "attempts", "due_at", "outcome", "error", "finished_at")

_RELEASE = (
    update(_effects).where(_HELD).values({name: bindparam(name, type_=_effects.c[name].type) for name in _RELEASED})
)


def release_effects(connection: Connection, rows: Sequence[Values], attempts: Sequence[Values] = ()) -> None:
    """Give claimed effects back: finished, for another attempt at `due_at`, or parked; note attempts that failed.

    What was taken over is left alone, and doing it twice changes nothing.
    """
    if rows:
        by_id = {row["id"]: row for row in rows}
        connection.execute(
            _RELEASE, [{**held, **{name: by_id[held["key_id"]][name] for name in _RELEASED}} for held in _held(rows)]
        )
    if attempts:
        bulk(connection).upsert(TABLES[EffectAttemptRow], attempts)


def next_effect(destinations: Mapping[str, datetime | None]) -> ScalarSelect[Any]:
    """Return when the next effect falls due, as a subquery: one look in the index for each destination.

    Args:
        destinations: with the moments before which some of them can't be called.
    """
    looks = [select(_not_before(_next_of(name), moment).label("due_at")) for name, moment in destinations.items()]
    nothing = select(literal(None, _effects.c.due_at.type).label("due_at"))
    return select(func.min(union_all(nothing, *looks).subquery().c.due_at)).scalar_subquery()


def _not_before(due_at: ScalarSelect[Any], moment: datetime | None) -> ColumnElement[Any]:
    if moment is None:
        return due_at
    earliest = literal(moment, _effects.c.due_at.type)
    return case((due_at < earliest, earliest), else_=due_at)


def due_destinations(connection: Connection, destinations: Sequence[str], now: datetime) -> list[str]:
    """Return those of the destinations that have an effect due."""
    row = connection.execute(select(*(_next_of(name) for name in destinations))).one()
    return [name for name, due_at in zip(destinations, row, strict=True) if due_at is not None and due_at <= now]


def _next_of(destination: str) -> ScalarSelect[Any]:
    return select(func.min(_effects.c.due_at)).where(_OPEN, _effects.c.destination == destination).scalar_subquery()


TIMER_ORDER = (_timers.c.due_at, _timers.c.entity_id, _timers.c.machine, _timers.c.name)
"""The order in which timers fire."""


def _known(machines: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that a timer is one of these machines'.

    The name is joined to nothing, so that no planner takes the primary key, which would find all of their timers.
    """
    return (_timers.c.machine + literal("")).in_(sorted(machines))


def due_timers(
    connection: Connection, machines: Collection[str], now: datetime, most: int, after: Values | None = None
) -> list[Values]:
    """Return up to `most` timers that are due, in the order in which they fell due, beginning behind `after`."""
    statement = select(_timers).where(_timers.c.due_at <= now, _known(machines)).order_by(*TIMER_ORDER).limit(most)
    if after is not None:
        last = [literal(after[column.name], column.type) for column in TIMER_ORDER]
        statement = statement.where(tuple_(*TIMER_ORDER) > tuple_(*last))
    return [dict(row) for row in connection.execute(statement).mappings()]


def next_timer(machines: Collection[str]) -> ScalarSelect[Any]:
    """Return when the next timer of these machines falls due, as a subquery."""
    return select(func.min(_timers.c.due_at)).where(_known(machines)).scalar_subquery()


_POSTPONE_TIMER = (
    update(_timers)
    .where(
        _timers.c.machine == bindparam("key_machine"),
        _timers.c.entity_id == bindparam("key_entity_id"),
        _timers.c.name == bindparam("key_name"),
        _timers.c.due_at == bindparam("key_due_at", type_=_timers.c.due_at.type),
    )
    .values(due_at=bindparam("until", type_=_timers.c.due_at.type))
)


def postpone_timers(connection: Connection, rows: Sequence[Values], until: datetime) -> None:
    """Let timers fall due later, as far as they are still as they were read."""
    keys = [{f"key_{name}": row[name] for name in ("machine", "entity_id", "name", "due_at")} for row in rows]
    connection.execute(_POSTPONE_TIMER, [{**key, "until": until} for key in keys])


def next_dues(
    connection: Connection, dues: Mapping[str, ScalarSelect[Any]]
) -> tuple[datetime, dict[str, datetime | None]]:
    """Return the database's time, and when the next work of each kind falls due: one statement for all of it."""
    if connection.dialect.name == "postgresql":
        now, *moments = connection.execute(select(func.clock_timestamp(), *dues.values())).one()
    else:
        _, *moments = connection.execute(select(literal(0), *dues.values())).one()
        now = datetime.now(UTC)
    return now, dict(zip(dues, moments, strict=True))


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
