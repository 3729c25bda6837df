"""What a stock is: its columns, where it stands, and who waits for pieces of it."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field as Constraint
from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from statemachines.declaration import Entity
from statemachines.values import MAX_QUANTITY, WholeNumber

MAX_ON_HAND = 1000 * MAX_QUANTITY

MAX_LOCATIONS = 20
"""At how many locations one product may have stock."""

MAIN = "main"
"""The location at which every product has its first stock, whose id is the SKU alone."""

Location = Annotated[str, Constraint(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$", examples=["berlin"])]
"""The shop's name of a place that holds stock."""

Priority = Annotated[int, WholeNumber, Constraint(ge=1, le=1000, examples=[2])]
"""Which location is asked first: the lower number is."""

QUEUE_PAGE = 50
"""How many of those who wait are looked up at once."""


def stock_id(sku: str, location: str) -> str:
    """Return the name of a product's stock at a location: ``MUG`` at the main one, ``MUG@berlin`` at another."""
    return sku if location == MAIN else f"{sku}@{location}"


def queue_page(sku: str, ticket: int) -> str:
    """Return the name under which a ticket is looked up, together with those next to it."""
    return f"{sku}/{ticket // QUEUE_PAGE}"


class Stock(Entity):
    """The stock of one SKU at one location."""

    __tablename__ = "stock"
    __table_args__ = (
        CheckConstraint("reserved >= 0", name="ck_stock_reserved"),
        CheckConstraint(f"on_hand >= reserved AND on_hand <= {MAX_ON_HAND}", name="ck_stock_on_hand"),
        CheckConstraint("reorder_level >= 0", name="ck_stock_reorder_level"),
        CheckConstraint("is_low = (on_hand - reserved <= reorder_level)", name="ck_stock_is_low"),
        CheckConstraint("location <> 'main' OR id = sku", name="ck_stock_location"),
        CheckConstraint("priority >= 1", name="ck_stock_priority"),
        CheckConstraint("waiting >= 0 AND served >= 0 AND tickets >= served", name="ck_stock_waiting"),
        UniqueConstraint("sku", "location", name="uq_stock_location"),
        Index(
            "ix_stock_low",
            "id",
            sqlite_where=text("is_low = 1 AND alerted_at IS NULL"),
            postgresql_where=text("is_low AND alerted_at IS NULL"),
        ),
        Index(
            "ix_stock_waiting",
            "id",
            sqlite_where=text("waiting > 0"),
            postgresql_where=text("waiting > 0"),
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
    sku: str = Field(default="", max_length=64, description="the product's name")
    location: str = Field(default=MAIN, max_length=32, description="where it stands")
    priority: int = Field(default=1, description="the location with the lowest number is asked first")
    waiting: int = Field(default=0, description="pieces of the SKU that are waited for; kept at the main location")
    tickets: int = Field(default=0, description="the last place given in the queue of those who wait")
    served: int = Field(default=0, description="up to this place nobody waits any more")

    @property
    def available(self) -> int:
        """Pieces that are not promised."""
        return self.on_hand - self.reserved

    @property
    def product(self) -> str:
        """The product's SKU, told by the stock's name: also the name of its main stock."""
        return self.id.partition("@")[0]

    def counted(self, **counts: int) -> dict[str, object]:
        """Return the columns as they will be with other counts, and whether the stock is low then.

        Once it no longer is, the shop will be told anew when it next is.
        """
        after = {"on_hand": self.on_hand, "reserved": self.reserved, "reorder_level": self.reorder_level, **counts}
        is_low = after["on_hand"] - after["reserved"] <= after["reorder_level"]
        return {**counts, "is_low": is_low, "alerted_at": self.alerted_at if is_low else None}


class Backorder(SQLModel):
    """Pieces of one SKU that a reservation waits for, and its place in the queue."""

    __tablename__ = "backorders"
    __table_args__ = (
        CheckConstraint("ticket >= 1", name="ck_backorders_ticket"),
        CheckConstraint("quantity BETWEEN 1 AND 1000000000", name="ck_backorders_quantity"),
        CheckConstraint("missing BETWEEN 0 AND quantity", name="ck_backorders_missing"),
        CheckConstraint("(missing = 0) = (page IS NULL)", name="ck_backorders_page"),
        Index("ix_backorders_page", "page"),
        Index("ix_backorders_reservation_id", "reservation_id"),
    )

    sku: str = Field(primary_key=True, max_length=64, foreign_key="stock.id")
    ticket: int = Field(primary_key=True, description="the place in the queue: who came first is served first")
    reservation_id: str = Field(foreign_key="reservations.id")
    quantity: int = Field(description="pieces that were missing")
    missing: int = Field(description="pieces still waited for")
    page: str | None = Field(default=None, max_length=96, description="how it is looked up while it waits")
    since: datetime = Field(description="since when it waits")
