"""The rows of one batch: each row of the database is one object, loaded once and changed in memory.

A decision that needs rows which are not there yet raises `Lacking`; what all decisions lack is then fetched at once,
one statement per table and column.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from sqlmodel import SQLModel

from engine.envelope import NotFound
from persistence.bulk import Values
from persistence.store import POSITION, Changes, Store
from persistence.tables import TABLES, hydrate
from statemachines.declaration import Entity, Event, Load
from statemachines.machine import Machine

RowKey = tuple[type[SQLModel], str, bool, str]
"""Which rows were asked for: their class, the column looked up, whether they are locked, the value looked for."""


class Lacking(Exception):
    """A decision needs rows that are not loaded yet."""


@dataclass(slots=True)
class Journal:
    """What a decision changed in memory, so that it can be taken back."""

    before: list[tuple[SQLModel, Values]] = field(default_factory=list)
    added: list[SQLModel] = field(default_factory=list)
    _grown: list[list[SQLModel]] = field(default_factory=list)

    def set(self, row: SQLModel, changes: Values) -> None:
        """Change columns of a row.

        Raises:
            AttributeError: the row has no such column.
        """
        values = vars(row)
        if unknown := changes.keys() - values.keys():
            raise AttributeError(f"{type(row).__name__} has no columns {sorted(unknown)}")
        self.before.append((row, dict(values)))
        values.update(changes)

    def add(self, row: SQLModel, places: Iterable[list[SQLModel]]) -> None:
        """Note a new row, and put it where later decisions will look for it."""
        self.added.append(row)
        for place in places:
            place.append(row)
            self._grown.append(place)

    def take_back(self) -> None:
        """Leave everything as it was."""
        for row, values in reversed(self.before):
            vars(row).update(values)
        for place in reversed(self._grown):
            place.pop()


class Rows:
    """The rows that a batch has loaded."""

    def __init__(self) -> None:
        self._objects: dict[type[SQLModel], dict[tuple[Any, ...], SQLModel]] = defaultdict(dict)
        self._original: dict[int, Values] = {}
        self._found: dict[RowKey, list[SQLModel]] = {}
        self._looked_up: dict[type[SQLModel], set[tuple[str, bool]]] = defaultdict(set)
        self._lacking: dict[tuple[type[SQLModel], str, bool], set[str]] = defaultdict(set)

    @property
    def lacking(self) -> bool:
        """Whether a decision asked for rows that are not loaded yet."""
        return bool(self._lacking)

    def fetch(self, store: Store) -> None:
        """Load what is lacking, table by table in one order for all processes, so that they rarely deadlock."""
        order = sorted(self._lacking, key=lambda wanted: (POSITION[wanted[0]], wanted[1]))
        for row, column, lock in order:
            keys = self._lacking[row, column, lock]
            self._looked_up[row].add((column, lock))
            for key in keys:
                self._found[row, column, lock, key] = []
            for values in store.rows(row, column, keys, lock=lock):
                self._found[row, column, lock, values[column]].append(self._remember(row, values, lock=lock))
        self._lacking.clear()

    def _remember(self, row: type[SQLModel], values: Values, *, lock: bool) -> SQLModel:
        """Return the one object that stands for a row; what is read under a lock is the newer."""
        key = tuple(values[column.name] for column in TABLES[row].primary_key.columns)
        known = self._objects[row].get(key)
        if known is None:
            known = self._objects[row][key] = hydrate(row, values)
            self._original[id(known)] = values
        elif lock:
            vars(known).update(values)
            self._original[id(known)] = values
        return known

    def lock(self, entity: type[Entity], ids: Iterable[str]) -> None:
        """Note entities to be locked whether or not a decision asks for them."""
        self._lacking[entity, "id", True].update(ids)

    def expect_none(self, machine: Machine, id: str) -> None:  # noqa: A002
        """Note that there is no entity with this new id, so that none is looked for."""
        self._found[machine.entity, "id", True, id] = []
        self._looked_up[machine.entity].add(("id", True))

    def entity(self, machine: Machine, id: str, event: Event) -> Entity:  # noqa: A002
        """Return an entity, or a blank one if the event is the one that creates it.

        Raises:
            Lacking: it was not looked for yet.
            NotFound: there is none.
        """
        self._want(machine.entity, "id", [id], lock=True)
        found = self._found[machine.entity, "id", True, id]
        if found:
            assert isinstance(found[0], Entity)
            return found[0]
        if not isinstance(event, machine.creation):
            raise NotFound(machine.name, id)
        return machine.blank(id)

    def loaded(self, machine: Machine, entity: Entity, event: Event) -> object:
        """Return what a decision on this entity may ask for.

        Raises:
            Lacking: some of it was not looked for yet.
        """
        loaded = SimpleNamespace()
        for load in machine.needs(entity, event):
            keys = machine.key_of(load, entity, event, loaded)
            self._want(load.row, load.by, keys, lock=load.lock)
            setattr(loaded, load.name, self._gather(load, keys))
        return loaded

    def _want(self, row: type[SQLModel], column: str, keys: Iterable[str], *, lock: bool) -> None:
        missing = [key for key in keys if (row, column, lock, key) not in self._found]
        if missing:
            self._lacking[row, column, lock].update(missing)
            raise Lacking

    def _gather(self, load: Load, keys: Sequence[str]) -> object:
        found = [self._found[load.row, load.by, load.lock, key] for key in keys]
        if load.by_primary_key:
            return {key: rows[0] for key, rows in zip(keys, found, strict=True) if rows}
        return found[0] if len(found) == 1 else [row for rows in found for row in rows]

    def places_of(self, machine: Machine, entity: Entity, row: SQLModel, *, is_new: bool) -> list[list[SQLModel]]:
        """Return the lists in which later decisions of this batch will look for a new row.

        Args:
            machine: whose decision adds the row.
            entity: on which it was decided.
            row: the entity itself, or a row of its own.
            is_new: whether the decision creates the entity: then no earlier row can be its own.
        """
        if is_new:
            for load in machine.loads.values():
                if isinstance(row, load.row) and getattr(row, load.by) == entity.id:
                    self._found.setdefault((load.row, load.by, load.lock, entity.id), [])
                    self._looked_up[load.row].add((load.by, load.lock))
        places = [
            self._found.get((kind, column, lock, getattr(row, column)))
            for kind, ways in self._looked_up.items()
            if isinstance(row, kind)
            for column, lock in ways
        ]
        return [place for place in places if place is not None]  # what was not looked for yet will be fetched

    def collect(self, journals: Iterable[Journal], changes: Changes) -> None:
        """Turn what the journals changed into rows to write."""
        journals = list(journals)
        added = {id(row): row for journal in journals for row in journal.added}
        touched = {id(row): row for journal in journals for row, _ in journal.before if id(row) not in added}
        for row in added.values():
            changes.added[stored_class(row)].append(dict(vars(row)))
        for row in touched.values():
            changes.change(stored_class(row), vars(row), self._original[id(row)])


def stored_class(row: SQLModel) -> type[SQLModel]:
    """Return the class under which a row's table is known."""
    return next(kind for kind in type(row).__mro__ if kind in TABLES)
