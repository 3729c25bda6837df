"""`orderly jobs`: what is done at the times of a schedule."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from engine.envelope import Committed
from orderly.commands.opening import AsJson, actor_named, fail, say, show_json, show_table, table, with_service
from orderly.commands.raising import Reason, event_of, raise_event, why_not
from statemachines.declaration import Event
from statemachines.job import Hold, Pause, Release, Resume, Run
from statemachines.job import job as machine

app = typer.Typer(no_args_is_help=True, help="Look at the jobs, run them now, pause and resume them.")

Name = Annotated[str, typer.Argument(metavar="JOB", help="The job's name, from `orderly jobs list`.")]
By = Annotated[str, typer.Option("--as", metavar="ROLE:NAME", help="Who asks; it stands in the history.")]
Grounds = Annotated[str | None, typer.Option(help="Why; it stands in the history.")]

OPERATOR = "admin:operator"
"""Who asks, if nobody is named."""


@app.command("list")
def list_jobs(*, as_json: AsJson = False) -> None:
    """List the jobs: when they run next, and what became of their last run. Times are those of the job's own zone."""
    rows = with_service(lambda service: service.jobs.list())
    if as_json:
        show_json(rows)
        return
    if not rows:
        say("there are no jobs yet: `orderly serve` makes them known when it starts")
        return
    shown = table("job", "state", "schedule", "next", "last", "outcome", "")
    for row in rows:
        shown.add_row(*_cells(row))
    show_table(shown)


def _cells(row: dict[str, Any]) -> Sequence[str]:
    zone = ZoneInfo(row["timezone"])
    notes = [f"legal hold: {row['legal_hold']}"] if row["legal_hold"] else []
    notes += [text for text in (row["last_error"], row["last_summary"]) if text]
    schedule = f"{row['cron']} {row['timezone']}"
    times = (_time(row["next_at"], zone), _time(row["last_at"], zone))
    return row["id"], row["state"], schedule, *times, row["last_outcome"] or "-", "; ".join(notes)


def _time(moment: datetime | None, zone: ZoneInfo) -> str:
    return "-" if moment is None else f"{moment.astimezone(zone):%F %R}"


@app.command()
def run(job: Name, by: By = OPERATOR) -> None:
    """Run a job now, whatever its schedule says. The running server does the work."""
    _tell(job, Run(), by)


@app.command()
def pause(job: Name, reason: Grounds = None, by: By = OPERATOR) -> None:
    """Let a job's schedule stand still."""
    _tell(job, event_of(Pause, {"reason": reason}), by)


@app.command()
def resume(job: Name, by: By = OPERATOR) -> None:
    """Let a job's schedule go on; what was missed is not caught up."""
    _tell(job, Resume(), by)


@app.command()
def hold(job: Name, reason: Reason, by: By = OPERATOR) -> None:
    """Put a legal hold on a job that deletes records."""
    _tell(job, event_of(Hold, {"reason": reason}), by)


@app.command()
def release(job: Name, reason: Reason, by: By = OPERATOR) -> None:
    """Release a job's legal hold."""
    _tell(job, event_of(Release, {"reason": reason}), by)


def _tell(name: str, event: Event, by: str) -> None:
    """Raise an event on a job and say what became of it. Exit code 1 if it is refused."""
    who = actor_named(by)
    outcome = with_service(lambda service: raise_event(service, machine.name, name, event, who))
    if not isinstance(outcome, Committed):
        fail(f"{why_not(outcome)}\n`orderly jobs list` shows how the jobs stand")
    next_at = outcome.entity["next_at"]
    planned = f", next at {_time(next_at, ZoneInfo(outcome.entity['timezone']))}" if next_at else ""
    say(f"{outcome.id} is {outcome.state}{planned}")
