"""The routes that tell what happened to an entity, what could happen now, and what will happen by itself."""

from types import SimpleNamespace
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from pydantic import AwareDatetime, BaseModel, Field

from api.answers import READING, problems
from api.context import Context, HttpRequest, actor_of, open_to
from api.effects import EffectState
from api.entities import DEFAULT_LIMIT, PAGING, Cursor, Limit, as_json, check_parameters, load, only
from api.timers import PendingTimer
from persistence import queries
from persistence.tables import hydrate
from statemachines.decision import Explanation, explain
from statemachines.declaration import Actor
from statemachines.machine import Machine


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
    payload: dict[str, Any] = Field(examples=[{"method": "tok_approve"}])
    at: AwareDatetime


class HistoryPage(BaseModel):
    """A page of history, oldest first."""

    items: list[HistoryEntry]
    next_cursor: str | None


class PossibleEvent(BaseModel):
    """Whether the caller could raise one event now."""

    event: str
    allowed: bool = Field(examples=[True])
    by: list[str] = Field(
        description="the roles that may raise it; empty if only the system does", examples=[["customer", "merchant"]]
    )
    targets: list[str] = Field(description="the states it may lead to", examples=[["paying"]])
    guard: str | None = Field(description="the guard that refuses it")
    reason: str | None = Field(description="why it is refused", examples=[None])
    depends_on_payload: list[str] = Field(
        description="guards that can be answered only with the payload at hand", examples=[[]]
    )


class PossibleEvents(BaseModel):
    """What could happen to an entity now."""

    state: str = Field(examples=["pending"])
    version: int
    events: list[PossibleEvent]


class Child(BaseModel):
    """Where an entity stands that belongs to another, as a payment belongs to its order."""

    machine: str = Field(examples=["payment"])
    id: str
    state: str = Field(examples=["captured"])
    version: int
    created_at: AwareDatetime
    state_since: AwareDatetime


def handlers(context: Context, machine: Machine) -> list[HTTPRouteHandler]:
    """Return the routes that tell of a machine's entities."""
    makes = [_history, _events, _timers, _effects]
    if queries.child_machines(context.registry, machine):
        makes.append(_children)
    return [make(context, machine) for make in makes]


def _history(context: Context, machine: Machine) -> HTTPRouteHandler:
    async def handler(
        request: HttpRequest, entity_id: FromPath[str], limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
    ) -> Response[HistoryPage]:
        check_parameters(request, PAGING)
        await load(context, machine, request, entity_id)
        found = await context.database.read(
            lambda connection: queries.list_history(connection, machine, entity_id, limit, cursor)
        )
        return as_json({"items": [only(HistoryEntry, row) for row in found.rows], "next_cursor": found.next_cursor})

    return get(
        "/{entity_id:str}/history",
        operation_id=f"{machine.name}_history",
        name=f"{machine.name}_history",
        summary=f"What happened to one {machine.name}: who did what, when and why",
        response_description="A page of transitions, the oldest first.",
        responses=problems(READING),
        opt=open_to(machine.readers),
    )(handler)


def _events(context: Context, machine: Machine) -> HTTPRouteHandler:
    async def handler(request: HttpRequest, entity_id: FromPath[str]) -> Response[PossibleEvents]:
        check_parameters(request, frozenset())
        values = await load(context, machine, request, entity_id)
        actor, entity = actor_of(request), hydrate(machine.entity, values)
        loaded = await context.database.read(
            lambda connection: SimpleNamespace(**queries.load_for_explaining(connection, machine, entity))
        )
        events = [_possible(each, actor) for each in explain(machine, entity, context.clock.now(), loaded, actor)]
        events.sort(key=lambda event: not event["by"])  # what people may raise comes before what they only hear of
        return as_json({"state": entity.state, "version": entity.version, "events": events})

    return get(
        "/{entity_id:str}/events",
        operation_id=f"{machine.name}_events",
        name=f"{machine.name}_events",
        summary=f"What you could do to one {machine.name} now, and why not the rest",
        response_description="Every event that its state takes, and whether you may raise it; the system's come last.",
        responses=problems(READING),
        opt=open_to(machine.readers),
    )(handler)


def _possible(explanation: Explanation, actor: Actor) -> dict[str, object]:
    """Say whether the actor could raise an event: its role first, the guards after."""
    allowed, guard, reason = explanation.allowed, explanation.guard, explanation.reason
    if actor.role not in explanation.roles:
        takers = " or ".join(sorted(explanation.roles))
        allowed, guard = False, None
        reason = f"this takes {takers}; your role is {actor.role}" if takers else "only the system raises this"
    return {
        "event": explanation.event,
        "allowed": allowed,
        "by": sorted(explanation.roles),
        "targets": explanation.targets,
        "guard": guard,
        "reason": reason,
        "depends_on_payload": explanation.depends_on_payload,
    }


def _timers(context: Context, machine: Machine) -> HTTPRouteHandler:
    async def handler(request: HttpRequest, entity_id: FromPath[str]) -> Response[list[PendingTimer]]:
        check_parameters(request, frozenset())
        await load(context, machine, request, entity_id)
        rows = await context.database.read(lambda connection: queries.timers_of(connection, machine, entity_id))
        return as_json([only(PendingTimer, row) for row in rows])

    return get(
        "/{entity_id:str}/timers",
        operation_id=f"{machine.name}_timers",
        name=f"{machine.name}_timers",
        summary=f"What will happen to one {machine.name} by itself, and when",
        response_description="Its timers, the next due first.",
        responses=problems(READING),
        opt=open_to(machine.readers),
    )(handler)


def _effects(context: Context, machine: Machine) -> HTTPRouteHandler:
    async def handler(request: HttpRequest, entity_id: FromPath[str]) -> Response[list[EffectState]]:
        check_parameters(request, frozenset())
        await load(context, machine, request, entity_id)
        rows = await context.database.read(lambda connection: queries.effects_of(connection, machine, entity_id))
        return as_json([only(EffectState, row) for row in rows])

    return get(
        "/{entity_id:str}/effects",
        operation_id=f"{machine.name}_effects",
        name=f"{machine.name}_effects",
        summary=f"What one {machine.name} asked of the outside world, and how it stands",
        response_description="Its outbound calls, the oldest first.",
        responses=problems(READING),
        opt=open_to(machine.readers),
    )(handler)


def _children(context: Context, machine: Machine) -> HTTPRouteHandler:
    columns = queries.child_machines(context.registry, machine)

    async def handler(request: HttpRequest, entity_id: FromPath[str]) -> Response[list[Child]]:
        check_parameters(request, frozenset())
        await load(context, machine, request, entity_id)
        role = actor_of(request).role
        readable = {name: column for name, column in columns.items() if role in context.registry[name].readers}
        rows = await context.database.read(lambda connection: queries.children_of(connection, readable, entity_id))
        return as_json([only(Child, row) for row in rows])

    return get(
        "/{entity_id:str}/children",
        operation_id=f"{machine.name}_children",
        name=f"{machine.name}_children",
        summary=f"What belongs to one {machine.name}: {', '.join(columns)}",
        response_description="Where they stand, the oldest first.",
        responses=problems(READING),
        opt=open_to(machine.readers),
    )(handler)
