"""The route by which people see how the gateways stand that effects call."""

import os

from litestar import Response, get
from pydantic import AwareDatetime, BaseModel, Field

from api.answers import EVERYWHERE, problems
from api.context import STAFF, Context, HttpRequest, open_to
from api.entities import as_json, check_parameters
from api.router import Router
from engine.destinations import Circuit, Destination, DestinationLimits


class DestinationState(BaseModel):
    """A gateway, as one process sees it."""

    name: str = Field(examples=["payments"])
    effects: list[str] = Field(examples=[["payments.charge"]], description="what is asked of it")
    circuit: Circuit = Field(description="whether it is called: it is, it is down and left alone, or it is tried again")
    reopens_at: AwareDatetime | None = Field(description="of one that is down: when it is tried again")
    calls: int = Field(description="effects that this process has claimed for it: being called, or next", examples=[0])
    limits: DestinationLimits = Field(description="what it may be burdened with by each process")


class Destinations(BaseModel):
    """The gateways, as one process sees them."""

    process: int = Field(description="the process that answers; every other one has its own view", examples=[4711])
    does_work: bool = Field(
        description="whether this process calls them at all, or leaves that to others", examples=[True]
    )
    destinations: list[DestinationState]


def destinations(context: Context) -> Router:
    """Return the route of destinations."""

    @get(
        "/",
        operation_id="list_destinations",
        summary="Show the gateways: which are down, how many calls they have, what they may be burdened with",
        description="Each process finds out by itself that a gateway is down, and keeps to its limits by itself: this "
        "is the view of the process that answers. `orderly_circuits_open` of `GET /metrics` counts the processes.",
        responses=problems({**EVERYWHERE, 422: "There are no parameters."}),
        opt=open_to(STAFF),
    )
    async def list_destinations(request: HttpRequest) -> Response[Destinations]:
        check_parameters(request, frozenset())
        asked: dict[str, set[str]] = {}
        for effect in (each for machine in context.registry for each in machine.effects):
            asked.setdefault(effect.destination, set()).add(effect.name)
        shown = [_state(each, sorted(asked.get(each.name, ()))) for each in context.destinations.values()]
        return as_json({"process": os.getpid(), "does_work": context.does_work, "destinations": shown})

    return Router("/destinations", route_handlers=[list_destinations], tags=["destinations"])


def _state(destination: Destination, effects: list[str]) -> dict[str, object]:
    circuit = destination.breaker.circuit
    return {
        "name": destination.name,
        "effects": effects,
        "circuit": circuit,
        "reopens_at": destination.breaker.reopens_at if circuit is Circuit.OPEN else None,
        "calls": destination.calls,
        "limits": destination.limits.model_dump(),
    }
