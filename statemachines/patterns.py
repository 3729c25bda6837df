"""Event patterns: which events are meant by ``order.charged``, ``order.*`` or ``*``."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

MAX_PATTERNS = 50

PATTERN = r"([*]|[a-z][a-z0-9_]{0,49}[.]([*]|[a-z][a-z0-9_]{0,49}))"

Pattern = Annotated[str, Field(pattern=f"^{PATTERN}$")]
"""Which events are meant: one of a machine, all of a machine, or all there are."""

Patterns = Annotated[
    tuple[Pattern, ...], Field(min_length=1, max_length=MAX_PATTERNS, examples=[["order.*", "product.reprice"]])
]


def matches(patterns: Iterable[str], machine: str, event: str) -> bool:
    """Tell whether any of the patterns means an event of a machine."""
    return not {"*", f"{machine}.*", f"{machine}.{event}"}.isdisjoint(patterns)


def first_unknown(patterns: Iterable[str]) -> str | None:
    """Return the first pattern that no event will ever match; None if there is none."""
    from statemachines.registry import MACHINES  # here, for a machine that uses patterns is declared before it

    for pattern in patterns:
        machine, _, event = pattern.partition(".")
        if pattern != "*" and (machine not in MACHINES or event not in {"*", *MACHINES[machine].events}):
            return pattern
    return None
