"""How often something may be done: by a caller of ours, or by us to a destination."""

from datetime import datetime

from engine.clock import Clock

CALLERS_LIMIT = 100_000
"""How many callers are remembered; beyond that all are forgiven, which costs one burst."""

UNLIMITED = 1_000_000
"""What is left where there is no limit."""


class TokenBuckets:
    """How often each of many callers may do something: `burst` at once, refilled at `rate` a second.

    Args:
        rate: tokens a second; 0 for no limit.
        burst: how many tokens a caller may have at most.
        clock: tells the time.
    """

    def __init__(self, rate: float, burst: float, clock: Clock) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, tuple[float, datetime]] = {}

    def wait(self, caller: str, *, take: bool = True) -> float:
        """Take a token if there is one; return 0 if so, else in how many seconds there will be."""
        if self._rate <= 0:
            return 0
        tokens, now = self._tokens(caller)
        if tokens < 1:
            return (1 - tokens) / self._rate
        if take:
            if len(self._buckets) >= CALLERS_LIMIT:
                self._buckets.clear()
            self._buckets[caller] = tokens - 1, now
        return 0

    def left(self, caller: str) -> int:
        """Return how many tokens a caller could take at once."""
        return UNLIMITED if self._rate <= 0 else int(self._tokens(caller)[0])

    def _tokens(self, caller: str) -> tuple[float, datetime]:
        now = self._clock.now()
        tokens, at = self._buckets.get(caller, (self._burst, now))
        return min(self._burst, tokens + max(0.0, (now - at).total_seconds()) * self._rate), now
