"""Answers that may be used again for a while, instead of asking for them anew. Kept per process."""

import msgspec
from cachetools import TTLCache
from pydantic import BaseModel

from engine.clock import Clock
from gateways.port import Done
from statemachines.declaration import Effect

SIZE = 10_000
"""How many answers are kept of each effect; the least recently used goes first."""


class Results:
    """Keeps the answers of effects that declare a cache."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: dict[str, TTLCache[bytes, Done]] = {}

    def find(self, effect: Effect, arguments: BaseModel) -> Done | None:
        """Return the answer that is kept for these arguments."""
        if effect.name not in self._answers:
            return None
        return self._answers[effect.name].get(_key(effect, arguments))

    def keep(self, effect: Effect, arguments: BaseModel, answer: Done) -> None:
        """Keep an answer, if its effect may be answered from memory."""
        if effect.cache is None:
            return
        if effect.name not in self._answers:
            lifetime = effect.cache.lifetime.total_seconds()
            self._answers[effect.name] = TTLCache(SIZE, lifetime, timer=lambda: self._clock.now().timestamp())
        self._answers[effect.name].setdefault(_key(effect, arguments), answer)


def _key(effect: Effect, arguments: BaseModel) -> bytes:
    assert effect.cache is not None
    return msgspec.json.encode([getattr(arguments, name) for name in effect.cache.by], order="deterministic")
