"""The clock is passed in, so that a test or a replay can move it."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        ...


class SteadyClock:
    """A clock that runs evenly from the moment it was last set to.

    It is set to the database's clock again and again, so that all processes agree, and a jump of one machine's own
    clock moves no lease and no timer.
    """

    def __init__(self) -> None:
        self.set(datetime.now(UTC))

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        return self._set_to + timedelta(seconds=time.monotonic() - self._set_at)

    def set(self, moment: datetime) -> None:
        """Set the clock: it is `moment` now."""
        self._set_to = moment.astimezone(UTC)
        self._set_at = time.monotonic()


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
