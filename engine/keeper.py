"""Keepers do what falls due: each does its work when it is woken, then sleeps until the next thing falls due.

APScheduler is the alarm clock, no more: what is due, and when, stands in the database.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from engine.clock import Clock

log = structlog.get_logger("orderly.keeper")

RETRY_DELAY = timedelta(seconds=1)
"""How long a keeper whose work failed waits before it tries again."""

Work = Callable[[], Awaitable[datetime | None]]
"""Does all that is due; returns when the next thing falls due, or None."""


def alarm_clock() -> AsyncIOScheduler:
    """Return a scheduler whose alarms go off however late they are."""
    defaults = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
    return AsyncIOScheduler(timezone=UTC, job_defaults=defaults)


class Keeper:
    """Does one kind of work whenever it falls due.

    Args:
        name: for logs.
        work: what to do.
        clock: tells the time.
        alarms: wakes it.
        poll: how long it sleeps at most; by default until it is woken. Measured apart from the alarms, so that a jump
            of the machine's clock, which they follow, delays nothing for longer.
    """

    def __init__(
        self, name: str, work: Work, clock: Clock, alarms: AsyncIOScheduler, poll: timedelta | None = None
    ) -> None:
        self._name = name
        self._work = work
        self._clock = clock
        self._alarms = alarms
        self._poll = poll
        self._woken = asyncio.Event()
        self._alarm_at: datetime | None = None
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, with whatever fell due while nobody was awake."""
        self._woken.set()
        self._task = asyncio.create_task(self._keep(), name=self._name)

    async def stop(self) -> None:
        """Finish the work at hand and end."""
        self._stopping = True
        self._woken.set()
        if self._task:
            await self._task

    def wake(self) -> None:
        """Do the work now."""
        self._woken.set()

    def wake_at(self, moment: datetime) -> None:
        """Do the work at `moment`, or earlier if it was due earlier anyway."""
        wait = moment - self._clock.now()
        if wait <= timedelta():
            self.wake()
            return
        if self._alarm_at is not None and self._alarm_at <= moment:
            return
        self._alarm_at = moment
        self._alarms.add_job(
            self._ring, "date", run_date=datetime.now(UTC) + wait, id=self._name, replace_existing=True
        )

    def _ring(self) -> None:
        self._alarm_at = None
        self._woken.set()

    async def _keep(self) -> None:
        pause = None
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause.total_seconds() if pause else None):
                    await self._woken.wait()
            self._woken.clear()
            if self._stopping:
                return
            pause = self._poll
            try:
                due = await self._work()
            except Exception:
                log.exception("keeper_failed", keeper=self._name)
                pause, due = RETRY_DELAY, None
            if due is not None:
                self.wake_at(due)
