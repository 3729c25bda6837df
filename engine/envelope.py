"""An event on its way to the dispatcher, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from statemachines.declaration import Actor, Event


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """Under which a request is answered once and replayed after that."""

    scope: str
    """Whose key it is: keys of different principals never meet."""
    key: str
    fingerprint: str
    """A digest of the request; the same key with another fingerprint is an error."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What entitles an event to report the outcome of an effect."""

    effect_id: str
    token: int | None
    """The hold of the runner that made the call; None if the other side told the end by itself, in a message."""


@dataclass(frozen=True, slots=True)
class DueTimer:
    """A timer that an event fires, as it was read when it was found due."""

    name: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """A row of the inbox that asks for the event; it counts as applied once the event is accepted."""

    seq: int


@dataclass(slots=True)
class Envelope:
    """An event with its address and its papers."""

    machine: str
    event: Event
    actor: Actor
    id: str | None = None
    """The entity's; None if the event creates it under a new name."""
    cause: str | None = None
    """What led to the event: a request, an effect, a timer, another event."""
    expected_version: int | None = None
    """Refuse with `Stale` if the entity has another version (If-Match)."""
    key: IdempotencyKey | None = None
    completes: Claim | None = None
    fires: DueTimer | None = None
    receives: Receipt | None = None
    event_id: str = ""
    """Given by the dispatcher; the same through every attempt to commit."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The event was accepted and is durable."""

    machine: str
    id: str
    event_id: str
    event: str
    source: str
    state: str
    version: int
    at: datetime
    entity: Mapping[str, Any]
    """The entity's columns after the transition."""
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """The event was refused and changed nothing."""

    machine: str
    id: str
    event: str
    state: str
    version: int
    guard: str | None
    reason: str
    allowed: tuple[str, ...]
    replayed: bool = False


Outcome = Committed | Rejected


class DispatchError(Exception):
    """An event that was neither accepted nor refused by its machine."""


class NotFound(DispatchError):
    """There is no such entity, or none that the actor may know of."""

    def __init__(self, machine: str, id: str) -> None:  # noqa: A002
        super().__init__(f"there is no {machine} '{id}'")
        self.machine, self.id = machine, id


class Forbidden(DispatchError):
    """The actor's role may not raise this event."""

    def __init__(self, event: str, role: str, raised_by: list[str]) -> None:
        who = " or ".join(raised_by) or "only the system"
        super().__init__(f"the role {role} may not raise '{event}'; it takes {who}")


class Stale(DispatchError):
    """The entity has another version than the caller expected."""

    def __init__(self, expected: int, version: int) -> None:
        super().__init__(f"version {expected} was expected, but the entity is at version {version}")
        self.version = version


class KeyReused(DispatchError):
    """The idempotency key was used before for another request."""

    def __init__(self) -> None:
        super().__init__("this idempotency key was used before for another request")


class KeyInFlight(DispatchError):
    """Another request under the same idempotency key is being worked on."""

    def __init__(self) -> None:
        super().__init__("another request under this idempotency key is being worked on")


class Unavailable(DispatchError):
    """The event was not applied; it may be sent again after `retry_after`."""

    def __init__(self, reason: str, retry_after: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Overloaded(Unavailable):
    """Too many events wait for their commit."""

    def __init__(self) -> None:
        super().__init__("too many events are waiting")


class OutcomeUnknown(Unavailable):
    """The database was lost at COMMIT and could not be asked; asking again under the same idempotency key is safe."""

    def __init__(self) -> None:
        super().__init__("the database was lost while committing; whether it committed is not known yet")


class Superseded(DispatchError):
    """A timer that is no longer set, an effect that was taken over or answered, a row of the inbox that is settled."""


class CascadeTooLong(DispatchError):
    """An event led to more further events than one transaction may hold."""


class DecisionFailed(DispatchError):
    """A guard or an action raised an exception, or the database refused what it asked for."""
