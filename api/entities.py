"""The routes that look at entities, made from the declarations: lists, one entity, its history and what it could do."""

from collections.abc import Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from pydantic import AwareDatetime, BaseModel, Field, create_model

from api.context import Context, HttpRequest, actor_of
from api.problems import ProblemError, forbidden, malformed, not_found
from api.transitions import problems
from persistence import queries
from persistence.tables import hydrate
from statemachines.decision import explain
from statemachines.declaration import Actor, Entity, Role
from statemachines.machine import Machine

DEFAULT_LIMIT = 50

Limit = Annotated[int, Parameter(ge=1, le=queries.PAGE_LIMIT, description="how many rows a page has")]
Cursor = Annotated[str | None, Parameter(description="`next_cursor` of the page before")]

READING = problems(
    {
        400: "The request can't be read.",
        401: "A valid API key is needed.",
        403: "Your role may not look at this.",
        404: "There is no such thing, or it is not yours.",
        422: "A parameter can't be accepted.",
        429: "Too many requests; see `Retry-After`.",
    }
)


class HistoryEntry(BaseModel):
    """One committed transition."""

    event_id: str
    version: int
    event: str
    source: str
    target: str
    actor: str = Field(examples=["merchant:shop"])
    cause: str | None = Field(description="the request, effect, timer or event that led to it")
    reason: str | None
    payload: dict[str, Any]
    at: AwareDatetime


class HistoryPage(BaseModel):
    """A page of history, oldest first."""

    items: list[HistoryEntry]
    next_cursor: str | None


class PossibleEvent(BaseModel):
    """Whether one event could happen now."""

    event: str
    allowed: bool
    by: list[str] = Field(description="the roles that may raise it; empty if only the system does")
    targets: list[str] = Field(description="the states it may lead to")
    guard: str | None = Field(description="the guard that refuses it")
    reason: str | None = Field(description="why it is refused")
    depends_on_payload: list[str] = Field(description="guards that can be answered only with the payload at hand")


class PossibleEvents(BaseModel):
    """What could happen to an entity now."""

    state: str
    version: int
    events: list[PossibleEvent]


class PendingTimer(BaseModel):
    """An event that will be raised by itself."""

    name: str
    event: str
    due_at: AwareDatetime


class EffectState(BaseModel):
    """An outbound call that the entity asked for, and how it stands."""

    id: str
    name: str
    status: str
    attempts: int
    due_at: AwareDatetime
    outcome: dict[str, Any] | None
    error: str | None
    cause: str
    created_at: AwareDatetime
    finished_at: AwareDatetime | None


def handlers(context: Context, machine: Machine) -> list[HTTPRouteHandler]:
    """Return the routes that look at a machine's entities."""
    made_by = (_list, _one, _counts, _history, _events, _timers, _effects)
    return [make(context, machine) for make in made_by]


def _json(value: object, headers: Mapping[str, str] | None = None) -> Response[Any]:
    return Response(msgspec.json.encode(value), headers=dict(headers or {}), media_type="application/json")


def _reader(machine: Machine, request: HttpRequest) -> Actor:
    actor = actor_of(request)
    if actor.role not in machine.readers:
        raise forbidden(f"a {actor.role} may not look at {machine.plural}")
    return actor


async def _load(context: Context, machine: Machine, request: HttpRequest, entity_id: str) -> dict[str, Any]:
    """Return an entity's columns.

    Raises:
        ProblemError: there is none, or it is another customer's.
    """
    actor = _reader(machine, request)
    values = await context.database.read(lambda connection: queries.get_entity(connection, machine, entity_id))
    if values is None or not machine.shows(hydrate(machine.entity, values), actor):
        raise not_found(f"there is no {machine.name} '{entity_id}'")
    return values


