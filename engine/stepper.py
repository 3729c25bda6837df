"""Moving a service by hand, for tests and replays: it does what is due and walks from one due moment to the next."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from engine.chore import Chore
from engine.clock import Clock, VirtualClock
from persistence import queue
from persistence.database import Database


class Stepper:
    """Does chores when it is told to.

    Args:
        database: tells what is due.
        clock: has to be a virtual one to be moved.
        chores: in the order in which they are done.
        poll: how often work is looked at that is due and cannot be done yet.
    """

    def __init__(self, database: Database, clock: Clock, chores: Sequence[Chore], poll: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._chores = chores
        self._poll = poll
        self._begun = False

    async def settle(self) -> None:
        """Do everything that is due, and what comes of it, until nothing more can be done now."""
        for chore in self._chores:
            await chore.finish()
        done = 1
        while done:
            done, dues, now = 0, await self._dues(), self._clock.now()
            for chore in self._chores:
                if not self._begun or (chore.name in dues and dues[chore.name] <= now):
                    done += await chore.run()
                    await chore.finish()
            self._begun = True

    async def next_due(self) -> datetime | None:
        """Return when something falls due next."""
        return min((await self._dues()).values(), default=None)

    async def _dues(self) -> dict[str, datetime]:
        """Return when the next work of each chore that has any falls due: asked at once, for most mostly have none."""
        dues = {chore.name: chore.due for chore in self._chores}
        _, moments = await self._database.look(partial(queue.next_dues, dues=dues))
        return {name: moment for name, moment in moments.items() if moment is not None}

    async def advance_to(self, moment: datetime) -> None:
        """Move the virtual clock to `moment`, stopping wherever something falls due on the way.

        Raises:
            TypeError: the clock is no virtual one.
        """
        if not isinstance(self._clock, VirtualClock):
            raise TypeError("only a virtual clock can be moved")
        await self.settle()
        while (now := self._clock.now()) < moment and (due := await self.next_due()) and due <= moment:
            # What is due already could not be done: others hold it, or it failed. It is looked at at every beat.
            self._clock.advance_to(due if due > now else min(moment, now + self._poll))
            for chore in self._chores:
                await chore.tend()
            await self.settle()
        self._clock.advance_to(moment)

    async def advance(self, span: timedelta) -> None:
        """Move the virtual clock by `span`; see `advance_to`."""
        await self.advance_to(self._clock.now() + span)
