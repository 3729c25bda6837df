"""`orderly timers`: what will happen by itself, and stepping in on it."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from engine.envelope import Committed
from engine.interventions import CancelTimer, FireTimer, PostponeTimer, TimerIntervention
from orderly.commands.opening import (
    MISUSED,
    AsJson,
    actor_named,
    fail,
    machine_named,
    say,
    show_json,
    show_rows,
    with_service,
)
from orderly.commands.raising import Admin, Reason, event_of, raise_event, why_not
from persistence import waiting
from persistence.queries import PAGE_LIMIT
from persistence.waiting import Unindexed, Whose

app = typer.Typer(no_args_is_help=True, help="See what will happen by itself, and step in on it.")

MachineName = Annotated[str, typer.Argument(metavar="MACHINE", help="As `order`.")]
EntityId = Annotated[str, typer.Argument(metavar="ENTITY", help="The id of the entity.")]
TimerName = Annotated[str, typer.Argument(metavar="TIMER", help="Its name, from `orderly timers list`.")]

COLUMNS = ["due_at", "machine", "entity_id", "name", "event", "fired"]


@app.command("list")
def list_timers(
    machine: Annotated[str | None, typer.Option(help="Only those of an entity of this machine.")] = None,
    entity: Annotated[str | None, typer.Option(help="Only those of the entity with this id.")] = None,
    due_before: Annotated[datetime | None, typer.Option(help="Only those due before then, in UTC.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_LIMIT, help="How many.")] = 20,
    *,
    as_json: AsJson = False,
) -> None:
    """List timers, the next due first."""
    try:
        whose = Whose(machine, entity)
    except Unindexed as error:
        fail(str(error), MISUSED)
    before = due_before.replace(tzinfo=UTC) if due_before else None
    page = with_service(
        lambda service: service.database.read(lambda c: waiting.list_timers(c, whose, before, limit, None))
    )
    if as_json:
        show_json(page.rows)
        return
    show_rows(page.rows, COLUMNS)
    if page.next_cursor:
        say(f"and more; the first {limit} are shown")


@app.command()
def fire(machine: MachineName, entity: EntityId, timer: TimerName, reason: Reason, by: Admin) -> None:
    """Let a timer fire now, in the running server or worker."""
    _step_in(machine, entity, event_of(FireTimer, {"timer": timer, "reason": reason}), by, "fires now")


@app.command()
def postpone(
    machine: MachineName,
    entity: EntityId,
    timer: TimerName,
    reason: Reason,
    by: Admin,
    until: Annotated[str, typer.Option(metavar="MOMENT", help="When it is to fire, as `2026-01-31T12:00:00Z`.")],
) -> None:
    """Let a timer fire at another time."""
    event = event_of(PostponeTimer, {"timer": timer, "reason": reason, "until": until})
    _step_in(machine, entity, event, by, f"fires at {event.until:%F %T} UTC")


@app.command()
def cancel(machine: MachineName, entity: EntityId, timer: TimerName, reason: Reason, by: Admin) -> None:
    """Let a timer not fire at all."""
    _step_in(machine, entity, event_of(CancelTimer, {"timer": timer, "reason": reason}), by, "will not fire")


def _step_in(name: str, entity: str, event: TimerIntervention, by: str, done: str) -> None:
    """Raise an intervention on the entity whose timer it is about, and say what became of it."""
    machine, who = machine_named(name), actor_named(by)
    outcome = with_service(lambda service: raise_event(service, machine.name, entity, event, who))
    if not isinstance(outcome, Committed):
        fail(why_not(outcome))
    say(f"{event.timer} {done} ({outcome.machine} {outcome.id}, v{outcome.version})")
