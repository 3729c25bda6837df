"""Destinations: the gateways that effects call, each behind its own bulkhead, rate limit and circuit breaker.

What one destination suffers from stays with it: a gateway that hangs takes up its own places and no others'. All of
this is kept per process: with n processes a destination sees up to n times its limits, and each finds out by itself
that it is down.
"""

from collections import deque
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from random import Random

import structlog
from pydantic import BaseModel, ConfigDict, Field

from engine.clock import Clock
from engine.rates import TokenBuckets

log = structlog.get_logger("orderly.destinations")

WINDOW = timedelta(seconds=30)
"""How long a call counts."""

ENOUGH_CALLS = 20
"""How many calls within the window say something about a destination."""

FAILING = 0.5
"""The share of calls without an answer from which on it counts as down."""

OPEN_FOR = timedelta(seconds=30)
"""How long a destination that is down is left alone, give or take a fifth."""

PROBES = 3
"""How many calls in a row have to be answered before it counts as up again."""

QUICK = 0.1
"""Seconds. If calls take less, the next ones are claimed while these are made, so that claiming never holds them up."""


class DestinationLimits(BaseModel):
    """What a destination may be burdened with by each process."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    concurrency: int = Field(10, ge=1, le=1000, description="calls at a time")
    per_second: float = Field(0, ge=0, description="calls a second; 0 for no limit")


class Circuit(StrEnum):
    """Whether a destination is called."""

    CLOSED = "closed"
    """It is."""
    OPEN = "open"
    """It is down and left alone."""
    HALF_OPEN = "half-open"
    """A few calls find out whether it is up again."""


class Breaker:
    """Finds out from the calls to a destination whether it is down, and keeps further calls from it while it is."""

    def __init__(self, destination: str, clock: Clock, random: Random) -> None:
        self._destination = destination
        self._clock = clock
        self._random = random
        self._calls: deque[tuple[datetime, bool]] = deque()
        self._failed = 0
        self._probes = 0
        self.reopens_at: datetime | None = None
        """When a destination that is down is tried again."""

    @property
    def circuit(self) -> Circuit:
        """Return how the destination stands now."""
        if self.reopens_at is None:
            return Circuit.CLOSED
        return Circuit.OPEN if self._clock.now() < self.reopens_at else Circuit.HALF_OPEN

    def note(self, *, answered: bool) -> None:
        """Note how a call ended."""
        now = self._clock.now()
        if self.reopens_at is not None:
            if now < self.reopens_at:
                return  # begun before it went down
            self._probes = self._probes + 1 if answered else 0
            if not answered:
                self._open(now)
            elif self._probes >= PROBES:
                self.reopens_at = None
                self._calls.clear()
                self._failed = 0
                log.warning("circuit_closed", destination=self._destination)
            return
        self._calls.append((now, answered))
        self._failed += not answered
        while self._calls[0][0] < now - WINDOW:
            self._failed -= not self._calls.popleft()[1]
        if not answered and len(self._calls) >= ENOUGH_CALLS and self._failed >= FAILING * len(self._calls):
            self._open(now)

    def _open(self, now: datetime) -> None:
        self._probes = 0
        self.reopens_at = now + OPEN_FOR * (0.8 + 0.4 * self._random.random())
        log.error("circuit_opened", destination=self._destination, until=self.reopens_at.isoformat())


class Destination:
    """One destination: how many calls it has, and how many more it may get."""

    def __init__(self, name: str, limits: DestinationLimits, clock: Clock, random: Random) -> None:
        self.name = name
        self.limits = limits
        self.breaker = Breaker(name, clock, random)
        self._clock = clock
        self._rates = TokenBuckets(limits.per_second, max(1.0, limits.per_second), clock)
        self._seconds = 1.0
        self.calls = 0
        """Calls that were claimed: those that are being made and those that wait for a place."""

    @property
    def places(self) -> int:
        """How many more calls may be claimed, as far as it is a matter of how many there are at a time."""
        if self.is_down:
            places = min(PROBES, self.limits.concurrency)
        else:
            places = self.limits.concurrency * (2 if self._seconds < QUICK else 1)
        return max(0, places - self.calls)

    @property
    def ready_at(self) -> datetime | None:
        """Until when it is left alone or has been called often enough; None if it may be called now."""
        if self.breaker.circuit is Circuit.OPEN:
            return self.breaker.reopens_at
        wait = self._rates.wait(self.name, take=False)
        return self._clock.now() + timedelta(milliseconds=ceil(wait * 1000)) if wait else None

    @property
    def room(self) -> int:
        """How many more calls may be claimed now."""
        return 0 if self.breaker.circuit is Circuit.OPEN else min(self.places, self._rates.left(self.name))

    @property
    def is_down(self) -> bool:
        """Whether it is left alone, or called only to find out whether it is up again."""
        return self.breaker.circuit is not Circuit.CLOSED

    @property
    def wants_more(self) -> bool:
        """Whether it is worth claiming again: in handfuls if calls are quick, else one by one."""
        return self.room >= (self.limits.concurrency if self._seconds < QUICK and not self.is_down else 1)

    def begin(self) -> None:
        """Count a call that was claimed."""
        self.calls += 1
        self._rates.wait(self.name)

    def end(self) -> None:
        """Count a call that ended, or was not made after all."""
        self.calls -= 1

    def note(self, seconds: float, *, answered: bool | None) -> None:
        """Learn from a call that was made.

        Args:
            seconds: how long it took.
            answered: whether it got an answer; None if what went wrong was not for the other side to answer.
        """
        self._seconds += 0.1 * (seconds - self._seconds)
        if answered is not None:
            self.breaker.note(answered=answered)
