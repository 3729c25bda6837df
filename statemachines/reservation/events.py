"""What an order may ask of its reservation, and what it is told, in the same transaction."""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from statemachines.declaration import Event, Role
from statemachines.pieces import MAX_LINES
from statemachines.stock import MAX_ON_HAND
from statemachines.values import Moment, Name, Reference, Sku, Text, WholeNumber

ORDERS = [Role.SYSTEM]
"""Orders raise these events by themselves; nobody else does."""


class PiecesOf(BaseModel):
    """Pieces of one product."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: Sku
    quantity: Annotated[int, WholeNumber, Field(ge=1, le=MAX_ON_HAND, examples=[2])]


Pieces = Annotated[tuple[PiecesOf, ...], Field(min_length=1, max_length=MAX_LINES)]


class Want(Event):
    """Keep pieces: all of them or, if the order may wait, what there is now and the rest as it arrives."""

    pieces: Pieces
    allow_backorder: bool = False
    """Whether the order may wait for what is not there."""


class Hold(Want, by=ORDERS):
    """Keep pieces for an order."""

    order: Reference
    customer: Name
    paid: bool = False
    """Whether the order is paid already, so that the pieces are taken at once."""
    until: Moment | None = None
    """Until when they are kept unless they are taken."""

    @model_validator(mode="after")
    def _what_is_not_paid_expires(self) -> Self:
        if self.paid == (self.until is not None):
            raise ValueError("say until when pieces are kept, or that they are paid")
        return self


class HoldMore(Want, by=ORDERS):
    """Keep more pieces for the same order; if it is paid, they are taken at once."""


class Extend(Event, by=ORDERS):
    """Keep them until another moment."""

    until: Moment


class Take(Event, by=ORDERS):
    """The order is paid: what there is leaves the stock, what is missing leaves it as it arrives."""


class Release(Event, by=ORDERS):
    """Give pieces back: those still missing first, then those that are promised, then those that were taken."""

    pieces: tuple[PiecesOf, ...] = Field(default=(), max_length=MAX_LINES)
    """Which; empty for everything."""
    reason: Text | None = None


class Restock(Event, by=ORDERS):
    """Pieces that were sold came back: they go to the stocks from which they came; others may be sent instead."""

    pieces: Pieces
    reason: Text | None = None


class Expire(Event):
    """The pieces were not taken in time."""


class Wake(Event):
    """Offer what was given back to those who wait for it."""


class Remind(Event):
    """A paid order still waits for pieces."""


# -- what the order is told ----------------------------------------------------------------------------------------


class Backordered(Event):
    """Not all pieces are there: the rest will come as it arrives. Without this news everything is held."""

    reservation: Reference
    missing: Pieces


class BackorderFilled(Event):
    """Pieces that were missing have arrived and are kept for the order."""

    reservation: Reference
    pieces: Pieces
    """Which."""
    missing: Annotated[int, WholeNumber, Field(ge=0)]
    """How many pieces are still missing."""


class ReservationExpired(Event):
    """Nothing is kept for the order any more: it was not paid in time."""

    reservation: Reference


def by_sku(pieces: Iterable[PiecesOf]) -> Counter[str]:
    """Sum pieces by SKU; a SKU may be named more than once."""
    sums: Counter[str] = Counter()
    for each in pieces:
        sums[each.sku] += each.quantity
    return sums


def as_pieces(pieces: Counter[str]) -> tuple[PiecesOf, ...]:
    """Name pieces by SKU as events do."""
    return tuple(PiecesOf(sku=sku, quantity=quantity) for sku, quantity in sorted(pieces.items()) if quantity > 0)
