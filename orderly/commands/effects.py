"""`orderly effects`: what was asked of the outside world, and stepping in on what was given up."""

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.envelope import Committed, DispatchError, Outcome, Rejected
from engine.interventions import CancelEffect, EffectIntervention, RetryEffect
from orderly.commands.opening import (
    MISUSED,
    AsJson,
    Obstacle,
    actor_named,
    fail,
    parse_json,
    say,
    show_json,
    show_rows,
    with_service,
)
from orderly.commands.raising import Admin, Reason, event_of, raise_event, why_not
from persistence import waiting
from persistence.queries import PAGE_LIMIT
from persistence.waiting import EffectFilter, Unindexed, Whose

if TYPE_CHECKING:
    from orderly.service import Service

app = typer.Typer(no_args_is_help=True, help="See what is asked of the outside world, and step in on it.")

EffectId = Annotated[str, typer.Argument(metavar="EFFECT", help="Its id, from `orderly effects list`.")]
EffectIds = Annotated[list[str], typer.Argument(metavar="EFFECT...", help="Their ids, from `orderly effects list`.")]


class Status(StrEnum):
    """How an effect may stand."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    PARKED = "parked"
    CANCELLED = "cancelled"


@app.command("list")
def list_effects(
    status: Annotated[Status | None, typer.Option(help="Only those with this status.")] = None,
    destination: Annotated[str | None, typer.Option(help="Only those of this gateway, as `payments`.")] = None,
    name: Annotated[str | None, typer.Option(help="Only those of this name, as `payments.charge`.")] = None,
    machine: Annotated[str | None, typer.Option(help="Only those of an entity of this machine.")] = None,
    entity: Annotated[str | None, typer.Option(help="Only those of the entity with this id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_LIMIT, help="How many.")] = 20,
    *,
    as_json: AsJson = False,
) -> None:
    """List outbound calls, the newest first; those that were given up (`--status parked`), the oldest first."""
    try:
        wanted = EffectFilter(status, destination, name, Whose(machine, entity))
    except Unindexed as error:
        fail(str(error), MISUSED)
    page = with_service(lambda service: service.database.read(lambda c: waiting.list_effects(c, wanted, limit, None)))
    columns = ["id", "name", "status", "attempts", "due_at", "entity_id", "error"]
    if as_json:
        show_json([{column: row[column] for column in (*columns, "machine", "created_at")} for row in page.rows])
        return
    show_rows(page.rows, columns)
    if page.next_cursor:
        say(f"and more; the first {limit} are shown")


@app.command()
def show(effect: EffectId, *, as_json: AsJson = False) -> None:
    """Show one outbound call: what was asked, how it stands, how attempts failed, what may be edited."""
    from api.effects import detail

    async def read(service: "Service") -> dict[str, Any]:
        row = await service.database.read(lambda c: waiting.get_effect(c, effect))
        if row is None:
            raise Obstacle(f"there is no effect '{effect}'; `orderly effects list` shows the newest")
        failures = await service.database.read(lambda c: waiting.failures_of(c, effect))
        return detail(service.registry, row, failures)

    shown = with_service(read)
    if as_json:
        show_json(shown)
        return
    say(f"{shown['id']}: {shown['name']} for {shown['machine']} {shown['entity_id']} is {shown['status']}")
    for name in ("attempts", "due_at", "error", "outcome", "arguments", "hidden", "editable"):
        if shown[name] not in (None, [], {}):
            say(f"  {name}: {shown[name]}")
    if shown["failures"]:
        say("\nattempts without an answer")
        show_rows(shown["failures"], ["began_at", "ended_at", "error"])


@app.command()
def retry(
    effects: EffectIds,
    reason: Reason,
    by: Admin,
    arguments: Annotated[
        str, typer.Option(metavar="JSON", help="Arguments put right, of those that `show` names as editable.")
    ] = "{}",
) -> None:
    """Try outbound calls again that were given up, or sooner than planned. Exit code 1 if any is refused.

    They are made by the running server or worker, under the same idempotency keys.
    """
    edited = parse_json(arguments, "--arguments")
    _step_in(
        effects,
        lambda effect: event_of(RetryEffect, {"effect": effect, "reason": reason, "arguments": edited}),
        by,
        "is tried again",
    )


@app.command()
def cancel(effects: EffectIds, reason: Reason, by: Admin) -> None:
    """Give up outbound calls for good. Exit code 1 if any is refused."""
    _step_in(effects, lambda effect: event_of(CancelEffect, {"effect": effect, "reason": reason}), by, "is cancelled")


def _step_in(effects: list[str], event: Callable[[str], EffectIntervention], by: str, done: str) -> None:
    """Raise an intervention on each of the effects, and say what became of each."""
    who, events = actor_named(by), [event(effect) for effect in effects]

    async def step_in(service: "Service") -> list[Outcome | DispatchError | None]:
        outcomes: list[Outcome | DispatchError | None] = []
        for each in events:
            row = await service.database.read(partial(waiting.get_effect, id=each.effect))
            outcomes.append(await raise_event(service, row["machine"], row["entity_id"], each, who) if row else None)
        return outcomes

    refused = []
    for effect, outcome in zip(effects, with_service(step_in), strict=True):
        match outcome:
            case Committed():
                say(f"{effect} {done} ({outcome.machine} {outcome.id}, v{outcome.version})")
            case Rejected() | DispatchError():
                refused.append(f"{effect}: {why_not(outcome)}")
            case _:
                refused.append(f"there is no effect '{effect}'; `orderly effects list` shows the newest")
    if refused:
        fail("\n".join(refused))
