"""The routes of subscriptions beside those that their machine declares: the signing secret, the log of deliveries."""

from typing import Annotated

from litestar import Response, get
from litestar.params import FromPath, QueryParameter
from pydantic import AwareDatetime, BaseModel, Field

from api.answers import READING, problems
from api.context import Context, HttpRequest, open_to
from api.entities import DEFAULT_LIMIT, PAGING, Cursor, Limit, as_json, check_parameters, load, only
from api.interventions import SHOWING
from api.problems import invalid_parameter
from api.router import Router
from persistence.deliveries import list_deliveries
from persistence.delivery_rows import OUTCOMES
from statemachines.subscription import OVERLAP, Create, subscription


class SigningSecret(BaseModel):
    """What messages to a subscription are signed with."""

    secret: str = Field(examples=["whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="])
    generation: int = Field(description="counts the secrets that the subscription has had")
    previous: str | None = Field(description="the secret before, while messages are signed with both", examples=[None])
    previous_until: AwareDatetime | None = Field(description="for how long they are", examples=[None])


class Delivery(BaseModel):
    """One attempt to deliver one event."""

    id: str = Field(examples=["dlv_01jd4k0v3xe9h8m2q5t7w9y1z3"])
    event_id: str = Field(examples=["evt_01jd4k0v3xe9h8m2q5t7w9y1z3"], description="the message's `webhook-id`")
    machine: str = Field(examples=["order"])
    entity_id: str = Field(examples=["ord_01jd4k0v3xe9h8m2q5t7w9y1z3"])
    version: int
    event: str = Field(examples=["charged"])
    attempt: int = Field(description="counts from 1")
    at: AwareDatetime
    duration_ms: int
    status: int | None = Field(description="what the address answered; null if it did not", examples=[200])
    error: str | None = Field(description="why it was not delivered", examples=[None])
    outcome: str = Field(examples=["delivered"])


class DeliveryPage(BaseModel):
    """A page of deliveries, the newest first."""

    items: list[Delivery]
    next_cursor: str | None


def deliveries(context: Context) -> Router:
    """Return the routes."""
    machine = context.registry[subscription.name]

    @get(
        "/{entity_id:str}/secret",
        operation_id="get_subscription_secret",
        summary="Show what messages to one subscription are signed with",
        response_description="The secret, as libraries for Standard Webhooks take it.",
        responses=problems(SHOWING),
        opt=open_to(Create.raised_by),
    )
    async def get_secret(request: HttpRequest, entity_id: FromPath[str]) -> Response[SigningSecret]:
        values = await load(context, machine, request, entity_id)
        generation, rotated_at = values["secret_generation"], values["secret_rotated_at"]
        newest, *before = context.signing_secrets.valid(entity_id, generation, rotated_at, context.clock.now())
        return as_json(
            {
                "secret": newest,
                "generation": generation,
                "previous": before[0] if before else None,
                "previous_until": rotated_at + OVERLAP if before else None,
            }
        )

    @get(
        "/{entity_id:str}/deliveries",
        operation_id="list_deliveries",
        summary="List what was sent to one subscription",
        description="The newest first: every attempt, and what came of it.",
        response_description="A page of deliveries; `next_cursor` leads to the next, if there is one.",
        responses=problems(READING),
        opt=open_to(machine.readers),
    )
    async def list_all(
        request: HttpRequest,
        entity_id: FromPath[str],
        outcome: Annotated[
            str | None, QueryParameter(description="only those", schema_extra={"enum": list(OUTCOMES)})
        ] = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Response[DeliveryPage]:
        check_parameters(request, PAGING | {"outcome"})
        if outcome is not None and outcome not in OUTCOMES:
            raise invalid_parameter("outcome", f"one of {', '.join(OUTCOMES)}")
        await load(context, machine, request, entity_id)
        found = await context.database.read(lambda c: list_deliveries(c, entity_id, outcome, limit, cursor))
        return as_json({"items": [only(Delivery, row) for row in found.rows], "next_cursor": found.next_cursor})

    return Router(f"/{machine.plural}", route_handlers=[get_secret, list_all], tags=[machine.plural])
