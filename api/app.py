"""The application: routes put together and wrapped in the gate."""

from random import Random
from typing import Any

from litestar import Litestar

from api import chronicle, entities, system, transitions
from api.context import Context, authorise
from api.deliveries import deliveries
from api.destinations import destinations
from api.documentation import documentation
from api.effects import effects
from api.feed import feed
from api.gate import Gate, Limits
from api.inbox import inbox
from api.openapi import describe
from api.problems import handle
from api.router import Router
from api.timers import timers
from api.webhooks import webhooks
from statemachines.machine import Machine


def create_app(context: Context, random: Random, limits: Limits) -> Gate:
    """Return the ASGI application.

    Args:
        context: the parts of the service.
        random: for request ids.
        limits: what the gate lets through.
    """
    return Gate(_routes(context), context.keys, context.clock, random, limits)  # type: ignore[arg-type]


def _routes(context: Context) -> Litestar:
    def description() -> dict[str, Any]:
        return describe(application, context.registry)

    application = Litestar(
        route_handlers=[
            *(_machine_routes(context, machine) for machine in context.registry),
            system.machines(context),
            system.keys(context),
            webhooks(context),
            inbox(context),
            effects(context),
            timers(context),
            deliveries(context),
            feed(context),
            destinations(context),
            system.service(context),
            documentation(description),
        ],
        before_request=authorise,  # a guard would cost a copy of the route for each request
        exception_handlers={Exception: handle},
        logging_config=None,
        openapi_config=None,
        request_max_body_size=None,  # the gate has seen to it
    )
    return application


def _machine_routes(context: Context, machine: Machine) -> Router:
    handlers = [made for room in (transitions, entities, chronicle) for made in room.handlers(context, machine)]
    return Router(f"/{machine.plural}", route_handlers=handlers, tags=[machine.plural])
