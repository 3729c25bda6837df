"""Steps in windows and waves: what happens at one moment is dispatched together, as far as it can be.

A parcel and a return are named by the service when they are made. Whoever asks something of them has to look up their
names first, so what is asked of them at the moment at which they are made waits for the next wave.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from orderly.replay.children import TABLE_OF
from orderly.replay.steps import Step
from statemachines.order import Fulfill, RequestReturn, Ship

LIMIT: Final = 1000
"""How many steps a window holds at most."""

_MAKES_A_CHILD: Final = (Ship, Fulfill, RequestReturn)


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


def waves(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    """Cut the steps of a window into waves; within each, all parcels and returns are there that it asks something of.

    The steps of one order stay in their order, and movements of the shelf come after all of them.
    """
    cut: dict[int, list[Step]] = defaultdict(list)
    wave: dict[str, int] = defaultdict(int)
    makes: set[tuple[str, int]] = set()
    last = 0
    for step in steps:
        if step.machine == "stock":
            cut[last].append(step)
            continue
        if step.machine in TABLE_OF and (step.entity, wave[step.entity]) in makes:
            wave[step.entity] += 1
        number = wave[step.entity]
        if isinstance(step.event, _MAKES_A_CHILD):
            makes.add((step.entity, number))
        cut[number].append(step)
        last = max(last, number)
    for number in sorted(cut):
        yield cut[number]
