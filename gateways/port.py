"""What a gateway is to the engine: a coroutine that makes one attempt at an effect."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at an effect."""

    key: str
    """The effect's id: the idempotency key towards the other side, the same on every attempt."""
    arguments: BaseModel
    number: int
    """Counts from 1."""
    timeout: timedelta
    """How long the gateway may take; it keeps to this by its own means, and is never cancelled from outside."""
    age: timedelta = timedelta()
    """How long ago the effect was asked for: the other side may have forgotten the key since."""


@dataclass(frozen=True, slots=True)
class Done:
    """The other side did it; the values fill the effect's `ok` event."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """The other side will not do it, now or ever; the values fill the effect's `failed` event."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ActionRequired:
    """The customer has to do something first; the values fill the effect's `action` event, a webhook tells the end."""

    values: Mapping[str, Any]


class NoAnswer(Exception):
    """Whether the other side did it is not known, or it could not be reached; the same attempt may be made again."""

    def __init__(self, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


Answer = Done | Refused | ActionRequired
Handler = Callable[[Attempt], Awaitable[Answer]]
Handlers = Mapping[str, Handler]
