"""What runs the chores, each when it falls due.

A chore is woken by what was just committed here, by its alarm, by a word from another process, and by the pulse, which
asks about once a second what is due next: one statement for all of them.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial

import structlog

from engine.chore import Chore
from engine.clock import Clock, SteadyClock
from engine.dispatcher import CommittedBatch, Dispatcher
from engine.keeper import Keeper, alarm_clock
from engine.watchers import Watchers
from persistence import queue
from persistence.database import Database
from persistence.signals import Signals
from statemachines.registry import Registry

log = structlog.get_logger("orderly.background")


class Background:
    """Runs chores as they fall due.

    Args:
        database: tells what is due.
        dispatcher: tells what was committed.
        registry: the machines.
        clock: set to the database's clock at every pulse, if it can be.
        watchers: told of what other processes changed.
        poll: how often the pulse beats.
        grace: how long chores may take to finish at the end.
    """

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        registry: Registry,
        clock: Clock,
        watchers: Watchers,
        *,
        poll: timedelta,
        grace: timedelta,
    ) -> None:
        self._database = database
        self._registry = registry
        self._clock = clock
        self._watchers = watchers
        self._grace = grace
        self._alarms = alarm_clock()
        self._keepers: dict[str, Keeper] = {}
        self._chores: Sequence[Chore] = ()
        self._overdue: set[str] = set()
        self._poll = poll
        self._pulse = Keeper("pulse", self._beat, clock, self._alarms, poll)
        self._signals = None if database.is_sqlite else Signals(database.url, self._hear)
        dispatcher.listen(self._on_commit)

    @asynccontextmanager
    async def running(self, chores: Sequence[Chore], *, work: bool) -> AsyncIterator[None]:
        """Run the chores, and let them finish at the end.

        Args:
            chores: all there are.
            work: whether to run them, or only to tell other processes of what falls due.
        """
        self._chores = chores
        await self._ask_when()  # nothing is done by a clock that the database has not set
        self._alarms.start()
        for chore in chores if work else ():
            keeper = Keeper(chore.name, partial(self._do, chore), self._clock, self._alarms)
            self._keepers[chore.name] = keeper
            chore.wake = keeper.wake
            keeper.start()
        self._pulse.start()
        if self._signals:
            self._signals.start()
        try:
            yield
        finally:
            await self._stop([chore for chore in chores if work])

    async def _stop(self, chores: Sequence[Chore]) -> None:
        """Begin nothing more and finish what was begun; until then leases are kept and other processes told."""
        for chore in chores:
            chore.stopping = True
        for keeper in self._keepers.values():
            await keeper.stop()
        results = await asyncio.gather(*(chore.stop(self._grace) for chore in chores), return_exceptions=True)
        for chore, result in zip(chores, results, strict=True):
            if isinstance(result, Exception):
                log.error("chore_not_stopped", chore=chore.name, exc_info=result)
        await self._pulse.stop()
        self._alarms.shutdown(wait=False)
        if self._signals:
            await self._signals.stop()

    async def _do(self, chore: Chore) -> None:
        """Run a chore, then learn when its next work falls due; what can't be done yet waits for the next beat."""
        if await chore.run() or chore.name not in self._overdue:
            self._pulse.wake()

    async def _beat(self) -> None:
        now, moments = await self._ask_when()
        self._overdue = {name for name, moment in moments.items() if moment is not None and moment <= now}
        for name, moment in moments.items():
            if moment is not None:
                self._keepers[name].wake_at(moment)
        for chore in self._chores:
            await chore.tend()

    async def _ask_when(self) -> tuple[datetime, Mapping[str, datetime | None]]:
        """Ask the database for the time, and when the next work of each chore falls due."""
        dues = {chore.name: chore.due for chore in self._chores if chore.name in self._keepers}
        now, moments = await self._database.look(partial(queue.next_dues, dues=dues))
        if isinstance(self._clock, SteadyClock):
            self._clock.set(now)
        return self._clock.now(), moments

    def _on_commit(self, batch: CommittedBatch) -> None:
        words = set()
        for chore in self._chores:
            if (moment := chore.wakes_at(batch)) is None:
                continue
            if chore.name in self._keepers:
                self._keepers[chore.name].wake_at(moment)
            if moment <= batch.now + self._poll:
                words.add(chore.name)
        if self._signals:
            words.update(
                f"{record['machine']}:{record['entity_id']}"
                for record in batch.changes.history
                if self._registry[record["machine"]].is_waiting(record["source"])
            )
            self._signals.tell(words)

    def _hear(self, words: set[str]) -> None:
        """Look what is due, for another process knows of work, and wake those who wait for what it changed."""
        entities, chores = {word for word in words if ":" in word}, {word for word in words if ":" not in word}
        self._watchers.wake((machine, id_) for machine, _, id_ in (word.partition(":") for word in entities))
        if chores & self._keepers.keys():
            self._pulse.wake()
