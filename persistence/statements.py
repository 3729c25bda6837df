"""SQL built once and kept: set-based statements whose text does not depend on how many rows they touch."""

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Delete,
    Select,
    String,
    Table,
    Update,
    any_,
    bindparam,
    cast,
    delete,
    func,
    select,
    update,
)


def among(column: Column[Any], keys: str, *, sqlite: bool) -> ColumnElement[bool]:
    """Return the condition that `column` is one of the keys bound to the parameter `keys` (see `as_keys`)."""
    if sqlite:
        return column.in_(select(func.json_each(bindparam(keys, type_=String())).table_valued("value").c.value))
    return column == any_(cast(bindparam(keys, type_=ARRAY(String)), ARRAY(String)))


def as_keys(keys: Iterable[str], *, sqlite: bool) -> Any:
    """Return the value to bind for `among`."""
    ordered = sorted(keys)
    return json.dumps(ordered) if sqlite else ordered


@cache
def select_among(table: Table, column: str, *, lock: bool, sqlite: bool) -> Select[Any]:
    """Select the rows whose `column` is among the keys, in key order, locked until the commit if `lock`."""
    statement = select(table).where(among(table.c[column], "keys", sqlite=sqlite)).order_by(*table.primary_key.columns)
    return statement.with_for_update() if lock else statement


@cache
def update_columns(table: Table, columns: tuple[str, ...]) -> Update:
    """Update `columns` of one row named by its primary key, whose parameters carry the prefix ``key_``."""
    keys = [column == bindparam(f"key_{column.name}", type_=column.type) for column in table.primary_key.columns]
    return update(table).where(*keys).values({name: bindparam(name, type_=table.c[name].type) for name in columns})


@cache
def delete_row(table: Table) -> Delete:
    """Delete one row named by its primary key, whose parameters carry the prefix ``key_``."""
    keys = [column == bindparam(f"key_{column.name}", type_=column.type) for column in table.primary_key.columns]
    return delete(table).where(*keys)
