"""What the routes share by which an admin steps in on what waits to be done by itself."""

from typing import Any

from litestar import post
from pydantic import BaseModel, ConfigDict, Field

from api.answers import RAISING, READING, problems
from api.context import Context, HttpRequest, actor_of, open_to
from api.problems import invalid_parameter, refused
from api.raising import ETAG, REPLAYED
from engine.envelope import Rejected
from engine.interventions import Intervention
from persistence.waiting import Whose
from statemachines.values import Text

LISTING = {status: text for status, text in READING.items() if status != 404}
"""What a list may be answered with, other than itself."""

SHOWING = {status: text for status, text in READING.items() if status != 422}
"""What one thing may be answered with, other than itself."""

_STEPPING_IN = {status: text for status, text in RAISING.items() if status != 412}

ORDER = "ord_01jd4k0v3xe9h8m2q5t7w9y1z3"


class Reason(BaseModel):
    """Why somebody steps in."""

    model_config = ConfigDict(extra="forbid")

    reason: Text = Field(description="why; it stands in the history", examples=["their server is repaired"])


def intervention(path: str, event: type[Intervention], refusal: str, example: dict[str, Any] | None = None) -> post:
    """Return what makes a handler the route of an intervention.

    Args:
        path: the route's.
        event: the intervention.
        refusal: why it is refused, for example.
        example: what its answer has, for example.
    """
    rejected = Rejected("order", ORDER, event.event_name, "paying", 3, None, refusal, ("charged", "declined"))
    summary = (event.__doc__ or "").strip()
    return post(
        path,
        status_code=200,
        operation_id=event.event_name,
        summary=summary.partition(".")[0],
        description=f"{summary} It stands in the history of the entity, with you and your reason.",
        response_description="How it is now.",
        responses=problems(_STEPPING_IN, {409: refused(rejected)}),
        response_headers=[ETAG, REPLAYED],
        opt={**open_to(event.raised_by), "example": example or {}},
    )


def whose(context: Context, request: HttpRequest, machine: str | None = None, entity: str | None = None) -> Whose:
    """Return of which entities something is asked for, of those that the caller may see.

    Raises:
        ProblemError: the caller may not see the machine.
        Unindexed: half an address is given.
    """
    readable = [each.name for each in context.registry if actor_of(request).role in each.readers]
    if machine is not None and machine not in readable:
        raise invalid_parameter("machine", f"there is no machine '{machine}'; there are {', '.join(readable)}")
    return Whose(machine, entity, None if len(readable) == len(list(context.registry)) else readable)
