"""The routes that look at entities as they are, made from the declarations: lists, counts and one entity."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import GenericAlias
from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, HeaderParameter, QueryParameter
from pydantic import BaseModel, create_model

from api.answers import READING, problems
from api.context import Context, HttpRequest, actor_of, open_to
from api.problems import forbidden, invalid_parameter, not_found
from api.raising import ETAG
from persistence import queries
from persistence.tables import hydrate
from statemachines.declaration import Role
from statemachines.machine import Machine

DEFAULT_LIMIT = 50

Limit = Annotated[int, QueryParameter(ge=1, le=queries.PAGE_LIMIT, description="how many rows a page has")]
Cursor = Annotated[str | None, QueryParameter(description="`next_cursor` of the page before", max_length=500)]
# Read by `utc`: to the framework "null" would be no moment at all.
Moment = Annotated[
    str | None,
    QueryParameter(description="with its offset from UTC, for example `Z`", schema_extra={"format": "date-time"}),
]

PAGING = frozenset({"limit", "cursor"})
FILTERS = PAGING | {"state", "customer", "q", "created_after", "created_before", "in_state_since"}


def handlers(context: Context, machine: Machine) -> list[HTTPRouteHandler]:
    """Return the routes that look at a machine's entities."""
    return [make(context, machine) for make in (_list, _one, _counts)]


def as_json(value: object, headers: Mapping[str, str] | None = None) -> Response[Any]:
    """Return an answer in JSON."""
    return Response(msgspec.json.encode(value), headers=headers, media_type="application/json")


