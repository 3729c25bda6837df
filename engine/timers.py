"""The timer sweep: raises the events of timers that are due."""

import asyncio
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy import ScalarSelect

from engine.chore import Chore
from engine.clock import Clock
from engine.dispatcher import CommittedBatch, Dispatcher
from engine.envelope import Committed, DispatchError, DueTimer, Envelope, Superseded
from persistence import queue
from persistence.bulk import Values
from persistence.database import Database
from statemachines.declaration import Actor, Role
from statemachines.registry import Registry

log = structlog.get_logger("orderly.timers")

SWEEP_LIMIT = 500
"""How many timers are fired before the next are looked for."""


class TimerSweep(Chore):
    """Fires timers. Any number of processes may sweep: under the entity's lock each timer fires once."""

    name = "timers"

    def __init__(self, database: Database, dispatcher: Dispatcher, registry: Registry, clock: Clock) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._registry = registry
        self._clock = clock
        self._due = queue.next_timer()

    @property
    def due(self) -> ScalarSelect[Any]:
        """When the next timer falls due."""
        return self._due

    def wakes_at(self, batch: CommittedBatch) -> datetime | None:
        """Timers that were just set fall due when they say."""
        return min((timer["due_at"] for timer in batch.changes.timers_set), default=None)

    async def run(self) -> int:
        """Fire every timer that is due, in the order in which they fell due; return how many fired.

        A timer whose event fails stays for the next sweep and holds up none of the others.
        """
        fired, last, now = 0, None, self._clock.now()
        while not self.stopping:
            rows = await self._database.read(partial(queue.due_timers, now=now, most=SWEEP_LIMIT, after=last))
            fired += sum(await asyncio.gather(*(self._fire(row) for row in rows)))
            if len(rows) < SWEEP_LIMIT:
                break
            last = rows[-1]
        return fired

    async def _fire(self, row: Values) -> bool:
        """Raise a timer's event; return whether the timer is gone with it."""
        event = self._registry[row["machine"]].events[row["event"]]
        envelope = Envelope(
            machine=row["machine"],
            id=row["entity_id"],
            event=event(),
            actor=Actor(f"timer.{row['name']}", Role.SYSTEM),
            cause=row["cause"],
            fires=DueTimer(row["name"], row["due_at"]),
        )
        try:
            outcome = await self._dispatcher.dispatch(envelope)
        except Superseded:
            return True
        except DispatchError as error:
            log.error("timer_failed", machine=row["machine"], id=row["entity_id"], timer=row["name"], error=str(error))
            return False
        if not isinstance(outcome, Committed):
            log.warning("timer_refused", machine=row["machine"], id=row["entity_id"], reason=outcome.reason)
        return True
