"""What a sandbox was asked to send, kept in memory to be looked at."""

from collections.abc import Iterator
from typing import Generic, TypeVar

LIMIT = 1000

T = TypeVar("T")


class Sent(Generic[T]):
    """The last thousand things, the newest at the end; what is sent twice under one key stands here once."""

    def __init__(self) -> None:
        self._things: dict[str, T] = {}

    def __iter__(self) -> Iterator[T]:
        return iter(self._things.values())

    def __len__(self) -> int:
        return len(self._things)

    def add(self, key: str, thing: T) -> None:
        """Keep a thing, and forget the oldest if there are too many."""
        self._things[key] = thing
        if len(self._things) > LIMIT:
            del self._things[next(iter(self._things))]
