"""Writing many rows with one statement.

PostgreSQL takes all the rows as one JSON text: a row costs a few microseconds, where executing a prepared statement
again for each row costs ten times that, and handing over each column as an array costs the driver a check for each
value. SQLite runs in the process, so executing again costs next to nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import JSON, Column, Connection, Table
from sqlalchemy.dialects import postgresql
from sqlmodel.sql.sqltypes import UTCDateTime

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
    def upsert(self, table: Table, rows: Sequence[Values], changing: tuple[str, ...] | None = None) -> None:
        """Insert rows, or change those that have the same primary keys: all their columns, or only some."""

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
        columns = tuple(rows[0])
        self._run(_sqlite_insert(table, columns), table, columns, rows)

    def upsert(self, table: Table, rows: Sequence[Values], changing: tuple[str, ...] | None = None) -> None:
        columns = tuple(rows[0])
        sql = _sqlite_insert(table, columns) + _on_conflict(table, changing or columns)
        self._run(sql, table, columns, rows)

    def update(self, table: Table, columns: tuple[str, ...], rows: Sequence[Values]) -> None:
        changes = ", ".join(f'"{name}" = ?' for name in columns)
        sql = f"UPDATE {table.name} SET {changes} WHERE {_named(table)}"  # noqa: S608
        self._run(sql, table, (*columns, *_keys(table)), rows)

    def delete(self, table: Table, rows: Sequence[Values]) -> None:
        self._run(f"DELETE FROM {table.name} WHERE {_named(table)}", table, _keys(table), rows)  # noqa: S608

    def _run(self, sql: str, table: Table, names: tuple[str, ...], rows: Sequence[Values]) -> None:
        writers = _sqlite_writers(table, names)
        values = [[row[name] if write is None else write(row[name]) for name, write in writers] for row in rows]
        self._connection.exec_driver_sql(sql, [tuple(each) for each in values])


@cache
def _sqlite_insert(table: Table, columns: tuple[str, ...]) -> str:
    places = ", ".join("?" * len(columns))
    return f"INSERT INTO {table.name} ({_listed(columns)}) VALUES ({places})"  # noqa: S608  (names from the declaration alone)


def _named(table: Table) -> str:
    return " AND ".join(f'"{column.name}" = ?' for column in table.primary_key.columns)


@cache
def _sqlite_writers(table: Table, names: tuple[str, ...]) -> list[tuple[str, Callable[[Any], Any] | None]]:
    """Return what turns each column's values into what SQLite stores; None where they are stored as they are."""
    return [(name, _sqlite_writer(table.c[name.removeprefix(KEY)])) for name in names]


def _sqlite_writer(column: Column[Any]) -> Callable[[Any], Any] | None:
    match column.type:
        case UTCDateTime():
            return _write_moment
        case JSON():
            return _write_json
        case _:
            return None


def _write_moment(moment: datetime | None) -> str | None:
    """Write a moment as SQLAlchemy reads it: UTC, to the microsecond, without an offset."""
    return None if moment is None else moment.astimezone(UTC).isoformat(" ", "microseconds")[:26]


def _write_json(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


class _PostgreSQLBulk(Bulk):
    def insert(self, table: Table, rows: Sequence[Values]) -> None:
        self._run(_insert(table, tuple(rows[0])), rows)

    def upsert(self, table: Table, rows: Sequence[Values], changing: tuple[str, ...] | None = None) -> None:
        columns = tuple(rows[0])
        self._run(_insert(table, columns) + _on_conflict(table, changing or columns), rows)

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


@cache
def _on_conflict(table: Table, columns: tuple[str, ...]) -> str:
    keys = [column.name for column in table.primary_key.columns]
    replaced = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in keys)
    return f" ON CONFLICT ({_listed(keys)}) DO UPDATE SET {replaced}"


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
