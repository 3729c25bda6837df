"""The application: routes put together, described, and wrapped in the gate."""

from pathlib import Path
from random import Random

import swagger_ui
from litestar import Litestar, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.static_files import create_static_files_router

from api import entities, system, transitions
from api.context import Context
from api.gate import Gate, Limits
from api.problems import handle
from statemachines.machine import Machine

DESCRIPTION = """
Orders, products and stock as explicit state machines. Every event of every machine has a route of its own, made from
the machine's declaration; `GET /machines` shows the machines themselves.

Send your key as `Authorization: Bearer ord_live_…`. Errors are problem details (RFC 9457). A POST may carry an
`Idempotency-Key`; an answer carries the entity's version as its `ETag`, which `If-Match` can ask for.
"""


def create_app(context: Context, random: Random, limits: Limits, *, multiprocess_metrics: bool = False) -> Gate:
    """Return the ASGI application.

    Args:
        context: the parts of the service.
        random: for request ids.
        limits: what the gate lets through.
        multiprocess_metrics: whether several processes share the figures.
    """
    assets = Path(swagger_ui.__file__).parent / "static"
    application = Litestar(
        route_handlers=[
            *(_machine_routes(context, machine) for machine in context.registry),
            system.machines(context),
            system.keys(context),
            system.service(context, multiprocess_metrics=multiprocess_metrics),
            create_static_files_router(
                path="/docs/assets",
                directories=[assets],
                include_in_schema=False,
                name="docs-assets",
            ),
        ],
        exception_handlers={Exception: handle},
        logging_config=None,
        openapi_config=_openapi(context),
    )
    return Gate(application, context.keys, context.clock, random, limits)  # type: ignore[arg-type]


def _machine_routes(context: Context, machine: Machine) -> Router:
    handlers = [*transitions.handlers(context, machine), *entities.handlers(context, machine)]
    return Router(f"/{machine.plural}", route_handlers=handlers)


def _openapi(context: Context) -> OpenAPIConfig:
    tags = [
        Tag(name=machine.plural, description=(machine.entity.__doc__ or "").strip()) for machine in context.registry
    ]
    return OpenAPIConfig(
        title="Orderly",
        version="0.1.0",
        description=DESCRIPTION.strip(),
        path="/docs",
        tags=[*tags, Tag(name="machines"), Tag(name="keys"), Tag(name="service")],
        components=Components(
            security_schemes={"key": SecurityScheme(type="http", scheme="bearer", description="ord_live_…")}
        ),
        security=[{"key": []}],
        render_plugins=[
            SwaggerRenderPlugin(
                path="/",
                js_url="/docs/assets/swagger-ui-bundle.js",
                css_url="/docs/assets/swagger-ui.css",
                favicon="<link rel='icon' href='/docs/assets/favicon-32x32.png'>",
                standalone_preset_js_url="/docs/assets/swagger-ui-standalone-preset.js",
            )
        ],
    )
