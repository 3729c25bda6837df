"""A product: what the shop sells and at what price.

A product is named by its SKU. Orders take its price when they are placed; a later change of price does not touch them.
A discontinued product can be in no new order. Creating a product opens its stock at the main location; the merchant
may open more elsewhere.
"""

from collections.abc import Iterator
from typing import ClassVar

from sqlalchemy import CheckConstraint
from sqlmodel import Field

from statemachines.commands import Command, Send, Set, Spawn
from statemachines.declaration import NEW, Entity, Event, Load, Role, State, Transition
from statemachines.machine import Machine
from statemachines.stock import MAX_LOCATIONS, Location, Open, Priority, Retire, Revive, Stock
from statemachines.values import Amount, Count, Currency, Name, Sku


class Product(Entity):
    """A product of the catalogue; its id is its SKU."""

    __tablename__ = "products"
    __table_args__ = (CheckConstraint("price BETWEEN 0 AND 1000000000000", name="ck_products_price"),)
    search_columns: ClassVar[tuple[str, ...]] = ("id", "name")

    name: str = Field(default="", max_length=200)
    price: int = Field(default=0, description="per piece, in minor units")
    currency: str = Field(default="", max_length=3)


class Create(Event, by=[Role.MERCHANT]):
    """Put a product into the catalogue."""

    sku: Sku
    name: Name
    price: Amount
    currency: Currency
    on_hand: Count = 0
    """Pieces in stock to begin with."""
    reorder_level: Count = 0
    """At or below this many available pieces the stock counts as low."""


class Reprice(Event, by=[Role.MERCHANT]):
    """Change the price for orders to come."""

    price: Amount


class Rename(Event, by=[Role.MERCHANT]):
    """Change the name shown to people."""

    name: Name


class OpenLocation(Event, by=[Role.MERCHANT]):
    """Keep stock of it at another location, too."""

    location: Location
    priority: Priority = 1
    """Which location is asked first for pieces: the one with the lowest number is."""
    on_hand: Count = 0
    """Pieces there to begin with."""
    reorder_level: Count = 0
    """At or below this many available pieces the stock there counts as low."""


class Discontinue(Event, by=[Role.MERCHANT]):
    """Sell no more of it: no new order may name it, and no more pieces are promised."""


class Relist(Event, by=[Role.MERCHANT]):
    """Sell it again, once its stock is unfrozen."""


def own_id(product: Product) -> list[str]:
    """Name the product itself."""
    return [product.id]


def fits_the_map(stocks: list[Stock]) -> str | None:
    """Refuse more locations than a product may have."""
    return None if len(stocks) < MAX_LOCATIONS else f"a product has stock at {MAX_LOCATIONS} locations at most"


def describe(event: Create) -> Iterator[Command]:
    """Take over what the merchant says of the product."""
    yield Set(name=event.name, price=event.price, currency=event.currency)


def open_stock(event: Create) -> Iterator[Command]:
    """Give the product a stock of its own."""
    yield Spawn("stock", Open(sku=event.sku, on_hand=event.on_hand, reorder_level=event.reorder_level))


def open_elsewhere(product: Product, event: OpenLocation) -> Iterator[Command]:
    """Give the product a stock there."""
    opened = Open(
        sku=product.id,
        on_hand=event.on_hand,
        reorder_level=event.reorder_level,
        location=event.location,
        priority=event.priority,
    )
    yield Spawn("stock", opened)


def set_price(event: Reprice) -> Iterator[Command]:
    """Take the new price."""
    yield Set(price=event.price)


def set_name(event: Rename) -> Iterator[Command]:
    """Take the new name."""
    yield Set(name=event.name)


def retire_stock(stocks: list[Stock]) -> Iterator[Command]:
    """Let no more of it be promised anywhere."""
    yield from (Send("stock", each.id, Retire()) for each in stocks)


def revive_stock(stocks: list[Stock]) -> Iterator[Command]:
    """Let its stock be unfrozen, wherever it is."""
    yield from (Send("stock", each.id, Revive()) for each in stocks)


product = Machine(
    Product,
    plural="products",
    key=lambda event: event.sku,
    loads=[Load("stocks", Stock, by="sku", keys=own_id)],
    states=[
        State("active"),
        State("discontinued"),
    ],
    transitions=[
        #          event         from                        to              only if         then
        Transition(Create,       NEW,                        "active",       [],             [describe, open_stock]),
        Transition(OpenLocation, "active",                   None,           [fits_the_map], [open_elsewhere]),
        Transition(Reprice,      ["active", "discontinued"], None,           [],             [set_price]),
        Transition(Rename,       ["active", "discontinued"], None,           [],             [set_name]),
        Transition(Discontinue,  "active",                   "discontinued", [],             [retire_stock]),
        Transition(Relist,       "discontinued",             "active",       [],             [revive_stock]),
    ],
)  # fmt: skip
