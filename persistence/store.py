"""Bulk load and bulk save: what one batch of events reads and writes, a few set-based statements per table."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from sqlalchemy import Connection, Table, bindparam, select, update
from sqlmodel import SQLModel

from persistence.bulk import KEY, Values, bulk
from persistence.statements import among, as_keys, columns_among, select_among
from persistence.tables import TABLES, EffectRow, History, IdempotencyKeyRow, InboxRow, TimerRow
from statemachines.declaration import Entity


@dataclass(slots=True)
class Changes:
    """What a batch will write. Every list is written by one statement."""

    added: dict[type[SQLModel], list[Values]] = field(default_factory=lambda: defaultdict(list))
    changed: dict[tuple[type[SQLModel], tuple[str, ...]], list[Values]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """Rows by class and changed columns; the primary key is given under names that begin with ``key_``."""
    history: list[Values] = field(default_factory=list)
    effects_withdrawn: list[Values] = field(default_factory=list)
    """The machine, entity and name of effects that are cancelled if nobody has attempted them."""
    effects: list[Values] = field(default_factory=list)
    timers_cancelled: list[Values] = field(default_factory=list)
    timers_set: list[Values] = field(default_factory=list)
    keys_expired: list[Values] = field(default_factory=list)
    keys: list[Values] = field(default_factory=list)

    def withdraw(self, withdrawn: Values) -> None:
        """Cancel effects of the database, and those that would be written only now."""
        cancel_withdrawn(self.effects, withdrawn)
        self.effects_withdrawn.append(withdrawn)

    def change(self, row: type[SQLModel], values: Values, original: Values) -> None:
        """Note the columns of a row that differ from what the database has."""
        changed = {name: value for name, value in values.items() if value != original[name]}
        if changed:
            keys = {f"key_{column.name}": values[column.name] for column in TABLES[row].primary_key.columns}
            self.changed[row, tuple(changed)].append({**changed, **keys})


WITHDRAWN = "withdrawn before the first attempt"


def cancel_withdrawn(effects: Iterable[Values], withdrawn: Values) -> None:
    """Cancel those of some new effects that are withdrawn."""
    for row in effects:
        if row["status"] == "pending" and all(
            row[name] == withdrawn[name] for name in ("machine", "entity_id", "name")
        ):
            row.update(status="cancelled", finished_at=withdrawn["at"], error=WITHDRAWN)


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

    def subjects(self, entity: type[Entity], ids: Iterable[str]) -> set[tuple[str, str]]:
        """Return the machine and the id of what some entities are about; that never changes."""
        columns = entity.subject_columns or ()
        return {(row[0], row[1]) for row in self._columns(entity, columns, ids) if row[0] is not None}

    def parents(self, child: type[Entity], ids: Iterable[str]) -> list[tuple[type[Entity], set[str]]]:
        """Return the ids of the entities that some entities belong to; that never changes."""
        parents = parents_of(child)
        found = self._columns(child, tuple(parents), ids)
        return [(parent, {row[at] for row in found}) for at, parent in enumerate(parents.values()) if found]

    def _columns(self, row: type[SQLModel], columns: tuple[str, ...], ids: Iterable[str]) -> list[tuple[str, ...]]:
        if not columns:
            return []
        statement = columns_among(TABLES[row], columns, sqlite=self._sqlite)
        return [
            tuple(each) for each in self._connection.execute(statement, {"keys": as_keys(ids, sqlite=self._sqlite)})
        ]

    def idempotency_keys(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Values]:
        """Return those of the (scope, key) pairs that are taken."""
        wanted = set(keys)
        rows = self.rows(IdempotencyKeyRow, "key", {key for _, key in keys}, lock=False)
        return {pair: row for row in rows if (pair := (row["scope"], row["key"])) in wanted}

    def pending(self, seqs: Iterable[int]) -> set[int]:
        """Return those of the inbox's rows that are not settled yet, locked until the commit."""
        statement = select(_inbox.c.seq).where(
            among(_inbox.c.seq, "seqs", sqlite=self._sqlite), _inbox.c.status == "pending"
        )
        locked = statement.order_by(_inbox.c.seq).with_for_update()
        return set(self._connection.execute(locked, {"seqs": as_keys(seqs, sqlite=self._sqlite)}).scalars())

    def committed(self, event_ids: Iterable[str]) -> set[str]:
        """Return those of the events that are in the history."""
        return {row["event_id"] for row in self.rows(History, "event_id", event_ids, lock=False)}

    def save(self, changes: Changes) -> None:
        """Write a batch. Parents are written before the rows that refer to them."""
        write = bulk(self._connection)
        for row in sorted(changes.added, key=POSITION.__getitem__):
            write.insert(TABLES[row], changes.added[row])
        for (row, columns), values in sorted(changes.changed.items(), key=lambda item: POSITION[item[0][0]]):
            write.update(TABLES[row], columns, values)
        if changes.history:
            write.insert(TABLES[History], changes.history)
        if changes.effects_withdrawn:
            keyed = [{f"{KEY}{name}": each[name] for name in each} for each in changes.effects_withdrawn]
            self._connection.execute(_WITHDRAW, keyed)
        if changes.effects:
            write.insert(TABLES[EffectRow], changes.effects)
        if changes.timers_cancelled:
            write.delete(TABLES[TimerRow], changes.timers_cancelled)
        if changes.timers_set:
            write.upsert(TABLES[TimerRow], changes.timers_set)
        if changes.keys_expired:
            write.delete(TABLES[IdempotencyKeyRow], changes.keys_expired)
        if changes.keys:
            write.insert(TABLES[IdempotencyKeyRow], changes.keys)


@cache
def parents_of(child: type[Entity]) -> dict[str, type[Entity]]:
    """Return what an entity belongs to: the columns that refer to other entities, each with the entities' class."""
    entities = {TABLES[row].c.id: row for row in TABLES if issubclass(row, Entity)}
    return {
        column.name: entities[key.column]
        for column in TABLES[child].c
        for key in column.foreign_keys
        if key.column in entities
    }


_effects = TABLES[EffectRow]
_inbox = TABLES[InboxRow]

_WITHDRAW = (
    update(_effects)
    .where(
        _effects.c.entity_id == bindparam(f"{KEY}entity_id"),
        _effects.c.machine == bindparam(f"{KEY}machine"),
        _effects.c.name == bindparam(f"{KEY}name"),
        _effects.c.status == "pending",
        _effects.c.attempts == 0,
        _effects.c.retrying_since == _effects.c.created_at,  # else it was attempted before a person had it tried again
    )
    .values(status="cancelled", finished_at=bindparam(f"{KEY}at"), error=WITHDRAWN)
)


def _depth(table: Table) -> int:
    return max((1 + _depth(key.column.table) for key in table.foreign_keys), default=0)


POSITION = {row: position for position, row in enumerate(sorted(TABLES, key=lambda row: _depth(TABLES[row])))}
"""The one order in which rows are locked and written: parents before the rows that refer to them."""
