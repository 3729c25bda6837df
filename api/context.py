"""What the routes work with, and how they find out who asks."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from litestar import Request

from api.keys import Keys
from api.problems import forbidden
from engine.clock import Clock
from engine.dispatcher import Dispatcher
from engine.watchers import Watchers
from persistence.database import Database
from statemachines.declaration import Actor, Role
from statemachines.registry import Registry

HttpRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of the service that routes use."""

    database: Database
    dispatcher: Dispatcher
    registry: Registry
    clock: Clock
    watchers: Watchers
    keys: Keys
    require_idempotency_key: bool
    longest_wait: timedelta


def actor_of(request: HttpRequest) -> Actor:
    """Return who asks. The gate has let nobody else through."""
    return cast(Actor, request.scope["actor"])  # type: ignore[typeddict-item]


def require(request: HttpRequest, *roles: Role) -> Actor:
    """Return who asks, if it is one of `roles`.

    Raises:
        ProblemError: it is another.
    """
    actor = actor_of(request)
    if actor.role not in roles:
        raise forbidden(f"this takes {' or '.join(roles)}; your key is a {actor.role}'s")
    return actor