def only(model: type[BaseModel], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a row what the model shows."""
    return {name: row[name] for name in model.model_fields}


def check_parameters(request: HttpRequest, known: frozenset[str]) -> None:
    """Refuse parameters that would be ignored: a mistyped or repeated filter must not answer with more than asked.

    Raises:
        ProblemError: there is one.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known:
            raise invalid_parameter(name, f"no such parameter; there are {', '.join(sorted(known)) or 'none'}")
        if names.count(name) > 1:
            raise invalid_parameter(name, "is given twice")


async def load(context: Context, machine: Machine, request: HttpRequest, entity_id: str) -> dict[str, Any]:
    """Return an entity's columns.

    Raises:
        ProblemError: there is none, or it is another customer's.
    """
    values = await context.database.read(lambda connection: queries.get_entity(connection, machine, entity_id))
    if values is None or not machine.shows(hydrate(machine.entity, values), actor_of(request)):
        raise not_found(f"there is no {machine.name} '{entity_id}'")
    return values


def _owner(machine: Machine, request: HttpRequest, asked: str | None) -> str | None:
    """Return whose entities the caller may see: a customer only its own."""
    actor = actor_of(request)
    if machine.entity.owner_column is None or actor.role is not Role.CUSTOMER:
        return asked
    if asked not in (None, actor.id):
        raise forbidden("a customer sees its own only")
    return actor.id


def _list(context: Context, machine: Machine) -> HTTPRouteHandler:
    owned = machine.entity.owner_column is not None
    known = FILTERS if owned else FILTERS - {"customer"}
    items: Any = GenericAlias(list, (machine.entity,))
    page = create_model(
        f"{machine.entity.__name__}Page",
        __doc__=f"A page of {machine.plural}.",
        items=(items, ...),
        next_cursor=(str | None, None),
    )

    async def handler(
        request: HttpRequest,
        in_state: Annotated[
            str | None,
            QueryParameter(
                name="state",
                description="only those in this state, the longest there first",
                schema_extra={"enum": list(machine.states)},
            ),
        ] = None,
        customer: Annotated[str | None, QueryParameter(description="only this customer's", max_length=200)] = None,
        q: Annotated[
            str | None,
            QueryParameter(
                min_length=2,
                max_length=100,
                description=f"what {' or '.join(machine.entity.search_columns)} begins with",
            ),
        ] = None,
        created_after: Moment = None,
        created_before: Moment = None,
        in_state_since: Annotated[
            str | None,
            QueryParameter(
                description="only those in their state since before then; needs `state`",
                schema_extra={"format": "date-time"},
            ),
        ] = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Response[Any]:
        check_parameters(request, known)
        if in_state is not None and in_state not in machine.states:
            raise invalid_parameter("state", f"there is no state '{in_state}'; there are {', '.join(machine.states)}")
        if in_state_since is not None and in_state is None:
            raise invalid_parameter("in_state_since", "needs 'state'")
        wanted = queries.Filter(
            in_state,
            _owner(machine, request, customer),
            q,
            utc("created_after", created_after),
            utc("created_before", created_before),
            utc("in_state_since", in_state_since),
        )
        found = await context.database.read(
            lambda connection: queries.list_entities(connection, machine, wanted, limit, cursor)
        )
        return as_json({"items": found.rows, "next_cursor": found.next_cursor})

    handler.__annotations__["return"] = Response[page]
    return get(
        "/",
        operation_id=f"list_{machine.plural}",
        name=f"list_{machine.plural}",
        summary=f"List {machine.plural}",
        description="The newest first; within one `state`, those longest in it first.",
        response_description=f"A page of {machine.plural}; `next_cursor` leads to the next, if there is one.",
        responses=problems({status: text for status, text in READING.items() if status != 404}),
        opt={**open_to(machine.readers), "unused": FILTERS - known},
    )(handler)


def utc(name: str, text: str | None) -> datetime | None:
    """Return a moment in UTC.

    Raises:
        ProblemError: it is none, has no offset, or lies outside of the calendar.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise invalid_parameter(name, "needs its offset from UTC, for example 2026-01-31T12:00:00Z")
        return moment.astimezone(UTC)
    except ValueError:
        raise invalid_parameter(name, "is no moment such as 2026-01-31T12:00:00Z") from None
    except OverflowError:
        raise invalid_parameter(name, "lies outside of the calendar") from None


def _one(context: Context, machine: Machine) -> HTTPRouteHandler:
    details: dict[str, Any] = {
        load.name: (GenericAlias(list, (load.row,)), ...) for load in queries.details_of(machine)
    }
    model: Any = machine.entity
    if details:
        name = f"{machine.entity.__name__}WithDetails"
        model = create_model(name, __base__=machine.entity, __doc__=machine.entity.__doc__, **details)

    async def handler(
        request: HttpRequest,
        entity_id: FromPath[str],
        if_none_match: Annotated[
            str | None,
            HeaderParameter(name="If-None-Match", description="Answer 304 if the entity is still at this version."),
        ] = None,
    ) -> Response[Any]:
        values = await load(context, machine, request, entity_id)
        headers = {"ETag": f'"v{values["version"]}"'}
        if if_none_match is not None and headers["ETag"] in (tag.strip() for tag in if_none_match.split(",")):
            return Response(None, status_code=304, headers=headers)
        if details:
            values |= await context.database.read(
                lambda connection: queries.get_details(connection, machine, entity_id)
            )
        return as_json(values, headers)

    handler.__annotations__["return"] = Response[model]
    return get(
        "/{entity_id:str}",
        operation_id=f"get_{machine.name}",
        name=f"get_{machine.name}",
        summary=f"Get one {machine.name}",
        response_description=f"The {machine.name}.",
        responses=problems(READING),
        response_headers=[ETAG],
        opt={**open_to(machine.readers), "not_modified": True},
    )(handler)


def _counts(context: Context, machine: Machine) -> HTTPRouteHandler:
    async def handler(request: HttpRequest) -> Response[dict[str, int]]:
        check_parameters(request, frozenset())
        owner = _owner(machine, request, None)
        counts = await context.database.read(lambda connection: queries.count_states(connection, machine, owner))
        return as_json({state: counts.get(state, 0) for state in machine.states})

    return get(
        "/counts",
        operation_id=f"count_{machine.plural}",
        name=f"count_{machine.plural}",
        summary=f"Count {machine.plural} by state",
        response_description=f"How many {machine.plural} stand in each state.",
        responses=problems({status: text for status, text in READING.items() if status != 404}),
        opt={**open_to(machine.readers), "example": dict.fromkeys(machine.states, 0)},
    )(handler)
