"""Steps in windows: what happens at one moment is dispatched together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from orderly.replay.steps import Step

LIMIT: Final = 1000
"""How many steps a window holds at most."""


@dataclass(frozen=True, slots=True)
class Window:
    """Steps of one moment."""

    at: datetime
    steps: Sequence[Step]
    end: int
    """How many steps of the plan are done after it."""


def windows(steps: Sequence[Step], start: int = 0, limit: int = LIMIT) -> Iterator[Window]:
    """Cut the steps from number `start` on into windows."""
    while start < len(steps):
        at, end = steps[start].at, start + 1
        while end < len(steps) and end - start < limit and steps[end].at == at:
            end += 1
        yield Window(at, steps[start:end], end)
        start = end
