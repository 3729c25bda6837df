"""The routes by which people see what will happen by itself, across all machines, and step in on it."""

from typing import Annotated

from litestar import Response, get
from litestar.params import FromPath, JSONBody, QueryParameter
from pydantic import AwareDatetime, BaseModel, Field

from api.answers import problems
from api.context import STAFF, Context, HttpRequest, open_to
from api.entities import DEFAULT_LIMIT, PAGING, Cursor, Limit, Moment, as_json, check_parameters, only, utc
from api.interventions import LISTING, Reason, intervention, whose
from api.problems import not_found
from api.raising import IdempotencyKeyHeader, headers_of, raise_event
from api.router import Router
from engine.interventions import CancelTimer, FireTimer, PostponeTimer, TimerIntervention
from persistence import queries, waiting
from statemachines import values


class PendingTimer(BaseModel):
    """An event that will be raised by itself."""

    name: str = Field(examples=["expire"])
    event: str = Field(examples=["expire"])
    due_at: AwareDatetime


class TimerEntry(PendingTimer):
    """An event that will be raised by itself, and on what."""

    machine: str = Field(examples=["order"])
    entity_id: str = Field(examples=["ord_01jd4k0v3xe9h8m2q5t7w9y1z3"])
    fired: int = Field(description="of a reminder: how often it has fired already")
    cause: str = Field(examples=["evt_01jd4k0v3xe9h8m2q5t7w9y1z3"], description="the transition that set it")


class TimerPage(BaseModel):
    """A page of timers."""

    items: list[TimerEntry]
    next_cursor: str | None


class Postponement(Reason):
    """To when a timer is moved, and why."""

    until: values.Moment


def timers(context: Context) -> Router:
    """Return the routes of timers."""

    @get(
        "/",
        operation_id="list_timers",
        summary="List the timers of all machines, the next due first",
        response_description="A page of timers; `next_cursor` leads to the next, if there is one.",
        responses=problems(LISTING),
        opt=open_to(STAFF),
    )
    async def list_timers(
        request: HttpRequest,
        machine: Annotated[str | None, QueryParameter(description="as `order`; needs `entity`", max_length=200)] = None,
        entity: Annotated[str | None, QueryParameter(description="its id; needs `machine`", max_length=200)] = None,
        due_before: Moment = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Response[TimerPage]:
        check_parameters(request, PAGING | {"machine", "entity", "due_before"})
        asked, before = whose(context, request, machine, entity), utc("due_before", due_before)
        found = await context.database.read(lambda c: waiting.list_timers(c, asked, before, limit, cursor))
        return as_json({"items": [only(TimerEntry, row) for row in found.rows], "next_cursor": found.next_cursor})

    @intervention("/{machine:str}/{entity_id:str}/{name:str}/fire", FireTimer, "there is no timer 'expire'")
    async def fire_timer(
        request: HttpRequest,
        machine: FromPath[str],
        entity_id: FromPath[str],
        name: FromPath[str],
        data: JSONBody[Reason | None] = None,
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[list[PendingTimer]]:
        asked = Reason.model_validate({}) if data is None else data
        event = FireTimer(timer=name, reason=asked.reason)
        return await _step_in(context, request, machine, entity_id, event, idempotency_key)

    @intervention(
        "/{machine:str}/{entity_id:str}/{name:str}/postpone",
        PostponeTimer,
        "a timer can only be moved to a time to come",
    )
    async def postpone_timer(
        request: HttpRequest,
        machine: FromPath[str],
        entity_id: FromPath[str],
        name: FromPath[str],
        data: JSONBody[Postponement | None] = None,
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[list[PendingTimer]]:
        asked = Postponement.model_validate({}) if data is None else data
        event = PostponeTimer(timer=name, reason=asked.reason, until=asked.until)
        return await _step_in(context, request, machine, entity_id, event, idempotency_key)

    @intervention("/{machine:str}/{entity_id:str}/{name:str}/cancel", CancelTimer, "there is no timer 'expire'")
    async def cancel_timer(
        request: HttpRequest,
        machine: FromPath[str],
        entity_id: FromPath[str],
        name: FromPath[str],
        data: JSONBody[Reason | None] = None,
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[list[PendingTimer]]:
        asked = Reason.model_validate({}) if data is None else data
        event = CancelTimer(timer=name, reason=asked.reason)
        return await _step_in(context, request, machine, entity_id, event, idempotency_key)

    return Router("/timers", route_handlers=[list_timers, fire_timer, postpone_timer, cancel_timer], tags=["timers"])


async def _step_in(
    context: Context,
    request: HttpRequest,
    name: str,
    entity_id: str,
    event: TimerIntervention,
    idempotency_key: str | None,
) -> Response[list[PendingTimer]]:
    """Raise an intervention on the entity whose timer it is about, and answer with the entity's timers."""
    if name not in context.registry:
        raise not_found(f"there is no machine '{name}'")
    machine = context.registry[name]
    outcome = await raise_event(context, machine, request, entity_id, event, idempotency_key)
    rows = await context.database.read(lambda connection: queries.timers_of(connection, machine, entity_id))
    return as_json([only(PendingTimer, row) for row in rows], headers_of(outcome))
