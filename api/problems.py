"""The one format in which every error is answered: problem details (RFC 9457)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from engine import envelope
from persistence.database import is_unavailable
from persistence.queries import BadCursor
from persistence.waiting import Unindexed

log = structlog.get_logger("orderly.api")

MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """One field of a request that can't be accepted."""

    field: str = Field(examples=["lines.0.quantity"])
    reason: str = Field(examples=["Input should be greater than or equal to 1"])


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(examples=["urn:orderly:problem:transition-refused"])
    title: str = Field(examples=["The event was refused"])
    status: int = Field(examples=[409])
    detail: str = Field(examples=["not in stock: MUG-BLUE: 3 asked, 2 available"])
    instance: str = Field(examples=["/orders/ord_01jd4k0v3xe9h8m2q5t7w9y1z3/submit"])
    code: str = Field(examples=["transition-refused"], description="the last part of `type`, for programs")
    request_id: str = Field(examples=["req_01jd4k0v3xe9h8m2q5t7w9y1z3"])
    state: str | None = Field(default=None, description="of a refused event: the entity's state")
    version: int | None = Field(default=None, description="of a refused event or a stale version: the entity's version")
    event: str | None = Field(default=None, description="of a refused event: its name")
    guard: str | None = Field(default=None, description="of a refused event: the guard that refused")
    allowed: list[str] | None = Field(default=None, description="of a refused event: the events that its state takes")
    errors: list[FieldError] | None = Field(
        default=None, description="of a request that can't be accepted: which fields"
    )


class ProblemError(Exception):
    """An error that is answered as a problem."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: object,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    def body(self, instance: str, request_id: str) -> bytes:
        """Return the problem as JSON."""
        return msgspec.json.encode(
            {
                "type": f"urn:orderly:problem:{self.code}",
                "title": self.title,
                "status": self.status,
                "detail": self.detail,
                "instance": quote(instance, safe="/:@!$&'()*+,;=~", errors="replace"),
                "code": self.code,
                "request_id": request_id,
                **self.members,
            }
        )


def malformed(detail: str) -> ProblemError:
    """Return the problem of a request that can't be read."""
    return ProblemError(400, "malformed", "The request can't be read", detail)


def unauthorized(detail: str) -> ProblemError:
    """Return the problem of a caller that is not known."""
    return ProblemError(
        401, "unauthorized", "A valid API key is needed", detail, headers={"WWW-Authenticate": 'Bearer realm="orderly"'}
    )


def forbidden(detail: str) -> ProblemError:
    """Return the problem of a caller that is known but may not do this."""
    return ProblemError(403, "forbidden", "Your role may not do this", detail)


def internal() -> ProblemError:
    """Return the problem of a mistake of ours; what went wrong is for the log only."""
    return ProblemError(500, "internal", "Something went wrong on our side", "it has been logged")


def not_found(detail: str) -> ProblemError:
    """Return the problem of a thing that is not there, or not for this caller."""
    return ProblemError(404, "not-found", "There is no such thing", detail)


def invalid(errors: list[dict[str, str]]) -> ProblemError:
    """Return the problem of a request that can be read but never accepted."""
    detail = "; ".join(
        f"{error['field']}: {error['reason']}" if error["field"] else error["reason"] for error in errors
    )
    return ProblemError(422, "invalid", "The request can't be accepted", detail, errors=errors)


def invalid_parameter(name: str, reason: str) -> ProblemError:
    """Return the problem of a query parameter that can't be accepted."""
    return invalid([{"field": name, "reason": reason}])


def method_not_allowed(methods: Sequence[str]) -> ProblemError:
    """Return the problem of a path that is there but takes other methods."""
    heads = ["HEAD"] if "GET" in methods else []
    allowed = ", ".join(sorted({*methods, *heads, "OPTIONS"}))
    return ProblemError(
        405,
        "method-not-allowed",
        "This path takes other methods",
        f"this path takes {allowed}",
        headers={"Allow": allowed},
    )


