"""The routes about the service itself: machines, keys, health, metrics."""

from datetime import timedelta
from typing import Annotated, Any, Literal

import msgspec
import prometheus_client
from litestar import MediaType, Response, Router, delete, get, post
from litestar.params import Parameter
from prometheus_client import multiprocess
from prometheus_client.core import CollectorRegistry, GaugeMetricFamily
from prometheus_client.registry import Collector
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.context import Context, HttpRequest, actor_of, require
from api.keys import KEY_LIFETIME, TooManyKeys
from api.problems import ProblemError, not_found
from api.transitions import problems
from persistence import queue, schema
from statemachines.declaration import Role
from statemachines.diagram import diagram
from statemachines.export import export, xstate
from statemachines.machine import Machine
from statemachines.values import WholeNumber
from statemachines.verification import verify

ERRORS = {401: "A valid API key is needed.", 429: "Too many requests; see `Retry-After`."}


class MachineSummary(BaseModel):
    """A machine in a list."""

    name: str
    collection: str = Field(examples=["/orders"])
    states: list[str]
    events: list[str]
    description: str


class Health(BaseModel):
    """Whether the service works."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, str]


class KeyAsked(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid")

    principal: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$", examples=["ann"])
    role: Literal["customer", "merchant", "approver", "admin"]
    days: Annotated[int, WholeNumber, Field(ge=1, le=365)] = KEY_LIFETIME.days


class KeyMade(BaseModel):
    """A key that was just made; `key` is shown this once."""

    id: str
    key: str
    principal: str
    role: str
    expires_at: AwareDatetime | None


class KeyKept(BaseModel):
    """A key as it is kept: without its secret."""

    id: str
    principal: str
    role: str
    created_at: AwareDatetime
    created_by: str
    expires_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    revoked_by: str | None


def machines(context: Context) -> Router:
    """Return the routes that show the machines."""

    @get("/", operation_id="list_machines", summary="List the machines", responses=problems(ERRORS))
    async def list_machines() -> list[MachineSummary]:
        return [_summary(machine) for machine in context.registry]

    @get(
        "/{name:str}",
        operation_id="get_machine",
        summary="Show one machine: as JSON, as a Mermaid diagram, or as an XState v5 configuration",
        responses=problems({**ERRORS, 404: "There is no such machine.", 422: "There is no such format."}),
    )
    async def get_machine(
        name: str,
        form: Annotated[
            Literal["json", "mermaid", "xstate", "findings"],
            Parameter(query="format", description="how to show it; `findings` verifies it"),
        ] = "json",
    ) -> Response[dict[str, Any]]:
        if name not in context.registry:
            raise not_found(f"there is no machine '{name}'")
        machine = context.registry[name]
        if form == "mermaid":
            return Response(diagram(machine), media_type=MediaType.TEXT)  # type: ignore[arg-type]
        shown: object = export(machine)
        if form == "xstate":
            shown = xstate(machine)
        elif form == "findings":
            shown = {"findings": verify(machine)}
        return Response(msgspec.json.encode(shown), media_type=MediaType.JSON)  # type: ignore[arg-type]

    return Router("/machines", route_handlers=[list_machines, get_machine], tags=["machines"])


def _summary(machine: Machine) -> MachineSummary:
    return MachineSummary(
        name=machine.name,
        collection=f"/{machine.plural}",
        states=list(machine.states),
        events=list(machine.events),
        description=(machine.entity.__doc__ or "").strip(),
    )


def keys(context: Context) -> Router:
    """Return the routes by which an admin manages keys."""
    errors = problems({**ERRORS, 403: "This takes an admin."})

    @post("/", operation_id="create_key", summary="Make a key; it is shown this once", responses=errors)
    async def create_key(request: HttpRequest, data: KeyAsked) -> KeyMade:
        actor = require(request, Role.ADMIN)
        try:
            made = await context.keys.create(data.principal, Role(data.role), str(actor), timedelta(days=data.days))
        except TooManyKeys as error:
            raise ProblemError(409, "too-many-keys", "Too many active keys", str(error)) from error
        return KeyMade(
            id=made.id, key=made.text, principal=made.principal, role=made.role.value, expires_at=made.expires_at
        )

    @get("/", operation_id="list_keys", summary="List the newest keys", responses=errors)
    async def list_keys(request: HttpRequest) -> Response[list[KeyKept]]:
        require(request, Role.ADMIN)
        rows: Any = await context.keys.list_keys()
        return Response(rows)

    @delete(
        "/{key_id:str}",
        operation_id="revoke_key",
        summary="Revoke a key; it stops working within seconds",
        status_code=204,
        responses=problems({**ERRORS, 403: "This takes an admin.", 404: "There is no such active key."}),
    )
    async def revoke_key(request: HttpRequest, key_id: str) -> None:
        actor = require(request, Role.ADMIN)
        if not await context.keys.revoke(key_id, str(actor)):
            raise not_found(f"there is no active key '{key_id}'")

    return Router("/keys", route_handlers=[create_key, list_keys, revoke_key], tags=["keys"])


class _Due(Collector):
    """Counts of what waits, read when the metrics are asked for."""

    def __init__(self, waiting: int, due: dict[str, int]) -> None:
        self._waiting = waiting
        self._due = due

    def collect(self) -> list[GaugeMetricFamily]:
        """Return the gauges."""
        return [
            GaugeMetricFamily("orderly_queue_depth", "Events that wait for a batch.", self._waiting),
            GaugeMetricFamily("orderly_effects_due", "Effects that are due.", self._due["effects"]),
            GaugeMetricFamily("orderly_timers_due", "Timers that are due.", self._due["timers"]),
        ]


def service(context: Context, *, multiprocess_metrics: bool) -> Router:
    """Return the routes about health and figures."""

    @get("/health/live", operation_id="live", summary="Whether the process runs")
    async def live() -> Health:
        return Health(status="ok", checks={})

    @get(
        "/health/ready",
        operation_id="ready",
        summary="Whether the service can take orders",
        responses=problems({503: "It can't."}),
    )
    async def ready() -> Health:
        try:
            revision = await context.database.read(schema.current)
        except Exception as error:
            raise ProblemError(503, "unavailable", "The database is not available", type(error).__name__) from error
        if revision != schema.newest():
            raise ProblemError(503, "unavailable", "The database is not up to date", "run `orderly migrate`")
        return Health(status="ok", checks={"database": "ok", "schema": str(revision)})

    @get(
        "/metrics",
        operation_id="metrics",
        summary="Figures for Prometheus",
        media_type=MediaType.TEXT,
        responses=problems({**ERRORS, 403: "This takes an admin or a merchant."}),
    )
    async def metrics(request: HttpRequest) -> Response[str]:
        require(request, Role.ADMIN, Role.MERCHANT)
        now = context.clock.now()
        due = await context.database.read(lambda connection: queue.counts_due(connection, now))
        registry: CollectorRegistry = prometheus_client.REGISTRY
        if multiprocess_metrics:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        gauges = CollectorRegistry()
        gauges.register(_Due(context.dispatcher.waiting, due))
        text = prometheus_client.generate_latest(registry) + prometheus_client.generate_latest(gauges)
        return Response(text.decode(), media_type=prometheus_client.CONTENT_TYPE_LATEST)

    @get("/whoami", operation_id="whoami", summary="Who you are to the service", responses=problems(ERRORS))
    async def whoami(request: HttpRequest) -> dict[str, str]:
        actor = actor_of(request)
        return {"principal": actor.id, "role": actor.role.value}

    return Router("/", route_handlers=[live, ready, metrics, whoami], tags=["service"])
