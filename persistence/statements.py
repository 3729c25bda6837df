"""SQL built once and kept: set-based statements whose text does not depend on how many rows they touch."""

import json
from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    Select,
    String,
    Table,
    any_,
    bindparam,
    cast,
    func,
    select,
)

K = TypeVar("K", str, int)


def among(column: Column[Any], keys: str, *, sqlite: bool) -> ColumnElement[bool]:
    """Return the condition that `column` is one of the keys bound to the parameter `keys` (see `as_keys`)."""
    if sqlite:
        return column.in_(select(func.json_each(bindparam(keys, type_=String())).table_valued("value").c.value))
    listed = ARRAY(BigInteger if isinstance(column.type, Integer) else String)
    return column == any_(cast(bindparam(keys, type_=listed), listed))


def as_keys(keys: Iterable[K], *, sqlite: bool) -> Any:
    """Return the value to bind for `among`."""
    ordered = sorted(keys)
    return json.dumps(ordered) if sqlite else ordered


@cache
def select_among(table: Table, column: str, *, lock: bool, sqlite: bool) -> Select[Any]:
    """Select the rows whose `column` is among the keys, in key order, locked until the commit if `lock`."""
    statement = select(table).where(among(table.c[column], "keys", sqlite=sqlite)).order_by(*table.primary_key.columns)
    return statement.with_for_update() if lock else statement


@cache
def columns_among(table: Table, columns: tuple[str, ...], *, sqlite: bool) -> Select[Any]:
    """Select some columns of the rows whose id is among the keys."""
    return select(*(table.c[name] for name in columns)).where(among(table.c.id, "keys", sqlite=sqlite))
