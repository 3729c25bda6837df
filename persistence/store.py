"""Bulk load and bulk save: what one batch of events reads and writes, a few set-based statements per table."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel

from persistence.statements import as_keys, delete_row, select_among, update_columns
from persistence.tables import TABLES, EffectRow, History, IdempotencyKeyRow, TimerRow

Values = dict[str, Any]


@dataclass(slots=True)
class Changes:
    """What a batch will write. Every list is written by one statement."""

    added: dict[type[SQLModel], list[Values]] = field(default_factory=lambda: defaultdict(list))
    changed: dict[tuple[type[SQLModel], tuple[str, ...]], list[Values]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """Rows by class and changed columns; the primary key is given under names that begin with ``key_``."""
    history: list[Values] = field(default_factory=list)
    effects: list[Values] = field(default_factory=list)
    timers_cancelled: list[Values] = field(default_factory=list)
    timers_set: list[Values] = field(default_factory=list)
    keys_expired: list[Values] = field(default_factory=list)
    keys: list[Values] = field(default_factory=list)

    def change(self, row: type[SQLModel], values: Values, original: Values) -> None:
        """Note the columns of a row that differ from what the database has."""
        changed = {name: value for name, value in values.items() if value != original[name]}
        if changed:
            keys = {f"key_{column.name}": values[column.name] for column in TABLES[row].primary_key.columns}
            self.changed[row, tuple(changed)].append({**changed, **keys})


class Store:
    """Reads and writes rows within the transaction of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sqlite = connection.dialect.name == "sqlite"

    def rows(self, row: type[SQLModel], column: str, keys: Iterable[str], *, lock: bool) -> list[Values]:
        """Return the rows whose `column` is among `keys`, in the order of their primary keys."""
        statement = select_among(TABLES[row], column, lock=lock, sqlite=self._sqlite)
        result = self._connection.execute(statement, {"keys": as_keys(keys, sqlite=self._sqlite)})
        names = tuple(result.keys())
        return [dict(zip(names, values, strict=True)) for values in result]

    def idempotency_keys(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Values]:
        """Return those of the (scope, key) pairs that are taken."""
        wanted = set(keys)
        rows = self.rows(IdempotencyKeyRow, "key", {key for _, key in keys}, lock=False)
        return {pair: row for row in rows if (pair := (row["scope"], row["key"])) in wanted}

    def committed(self, event_ids: Iterable[str]) -> set[str]:
        """Return those of the events that are in the history."""
        return {row["event_id"] for row in self.rows(History, "event_id", event_ids, lock=False)}

    def save(self, changes: Changes) -> None:
        """Write a batch. Parents are written before the rows that refer to them."""
        for row in sorted(changes.added, key=_POSITION.__getitem__):
            self._insert(TABLES[row], changes.added[row])
        for (row, columns), values in sorted(changes.changed.items(), key=lambda item: _POSITION[item[0][0]]):
            self._connection.execute(update_columns(TABLES[row], columns), values)
        self._insert(TABLES[History], changes.history)
        self._insert(TABLES[EffectRow], changes.effects)
        if changes.timers_cancelled:
            self._connection.execute(delete_row(TABLES[TimerRow]), changes.timers_cancelled)
        if changes.timers_set:
            self._connection.execute(_SET_TIMER[self._sqlite], changes.timers_set)
        if changes.keys_expired:
            self._connection.execute(delete_row(TABLES[IdempotencyKeyRow]), changes.keys_expired)
        self._insert(TABLES[IdempotencyKeyRow], changes.keys)

    def _insert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self._connection.execute(insert(table), rows)


def _depth(table: Table) -> int:
    return max((1 + _depth(key.column.table) for key in table.foreign_keys), default=0)


_POSITION = {row: position for position, row in enumerate(sorted(TABLES, key=lambda row: _depth(TABLES[row])))}


def _set_timer(dialect_insert: Any) -> Any:
    statement = dialect_insert(TABLES[TimerRow])
    moved = {name: statement.excluded[name] for name in ("event", "due_at", "cause")}
    return statement.on_conflict_do_update(index_elements=["machine", "entity_id", "name"], set_=moved)


_SET_TIMER = {False: _set_timer(postgresql.insert), True: _set_timer(sqlite.insert)}
