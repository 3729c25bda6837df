"""The timer sweep: raises the events of timers that are due."""

import asyncio
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

import structlog
from pydantic import ValidationError
from sqlalchemy import ScalarSelect

from engine.chore import Chore
from engine.clock import Clock
from engine.dispatcher import CommittedBatch, Dispatcher
from engine.envelope import Committed, DispatchError, DueTimer, Envelope, Superseded, Unavailable
from persistence import queue
from persistence.bulk import Values
from persistence.database import Database
from statemachines.declaration import Actor, Role
from statemachines.registry import Registry

log = structlog.get_logger("orderly.timers")

SWEEP_LIMIT = 500
"""How many timers are fired before the next are looked for."""

FAILED_PAUSE = timedelta(minutes=10)
"""How long a timer waits whose event failed: a guard raised an error, or the database refused what it led to."""


class TimerSweep(Chore):
    """Fires timers. Any number of processes may sweep: under the entity's lock each timer fires once.

    Timers of machines that this program does not know are left for one that does.
    """

    name = "timers"

    def __init__(self, database: Database, dispatcher: Dispatcher, registry: Registry, clock: Clock) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._registry = registry
        self._clock = clock
        self._machines = [machine.name for machine in registry]
        self._due = queue.next_timer(self._machines)

    @property
    def due(self) -> ScalarSelect[Any]:
        """When the next timer falls due."""
        return self._due

    def wakes_at(self, batch: CommittedBatch) -> datetime | None:
        """Timers that were just set fall due when they say."""
        return min((timer["due_at"] for timer in batch.changes.timers_set), default=None)

    async def run(self) -> int:
        """Fire every timer that is due, in the order in which they fell due; return how many fired.

        A timer whose event fails is put off, and holds up none of the others.
        """
        fired, last, now = 0, None, self._clock.now()
        while not self.stopping:
            look = partial(queue.due_timers, machines=self._machines, now=now, most=SWEEP_LIMIT, after=last)
            rows = await self._database.look(look)
            results = await asyncio.gather(*(self._fire(row) for row in rows))
            fired += results.count("gone")
            if failed := [row for row, result in zip(rows, results, strict=True) if result == "failed"]:
                await self._database.write(partial(queue.postpone_timers, rows=failed, until=now + FAILED_PAUSE))
            if len(rows) < SWEEP_LIMIT:
                break
            last = rows[-1]
        return fired

    async def _fire(self, row: Values) -> Literal["gone", "due", "failed"]:
        """Raise a timer's event; return what is to become of the timer."""
        machine, id_, name = row["machine"], row["entity_id"], row["name"]
        try:
            event = self._registry[machine].events[row["event"]]()
        except (KeyError, ValidationError) as error:
            log.error("timer_unknown", machine=machine, id=id_, timer=name, event_name=row["event"], error=repr(error))
            return "failed"
        envelope = Envelope(
            machine=machine,
            id=id_,
            event=event,
            actor=Actor(f"timer.{name}", Role.SYSTEM),
            cause=row["cause"],
            fires=DueTimer(name, row["due_at"]),
        )
        try:
            outcome = await self._dispatcher.dispatch(envelope)
        except Superseded:
            return "gone"
        except Unavailable:
            return "due"
        except DispatchError as error:
            log.error("timer_failed", machine=machine, id=id_, timer=name, error=str(error))
            return "failed"
        if not isinstance(outcome, Committed):
            log.warning("timer_refused", machine=machine, id=id_, timer=name, reason=outcome.reason)
        return "gone"
