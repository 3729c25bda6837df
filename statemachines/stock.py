"""The stock of one SKU: how many pieces are on hand, and how many of them are promised to orders.

Orders reserve, release, commit and restock pieces as part of their own transitions. What happens to the shelf itself
(deliveries, losses, finds, counts) are events of the stock, each kept in its history. On hand never falls below
reserved, and reserved never below zero; the database holds that too.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import AfterValidator
from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from statemachines.commands import Command, Set
from statemachines.declaration import NEW, Entity, Event, Role, State, Transition
from statemachines.machine import Machine
from statemachines.values import MAX_QUANTITY, Count, Difference, Quantity, Sku, Text

MAX_ON_HAND = 1000 * MAX_QUANTITY


class Stock(Entity):
    """The stock of one SKU; its id is the SKU."""

    __tablename__ = "stock"
    __table_args__ = (
        CheckConstraint("reserved >= 0", name="ck_stock_reserved"),
        CheckConstraint(f"on_hand >= reserved AND on_hand <= {MAX_ON_HAND}", name="ck_stock_on_hand"),
        CheckConstraint("reorder_level >= 0", name="ck_stock_reorder_level"),
        CheckConstraint("is_low = (on_hand - reserved <= reorder_level)", name="ck_stock_is_low"),
        Index(
            "ix_stock_low",
            "id",
            sqlite_where=text("is_low = 1 AND alerted_at IS NULL"),
            postgresql_where=text("is_low AND alerted_at IS NULL"),
        ),
    )
    search_columns: ClassVar[tuple[str, ...]] = ("id",)

    on_hand: int = Field(default=0, description="pieces on the shelf, promised or not")
    reserved: int = Field(default=0, description="pieces promised to orders")
    reorder_level: int = Field(default=0, description="at or below this many available pieces the stock is low")
    is_low: bool = Field(default=True, description="whether no more than the reorder level is available")
    alerted_at: datetime | None = Field(
        default=None, description="when the shop was told that it is low; empty if it isn't"
    )

    @property
    def available(self) -> int:
        """Pieces that may still be promised."""
        return self.on_hand - self.reserved

    def counted(self, **counts: int) -> dict[str, object]:
        """Return the columns as they will be with other counts, and whether the stock is low then.

        Once it no longer is, the shop will be told anew when it next is.
        """
        after = {"on_hand": self.on_hand, "reserved": self.reserved, "reorder_level": self.reorder_level, **counts}
        is_low = after["on_hand"] - after["reserved"] <= after["reorder_level"]
        return {**counts, "is_low": is_low, "alerted_at": self.alerted_at if is_low else None}


def _not_zero(difference: int) -> int:
    if difference == 0:
        raise ValueError("must not be 0")
    return difference


class Open(Event):
    """Open the stock of a new product."""

    sku: Sku
    on_hand: Count = 0
    reorder_level: Count = 0


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


def takes_only_what_is_free(stock: Stock, event: Adjust) -> str | None:
    """Refuse to write off pieces that are not there or that orders hold."""
    if stock.available + event.difference >= 0:
        return None
    return (
        f"{-event.difference} pieces to take off, but of {stock.on_hand} on hand {stock.reserved} are reserved "
        f"and {stock.available} available"
    )


def fits_the_shelf(stock: Stock, event: Receive | Adjust) -> str | None:
    """Refuse more pieces than a stock can count."""
    more = event.quantity if isinstance(event, Receive) else event.difference
    return None if stock.on_hand + more <= MAX_ON_HAND else f"a stock holds at most {MAX_ON_HAND} pieces"


def count_in(stock: Stock, event: Open) -> Iterator[Command]:
    """Begin with what the merchant counted."""
    yield Set(**stock.counted(on_hand=event.on_hand, reorder_level=event.reorder_level))


def put_on_shelf(stock: Stock, event: Receive) -> Iterator[Command]:
    """Add the pieces that arrived."""
    yield Set(**stock.counted(on_hand=stock.on_hand + event.quantity))


def correct(stock: Stock, event: Adjust) -> Iterator[Command]:
    """Correct the number on hand."""
    yield Set(**stock.counted(on_hand=stock.on_hand + event.difference))


def set_reorder_level(stock: Stock, event: SetReorderLevel) -> Iterator[Command]:
    """Take the new level."""
    yield Set(**stock.counted(reorder_level=event.reorder_level))


def note_alert(stock: Stock, now: datetime) -> Iterator[Command]:
    """Note when the shop was told, unless it is low no more."""
    if stock.is_low:
        yield Set(alerted_at=now)


ANY = ["stocked", "frozen", "retired"]

stock = Machine(
    Stock,
    plural="stock",
    key=lambda event: event.sku,
    readers=[Role.MERCHANT, Role.APPROVER, Role.ADMIN, Role.SYSTEM],
    states=[
        State("stocked"),
        State("frozen"),
        State("retired"),
    ],
    transitions=[
        #          event            from       to          only if                                    then
        Transition(Open,            NEW,       "stocked",  [],                                        [count_in]),
        Transition(Receive,         ANY,       None,       [fits_the_shelf],                          [put_on_shelf]),
        Transition(Adjust,          ANY,       None,       [takes_only_what_is_free, fits_the_shelf], [correct]),
        Transition(SetReorderLevel, ANY,       None,       [],                                        [set_reorder_level]),
        Transition(Alert,           ANY,       None,       [],                                        [note_alert]),
        Transition(Freeze,          "stocked", "frozen",   [],                                        []),
        Transition(Unfreeze,        "frozen",  "stocked",  [],                                        []),
        Transition(Retire,          ["stocked", "frozen"], "retired", [],                            []),
        Transition(Revive,          "retired", "frozen",   [],                                        []),
    ],
)  # fmt: skip
