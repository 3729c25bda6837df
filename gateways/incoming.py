"""What the outside world tells by itself: a message by webhook, and what it means to us.

A gateway that is told things declares a `Source`: for each kind of message a pure function that says what a message
means. It either is the answer to an effect, told by message instead of to our call, or asks for an event.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateways.port import Done, Refused
from statemachines.declaration import Event


@dataclass(frozen=True, slots=True)
class Reply:
    """How an effect ended.

    An effect has one end: if it is known already, a reply changes nothing. That it failed is believed only once our own
    calls are over, for these may be repeated and then succeed.
    """

    effect: str
    """Its id, which we gave the other side with the call."""
    answer: Done | Refused


@dataclass(frozen=True, slots=True)
class Known:
    """An entity by the other side's name for it."""

    column: str
    """Where the entity has that name: a column in which no value stands twice."""
    value: str


@dataclass(frozen=True, slots=True)
class Request:
    """Something happened that moves an entity on."""

    machine: str
    entity_id: str | Known | None
    """None if the event creates it."""
    event: Event


class Unroutable(Exception):
    """A message that means something, but not to whom; the text says why, for a person."""


Body = Mapping[str, Any]
Reading = Callable[[Body], Reply | Request | None]
"""Says what a message means; None if it says nothing that anyone acts on.

Raises `Unroutable`, or pydantic's `ValidationError` if the message is not as its source describes it.
"""


@dataclass(frozen=True, slots=True)
class Source:
    """Who sends messages, and what they mean."""

    kinds: Mapping[str, Reading]
    """What is made of messages by their ``type``; others are kept unread."""
    answers: str = ""
    """The destination whose effects its replies may answer; none by default."""
    hidden: frozenset[str] = frozenset()
    """Members of messages that are not kept, wherever they stand: what lets its holder act."""

    def without_secrets(self, value: Any) -> Any:
        """Return a message without what must not be kept."""
        if isinstance(value, dict):
            return {name: self.without_secrets(part) for name, part in value.items() if name not in self.hidden}
        return [self.without_secrets(part) for part in value] if isinstance(value, list) else value
