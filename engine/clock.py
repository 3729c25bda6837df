"""The clock is passed in, so that a test or a replay can move it."""

import time
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        ...


HEARD = 10
"""Of how many answers of the database the quickest counts."""

JUMP = timedelta(seconds=1)
"""By how much the database's clock has to differ for it to have been set anew."""


class SteadyClock:
    """A clock that runs evenly from the moment it was last set to.

    It is set to the database's clock again and again, so that all processes agree, and a jump of one machine's own
    clock moves no lease and no timer. What the database tells is past by as long as its answer took: of the last few
    answers the quickest counts, so that a slow one does not set the clock back.
    """

    def __init__(self) -> None:
        self._began = datetime.now(UTC) - _since_boot()
        self._heard: deque[datetime] = deque(maxlen=HEARD)

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        return self._began + _since_boot()

    def set(self, moment: datetime) -> None:
        """Learn that it is `moment` now, or was so lately."""
        began = moment.astimezone(UTC) - _since_boot()
        if began < self._began - JUMP:
            self._heard.clear()
        self._heard.append(began)
        self._began = max(self._heard)


def _since_boot() -> timedelta:
    return timedelta(seconds=time.monotonic())


class VirtualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """Return the moment to which the clock was last moved."""
        return self._now

    def advance_to(self, moment: datetime) -> None:
        """Move the clock to `moment`.

        Raises:
            ValueError: the moment has passed.
        """
        if moment < self._now:
            raise ValueError(f"{moment} has passed; the clock stands at {self._now}")
        self._now = moment.astimezone(UTC)

    def advance(self, span: timedelta) -> None:
        """Move the clock by `span`."""
        self.advance_to(self._now + span)
