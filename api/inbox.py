"""The routes by which people see what came in by webhook or from other programs, and what became of it."""

from typing import Annotated, Any, Literal, get_args

from litestar import Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.answers import READING, WITH_BODY, problems
from api.context import STAFF, Context, HttpRequest, actor_of, open_to
from api.entities import DEFAULT_LIMIT, PAGING, Cursor, Limit, as_json, check_parameters
from api.problems import ProblemError, invalid_parameter, not_found
from api.router import Router
from persistence import inbox as rows
from persistence.bulk import Values
from statemachines.declaration import Role
from statemachines.values import Text

Status = Literal["pending", "applied", "refused", "unroutable", "unknown", "dismissed"]


class InboxEntry(BaseModel):
    """A message or a request of another program, and what became of it."""

    seq: int = Field(examples=[17])
    source: str = Field(examples=["stripe"])
    external_id: str | None = Field(examples=["evt_1P5rT2eZ"], description="the source's own name for it")
    kind: str | None = Field(examples=["payment_intent.succeeded"], description="of a message: what it is about")
    machine: str | None = Field(examples=["order"])
    entity_id: str | None = Field(examples=["ord_01jd4k0v3xe9h8m2q5t7w9y1z3"])
    event: str | None = Field(examples=["charged"])
    status: Status
    reason: str | None = Field(description="why it waits, or why nothing came of it")
    event_id: str | None = Field(description="the transition that it led to")
    attempts: int = Field(description="how often it was worked on in vain")
    received_at: AwareDatetime
    due_at: AwareDatetime
    finished_at: AwareDatetime | None
    decided_by: str | None = Field(examples=["admin:root"], description="who replayed or dismissed it last")
    decision: str | None = Field(examples=["replay: the carrier has corrected it"])


class InboxRow(InboxEntry):
    """The same, with what was said."""

    body: dict[str, Any] | None = Field(description="the message, without secrets")
    payload: dict[str, Any] = Field(description="of a request of another program: the event's payload")


class InboxPage(BaseModel):
    """A page of the inbox, newest first."""

    items: list[InboxEntry]
    next_cursor: str | None


class Decision(BaseModel):
    """Why a row is replayed or dismissed."""

    model_config = ConfigDict(extra="forbid")

    reason: Text


def settled(seq: int, status: str, wish: str) -> ProblemError:
    """Return the problem of a row about which nothing can be decided any more."""
    return ProblemError(409, "inbox-settled", "The row is settled", f"row {seq} is {status}; it can't be {wish}")


def inbox(context: Context) -> Router:
    """Return the routes of the inbox."""
    reading = open_to(STAFF)
    deciding = open_to([Role.ADMIN])
    answers = {**READING, **WITH_BODY, 409: "The row is settled for good."}

    @get(
        "/",
        operation_id="list_inbox",
        summary="List what came in by webhook or from other programs",
        response_description="A page of the inbox, newest first.",
        responses=problems({status: text for status, text in READING.items() if status != 404}),
        opt=reading,
    )
    async def list_inbox(
        request: HttpRequest,
        status: Annotated[
            str | None,
            QueryParameter(description="only those with this status", schema_extra={"enum": list(get_args(Status))}),
        ] = None,
        source: Annotated[str | None, QueryParameter(description="only from this source", max_length=200)] = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Response[InboxPage]:
        check_parameters(request, PAGING | {"status", "source"})
        if status is not None and status not in get_args(Status):
            raise invalid_parameter("status", f"one of {', '.join(get_args(Status))}")
        found = await context.database.read(lambda c: rows.list_rows(c, status, source, limit, cursor))
        return as_json({"items": found.rows, "next_cursor": found.next_cursor})

    @get(
        "/{seq:str}",
        operation_id="get_inbox_row",
        summary="Show one row of the inbox, with what was said",
        responses=problems({status: text for status, text in READING.items() if status != 422}),
        opt=reading,
    )
    async def get_inbox_row(seq: FromPath[str]) -> Response[InboxRow]:
        return as_json(await _row(context, seq))

    @post(
        "/{seq:str}/replay",
        operation_id="replay_inbox_row",
        summary="Work on a row once more, now",
        description="For what was refused, dismissed, meant nothing or waits. What was applied is never applied again.",
        response_description="The row, which is pending now.",
        status_code=200,
        responses=problems(answers, {409: settled(17, "applied", "replayed")}),
        opt=deciding,
    )
    async def replay_inbox_row(
        request: HttpRequest, seq: FromPath[str], data: JSONBody[Decision | None] = None
    ) -> Response[InboxRow]:
        asked = Decision.model_validate({}) if data is None else data
        row = await _row(context, seq)
        decided = await context.inbox.replay(row["seq"], actor_of(request), asked.reason)
        return as_json(await _decided(context, decided, seq, "replayed"))

    @post(
        "/{seq:str}/dismiss",
        operation_id="dismiss_inbox_row",
        summary="Let nothing come of a row",
        response_description="The row, which is dismissed now.",
        status_code=200,
        responses=problems(answers, {409: settled(17, "applied", "dismissed")}),
        opt=deciding,
    )
    async def dismiss_inbox_row(
        request: HttpRequest, seq: FromPath[str], data: JSONBody[Decision | None] = None
    ) -> Response[InboxRow]:
        asked = Decision.model_validate({}) if data is None else data
        row = await _row(context, seq)
        decided = await context.inbox.dismiss(row["seq"], actor_of(request), asked.reason)
        return as_json(await _decided(context, decided, seq, "dismissed"))

    routes = [list_inbox, get_inbox_row, replay_inbox_row, dismiss_inbox_row]
    return Router("/inbox", route_handlers=routes, tags=["inbox"])


async def _row(context: Context, seq: str) -> Values:
    """Return a row.

    Raises:
        ProblemError: there is none.
    """
    row = None
    if seq.isascii() and seq.isdigit() and len(seq) < 19:
        row = await context.database.read(lambda connection: rows.get(connection, int(seq)))
    if row is None:
        raise not_found(f"there is no row '{seq}' in the inbox")
    return row


async def _decided(context: Context, decided: Values | None, seq: str, wish: str) -> Values:
    if decided is None:
        row = await _row(context, seq)
        raise settled(row["seq"], row["status"], wish)
    return decided
