"""`orderly replay FILE`: from the file to the report.

The whole of it can be run again at any time: what is done stays done, and the report is the same.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import structlog
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from engine.clock import VirtualClock
from orderly.replay import book, driver
from orderly.replay.figures import read_figures
from orderly.replay.lines import CannotReplay, fingerprint, read
from orderly.replay.plan import TICK, Plan, make_plan
from orderly.replay.report import Report, make_report
from orderly.replay.shop import as_replayed
from orderly.replay.show import as_json, show
from orderly.server import spare_the_collector
from orderly.service import Service
from orderly.settings import Settings
from persistence.database import Database


def replay(
    path: Path, settings: Settings, *, json: bool = False, progress: bool = True, tick: timedelta = TICK
) -> bool:
    """Run the invoices of a file through the service, print the report, and return whether it adds up.

    Args:
        path: the file, plain or gzipped CSV.
        settings: name the database, which is the replay's own, and the policies.
        json: print the report as JSON.
        progress: show on standard error how far it is.
        tick: what happens within one tick shares a moment. A replay goes on only under the tick it began with.

    Raises:
        CannotReplay: the file can't be read, or the database holds what this replay did not make.
        NotReady: the database does not fit this program.
        DispatchError: the service failed at a step; running it again goes on there.
    """
    with _quiet(), _bar(progress) as bar:
        reading = bar.add_task("reading", total=None)
        plan = plan_of(path, settings, tick)
        bar.remove_task(reading)
        spare_the_collector()  # the plan is made of a million objects that stay
        replaying = bar.add_task("replaying", total=len(plan.steps))
        report = uvloop.run(
            run(plan, fingerprint(path), settings, lambda done, _total: bar.update(replaying, completed=done))
        )
    if json:
        sys.stdout.write(as_json(report) + "\n")
    else:
        show(report, Console())
    return report.adds_up


def plan_of(path: Path, settings: Settings, tick: timedelta = TICK) -> Plan:
    """Read a file and plan its replay.

    Raises:
        CannotReplay: the file can't be read.
    """
    try:
        return make_plan(read(path), tick=tick, policy=settings.order)
    except OSError as error:
        raise CannotReplay(f"{path}: {error.strerror}") from error


async def run(plan: Plan, source: str, settings: Settings, progress: driver.Progress) -> Report:
    """Take a plan through the service and report.

    Args:
        plan: what is to be done.
        source: the digest of the file it was made of.
        settings: name the database and the policies.
        progress: told how far it is.
    """
    own = as_replayed(settings)
    await _refuse_a_shop(own)
    clock = VirtualClock(plan.steps[0].at if plan.steps else plan.until)
    async with Service.open(own, clock=clock, migrate=True) as service:
        refusals = await driver.Driver(service, clock, plan, plan.fingerprint(source)).run(progress)
        figures = await service.database.read(read_figures)
    return make_report(plan, refusals, figures)


async def _refuse_a_shop(settings: Settings) -> None:
    """Look before the database is even migrated."""
    database = Database(settings.database_url)
    try:
        await database.read(book.refuse_a_shop)
    finally:
        await database.close()


def _bar(shown: bool) -> Progress:  # noqa: FBT001
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not shown,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Log warnings only: the engine says a line for every transition."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        yield
    finally:
        structlog.configure(**before)
