"""Who waits for pieces of a product, and how they are served: strictly in the order in which they came.

Whoever must wait draws the next ticket of the product's queue. Tickets are looked up a page at a time, so that serving
costs the same however many wait; who is not served at once is served right after, by a timer of the stock's own.
"""

from collections.abc import Iterator
from datetime import datetime

from statemachines.commands import Change, Command, Reserve, Send, Set, Start
from statemachines.stock.events import Fill, PiecesArrived, PiecesAt
from statemachines.stock.locations import Portion, choose, free_pieces
from statemachines.stock.model import QUEUE_PAGE, Backorder, Stock, queue_page

PAGES_AT_ONCE = 4
"""How many pages of tickets are looked at for one filling."""

SERVED_AT_ONCE = 20
"""How many reservations one filling serves: with what their holders make of it, a transaction holds no more."""


def pages_in_front(stock: Stock) -> list[str]:
    """Name the pages on which those stand who are to be served first."""
    return [queue_page(stock.sku, page * QUEUE_PAGE) for page in _pages(stock)]


def _pages(stock: Stock) -> range:
    if not stock.waiting:
        return range(0)
    first = (stock.served + 1) // QUEUE_PAGE
    return range(first, min(first + PAGES_AT_ONCE, stock.tickets // QUEUE_PAGE + 1))


def leave_queue(main: Stock, quantity: int) -> dict[str, object]:
    """Return the columns of a product's main stock once so many pieces are waited for no longer."""
    waiting = main.waiting - quantity
    return {"waiting": waiting, "served": main.served if waiting else main.tickets}


def call_next(stock: Stock, main: dict[str, Stock]) -> Iterator[Command]:
    """Have those served who wait for the product, if any do."""
    first = main.get(stock.product, stock)
    if first.waiting:
        yield Send("stock", first.id, Fill())


def serve(stock: Stock, stocks: list[Stock], queue: list[Backorder], now: datetime) -> Iterator[Command]:
    """Give what is free to those in front, to each as much as it still waits for."""
    free, waiting, served = free_pieces(stocks), stock.waiting, _last_looked_at(stock)
    line = sorted((each for each in queue if each.missing), key=lambda each: each.ticket)
    for place, each in enumerate(line):
        portions = choose({stock.sku: each.missing}, stocks, free) if place < SERVED_AT_ONCE else []
        given = sum(portion.quantity for portion in portions)
        if portions:
            yield from _give(each, portions)
        free.subtract({portion.stock.id: portion.quantity for portion in portions})
        waiting -= given
        if given < each.missing:
            served = each.ticket - 1
            break
    yield Set(waiting=waiting, served=served if waiting else stock.tickets)
    goes_on = waiting < stock.waiting or served > stock.served
    if waiting and goes_on and any(free.values()):
        yield Start(Fill.event_name, Fill, now)


def _last_looked_at(stock: Stock) -> int:
    """Return the last ticket on the pages in front."""
    return min(stock.tickets, _pages(stock).stop * QUEUE_PAGE - 1)


def _give(each: Backorder, portions: list[Portion]) -> Iterator[Command]:
    yield from (Reserve(portion.stock, portion.quantity) for portion in portions)
    missing = each.missing - sum(portion.quantity for portion in portions)
    yield Change(each, {"missing": missing, "page": each.page if missing else None})
    pieces = tuple(PiecesAt(stock=portion.stock.id, quantity=portion.quantity) for portion in portions)
    yield Send("reservation", each.reservation_id, PiecesArrived(sku=each.sku, pieces=pieces))
