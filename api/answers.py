"""How the answers of routes are described: which problems they may be answered with, each with an example."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

from api.problems import (
    MEDIA_TYPE,
    Problem,
    ProblemError,
    forbidden,
    internal,
    invalid,
    malformed,
    not_found,
    of_dispatch_error,
    refused,
    retry_later,
    unauthorized,
)
from engine.envelope import KeyInFlight, Overloaded, Rejected, Stale
from statemachines.decision import Refused, decide
from statemachines.declaration import NEW, Event
from statemachines.machine import Machine

REQUEST_ID = "req_01jd4k0v3xe9h8m2q5t7w9y1z3"

EVERYWHERE = {
    400: "The request can't be read.",
    401: "A valid API key is needed.",
    403: "Your role may not do this.",
    429: "Too many requests; see `Retry-After`.",
    500: "A mistake of the service; it has been logged.",
    503: "Not possible right now; see `Retry-After`.",
}
"""What any route that takes a key may be answered with."""

WITH_BODY = {
    408: "The body took too long to arrive.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    422: "The request can't be accepted; `errors` says which field and why.",
}

READING = {
    **EVERYWHERE,
    404: "There is no such thing, or it is not yours.",
    422: "A parameter can't be accepted; `errors` says which and why.",
}

RAISING = {
    **EVERYWHERE,
    **WITH_BODY,
    404: "There is no such thing, or it is not yours.",
    409: "The event was refused; `state`, `event`, `guard` and `allowed` say why and what would do.",
    412: "The entity is not at the version of `If-Match`.",
}

_EXAMPLES: dict[int, ProblemError] = {
    400: malformed("the body is not JSON: Expecting value, line 1, column 12"),
    401: unauthorized("send a valid key as `Authorization: Bearer ord_live_…`"),
    403: forbidden("this takes merchant; your role is customer"),
    404: not_found("there is no order 'ord_01jd4k0v3xe9h8m2q5t7w9y1z3'"),
    408: ProblemError(408, "body-too-slow", "The body took too long", "the body has to arrive within 10 seconds"),
    412: of_dispatch_error(Stale(3, 4)),
    413: ProblemError(413, "too-large", "The body is too large", "a body holds at most 262144 bytes"),
    415: ProblemError(415, "unsupported-media-type", "Send JSON", "the body must be application/json"),
    422: invalid([{"field": "lines.0.quantity", "reason": "Input should be greater than or equal to 1"}]),
    429: retry_later(429, "too-many-requests", "Too many requests", "you are over your rate", 1),
    500: internal(),
    503: of_dispatch_error(Overloaded()),
}


def problems(
    possible: Mapping[int, str], examples: Mapping[int, ProblemError] | None = None
) -> Mapping[int, ResponseSpec]:
    """Return the descriptions of answers that are problems.

    Args:
        possible: what each status means here.
        examples: problems that tell more than the usual ones.
    """
    shown = _EXAMPLES | dict(examples or {})
    return {
        status: ResponseSpec(
            Problem,
            description=possible[status],
            media_type=MEDIA_TYPE,
            examples=[Example(value=json.loads(shown[status].body("/orders", REQUEST_ID)))],
        )
        for status in sorted(possible)
    }


def problems_of_event(machine: Machine, event: type[Event]) -> Mapping[int, ResponseSpec]:
    """Return the problems that raising an event may be answered with, as the machine itself would put them."""
    possible = dict(RAISING)
    if event is machine.creation:
        del possible[404], possible[412]
    roles = sorted(event.raised_by)
    other = "approver" if "approver" not in roles else "customer"
    examples = {
        403: forbidden(f"this takes {' or '.join(roles)}; your role is {other}"),
        404: not_found(f"there is no {machine.name} '{example_id(machine)}'"),
        409: _refusal(machine, event),
    }
    return problems(possible, examples)


def example_id(machine: Machine) -> str:
    """Return an id such as this machine's entities have."""
    return f"{machine.prefix}_01jd4k0v3xe9h8m2q5t7w9y1z3" if machine.prefix else "MUG-BLUE"


def _refusal(machine: Machine, event: type[Event]) -> ProblemError:
    """Return a refusal of the event: of a guard that may refuse it, or else of a state that does not take it."""
    state = next((name for name in machine.states if not machine.rows_for(name, event.event_name)), None)
    if (
        state is None
        and event is not machine.creation
        and not any(row.guards for row in machine.transitions if row.event is event)
    ):
        return of_dispatch_error(KeyInFlight())  # the machine itself never refuses it
    guards = [(row, guard) for row in machine.transitions if row.event is event for guard in row.guards]
    if guards and (state is None or event is machine.creation):
        row, guard = guards[0]
        source = row.sources[0]
        reason = (guard.__doc__ or guard.__name__).strip().splitlines()[0]
        decided = Refused(source, event.event_name, guard.__name__, reason, machine.events_of(source))
    else:
        entity = machine.entity(id=example_id(machine), state=state or NEW)
        decision = decide(machine, entity, event.model_construct(), datetime(2026, 1, 5, 12, tzinfo=UTC))
        assert isinstance(decision, Refused)
        decided = decision
    version = 0 if decided.state == NEW else 3
    return refused(
        Rejected(
            machine.name,
            example_id(machine),
            decided.event,
            decided.state,
            version,
            decided.guard,
            decided.reason,
            decided.allowed,
        )
    )
