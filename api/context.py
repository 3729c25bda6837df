"""What the routes work with, and how they find out who asks and whether they may."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from litestar import Request

from api.keys import Keys
from api.problems import forbidden
from engine.clock import Clock
from engine.destinations import Destination
from engine.dispatcher import Dispatcher
from engine.inbox import Inbox
from engine.watchers import Watchers
from gateways.signatures import Scheme
from gateways.signing import SigningSecrets
from persistence.database import Database
from statemachines.declaration import Actor, Role
from statemachines.registry import Registry

HttpRequest = Request[Any, Any, Any]

HTTP_ROLES = tuple(role for role in Role if role is not Role.SYSTEM)
"""The roles that a key may have."""

STAFF = (Role.MERCHANT, Role.APPROVER, Role.ADMIN)
"""The roles that see what the service does by itself."""


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of the service that routes use."""

    database: Database
    dispatcher: Dispatcher
    registry: Registry
    clock: Clock
    watchers: Watchers
    keys: Keys
    inbox: Inbox
    webhooks: Mapping[str, Scheme]
    """What verifies messages, by who sends them."""
    signing_secrets: SigningSecrets
    """What messages to subscriptions are signed with."""
    destinations: Mapping[str, Destination]
    """What this process calls, by name."""
    does_work: bool
    """Whether this process does by itself what falls due, or leaves it to others."""
    require_idempotency_key: bool
    longest_wait: timedelta


def actor_of(request: HttpRequest) -> Actor:
    """Return who asks. The gate has let nobody else through."""
    return cast(Actor, request.scope["actor"])  # type: ignore[typeddict-item]


def open_to(roles: Iterable[Role]) -> dict[str, object]:
    """Return a route's options that let these roles in. A route without them is open to all, with or without a key."""
    return {"roles": tuple(role for role in HTTP_ROLES if role in set(roles))}


async def authorise(request: HttpRequest) -> None:
    """Let a request to a route pass if the route is open to the caller's role. Runs before the body is interpreted.

    Raises:
        ProblemError: it is not.
    """
    roles: tuple[Role, ...] | None = request.route_handler.opt.get("roles")
    if roles is None:
        return
    role = actor_of(request).role
    if role not in roles:
        raise forbidden(f"this takes {' or '.join(roles)}; your role is {role}")
