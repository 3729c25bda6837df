"""The routes by which people see outbound calls across all machines, and step in on those that wait."""

from typing import Annotated, Any

from litestar import Response, get
from litestar.params import FromPath, JSONBody, QueryParameter
from pydantic import AwareDatetime, BaseModel, Field

from api.answers import problems
from api.context import STAFF, Context, HttpRequest, open_to
from api.entities import DEFAULT_LIMIT, PAGING, Cursor, Limit, as_json, check_parameters, only
from api.interventions import LISTING, SHOWING, Reason, intervention, whose
from api.problems import invalid_parameter, not_found
from api.raising import IdempotencyKeyHeader, headers_of, raise_event
from api.router import Router
from engine.interventions import CancelEffect, EffectIntervention, RetryEffect
from persistence import waiting
from persistence.bulk import Values
from persistence.tables import EFFECT_STATUSES
from persistence.waiting import NOT_DONE, EffectFilter
from statemachines.declaration import Effect
from statemachines.privacy import disclosed
from statemachines.registry import Registry


class EffectState(BaseModel):
    """An outbound call that an entity asked for, and how it stands."""

    id: str = Field(examples=["eff_01jd4k0v3xe9h8m2q5t7w9y1z3"])
    name: str = Field(examples=["payments.charge"])
    status: str
    attempts: int
    due_at: AwareDatetime
    outcome: dict[str, Any] | None
    error: str | None
    cause: str = Field(examples=["evt_01jd4k0v3xe9h8m2q5t7w9y1z3"])
    created_at: AwareDatetime
    finished_at: AwareDatetime | None


class EffectEntry(EffectState):
    """An outbound call, who asked for it, and how it stands."""

    machine: str = Field(examples=["order"])
    entity_id: str = Field(examples=["ord_01jd4k0v3xe9h8m2q5t7w9y1z3"])
    destination: str = Field(examples=["payments"], description="the gateway: the beginning of the name")


class EffectPage(BaseModel):
    """A page of outbound calls."""

    items: list[EffectEntry]
    next_cursor: str | None


class FailedAttempt(BaseModel):
    """An attempt that ended without an answer."""

    began_at: AwareDatetime
    ended_at: AwareDatetime
    error: str = Field(examples=["no answer within 15 seconds"])


class EffectDetail(EffectEntry):
    """The same, with what was asked and how attempts failed."""

    arguments: dict[str, Any] = Field(examples=[{"amount": 1250, "currency": "EUR"}])
    hidden: list[str] = Field(examples=[["method"]], description="arguments that are not shown: tokens, for example")
    editable: list[str] = Field(examples=[["to"]], description="arguments that may be put right when it is retried")
    failures: list[FailedAttempt] = Field(description="the attempts without an answer, the last first")


class EffectRetry(Reason):
    """Why it is tried again, and what is put right."""

    arguments: dict[str, Any] = Field(
        default={}, max_length=20, description="arguments put right, of those in `editable`", examples=[{}]
    )


