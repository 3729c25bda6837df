"""Jobs: the works that this program has, made known to the database, and done when they are asked for.

A job is declared as a value; what is to be done is a coroutine that is told of the occasion and returns a `Result`::

    async def count_orders(occasion: Occasion) -> Result:
        orders = await occasion.database.read(count)
        return Result(summary=f"{orders} orders")

    ScheduledJob("count-orders", count_orders, "Counts the orders.", cron="0 6 * * *", timezone="Europe/Berlin")

A work may be done again after it was cut off, so what it changes itself it must be able to change twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from engine.clock import Clock
from engine.dispatcher import Dispatcher
from engine.envelope import Envelope, IdempotencyKey, Outcome
from engine.records import payload
from gateways.port import Answer, Attempt, Done, Handlers, NoAnswer, Refused
from persistence import queries
from persistence.bulk import Values
from persistence.database import Database
from statemachines.declaration import Actor, Event, Role
from statemachines.job import RUN_WORK, Declare, Finished, Missed, Result, Retire, RunWork, job
from statemachines.schedule import zone_of

log = structlog.get_logger("orderly.jobs")

PROGRAM = Actor("program", Role.SYSTEM)
"""Who declares and retires jobs."""

MAX_JOBS = queries.PAGE_LIMIT
"""How many jobs there may be."""


class WorkFailed(Exception):
    """Raised by a work that can't be done, however often it is tried; the message says why, for a person."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a work is told of the run that it is done for."""

    job: str
    run: int
    at: datetime
    """The time of the schedule, or of the request if somebody asked for the run; in UTC."""
    timezone: ZoneInfo
    database: Database
    clock: Clock
    dispatcher: Dispatcher

    async def tell(self, machine: str, id: str, event: Event) -> Outcome:  # noqa: A002
        """Raise an event on an entity: once in this run, however often the work is tried.

        Raises:
            DispatchError: it was neither accepted nor refused.
        """
        key = IdempotencyKey(f"job:{self.job}", f"{self.run}:{machine}:{id}:{event.event_name}", repr(payload(event)))
        actor = Actor(f"job.{self.job}", Role.SYSTEM)
        return await self.dispatcher.dispatch(Envelope(machine, event, actor, id, cause=f"run {self.run}", key=key))


Work = Callable[[Occasion], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """A job that this program has.

    Raises:
        ValidationError: its name, cron line or time zone can't be used, or its description is too long.
    """

    name: str
    work: Work
    description: str
    cron: str
    timezone: str = "UTC"
    missed: Missed = "once"
    deletes: bool = False
    """Whether it deletes records; then a legal hold stops it."""
    timeout: timedelta = timedelta(minutes=5)
    """How long one attempt may take; ten minutes at most."""

    def __post_init__(self) -> None:
        self.declaration()

    def declaration(self) -> Declare:
        """Return the event that makes the job known."""
        return Declare(
            name=self.name,
            description=self.description,
            cron=self.cron,
            timezone=self.timezone,
            missed=self.missed,
            deletes=self.deletes,
        )


class Jobs:
    """The jobs of one program.

    Args:
        database: where works read and write.
        dispatcher: where jobs are declared.
        clock: tells works the time.
        scheduled: the jobs that there are.

    Raises:
        ValueError: two jobs have the same name, or there are too many.
    """

    def __init__(
        self, database: Database, dispatcher: Dispatcher, clock: Clock, scheduled: Iterable[ScheduledJob]
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._clock = clock
        jobs = list(scheduled)
        self._jobs = {each.name: each for each in jobs}
        if len(self._jobs) < len(jobs):
            raise ValueError("two jobs have the same name")
        if len(jobs) > MAX_JOBS:
            raise ValueError(f"there are {len(jobs)} jobs; at most {MAX_JOBS} can be kept")

    @property
    def handlers(self) -> Handlers:
        """The effect by which works are done."""
        return {RUN_WORK.name: self.run}

    async def list(self) -> list[Values]:
        """Return every job that the database knows, by name."""
        page = await self._database.read(
            lambda connection: queries.list_entities(connection, job, queries.Filter(), MAX_JOBS, None)
        )
        return sorted(page.rows, key=lambda row: str(row["id"]))

    async def declare(self) -> None:
        """Bring the jobs that the database knows in line with those of this program.

        Raises:
            DispatchError: the database could not be used.
        """
        known = {row["id"]: row for row in await self.list()}
        for name, scheduled in self._jobs.items():
            event = scheduled.declaration()
            if name not in known or known[name]["state"] == "retired" or _differs(known[name], event):
                await self._dispatcher.dispatch(Envelope(job.name, event, PROGRAM, name))
        for name, row in known.items():
            if name not in self._jobs and row["state"] != "retired":
                await self._dispatcher.dispatch(Envelope(job.name, Retire(), PROGRAM, name))

    async def run(self, attempt: Attempt) -> Answer:
        """Do a job's work.

        Raises:
            NoAnswer: it failed, and may succeed at another attempt.
        """
        asked = attempt.arguments
        assert isinstance(asked, RunWork)
        try:
            return Done({"run": asked.run, "result": await self._result(asked, attempt.timeout)})
        except WorkFailed as error:
            return Refused({"run": asked.run, "reason": str(error)[:200]})
        except NoAnswer as error:
            if attempt.number < RUN_WORK.retry.attempts:
                raise
            return Refused({"run": asked.run, "reason": str(error)[:200]})

    async def _result(self, asked: RunWork, longest: timedelta) -> Result:
        """Return what the work found out.

        Raises:
            WorkFailed: it can't be done.
            NoAnswer: it went wrong this time.
        """
        scheduled = self._jobs.get(asked.job)
        if scheduled is None:
            raise NoAnswer(f"this program has no job '{asked.job}'")
        zone = zone_of(scheduled.timezone)
        occasion = Occasion(asked.job, asked.run, asked.at, zone, self._database, self._clock, self._dispatcher)
        longest = min(longest, scheduled.timeout)
        try:
            async with asyncio.timeout(longest.total_seconds()) as alarm:
                return Finished(run=asked.run, result=await scheduled.work(occasion)).result
        except (WorkFailed, NoAnswer):
            raise
        except Exception as error:
            if alarm.expired():
                raise NoAnswer(f"it took longer than {longest.total_seconds():g} seconds") from None
            log.exception("work_failed", job=asked.job, run=asked.run)
            raise NoAnswer(f"{type(error).__name__} in its work; the log says more") from error


def _differs(row: Values, event: Declare) -> bool:
    return any(row[name] != value for name, value in event.model_dump(exclude={"name"}).items())
