"""Questions that people ask: which entities, how many in each state, what happened to one. All of them are indexed."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from string import ascii_lowercase, ascii_uppercase
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, and_, func, literal, or_, select, tuple_, union_all
from sqlalchemy.sql import Select
from sqlmodel import SQLModel

from persistence.bulk import Values
from persistence.store import Store
from persistence.tables import TABLES, EffectRow, History, TimerRow, hydrate
from statemachines.declaration import Entity, Load, primary_key
from statemachines.machine import Machine

PAGE_LIMIT = 200
"""The most rows on a page."""


class BadCursor(ValueError):
    """A cursor that no page of this list gave out."""

    def __init__(self) -> None:
        super().__init__("the cursor is not one of this list")


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list, and where the next ones begin."""

    rows: Sequence[Values]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entities are asked for. Without a state they come newest first; within a state, the longest there first."""

    state: str | None = None
    owner: str | None = None
    text: str | None = None
    """What the id or a search column begins with, in any case."""
    created_after: datetime | None = None
    created_before: datetime | None = None
    in_state_since: datetime | None = None
    """Only those that have stood in their state since before this moment; needs a state."""


def cursor_of(*values: object) -> str:
    """Return where a page ends, as callers hand it back."""
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def read_cursor(cursor: str, *kinds: type) -> list[Any]:
    """Return the values of a cursor.

    Raises:
        BadCursor: they are not of these kinds.
    """
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError) as error:
        raise BadCursor from error
    if not isinstance(values, list) or [type(value) for value in values] != list(kinds):
        raise BadCursor
    if any(isinstance(value, str) and not (value.isascii() and value.isprintable()) for value in values):
        raise BadCursor
    return values


def list_entities(connection: Connection, machine: Machine, wanted: Filter, limit: int, cursor: str | None) -> Page:
    """Return a page of entities.

    Raises:
        BadCursor: the cursor is not one of this list.
    """
    table = TABLES[machine.entity]
    statement: Select[Any] = select(table).where(*_conditions(machine, wanted))
    if wanted.state is not None:
        order = [table.c.state_since, table.c.id]
        if cursor:
            since, last = read_cursor(cursor, str, str)
            statement = statement.where(tuple_(*order) > tuple_(read_moment(since), last))
        statement = statement.order_by(*order)
    else:
        order = [table.c.created_at, table.c.id]
        if cursor:
            created, last = read_cursor(cursor, str, str)
            statement = statement.where(tuple_(*order) < tuple_(read_moment(created), last))
        statement = statement.order_by(table.c.created_at.desc(), table.c.id.desc())
    rows = _rows(connection, statement.limit(limit + 1))
    column = "state_since" if wanted.state is not None else "created_at"
    more = len(rows) > limit
    return Page(rows[:limit], cursor_of(rows[limit - 1][column], rows[limit - 1]["id"]) if more else None)


def read_moment(text: str) -> datetime:
    """Return the moment that a part of a cursor names.

    Raises:
        BadCursor: it names none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadCursor from error
    if moment.utcoffset() != timedelta(0):
        raise BadCursor
    return moment


def _conditions(machine: Machine, wanted: Filter) -> list[ColumnElement[bool]]:
    table, conditions = TABLES[machine.entity], []
    if wanted.state is not None:
        # An owner's few rows are sorted: SQLite would walk through all that stand in the state.
        conditions.append((table.c.state if wanted.owner is None else table.c.state + "") == wanted.state)
    if wanted.owner is not None:
        assert machine.entity.owner_column is not None
        conditions.append(table.c[machine.entity.owner_column] == wanted.owner)
    if wanted.created_after is not None:
        conditions.append(table.c.created_at >= wanted.created_after)
    if wanted.created_before is not None:
        conditions.append(table.c.created_at < wanted.created_before)
    if wanted.in_state_since is not None:
        conditions.append(table.c.state_since <= wanted.in_state_since)
    if wanted.text is not None:
        conditions.append(or_(*(_begins(machine, name, wanted.text) for name in machine.entity.search_columns)))
    return conditions


_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
"""Lower case as both databases see it: theirs leaves all but ASCII as it is."""


def _begins(machine: Machine, name: str, text: str) -> ColumnElement[bool]:
    """Match a beginning as a range, which an index answers on both databases."""
    column = TABLES[machine.entity].c[name]
    if name == "id":
        return and_(column >= text, column < text + "\U0010ffff")
    beginning = text.translate(_LOWER)
    return and_(func.lower(column) >= beginning, func.lower(column) < beginning + "\U0010ffff")


def _rows(connection: Connection, statement: Select[Any]) -> list[Values]:
    return [dict(row) for row in connection.execute(statement).mappings()]


