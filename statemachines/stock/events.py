"""What may be asked of a stock, by whom, and what a reservation that waits is told."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from statemachines.declaration import Event, Role
from statemachines.stock.model import MAIN, MAX_LOCATIONS, MAX_ON_HAND, Location, Priority
from statemachines.values import Count, Difference, Quantity, Sku, StockName, Text, WholeNumber


def _not_zero(difference: int) -> int:
    if difference == 0:
        raise ValueError("must not be 0")
    return difference


class Open(Event):
    """Open the stock of a product at a location."""

    sku: Sku
    on_hand: Count = 0
    reorder_level: Count = 0
    location: Location = MAIN
    priority: Priority = 1


class Receive(Event, by=[Role.MERCHANT]):
    """Pieces arrived."""

    quantity: Quantity
    reason: Text | None = None


class Adjust(Event, by=[Role.MERCHANT]):
    """Pieces were lost, damaged, found or counted anew."""

    difference: Annotated[Difference, AfterValidator(_not_zero)]
    reason: Text


class SetReorderLevel(Event, by=[Role.MERCHANT]):
    """Choose when the stock counts as low."""

    reorder_level: Count


class SetPriority(Event, by=[Role.MERCHANT]):
    """Choose how early this location is asked for pieces: the lowest number is asked first."""

    priority: Priority


class Freeze(Event, by=[Role.MERCHANT]):
    """Promise no more pieces, for a stocktake or a recall."""

    reason: Text | None = None


class Unfreeze(Event, by=[Role.MERCHANT]):
    """Promise pieces again."""


class Alert(Event):
    """The shop was told that the stock is low."""


class Retire(Event):
    """The product was discontinued: promise no more pieces."""


class Revive(Event):
    """The product is listed again; its stock waits to be unfrozen."""


class Fill(Event):
    """Give pieces that are free to those who wait for them, first come, first served."""


# -- what a reservation that waits is told, in the same transaction ------------------------------------------------


class PiecesAt(BaseModel):
    """Pieces of one stock."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stock: StockName
    quantity: Annotated[int, WholeNumber, Field(ge=1, le=MAX_ON_HAND)]


class PiecesArrived(Event):
    """Pieces that the reservation waited for are promised to it now."""

    sku: Sku
    pieces: tuple[PiecesAt, ...] = Field(min_length=1, max_length=MAX_LOCATIONS)
