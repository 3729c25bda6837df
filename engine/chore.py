"""A chore: one kind of work that falls due by itself. Several of them together are what moves the service."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import ScalarSelect

from engine.dispatcher import CommittedBatch


class Chore(ABC):
    """Does one kind of work whenever it falls due; what is due, and when, stands in the database."""

    name: ClassVar[str]
    """For logs, alarms and the words by which other processes are told of new work."""

    wake: Callable[[], None] = staticmethod(lambda: None)
    """Asks to be run soon; set by whoever runs the chore in the background."""

    stopping = False
    """Set when the process is about to end: however much is due, nothing more is begun."""

    @property
    @abstractmethod
    def due(self) -> ScalarSelect[Any]:
        """When its next work falls due: a subquery of one indexed look, NULL for never.

        The subqueries of all chores are asked together, once a second.
        """

    @abstractmethod
    async def run(self) -> int:
        """Do, or begin to do, all that is due; return how much that was."""

    def wakes_at(self, batch: CommittedBatch) -> datetime | None:  # noqa: ARG002
        """Return when a batch that was just committed makes this chore's next work fall due, if it does."""
        return None

    async def tend(self) -> None:
        """Look after what was begun; called about once a second."""
        return

    async def finish(self) -> None:
        """Wait for what was begun."""
        return

    async def stop(self, grace: timedelta) -> None:  # noqa: ARG002
        """Finish what was begun, as far as `grace` allows, and leave the rest to be found by others."""
        await self.finish()
