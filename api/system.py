"""The routes about the service itself: machines, keys, health, metrics."""

import inspect
import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
import prometheus_client
import structlog
from litestar import MediaType, Response, delete, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from prometheus_client import multiprocess
from prometheus_client.core import CollectorRegistry, GaugeMetricFamily
from prometheus_client.registry import Collector
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError

from api.answers import EVERYWHERE, WITH_BODY, problems
from api.context import HTTP_ROLES, Context, HttpRequest, actor_of, open_to
from api.keys import KEY_LIFETIME, TooManyKeys
from api.problems import invalid_parameter, not_found, of_dispatch_error, too_many_keys
from api.router import Router
from engine.envelope import Unavailable
from persistence import health, queue, schema
from statemachines.declaration import Role
from statemachines.diagram import diagram
from statemachines.export import export, xstate
from statemachines.machine import Machine
from statemachines.values import WholeNumber
from statemachines.verification import verify

log = structlog.get_logger("orderly.api")

METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
"""Names the directory in which several processes add up their figures; the library reads it, too."""

MERMAID = "text/vnd.mermaid"
XSTATE = "application/vnd.xstate+json"

Form = Literal["json", "mermaid", "xstate", "findings"]


class MachineSummary(BaseModel):
    """A machine in a list."""

    name: str = Field(examples=["order"])
    collection: str = Field(examples=["/orders"])
    states: list[str] = Field(examples=[["draft", "pending"]])
    events: list[str] = Field(examples=[["create", "submit"]])
    description: str


class Health(BaseModel):
    """Whether the service works."""

    status: Literal["ok"]
    checks: dict[str, str] = Field(examples=[{"database": "ok", "schema": "0002"}])


class Caller(BaseModel):
    """Who asks."""

    principal: str
    role: str = Field(examples=["customer"])


