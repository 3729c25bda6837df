"""What a plan is made of: steps for the service to take, and parts of the file's lines that hang on them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from statemachines.declaration import Event


class Outcome(StrEnum):
    """Where a line, or a part of it, lands."""

    SOLD = "sold"
    RETURNED = "returned"
    CANCELLED = "cancelled"
    SHELF = "stock adjusted"
    APART = "set apart"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Step:
    """One event for one entity at one moment."""

    at: datetime
    key: str
    """Names the step; the same file gives the same steps the same keys."""
    machine: str
    entity: str
    """A SKU, or an order's reference: its parcel and its returns go by their order."""
    event: Event
    reason: str | None = None
    """Of a return: the reason that it was asked for with, which no other return of its order has."""


@dataclass(frozen=True, slots=True)
class Part:
    """Pieces of one line of the file that share one outcome."""

    line: int
    quantity: int
    """Signed as in the file."""
    amount: Decimal
    """In pounds, signed as in the file."""
    outcome: Outcome
    """What it is if the service accepts every step it hangs on."""
    shelf: int = 0
    """How many pieces more lie on the shelf if so."""
    reason: str = ""
    steps: tuple[str, ...] = ()
    """The keys of the steps that it hangs on; the first one refused makes it refused."""
