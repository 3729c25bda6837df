"""Writing many rows with one statement.

PostgreSQL takes all the rows as one JSON text: a row costs a few microseconds, where executing a prepared statement
again for each row costs ten times that, and handing over each column as an array costs the driver a check for each
value. SQLite runs in the process, so executing again costs next to nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    Table,
    bindparam,
    delete,
    insert,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

Values = dict[str, Any]

_DIALECT = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]

KEY = "key_"
"""The prefix under which a row to change or delete carries the columns of its primary key."""


class Bulk(ABC):
    """Writes rows on one connection. Every method writes all the rows with one statement."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @abstractmethod
    def insert(self, table: Table, rows: Sequence[Values]) -> None:
        """Insert new rows; all of them have the same columns."""

    @abstractmethod
    def upsert(self, table: Table, rows: Sequence[Values]) -> None:
        """Insert rows, or replace those that have the same primary keys."""

    @abstractmethod
    def update(self, table: Table, columns: tuple[str, ...], rows: Sequence[Values]) -> None:
        """Change `columns` of the rows that the `key_…` values name."""

    @abstractmethod
    def delete(self, table: Table, rows: Sequence[Values]) -> None:
        """Delete the rows that the `key_…` values name."""


def bulk(connection: Connection) -> Bulk:
    """Return what writes many rows on this kind of database."""
    return _SQLiteBulk(connection) if connection.dialect.name == "sqlite" else _PostgreSQLBulk(connection)


class _SQLiteBulk(Bulk):
    def insert(self, table: Table, rows: Sequence[Values]) -> None:
        self._connection.execute(insert(table), rows)

    def upsert(self, table: Table, rows: Sequence[Values]) -> None:
        self._connection.execute(_sqlite_upsert(table), rows)

    def update(self, table: Table, columns: tuple[str, ...], rows: Sequence[Values]) -> None:
        self._connection.execute(_sqlite_update(table, columns), rows)

    def delete(self, table: Table, rows: Sequence[Values]) -> None:
        self._connection.execute(_sqlite_delete(table), rows)


@cache
def _sqlite_upsert(table: Table) -> Any:
    statement = sqlite.insert(table)
    keys = [column.name for column in table.primary_key.columns]
    replaced = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=replaced)


@cache
def _sqlite_update(table: Table, columns: tuple[str, ...]) -> Any:
    values = {name: bindparam(name, type_=table.c[name].type) for name in columns}
    return update(table).where(*_named(table)).values(values)


@cache
def _sqlite_delete(table: Table) -> Any:
    return delete(table).where(*_named(table))


def _named(table: Table) -> list[Any]:
    keys = table.primary_key.columns
    return [column == bindparam(f"{KEY}{column.name}", type_=column.type) for column in keys]


class _PostgreSQLBulk(Bulk):
    def insert(self, table: Table, rows: Sequence[Values]) -> None:
        self._run(_insert(table, tuple(rows[0])), rows)

    def upsert(self, table: Table, rows: Sequence[Values]) -> None:
        columns = tuple(rows[0])
        keys = [column.name for column in table.primary_key.columns]
        replaced = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in keys)
        conflict = f" ON CONFLICT ({_listed(keys)}) DO UPDATE SET {replaced}"
        self._run(_insert(table, columns) + conflict, rows)

    def update(self, table: Table, columns: tuple[str, ...], rows: Sequence[Values]) -> None:
        self._run(_update(table, columns), rows)

    def delete(self, table: Table, rows: Sequence[Values]) -> None:
        self._run(_delete(table), rows)

    def _run(self, sql: str, rows: Sequence[Values]) -> None:
        self._connection.exec_driver_sql(sql, (msgspec.json.encode(rows).decode(),))


@cache
def _insert(table: Table, columns: tuple[str, ...]) -> str:
    listed = _listed(columns)
    return f"INSERT INTO {table.name} ({listed}) SELECT {listed} FROM {_rows(table, columns)}"  # noqa: S608  (names from the declaration alone)


@cache
def _update(table: Table, columns: tuple[str, ...]) -> str:
    changes = ", ".join(f'"{name}" = d."{name}"' for name in columns)
    return f"UPDATE {table.name} t SET {changes} FROM {_rows(table, (*_keys(table), *columns))} WHERE {_matched(table)}"  # noqa: S608


@cache
def _delete(table: Table) -> str:
    return f"DELETE FROM {table.name} t USING {_rows(table, _keys(table))} WHERE {_matched(table)}"  # noqa: S608


def _keys(table: Table) -> tuple[str, ...]:
    return tuple(f"{KEY}{column.name}" for column in table.primary_key.columns)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _rows(table: Table, names: tuple[str, ...]) -> str:
    columns = [f'"{name}" {_type_of(table.c[name.removeprefix(KEY)])}' for name in names]
    return f"json_to_recordset($1::text::json) AS d({', '.join(columns)})"


def _matched(table: Table) -> str:
    return " AND ".join(f't."{column.name}" = d."{KEY}{column.name}"' for column in table.primary_key.columns)


def _type_of(column: Column[Any]) -> str:
    return str(column.type.compile(dialect=_DIALECT))