def get_entity(connection: Connection, machine: Machine, id: str) -> Values | None:  # noqa: A002
    """Return an entity's columns, or None if there is none."""
    table = TABLES[machine.entity]
    return next(iter(_rows(connection, select(table).where(table.c.id == id))), None)


def get_details(connection: Connection, machine: Machine, id: str) -> dict[str, list[Values]]:  # noqa: A002
    """Return the rows that belong to an entity, by the name under which its machine loads them."""
    details = {}
    for load in details_of(machine):
        table = TABLES[load.row]
        keys = [table.c[name] for name in primary_key(load.row)]
        details[load.name] = _rows(connection, select(table).where(table.c[load.by] == id).order_by(*keys))
    return details


def details_of(machine: Machine) -> list[Load]:
    """Return what of a machine's loads are rows of the entity's own, found by its id."""
    own = TABLES[machine.entity].c.id
    return [
        load
        for load in machine.loads.values()
        if not issubclass(load.row, Entity) and TABLES[load.row].c[load.by].references(own)
    ]


def count_states(connection: Connection, machine: Machine, owner: str | None = None) -> dict[str, int]:
    """Count a machine's entities by state."""
    table = TABLES[machine.entity]
    statement = select(table.c.state, func.count().label("number")).where(*_conditions(machine, Filter(owner=owner)))
    return {row.state: row.number for row in connection.execute(statement.group_by(table.c.state))}


def list_history(connection: Connection, machine: Machine, id: str, limit: int, cursor: str | None) -> Page:  # noqa: A002
    """Return a page of an entity's history, oldest first.

    Raises:
        BadCursor: the cursor is not one of this list.
    """
    table = TABLES[History]
    statement = select(table).where(table.c.machine == machine.name, table.c.entity_id == id)
    if cursor:
        (version,) = read_cursor(cursor, int)
        if not 0 <= version < 2**63:
            raise BadCursor
        statement = statement.where(table.c.version > version)
    rows = _rows(connection, statement.order_by(table.c.version).limit(limit + 1))
    return Page(rows[:limit], cursor_of(rows[limit - 1]["version"]) if len(rows) > limit else None)


def list_of_entity(connection: Connection, row: type[SQLModel], machine: Machine, id: str) -> list[Values]:  # noqa: A002
    """Return an entity's effects or timers."""
    table = TABLES[row]
    order = table.c.id if row is EffectRow else table.c.due_at
    statement = select(table).where(table.c.machine == machine.name, table.c.entity_id == id)
    return _rows(connection, statement.order_by(order).limit(PAGE_LIMIT))


def effects_of(connection: Connection, machine: Machine, id: str) -> list[Values]:  # noqa: A002
    """Return the effects that an entity asked for, oldest first."""
    return list_of_entity(connection, EffectRow, machine, id)


def timers_of(connection: Connection, machine: Machine, id: str) -> list[Values]:  # noqa: A002
    """Return an entity's timers, the next due first."""
    return list_of_entity(connection, TimerRow, machine, id)


def child_machines(machines: Iterable[Machine], parent: Machine) -> dict[str, Column[str]]:
    """Return the machines whose entities belong to one of `parent`, each with the column that names it."""
    table = TABLES[parent.entity]
    found: dict[str, Column[str]] = {}
    for machine in machines:
        keys = TABLES[machine.entity].foreign_keys if machine is not parent else ()
        column = next((key.parent for key in keys if key.column is table.c.id), None)
        if column is not None:
            found[machine.name] = column
    return found


def children_of(connection: Connection, children: Mapping[str, Column[str]], id: str) -> list[Values]:  # noqa: A002
    """Return where the entities stand that belong to one, the oldest first, with one statement for all machines."""
    parts = []
    for name, column in children.items():
        own = column.table.c
        part = select(literal(name).label("machine"), own.id, own.state, own.version, own.created_at, own.state_since)
        parts.append(part.where(column == id))
    if not parts:
        return []
    found = union_all(*parts).subquery()
    return _rows(connection, select(found).order_by(found.c.created_at, found.c.id).limit(PAGE_LIMIT))


def load_for_explaining(connection: Connection, machine: Machine, entity: Entity) -> dict[str, Any]:
    """Load what the guards of an entity's state may ask for, as far as it can be known without an event's payload."""
    store, loaded = Store(connection), SimpleNamespace()
    needed = machine.may_need(entity.state)
    for load in machine.loads.values():
        if load.name in needed and not machine.asks_payload(machine.keys_of(load)):
            keys = machine.key_of(load, entity, None, loaded)
            rows = [hydrate(load.row, values) for values in store.rows(load.row, load.by, keys, lock=False)]
            setattr(loaded, load.name, {getattr(row, load.by): row for row in rows} if load.by_primary_key else rows)
    return vars(loaded)