def _list(context: Context, machine: Machine) -> HTTPRouteHandler:
    page = create_model(
        f"{machine.entity.__name__}Page",
        __doc__=f"A page of {machine.plural}.",
        items=(list[machine.entity], ...),
        next_cursor=(str | None, None),
    )

    async def handler(
        request: HttpRequest,
        in_state: Annotated[
            str | None, Parameter(query="state", description="only those in this state, the longest there first")
        ] = None,
        customer: Annotated[str | None, Parameter(description="only those of this customer")] = None,
        q: Annotated[
            str | None,
            Parameter(min_length=2, max_length=100, description="what the id, reference or name begins with"),
        ] = None,
        created_after: Annotated[datetime | None, Parameter(description="with offset, for example `Z`")] = None,
        created_before: Annotated[datetime | None, Parameter(description="with offset, for example `Z`")] = None,
        in_state_since: Annotated[
            datetime | None, Parameter(description="only those in their state since before then; needs `state`")
        ] = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Response[Any]:
        actor = _reader(machine, request)
        owner = customer
        if machine.entity.owner_column is None and customer is not None:
            raise malformed(f"{machine.plural} belong to the shop; there is no 'customer' to filter by")
        if in_state is not None and in_state not in machine.states:
            raise ProblemError(
                422,
                "invalid",
                "The request can't be accepted",
                f"there is no state '{in_state}'; there are {', '.join(machine.states)}",
                errors=[{"field": "state", "reason": f"one of {', '.join(machine.states)}"}],
            )
        if in_state_since is not None and in_state is None:
            raise malformed("'in_state_since' needs 'state'")
        if actor.role is Role.CUSTOMER and machine.entity.owner_column is not None:
            owner = actor.id
        for moment in (created_after, created_before, in_state_since):
            if moment is not None and moment.tzinfo is None:
                raise malformed("a moment needs its offset from UTC, for example 2026-01-31T12:00:00Z")
        wanted = queries.Filter(in_state, owner, q, created_after, created_before, in_state_since)
        found = await context.database.read(
            lambda connection: queries.list_entities(connection, machine, wanted, limit, cursor)
        )
        return _json({"items": found.rows, "next_cursor": found.next_cursor})

    handler.__annotations__["return"] = Response[page]  # type: ignore[valid-type]
    return get(
        "/",
        operation_id=f"list_{machine.plural}",
        name=f"list_{machine.plural}",
        summary=f"List {machine.plural}",
        tags=[machine.plural],
        responses=READING,
    )(handler)


def _one(context: Context, machine: Machine) -> HTTPRouteHandler:
    details: dict[str, Any] = {
        load.name: (list[load.row], ...)  # type: ignore[name-defined]
        for load in machine.loads.values()
        if not issubclass(load.row, Entity)
    }
    model: Any = machine.entity
    if details:
        name = f"{machine.entity.__name__}WithDetails"
        model = create_model(name, __base__=machine.entity, __doc__=machine.entity.__doc__, **details)

    async def handler(request: HttpRequest, entity_id: str) -> Response[Any]:
        values = await _load(context, machine, request, entity_id)
        if details:
            values |= await context.database.read(
                lambda connection: queries.get_details(connection, machine, entity_id)
            )
        return _json(values, {"ETag": f'"v{values["version"]}"'})

    handler.__annotations__["return"] = Response[model]
    return get(
        "/{entity_id:str}",
        operation_id=f"get_{machine.name}",
        name=f"get_{machine.name}",
        summary=f"Get one {machine.name}",
        tags=[machine.plural],
        responses=READING,
    )(handler)


def _counts(context: Context, machine: Machine) -> HTTPRouteHandler:
    async def handler(request: HttpRequest) -> Response[dict[str, int]]:
        actor = _reader(machine, request)
        owner = actor.id if actor.role is Role.CUSTOMER and machine.entity.owner_column else None
        counts = await context.database.read(lambda connection: queries.count_states(connection, machine, owner))
        return _json({state: counts.get(state, 0) for state in machine.states})

    return get(
        "/counts",
        operation_id=f"count_{machine.plural}",
        name=f"count_{machine.plural}",
        summary=f"Count {machine.plural} by state",
        tags=[machine.plural],
        responses=READING,
    )(handler)


def _history(context: Context, machine: Machine) -> HTTPRouteHandler:
    async def handler(
        request: HttpRequest, entity_id: str, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
    ) -> Response[HistoryPage]:
        await _load(context, machine, request, entity_id)
        found = await context.database.read(
            lambda connection: queries.list_history(connection, machine, entity_id, limit, cursor)
        )
        items = [{name: row[name] for name in HistoryEntry.model_fields} for row in found.rows]
        return _json({"items": items, "next_cursor": found.next_cursor})

    return get(
        "/{entity_id:str}/history",
        operation_id=f"{machine.name}_history",
        name=f"{machine.name}_history",
        summary=f"What happened to one {machine.name}: who did what, when and why",
        tags=[machine.plural],
        responses=READING,
    )(handler)


def _events(context: Context, machine: Machine) -> HTTPRouteHandler:
    async def handler(request: HttpRequest, entity_id: str) -> Response[PossibleEvents]:
        values = await _load(context, machine, request, entity_id)
        actor, entity = actor_of(request), hydrate(machine.entity, values)
        loaded = await context.database.read(
            lambda connection: SimpleNamespace(**queries.load_for_explaining(connection, machine, entity))
        )
        events = [_possible(each, actor) for each in explain(machine, entity, context.clock.now(), loaded, actor)]
        return _json({"state": entity.state, "version": entity.version, "events": events})

    return get(
        "/{entity_id:str}/events",
        operation_id=f"{machine.name}_events",
        name=f"{machine.name}_events",
        summary=f"What could happen to one {machine.name} now, and why not the rest",
        tags=[machine.plural],
        responses=READING,
    )(handler)


def _possible(explanation: Any, actor: Actor) -> dict[str, Any]:
    allowed, reason = explanation.allowed, explanation.reason
    if actor.role not in explanation.roles:
        allowed = False
        reason = reason or f"takes {' or '.join(sorted(explanation.roles)) or 'the system'}"
    return {
        "event": explanation.event,
        "allowed": allowed,
        "by": sorted(explanation.roles),
        "targets": explanation.targets,
        "guard": explanation.guard,
        "reason": reason,
        "depends_on_payload": explanation.depends_on_payload,
    }


def _timers(context: Context, machine: Machine) -> HTTPRouteHandler:
    async def handler(request: HttpRequest, entity_id: str) -> Response[list[PendingTimer]]:
        await _load(context, machine, request, entity_id)
        rows = await context.database.read(lambda connection: queries.timers_of(connection, machine, entity_id))
        return _json([{name: row[name] for name in PendingTimer.model_fields} for row in rows])

    return get(
        "/{entity_id:str}/timers",
        operation_id=f"{machine.name}_timers",
        name=f"{machine.name}_timers",
        summary=f"What will happen to one {machine.name} by itself, and when",
        tags=[machine.plural],
        responses=READING,
    )(handler)


def _effects(context: Context, machine: Machine) -> HTTPRouteHandler:
    async def handler(request: HttpRequest, entity_id: str) -> Response[list[EffectState]]:
        await _load(context, machine, request, entity_id)
        rows = await context.database.read(lambda connection: queries.effects_of(connection, machine, entity_id))
        return _json([{name: row[name] for name in EffectState.model_fields} for row in rows])

    return get(
        "/{entity_id:str}/effects",
        operation_id=f"{machine.name}_effects",
        name=f"{machine.name}_effects",
        summary=f"What one {machine.name} asked of the outside world, and how it stands",
        tags=[machine.plural],
        responses=READING,
    )(handler)
