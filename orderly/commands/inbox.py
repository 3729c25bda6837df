"""`orderly inbox`: what came in by webhook or from other programs, and what became of it."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from pydantic import TypeAdapter, ValidationError

from orderly.commands.opening import (
    MISUSED,
    AsJson,
    actor_named,
    fail,
    say,
    show_json,
    show_table,
    table,
    with_service,
)
from persistence import inbox as rows
from persistence.queries import PAGE_LIMIT
from statemachines.declaration import Actor, Role
from statemachines.values import Text

if TYPE_CHECKING:
    from persistence.bulk import Values

app = typer.Typer(no_args_is_help=True, help="See what came in by webhook or from other programs, and decide about it.")

Seq = Annotated[int, typer.Argument(metavar="ROW", min=1, max=2**63 - 1, help="Its number, from `orderly inbox list`.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the row.")]
By = Annotated[str, typer.Option("--as", metavar="ROLE:NAME", help="Who decides, as `admin:root`.")]


class Status(StrEnum):
    """What may have become of a row."""

    PENDING = "pending"
    APPLIED = "applied"
    REFUSED = "refused"
    UNROUTABLE = "unroutable"
    UNKNOWN = "unknown"
    DISMISSED = "dismissed"


@app.command("list")
def list_rows(
    status: Annotated[Status | None, typer.Option(help="Only those with this status.")] = None,
    source: Annotated[str | None, typer.Option(help="Only those from this source.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_LIMIT, help="How many.")] = 20,
    *,
    as_json: AsJson = False,
) -> None:
    """List what came in, the newest first."""
    page = with_service(lambda service: service.database.read(lambda c: rows.list_rows(c, status, source, limit, None)))
    if as_json:
        show_json(page.rows)
        return
    shown = table("row", "received", "from", "about", "status", "why")
    for row in page.rows:
        about = row["kind"] or f"{row['machine']}.{row['event']} {row['entity_id'] or ''}".strip()
        shown.add_row(
            str(row["seq"]), f"{row['received_at']:%F %T}", row["source"], about, row["status"], row["reason"] or "-"
        )
    show_table(shown)
    if page.next_cursor:
        say(f"and more; the first {limit} are shown")


@app.command()
def show(seq: Seq, *, as_json: AsJson = False) -> None:
    """Show one row, with what was said."""
    row = with_service(lambda service: service.database.read(lambda c: rows.get(c, seq)))
    if row is None:
        _there_is_none(seq)
    if as_json:
        show_json(row)
        return
    for name, value in row.items():
        if name in ("body", "payload"):
            if value:
                say(f"{name}:")
                show_json(value)
        elif value is not None:
            say(f"{name}: {f'{value:%F %T}' if isinstance(value, datetime) else value}")


@app.command()
def replay(seq: Seq, reason: Reason, by: By, *, as_json: AsJson = False) -> None:
    """Have a row worked on once more, by the running server. What was applied is never applied again."""
    who, why = _admin(by), _checked(reason)
    _say_decided(seq, with_service(lambda service: service.inbox.replay(seq, who, why)), as_json=as_json)


@app.command()
def dismiss(seq: Seq, reason: Reason, by: By, *, as_json: AsJson = False) -> None:
    """Let nothing come of a row."""
    who, why = _admin(by), _checked(reason)
    _say_decided(seq, with_service(lambda service: service.inbox.dismiss(seq, who, why)), as_json=as_json)


def _admin(by: str) -> Actor:
    actor = actor_named(by)
    if actor.role is not Role.ADMIN:
        fail(f"an admin decides about the inbox, not a {actor.role}", MISUSED)
    return actor


def _checked(reason: str) -> str:
    try:
        checked: str = TypeAdapter(Text).validate_python(reason)
    except ValidationError as error:
        fail(f"the reason {error.errors()[0]['msg'].removeprefix('Value error, ')}", MISUSED)
    return checked


def _say_decided(seq: int, row: "Values | None", *, as_json: bool) -> None:
    if row is None:
        found = with_service(lambda service: service.database.read(lambda c: rows.get(c, seq)))
        if found is None:
            _there_is_none(seq)
        fail(f"row {seq} is {found['status']}: nothing more can be decided about it")
    if as_json:
        show_json(row)
    else:
        say(f"row {seq} is {row['status']}")


def _there_is_none(seq: int) -> NoReturn:
    fail(f"there is no row {seq}; `orderly inbox list` shows the newest")
