"""The stock of one SKU at one location: how many pieces are on hand, and how many of them are promised to orders.

Orders reserve, release, commit and restock pieces as part of their own transitions. What happens to the shelf itself
(deliveries, losses, finds, counts) are events of the stock, each kept in its history. On hand never falls below
reserved, and reserved never below zero; the database holds that too.

Every product has a stock at the main location, whose id is the SKU; stocks elsewhere are named ``SKU@location``. The
main one keeps the queue of those who wait for pieces of the product, wherever these arrive.
"""

from collections.abc import Iterator
from datetime import datetime

from statemachines.commands import Command, Set
from statemachines.declaration import NEW, Load, Role, State, Transition
from statemachines.machine import Machine
from statemachines.stock.events import (
    Adjust,
    Alert,
    Fill,
    Freeze,
    Open,
    Receive,
    Retire,
    Revive,
    SetPriority,
    SetReorderLevel,
    Unfreeze,
)
from statemachines.stock.model import MAX_ON_HAND, Backorder, Stock, stock_id
from statemachines.stock.queue import call_next, pages_in_front, serve


def main_stock(stock: Stock) -> list[str]:
    """Name the product's main stock, if this is another."""
    return [] if stock.id == stock.product else [stock.product]


def same_product(stock: Stock) -> list[str]:
    """Name the product, whose stocks are looked up by it."""
    return [stock.sku]


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
    counts = stock.counted(on_hand=event.on_hand, reorder_level=event.reorder_level)
    yield Set(sku=event.sku, location=event.location, priority=event.priority, **counts)


def put_on_shelf(stock: Stock, event: Receive) -> Iterator[Command]:
    """Add the pieces that arrived."""
    yield Set(**stock.counted(on_hand=stock.on_hand + event.quantity))


def correct(stock: Stock, event: Adjust) -> Iterator[Command]:
    """Correct the number on hand."""
    yield Set(**stock.counted(on_hand=stock.on_hand + event.difference))


def set_reorder_level(stock: Stock, event: SetReorderLevel) -> Iterator[Command]:
    """Take the new level."""
    yield Set(**stock.counted(reorder_level=event.reorder_level))


def set_priority(event: SetPriority) -> Iterator[Command]:
    """Take the new number."""
    yield Set(priority=event.priority)


def note_alert(stock: Stock, now: datetime) -> Iterator[Command]:
    """Note when the shop was told, unless it is low no more."""
    if stock.is_low:
        yield Set(alerted_at=now)


ANY = ["stocked", "frozen", "retired"]

stock = Machine(
    Stock,
    plural="stock",
    key=lambda event: stock_id(event.sku, event.location),
    readers=[Role.MERCHANT, Role.APPROVER, Role.ADMIN, Role.SYSTEM],
    loads=[
        Load("main", Stock, by="id", keys=main_stock),
        Load("stocks", Stock, by="sku", keys=same_product, lock=True),
        Load("queue", Backorder, by="page", keys=pages_in_front, lock=True),
    ],
    states=[
        State("stocked"),
        State("frozen"),
        State("retired"),
    ],
    transitions=[
        #          event            from                   to         only if                                    then
        Transition(Open,            NEW,                   "stocked", [],                                        [count_in, call_next]),
        Transition(Receive,         ANY,                   None,      [fits_the_shelf],                          [put_on_shelf, call_next]),
        Transition(Adjust,          ANY,                   None,      [takes_only_what_is_free, fits_the_shelf], [correct, call_next]),
        Transition(Fill,            ANY,                   None,      [],                                        [serve]),
        Transition(SetReorderLevel, ANY,                   None,      [],                                        [set_reorder_level]),
        Transition(SetPriority,     ANY,                   None,      [],                                        [set_priority]),
        Transition(Alert,           ANY,                   None,      [],                                        [note_alert]),
        Transition(Freeze,          "stocked",             "frozen",  [],                                        []),
        Transition(Unfreeze,        "frozen",              "stocked", [],                                        [call_next]),
        Transition(Retire,          ["stocked", "frozen"], "retired", [],                                        []),
        Transition(Revive,          "retired",             "frozen",  [],                                        []),
    ],
)  # fmt: skip
