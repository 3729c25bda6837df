"""Rows for tables that are known only by reflection, so that tests of migrations need not know the tables."""

import re
import warnings
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Integer,
    MetaData,
    Table,
    inspect,
    select,
)
from sqlalchemy.exc import IntegrityError

from tests.conftest import NOON

BOOKKEEPING = "alembic_version"

TAUGHT: dict[str, dict[str, Any]] = {
    "payments": {"amount": 1, "taken_at": None},
    "refunds": {"unanswered": False, "processed_at": None},
}
"""What rows of some tables hold, where their checks want more than one value for all."""


def tables_of(connection: Connection) -> list[Table]:
    """Return the tables that a database has, parents before children."""
    metadata = MetaData()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipped unsupported reflection of expression-based index")
        metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != BOOKKEEPING]


def fill(connection: Connection) -> None:
    """Put a row into each table."""
    kept: dict[str, dict[str, Any]] = {}
    for table in tables_of(connection):
        kept[table.name] = _insert(connection, table, kept)


def contents(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table."""
    return {
        table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
        for table in tables_of(connection)
    }


def _insert(connection: Connection, table: Table, kept: dict[str, dict[str, Any]]) -> dict[str, Any]:
    words = _words_allowed(connection, table)
    for number in (1, 0):  # some checks want something, others want no more than something else
        row = {column.name: _value(column, words, kept, number) for column in table.columns}
        row |= TAUGHT.get(table.name, {})
        try:
            with connection.begin_nested():
                connection.execute(table.insert(), row)
        except IntegrityError as error:
            refusal = error
        else:
            return row
    raise AssertionError(f"no row fits into {table.name}; teach this file one") from refusal


def _words_allowed(connection: Connection, table: Table) -> dict[str, str]:
    """Return a word for each column whose CHECK lists the words that it may hold."""
    words = {}
    for check in inspect(connection).get_check_constraints(table.name):
        text = str(check["sqltext"])
        if found := re.search(r"\(*\"?(\w+)\"?\)?(?:::text)? (?:IN|= ANY) \(+(?:ARRAY\[)?\(?'(\w+)'", text):
            words[found[1]] = found[2]
    return words


def _value(column: Column[Any], words: dict[str, str], kept: dict[str, dict[str, Any]], number: int) -> object:
    for key in column.foreign_keys:
        return kept[key.column.table.name][key.column.name]
    if column.name in words:
        return words[column.name]
    match column.type:
        case Boolean():
            return True
        case Integer() | BigInteger():
            return 1 if column.primary_key or column.name == "quantity" else number
        case DateTime():
            return NOON
        case JSON():
            return {"pieces": 2}
        case _ if column.name == "at" or column.name.endswith(("_at", "_since")):
            return "2026-01-05 12:00:00.000000"  # SQLite knows moments and documents only as text
        case _ if column.name in ("payload", "arguments", "outcome", "body"):
            return '{"pieces":2}'
        case _:
            return f"{column.name[:1]}1"
