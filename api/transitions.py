"""The routes that raise events, made from the declarations: one `POST /orders/{id}/pay` for each event and machine."""

import inspect
import re
import time
from typing import Annotated, Any

import msgspec
from litestar import Response, post
from litestar.datastructures import ResponseHeader
from litestar.handlers import HTTPRouteHandler
from litestar.params import Body, FromPath, HeaderParameter, JSONBody

from api.answers import example_id, problems_of_event
from api.context import Context, HttpRequest, open_to
from api.raising import ETAG, REPLAYED, IdempotencyKeyHeader, IfMatchHeader, headers_of, raise_event
from persistence import queries
from statemachines.declaration import NEW, Event, Role
from statemachines.machine import Machine

WAIT_POLL = 0.5
"""How often, in seconds, a waiting answer looks for changes that other processes made."""

_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*(\d{1,6}|\"\d{1,6}\")\s*(?:$|[,;])", re.IGNORECASE)

PreferHeader = Annotated[
    str | None,
    HeaderParameter(
        name="Prefer",
        description="`wait=N` holds the answer while the entity waits for the outcome of an effect, for up to N "
        "seconds (RFC 7240).",
    ),
]

APPLIED = ResponseHeader(
    name="Preference-Applied", value="wait=5", description="there if `Prefer` was followed", documentation_only=True
)


def handlers(context: Context, machine: Machine) -> list[HTTPRouteHandler]:
    """Return a route for each of a machine's events that callers may raise."""
    return [_route(context, machine, event) for event in machine.events.values() if event.raised_by]


def _route(context: Context, machine: Machine, event: type[Event]) -> HTTPRouteHandler:
    creates = event is machine.creation

    async def create(
        request: HttpRequest,
        data: JSONBody[Event | None] = None,
        idempotency_key: IdempotencyKeyHeader = None,
        prefer: PreferHeader = None,
    ) -> Response[Any]:
        asked = event.model_validate({}) if data is None else data
        return await _raise(context, machine, request, None, asked, idempotency_key, None, prefer)

    async def transition(
        request: HttpRequest,
        entity_id: FromPath[str],
        data: JSONBody[Event | None] = None,
        idempotency_key: IdempotencyKeyHeader = None,
        if_match: IfMatchHeader = None,
        prefer: PreferHeader = None,
    ) -> Response[Any]:
        asked = event.model_validate({}) if data is None else data
        return await _raise(context, machine, request, entity_id, asked, idempotency_key, if_match, prefer)

    handler = create if creates else transition
    handler.__annotations__["data"] = Annotated[event | None, Body()]
    handler.__annotations__["return"] = Response[machine.entity]  # type: ignore[name-defined]
    name = f"{event.event_name}_{machine.name}"
    return post(
        "/" if creates else f"/{{entity_id:str}}/{event.event_name}",
        status_code=201 if creates else 200,
        name=name,
        operation_id=name,
        summary=(event.__doc__ or name).strip().splitlines()[0],
        description=_describe(machine, event),
        response_description=f"The {machine.name} as it is then.",
        responses=problems_of_event(machine, event),
        response_headers=[ETAG, REPLAYED, APPLIED, *_location(machine, event)],
        opt={
            **open_to(event.raised_by),
            "body_name": f"{event.__name__}{machine.entity.__name__}",
            "example": _example(machine, event),
        },
    )(handler)


def _describe(machine: Machine, event: type[Event]) -> str:
    """Say in words what the declaration says of an event: who, from where to where, and what refuses it."""
    roles = ", ".join(role for role in Role if role in event.raised_by)
    lines = [inspect.getdoc(event) or "", "", f"Raised by: {roles}.", ""]
    for row in machine.transitions:
        if row.event is event:
            sources = ", ".join("nothing" if source == NEW else f"`{source}`" for source in row.sources)
            target = f"to `{row.target}`" if row.target else "without leaving it"
            lines.append(f"- from {sources} {target}")
            lines.extend(
                f"  - `{guard.__name__}`: {(guard.__doc__ or '').strip().splitlines()[0]}" for guard in row.guards
            )
    return "\n".join(lines)


def _example(machine: Machine, event: type[Event]) -> dict[str, object]:
    """Return the state and version that an example of the event's success has."""
    row = next(row for row in machine.transitions if row.event is event)
    return {"state": row.target or row.sources[0], "version": 1 if event is machine.creation else 3}


def _location(machine: Machine, event: type[Event]) -> list[ResponseHeader]:
    if event is not machine.creation:
        return []
    address = f"/{machine.plural}/{example_id(machine)}"
    return [ResponseHeader(name="Location", value=address, description="where it is", documentation_only=True)]


async def _raise(
    context: Context,
    machine: Machine,
    request: HttpRequest,
    entity_id: str | None,
    event: Event,
    idempotency_key: str | None,
    if_match: str | None,
    prefer: str | None,
) -> Response[Any]:
    """Raise an event and answer with the entity as it is then."""
    outcome = await raise_event(context, machine, request, entity_id, event, idempotency_key, if_match)
    # In the declaration's order: an answer that was kept may come back from the database in another.
    entity = {name: outcome.entity[name] for name in machine.entity.model_fields if name in outcome.entity}
    seconds, applied = read_wait(context, prefer), {}
    if seconds is not None:
        applied["Preference-Applied"] = f"wait={seconds}"
        if machine.is_waiting(outcome.state):
            entity = await _settled(context, machine, outcome.id, seconds) or entity
    status, headers = 200, headers_of(outcome, entity["version"]) | applied
    if entity_id is None:
        status, headers["Location"] = 201, f"/{machine.plural}/{outcome.id}"
    return Response(msgspec.json.encode(entity), status_code=status, headers=headers, media_type="application/json")


def read_wait(context: Context, prefer: str | None) -> int | None:
    """Return for how many seconds a caller would like its answer held, as far as it may be; None if it says nothing."""
    match = _WAIT.search(prefer) if prefer else None
    return min(int(match[1].strip('"')), int(context.longest_wait.total_seconds())) if match else None


async def _settled(context: Context, machine: Machine, id: str, seconds: float) -> dict[str, Any] | None:  # noqa: A002
    """Return the entity once it has left its waiting state, or as it is after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        left = deadline - time.monotonic()
        if left > 0:
            await context.watchers.changed(machine.name, id, min(WAIT_POLL, left))
        entity = await context.database.read(lambda connection: queries.get_entity(connection, machine, id))
        if entity is None or not machine.is_waiting(entity["state"]) or left <= 0:
            return entity
