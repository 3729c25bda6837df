"""Pieces of order lines, as shipments and returns name them."""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from statemachines.values import Name, Quantity, Sku, WholeNumber

MAX_LINES = 1000
"""The most lines that an order may have."""

LineNumber = Annotated[int, WholeNumber, Field(ge=1, le=MAX_LINES)]
"""The number of a line in its order."""


class Pieces(BaseModel):
    """Pieces of one order line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: LineNumber
    quantity: Quantity


class NamedPieces(Pieces):
    """Pieces of one order line, and what they are."""

    sku: Sku
    name: Name


def by_line(pieces: Iterable[Pieces]) -> Counter[int]:
    """Sum pieces by the number of their line; a line may be named more than once."""
    sums: Counter[int] = Counter()
    for each in pieces:
        sums[each.number] += each.quantity
    return sums
