"""What an action may ask for.

A command is a value; the dispatcher carries it out in the transaction of its transition.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel
from sqlmodel import SQLModel

from statemachines.declaration import Effect, Event

if TYPE_CHECKING:
    from statemachines.stock import Stock


class Set:
    """Set columns of the entity itself."""

    __slots__ = ("changes",)

    def __init__(self, **changes: object) -> None:
        self.changes = changes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Set) and self.changes == other.changes

    def __hash__(self) -> int:
        return hash(tuple(self.changes))

    def __repr__(self) -> str:
        return f"Set({', '.join(f'{name}={value!r}' for name, value in self.changes.items())})"


@dataclass(frozen=True, slots=True)
class Add:
    """Store a new row that belongs to the entity, for example an order line."""

    row: SQLModel


@dataclass(frozen=True, slots=True)
class Change:
    """Set columns of a loaded row that belongs to the entity."""

    row: SQLModel
    changes: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Call:
    """Call out after the commit; the answer comes back as one of the effect's events."""

    effect: Effect
    arguments: BaseModel


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Cancel what the entity asked for by `effect` and nobody has attempted yet.

    What was attempted may have been done already: its outcome still comes back, and the machine must take it.
    """

    effect: Effect


@dataclass(frozen=True, slots=True)
class Send:
    """Raise an event on another entity in the same transaction. If it is refused, so is the event that sent it."""

    machine: str
    id: str
    event: Event


@dataclass(frozen=True, slots=True)
class Spawn:
    """Create an entity of another machine in the same transaction, by its creating event."""

    machine: str
    event: Event


@dataclass(frozen=True, slots=True)
class Start:
    """Set the entity's timer `name`, or move it: `event` is raised at `at`.

    It outlives changes of state until it is cancelled.
    """

    name: str
    event: type[Event]
    at: datetime


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel the entity's timer `name`, if it is set."""

    name: str


@dataclass(frozen=True, slots=True)
class StockMovement:
    """Move pieces of one SKU; the shelf is a loaded and locked stock row."""

    shelf: "Stock"
    quantity: int

    on_hand: ClassVar[int] = 0
    """What one piece adds to the number on hand."""
    reserved: ClassVar[int] = 0
    """What one piece adds to the number reserved."""

    def changes(self) -> dict[str, object]:
        """Return the columns of the shelf as they will be.

        Raises:
            ValueError: they would fall below zero; a guard should have refused before.
        """
        on_hand = self.shelf.on_hand + self.on_hand * self.quantity
        reserved = self.shelf.reserved + self.reserved * self.quantity
        if not 0 <= reserved <= on_hand:
            raise ValueError(
                f"{type(self).__name__} {self.quantity} of '{self.shelf.id}': the stock would fall below zero"
            )
        return self.shelf.counted(on_hand=on_hand, reserved=reserved)


class Reserve(StockMovement):
    """Promise pieces to an order: they stay on hand but are no longer available."""

    reserved = 1


class Release(StockMovement):
    """Take a promise back."""

    reserved = -1


class Commit(StockMovement):
    """Take promised pieces out of the stock for good."""

    on_hand = -1
    reserved = -1


class Restock(StockMovement):
    """Put pieces back into the stock."""

    on_hand = 1


Command = Set | Add | Change | Call | Withdraw | Send | Spawn | Start | Cancel | StockMovement

CASCADE_LIMIT = 100
"""How many events one transaction may hold for one event that arrived, itself included."""
