"""Answers that may be used again for a while, instead of asking for them anew. Kept per process."""

from collections.abc import Awaitable, Callable

import msgspec
from cachetools import TTLCache
from pydantic import BaseModel

from engine.clock import Clock
from gateways.port import Answer, Done
from statemachines.declaration import Effect

SIZE = 10_000
"""How many answers are kept of each effect; the least recently used goes first."""


class Results:
    """Keeps the answers of effects that declare a cache."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: dict[str, TTLCache[bytes, Done]] = {}

    async def get(self, effect: Effect, arguments: BaseModel, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the answer that is kept for these arguments, or ask and keep what the other side did."""
        if effect.cache is None:
            return await ask()
        kept = self._answers.setdefault(
            effect.name,
            TTLCache(SIZE, effect.cache.lifetime.total_seconds(), timer=lambda: self._clock.now().timestamp()),
        )
        key = msgspec.json.encode([getattr(arguments, name) for name in effect.cache.by], order="deterministic")
        if (known := kept.get(key)) is not None:
            return known
        answer = await ask()
        if isinstance(answer, Done):
            kept[key] = answer
        return answer
