"""The pull feed: everything that happens, in one order, for those who would rather ask than be told."""

import time
from typing import Annotated, Any, Literal

from litestar import Response, get
from litestar.params import HeaderParameter, QueryParameter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.answers import problems
from api.context import Context, HttpRequest, open_to
from api.entities import DEFAULT_LIMIT, Limit, as_json, check_parameters
from api.interventions import LISTING
from api.problems import invalid_parameter
from api.router import Router
from api.transitions import APPLIED, WAIT_POLL, read_wait
from engine.cloudevent import cloud_event
from engine.watchers import ANYTHING
from persistence.feed import BEGINNING, FeedPage, Place, page
from statemachines.declaration import Role
from statemachines.patterns import MAX_PATTERNS, PATTERN, first_unknown
from statemachines.subscription import SubscriptionPolicy, subscription


class TransitionData(BaseModel):
    """What happened."""

    model_config = ConfigDict(populate_by_name=True)

    machine: str = Field(examples=["order"])
    id: str = Field(examples=["ord_01jd4k0v3xe9h8m2q5t7w9y1z3"])
    version: int = Field(description="counts the entity's transitions, without a gap")
    event: str = Field(examples=["charged"])
    source: str = Field(alias="from", examples=["paying"])
    target: str = Field(alias="to", examples=["processing"])
    actor: str = Field(examples=["system:payments.charge"])
    cause: str | None
    reason: str | None
    payload: dict[str, Any] = Field(
        description="what the event said, without what must not leave the house", examples=[{"amount": 1250}]
    )


class CloudEvent(BaseModel):
    """A transition as a CloudEvent 1.0 (https://github.com/cloudevents/spec)."""

    specversion: Literal["1.0"]
    id: str = Field(examples=["evt_01jd4k0v3xe9h8m2q5t7w9y1z3"])
    source: str = Field(examples=["/orderly"])
    type: str = Field(examples=["orderly.order.charged"])
    subject: str = Field(examples=["ord_01jd4k0v3xe9h8m2q5t7w9y1z3"], description="the entity's id")
    time: AwareDatetime
    datacontenttype: Literal["application/json"]
    data: TransitionData


class EventPage(BaseModel):
    """Some events, in the order in which they happened."""

    items: list[CloudEvent]
    next_cursor: str = Field(description="`after` of the next request, now or later")
    more: bool = Field(description="whether there may be more already", examples=[False])


def feed(context: Context) -> Router:
    """Return the route."""
    policy = context.registry[subscription.name].policy
    assert isinstance(policy, SubscriptionPolicy)

    async def look(after: Place, patterns: list[str], limit: int) -> FeedPage:
        return await context.database.read(lambda connection: page(connection, after, patterns, limit))

    @get(
        "/",
        operation_id="list_events",
        summary="Read everything that happens, as it is delivered to subscriptions",
        description="Every transition of every machine once, in one order in which each entity's versions follow each "
        "other. Go on with `next_cursor` as `after`: nothing is left out, and nothing comes twice. A page may be "
        "empty although there is `more`, if few events are of the `types` asked for.",
        response_description="A page of events.",
        responses=problems(LISTING),
        response_headers=[APPLIED],
        opt=open_to([Role.MERCHANT, Role.ADMIN]),
    )
    async def list_events(
        request: HttpRequest,
        after: Annotated[
            str | None,
            QueryParameter(description="`next_cursor` of the page before; without it from the start", max_length=500),
        ] = None,
        limit: Limit = DEFAULT_LIMIT,
        types: Annotated[
            str | None,
            QueryParameter(
                description="only these, with commas between: `order.charged`, `order.*`",
                max_length=5000,
                schema_extra={"pattern": f"^{PATTERN}(,{PATTERN})*$"},
            ),
        ] = None,
        prefer: Annotated[
            str | None,
            HeaderParameter(
                name="Prefer",
                description="`wait=N` holds the answer while there is nothing to tell, for up to N seconds (RFC 7240).",
            ),
        ] = None,
    ) -> Response[EventPage]:
        check_parameters(request, frozenset({"after", "limit", "types"}))
        place, patterns = Place.read(after) if after else BEGINNING, _patterns(types)
        seconds = read_wait(context, prefer)
        deadline = time.monotonic() + (seconds or 0)
        found = await look(place, patterns, limit)
        while not found.rows and not found.more and (left := deadline - time.monotonic()) > 0:
            await context.watchers.changed(*ANYTHING, min(WAIT_POLL, left))
            found = await look(found.place, patterns, limit)
        items = [cloud_event(row, context.registry, policy.source) for row in found.rows]
        applied = {} if seconds is None else {"Preference-Applied": f"wait={seconds}"}
        return as_json({"items": items, "next_cursor": found.place.cursor, "more": found.more}, applied)

    return Router("/events", route_handlers=[list_events], tags=["events"])


def _patterns(types: str | None) -> list[str]:
    """Return which events are asked for.

    Raises:
        ProblemError: there are none such.
    """
    patterns = types.split(",") if types is not None else ["*"]
    if len(patterns) > MAX_PATTERNS:
        raise invalid_parameter("types", f"names more than {MAX_PATTERNS}")
    if (unknown := first_unknown(patterns)) is not None:
        raise invalid_parameter("types", f"there is no event '{unknown[:100]}'")
    return patterns