def effects(context: Context) -> Router:
    """Return the routes of outbound calls."""

    @get(
        "/",
        operation_id="list_effects",
        summary="List outbound calls of all machines",
        description="The newest first; of those that are `parked`, the oldest first. `name` and `destination` narrow "
        f"down an entity's, or a status: {', '.join(NOT_DONE)}.",
        response_description="A page of outbound calls; `next_cursor` leads to the next, if there is one.",
        responses=problems(LISTING),
        opt=open_to(STAFF),
    )
    async def list_effects(
        request: HttpRequest,
        status: Annotated[
            str | None,
            QueryParameter(description="only those with this status", schema_extra={"enum": list(EFFECT_STATUSES)}),
        ] = None,
        name: Annotated[str | None, QueryParameter(description="as `payments.charge`", max_length=200)] = None,
        destination: Annotated[str | None, QueryParameter(description="as `payments`", max_length=200)] = None,
        machine: Annotated[str | None, QueryParameter(description="as `order`; needs `entity`", max_length=200)] = None,
        entity: Annotated[str | None, QueryParameter(description="its id; needs `machine`", max_length=200)] = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Response[EffectPage]:
        check_parameters(request, PAGING | {"status", "name", "destination", "machine", "entity"})
        if status is not None and status not in EFFECT_STATUSES:
            raise invalid_parameter("status", f"one of {', '.join(EFFECT_STATUSES)}")
        wanted = EffectFilter(status, destination, name, whose(context, request, machine, entity))
        found = await context.database.read(lambda c: waiting.list_effects(c, wanted, limit, cursor))
        items = [only(EffectEntry, with_outcome_shown(context.registry, row)) for row in found.rows]
        return as_json({"items": items, "next_cursor": found.next_cursor})

    @get(
        "/{effect_id:str}",
        operation_id="get_effect",
        summary="Show one outbound call: what was asked, how it stands, and how attempts failed",
        responses=problems(SHOWING),
        opt=open_to(STAFF),
    )
    async def get_effect(request: HttpRequest, effect_id: FromPath[str]) -> Response[EffectDetail]:
        row = await _load(context, request, effect_id)
        return as_json(await _detail(context, row))

    @intervention("/{effect_id:str}/retry", RetryEffect, "the effect is done", {"status": "pending", "attempts": 0})
    async def retry_effect(
        request: HttpRequest,
        effect_id: FromPath[str],
        data: JSONBody[EffectRetry | None] = None,
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[EffectDetail]:
        asked = EffectRetry.model_validate({}) if data is None else data
        event = RetryEffect(effect=effect_id, reason=asked.reason, arguments=asked.arguments)
        return await _step_in(context, request, event, idempotency_key)

    @intervention("/{effect_id:str}/cancel", CancelEffect, "the effect is running", {"status": "cancelled"})
    async def cancel_effect(
        request: HttpRequest,
        effect_id: FromPath[str],
        data: JSONBody[Reason | None] = None,
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[EffectDetail]:
        asked = Reason.model_validate({}) if data is None else data
        event = CancelEffect(effect=effect_id, reason=asked.reason)
        return await _step_in(context, request, event, idempotency_key)

    return Router("/effects", route_handlers=[list_effects, get_effect, retry_effect, cancel_effect], tags=["effects"])


async def _load(context: Context, request: HttpRequest, effect_id: str) -> Values:
    """Return an effect's row.

    Raises:
        ProblemError: there is none, or it is of a machine that the caller may not see.
    """
    row = await context.database.read(lambda connection: waiting.get_effect(connection, effect_id))
    allowed = whose(context, request).machines
    if row is None or (allowed is not None and row["machine"] not in allowed):
        raise not_found(f"there is no effect '{effect_id}'")
    return row


async def _step_in(
    context: Context, request: HttpRequest, event: EffectIntervention, idempotency_key: str | None
) -> Response[EffectDetail]:
    """Raise an intervention on the entity whose effect it is about."""
    row = await _load(context, request, event.effect)
    machine = context.registry[row["machine"]]
    outcome = await raise_event(context, machine, request, row["entity_id"], event, idempotency_key)
    row = await _load(context, request, event.effect)
    return as_json(await _detail(context, row), headers_of(outcome))


async def _detail(context: Context, row: Values) -> Values:
    failures = await context.database.read(lambda connection: waiting.failures_of(connection, row["id"]))
    return detail(context.registry, row, failures)


# -- what may be seen ----------------------------------------------------------------------------------------------


def detail(registry: Registry, row: Values, failures: list[Values]) -> Values:
    """Return what people may see of an effect. What is private is hidden, unless they may have to put it right."""
    effect, arguments = _declared(registry, row), row["arguments"]
    shown = {*disclosed(effect.arguments, arguments), *effect.editable} if effect else set()
    return {
        **only(EffectEntry, with_outcome_shown(registry, row)),
        "arguments": {name: value for name, value in arguments.items() if name in shown},
        "hidden": sorted(arguments.keys() - shown),
        "editable": list(effect.editable) if effect else [],
        "failures": [only(FailedAttempt, each) for each in failures],
    }


def with_outcome_shown(registry: Registry, row: Values) -> Values:
    """Return an effect's row with what people may see of the event that reported its outcome."""
    effect, outcome = _declared(registry, row), row["outcome"]
    for event in effect.outcomes if effect and outcome else ():
        if event.event_name == outcome.get("event"):
            return {**row, "outcome": {"event": event.event_name, **disclosed(event, outcome)}}
    return row


def _declared(registry: Registry, row: Values) -> Effect | None:
    """Return the declaration of an effect; None if no machine has it any more."""
    declared = registry[row["machine"]].effects if row["machine"] in registry else ()
    return next((each for each in declared if each.name == row["name"]), None)
