"""Questions about what waits to be done by itself: outbound calls and timers, across all machines. All are indexed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, bindparam, literal, select, tuple_

from persistence.bulk import Values
from persistence.queries import Page, cursor_of, read_cursor, read_moment
from persistence.queue import TIMER_ORDER
from persistence.tables import EFFECT_STATUSES, TABLES, EffectAttemptRow, EffectRow, TimerRow

_effects = TABLES[EffectRow]
_attempts = TABLES[EffectAttemptRow]
_timers = TABLES[TimerRow]

# A literal word: with a parameter, neither database sees that the partial index holds what is asked for.
_IS_NOT_DONE = _effects.c.status != bindparam("done", "done", literal_execute=True)

FAILURES_LIMIT = 100
"""How many failed attempts of one effect are shown."""


NOT_DONE = tuple(status for status in EFFECT_STATUSES if status != "done")
"""The statuses of few effects: of those that stand out, not of all that ever were."""


class Unindexed(ValueError):
    """A question that no index answers.

    Args:
        field: what was asked for.
        needs: what has to be asked for with it.
    """

    def __init__(self, field: str, needs: str) -> None:
        super().__init__(f"'{field}' needs {needs}")
        self.field, self.needs = field, needs


@dataclass(frozen=True, slots=True)
class Whose:
    """Of which entities something is asked for.

    Raises:
        Unindexed: a machine without an entity; or the other way round, for two machines may name theirs alike.
    """

    machine: str | None = None
    entity: str | None = None
    machines: Sequence[str] | None = None
    """The only machines that may be shown; all if None."""

    def __post_init__(self) -> None:
        if self.machine is None and self.entity is not None:
            raise Unindexed("entity", "'machine'")
        if self.entity is None and self.machine is not None:
            raise Unindexed("machine", "'entity'")


@dataclass(frozen=True, slots=True)
class EffectFilter:
    """Which effects are asked for.

    Raises:
        Unindexed: a destination or name, but neither an entity nor a status other than done.
    """

    status: str | None = None
    destination: str | None = None
    name: str | None = None
    whose: Whose = Whose()

    def __post_init__(self) -> None:
        for field in ("name", "destination"):
            if getattr(self, field) is not None and self.whose.entity is None and self.status not in NOT_DONE:
                raise Unindexed(field, f"'entity', or a 'status' of {', '.join(NOT_DONE)}")


def list_effects(connection: Connection, wanted: EffectFilter, limit: int, cursor: str | None) -> Page:
    """Return a page of effects: the newest first, or of those that wait for a person the oldest.

    Raises:
        BadCursor: the cursor is not one of this list.
    """
    statement = select(_effects).where(*_whose(_effects, wanted.whose))
    if wanted.status is not None:
        statement = statement.where(_effects.c.status == wanted.status)
    narrowed = wanted.destination is not None or wanted.name is not None
    if narrowed and wanted.whose.entity is None:
        statement = statement.where(_IS_NOT_DONE)
    if wanted.destination is not None:
        statement = statement.where(_effects.c.destination == wanted.destination)
    if wanted.name is not None:
        statement = statement.where(
            _effects.c.name == wanted.name, _effects.c.destination == wanted.name.partition(".")[0]
        )
    forwards = wanted.status == "parked"
    if cursor:
        (last,) = read_cursor(cursor, str)
        statement = statement.where(_effects.c.id > last if forwards else _effects.c.id < last)
    order = _effects.c.id if forwards else _effects.c.id.desc()
    rows = [dict(row) for row in connection.execute(statement.order_by(order).limit(limit + 1)).mappings()]
    return Page(rows[:limit], cursor_of(rows[limit - 1]["id"]) if len(rows) > limit else None)


def get_effect(connection: Connection, id: str) -> Values | None:  # noqa: A002
    """Return an effect, or None if there is none."""
    row = connection.execute(select(_effects).where(_effects.c.id == id)).mappings().first()
    return dict(row) if row else None


def failures_of(connection: Connection, effect: str) -> list[Values]:
    """Return the attempts at an effect that ended without an answer, the last first."""
    statement = select(_attempts).where(_attempts.c.effect_id == effect).order_by(_attempts.c.token.desc())
    return [dict(row) for row in connection.execute(statement.limit(FAILURES_LIMIT)).mappings()]


def list_timers(
    connection: Connection, whose: Whose, due_before: datetime | None, limit: int, cursor: str | None
) -> Page:
    """Return a page of timers, the next due first.

    Raises:
        BadCursor: the cursor is not one of this list.
    """
    statement = select(_timers).where(*_whose(_timers, whose))
    if due_before is not None:
        statement = statement.where(_timers.c.due_at < due_before)
    if cursor:
        due_at, *names = read_cursor(cursor, str, str, str, str)
        last = zip((read_moment(due_at), *names), TIMER_ORDER, strict=True)
        statement = statement.where(
            tuple_(*TIMER_ORDER) > tuple_(*(literal(value, column.type) for value, column in last))
        )
    rows = [dict(row) for row in connection.execute(statement.order_by(*TIMER_ORDER).limit(limit + 1)).mappings()]
    more = len(rows) > limit
    return Page(rows[:limit], cursor_of(*(rows[limit - 1][each.name] for each in TIMER_ORDER)) if more else None)


def _whose(table: Table, whose: Whose) -> list[ColumnElement[bool]]:
    conditions = []
    if whose.entity is not None:
        conditions += [table.c.machine == whose.machine, table.c.entity_id == whose.entity]
    if whose.machines is not None:
        conditions.append(table.c.machine.in_(whose.machines))
    return conditions
