"""What counts as the same where worlds are compared: rows that differ in versions and moments, or in texts, do."""

from collections.abc import Collection
from datetime import datetime

from pydantic import BaseModel
from sqlmodel import SQLModel

_PLAIN = frozenset({int, str, bool, type(None)})
"""Types whose values stand for themselves: most are, and asking `match` about each took half of the time."""


class Numbers:
    """Gives things numbers: the same to those that count as the same.

    Args:
        ignoring: columns of rows that make no difference.
    """

    def __init__(self, ignoring: Collection[str]) -> None:
        self._ignored = {"version", *ignoring}
        self._columns: dict[type, tuple[str, ...]] = {}
        self._known: dict[object, int] = {}

    def __call__(self, thing: object) -> int:
        """Return the number of a row, a value or several."""
        form = self._form_of_row(thing) if isinstance(thing, SQLModel) else self._form(thing)
        return self._known.setdefault(form, len(self._known))

    def _form_of_row(self, row: SQLModel) -> object:
        kind, values = type(row), vars(row)
        if kind not in self._columns:
            self._columns[kind] = tuple(name for name in values if name not in self._ignored)
        parts = [values[name] for name in self._columns[kind]]
        return kind, *(part if type(part) in _PLAIN else self._form(part) for part in parts)

    def _form(self, thing: object) -> object:
        match thing:
            case datetime():
                return datetime
            case BaseModel():
                return type(thing), *map(self._form, vars(thing).values())
            case list() | tuple():
                return tuple(map(self._form, thing))
            case dict():
                return tuple((name, self._form(value)) for name, value in sorted(thing.items()))
            case _:
                return thing