def retry_later(status: int, code: str, title: str, detail: str, seconds: float) -> ProblemError:
    """Return a problem that may pass: try again after `seconds`."""
    return ProblemError(status, code, title, detail, headers={"Retry-After": str(max(1, math.ceil(seconds)))})


def too_many_keys(detail: str) -> ProblemError:
    """Return the problem of a principal that has as many active keys as it may have."""
    return ProblemError(409, "too-many-keys", "Too many active keys", detail)


def refused(outcome: envelope.Rejected) -> ProblemError:
    """Return the problem of an event that the machine refused."""
    headers = {"ETag": f'"v{outcome.version}"'} if outcome.version else {}
    if outcome.replayed:
        headers["Idempotency-Replayed"] = "true"
    return ProblemError(
        409,
        "transition-refused",
        "The event was refused",
        outcome.reason,
        headers=headers,
        state=outcome.state,
        version=outcome.version,
        event=outcome.event,
        guard=outcome.guard,
        allowed=list(outcome.allowed),
    )


def of_dispatch_error(error: envelope.DispatchError) -> ProblemError:
    """Return the problem that a dispatch error amounts to."""
    detail = str(error)
    match error:
        case envelope.NotFound():
            return not_found(detail)
        case envelope.Forbidden():
            return forbidden(detail)
        case envelope.Stale():
            return ProblemError(
                412,
                "stale",
                "The entity has changed",
                detail,
                headers={"ETag": f'"v{error.version}"'},
                version=error.version,
            )
        case envelope.KeyReused():
            return ProblemError(422, "idempotency-key-reused", "The idempotency key is taken", detail)
        case envelope.KeyInFlight():
            return retry_later(409, "idempotency-key-in-flight", "The same request is being worked on", detail, 1)
        case envelope.OutcomeUnknown():
            return retry_later(503, "outcome-unknown", "The outcome is not known yet", detail, 1)
        case envelope.Overloaded():
            return retry_later(503, "overloaded", "Too much at once", detail, error.retry_after.total_seconds())
        case envelope.Unavailable():
            return retry_later(503, "unavailable", "Not possible right now", detail, error.retry_after.total_seconds())
        case _:
            return internal()


def of_validation(error: ValidationError) -> ProblemError:
    """Return the problem of values that a model refuses."""
    return invalid(
        [{"field": ".".join(map(str, each["loc"])), "reason": _reason(each["msg"])} for each in error.errors()]
    )


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ")


def of_exception(error: Exception) -> ProblemError:
    """Return the problem that any exception amounts to. Nothing of an unexpected one is told to the caller."""
    match error:
        case ProblemError():
            return error
        case envelope.DispatchError():
            return of_dispatch_error(error)
        case BadCursor():
            return malformed(str(error))
        case Unindexed():
            return invalid_parameter(error.field, f"needs {error.needs}")
        case ValidationError():
            return of_validation(error)
        case ValidationException():
            return _of_litestar_validation(error)
        case NotFoundException():
            return not_found("nothing is served under this path")
        case MethodNotAllowedException():
            return method_not_allowed((error.headers or {}).get("allow", "").split(", "))
        case SQLAlchemyError() | OSError() if is_unavailable(error):
            log.error("database_unavailable", error=type(error).__name__)
            return of_dispatch_error(envelope.Unavailable("the database is not available"))
        case ClientException() | HTTPException() if error.status_code < 500:
            return ProblemError(error.status_code, "malformed", "The request can't be accepted", error.detail)
        case _:
            log.exception("unexpected_error", exc_info=error)
            return internal()


def _of_litestar_validation(error: ValidationException) -> ProblemError:
    extra: Any = error.extra
    if not isinstance(extra, list):
        return malformed(error.detail)
    return invalid(
        [{"field": str(each.get("key", "")), "reason": _reason(str(each.get("message", "")))} for each in extra]
    )


def handle(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer an exception as a problem."""
    problem = of_exception(error)
    return Response(
        problem.body(request.scope["path"], request.scope["request_id"]),  # type: ignore[typeddict-item]
        status_code=problem.status,
        headers=problem.headers,
        media_type=MEDIA_TYPE,
    )