class KeyAsked(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid")

    principal: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$", examples=["ann"])
    role: Literal["customer", "merchant", "approver", "admin"]
    days: Annotated[int, WholeNumber, Field(ge=1, le=365)] = KEY_LIFETIME.days


class KeyMade(BaseModel):
    """A key that was just made; `key` is shown this once."""

    id: str = Field(examples=["4kT0mXq7Zb1c"])
    key: str = Field(examples=["ord_live_4kT0mXq7Zb1c_…"])
    principal: str
    role: str = Field(examples=["customer"])
    expires_at: AwareDatetime | None


class KeyKept(BaseModel):
    """A key as it is kept: without its secret."""

    id: str = Field(examples=["4kT0mXq7Zb1c"])
    principal: str
    role: str = Field(examples=["customer"])
    created_at: AwareDatetime
    created_by: str
    expires_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    revoked_by: str | None


def machines(context: Context) -> Router:
    """Return the routes that show the machines."""

    @get("/", operation_id="list_machines", summary="List the machines", responses=problems(EVERYWHERE))
    async def list_machines() -> list[MachineSummary]:
        return [_summary(machine) for machine in context.registry]

    @get(
        "/{name:str}",
        operation_id="get_machine",
        summary="Show one machine: as JSON, as a Mermaid diagram, or as an XState v5 configuration",
        description=f"Without `format` the `Accept` header chooses: `{MERMAID}` or `text/plain` for Mermaid, "
        f"`{XSTATE}` for XState, anything else for JSON.",
        response_description="The machine's declaration, in the form that was asked for.",
        responses=problems({**EVERYWHERE, 404: "There is no such machine.", 422: "There is no such format."}),
        opt={"other_media_types": ["text/plain", MERMAID]},
    )
    async def get_machine(
        request: HttpRequest,
        name: FromPath[str],
        format: Annotated[  # noqa: A002
            Form | None, QueryParameter(description="how to show it; `findings` verifies it")
        ] = None,
    ) -> Response[dict[str, Any]]:
        if format is None and "format" in request.query_params:  # to the framework "null" would be none at all
            raise invalid_parameter("format", f"one of {', '.join(get_args(Form))}")
        if name not in context.registry:
            raise not_found(f"there is no machine '{name}'")
        return _shown(context.registry[name], format, request)

    routes = [list_machines, get_machine]
    return Router("/machines", route_handlers=routes, tags=["machines"], opt=open_to(HTTP_ROLES))


def _shown(machine: Machine, form: Form | None, request: HttpRequest) -> Response[Any]:
    media_type = {"mermaid": "text/plain", None: _accepted(request)}.get(form, "application/json")
    if form == "mermaid" or media_type in ("text/plain", MERMAID):
        return Response(diagram(machine), media_type=media_type)
    shown: object = export(machine)
    if form == "xstate" or media_type == XSTATE:
        shown = xstate(machine)
    elif form == "findings":
        shown = {"findings": verify(machine)}
    return Response(msgspec.json.encode(shown), media_type=media_type)


def _accepted(request: HttpRequest) -> str:
    offered = ["application/json", XSTATE, MERMAID, "text/plain"]
    return request.accept.best_match(offered, default="application/json") or "application/json"


def _summary(machine: Machine) -> MachineSummary:
    return MachineSummary(
        name=machine.name,
        collection=f"/{machine.plural}",
        states=list(machine.states),
        events=list(machine.events),
        description=inspect.getdoc(machine.entity) or "",
    )


def keys(context: Context) -> Router:
    """Return the routes by which an admin manages keys."""

    @post(
        "/",
        operation_id="create_key",
        summary="Make a key; it is shown this once",
        response_description="The key. Keep it now: it is not shown again.",
        responses=problems(
            {**EVERYWHERE, **WITH_BODY, 409: "The principal has as many active keys as it may have."},
            {409: too_many_keys("'ann' has 2 active keys; revoke one first")},
        ),
    )
    async def create_key(request: HttpRequest, data: JSONBody[KeyAsked | None] = None) -> KeyMade:
        asked = KeyAsked.model_validate({}) if data is None else data
        by, lifetime = str(actor_of(request)), timedelta(days=asked.days)
        try:
            made = await context.keys.create(asked.principal, Role(asked.role), by, lifetime)
        except TooManyKeys as error:
            raise too_many_keys(str(error)) from error
        return KeyMade(
            id=made.id, key=made.text, principal=made.principal, role=made.role.value, expires_at=made.expires_at
        )

    @get(
        "/",
        operation_id="list_keys",
        summary="List the newest keys",
        response_description="The keys, without their secrets.",
        responses=problems(EVERYWHERE),
    )
    async def list_keys() -> Response[list[KeyKept]]:
        rows: Any = await context.keys.list_keys()
        return Response(rows)

    @delete(
        "/{key_id:str}",
        operation_id="revoke_key",
        summary="Revoke a key; it stops working within five seconds",
        response_description="It is revoked.",
        status_code=204,
        responses=problems({**EVERYWHERE, **WITH_BODY, 404: "There is no such active key."}),
    )
    async def revoke_key(request: HttpRequest, key_id: FromPath[str]) -> None:
        if not await context.keys.revoke(key_id, str(actor_of(request))):
            raise not_found(f"there is no active key '{key_id}'")

    routes = [create_key, list_keys, revoke_key]
    return Router("/keys", route_handlers=routes, tags=["keys"], opt=open_to([Role.ADMIN]))


class _Due(Collector):
    """Counts of what waits, read when the metrics are asked for."""

    def __init__(self, waiting: int, due: dict[str, int], parked: int) -> None:
        self._waiting = waiting
        self._due = due
        self._parked = parked

    def collect(self) -> list[GaugeMetricFamily]:
        """Return the gauges."""
        return [
            GaugeMetricFamily("orderly_queue_depth", "Events that wait for a batch.", self._waiting),
            GaugeMetricFamily("orderly_effects_due", "Effects that are due.", self._due["effects"]),
            GaugeMetricFamily("orderly_timers_due", "Timers that are due.", self._due["timers"]),
            GaugeMetricFamily("orderly_effects_parked", "Effects that wait for a person.", self._parked),
        ]


def _forget_the_dead(directory: Path) -> None:
    """Forget the gauges of processes that have died; what they counted stays."""
    for process in {file.stem.rpartition("_")[2] for file in directory.glob("gauge_live*.db")}:
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            multiprocess.mark_process_dead(process)  # type: ignore[no-untyped-call]
        except PermissionError:
            continue


def service(context: Context) -> Router:
    """Return the routes about health and figures."""

    @get(
        "/health/live",
        operation_id="live",
        summary="Whether the process runs",
        responses=problems({400: EVERYWHERE[400]}),
    )
    async def live() -> Health:
        return Health(status="ok", checks={})

    @get(
        "/health/ready",
        operation_id="ready",
        summary="Whether the service can take orders",
        responses=problems({400: EVERYWHERE[400], 503: "It can't; see `Retry-After`."}),
    )
    async def ready() -> Health:
        try:
            revision = await context.database.read(schema.current)
        except (SQLAlchemyError, OSError) as error:
            log.error("database_unavailable", error=type(error).__name__)
            raise of_dispatch_error(Unavailable("the database is not available")) from error
        if revision != schema.newest():
            raise of_dispatch_error(Unavailable("the database is not up to date: run `orderly migrate`"))
        return Health(status="ok", checks={"database": "ok", "schema": str(revision)})

    @get(
        "/metrics",
        operation_id="metrics",
        summary="Figures for Prometheus",
        media_type=MediaType.TEXT,
        responses=problems(EVERYWHERE),
        opt=open_to([Role.ADMIN, Role.MERCHANT]),
    )
    async def metrics() -> Response[str]:
        now = context.clock.now()
        due, parked = await context.database.read(lambda c: (queue.counts_due(c, now), health.parked_effects(c)))
        registry: CollectorRegistry = prometheus_client.REGISTRY
        if directory := os.environ.get(METRICS_DIRECTORY):
            _forget_the_dead(Path(directory))
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        gauges = CollectorRegistry()
        gauges.register(_Due(context.dispatcher.waiting, due, parked))
        text = prometheus_client.generate_latest(registry) + prometheus_client.generate_latest(gauges)
        media_type = prometheus_client.CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")
        return Response(text.decode(), media_type=media_type)

    @get(
        "/whoami",
        operation_id="whoami",
        summary="Who you are to the service",
        responses=problems(EVERYWHERE),
        opt=open_to(HTTP_ROLES),
    )
    async def whoami(request: HttpRequest) -> Caller:
        actor = actor_of(request)
        return Caller(principal=actor.id, role=actor.role.value)

    return Router("/", route_handlers=[live, ready, metrics, whoami], tags=["service"])
