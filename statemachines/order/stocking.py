"""What an order holds of the stock: pieces are reserved when it is submitted, taken when it is paid, and given back."""

from collections import Counter
from collections.abc import Iterator

from statemachines.commands import Command, Commit, Release, Reserve, Restock, Set
from statemachines.order.events import Edit
from statemachines.order.model import Order, OrderLine, pieces_of
from statemachines.pieces import by_line
from statemachines.stock import Stock


def in_stock(lines: list[OrderLine], stock: dict[str, Stock]) -> str | None:
    """Refuse unless every piece is available."""
    return _shortage(pieces_of(lines), stock)


def added_in_stock(event: Edit, stock: dict[str, Stock]) -> str | None:
    """Refuse to add pieces that are not available."""
    return _shortage(_added(event), stock)


def still_holds_stock(order: Order) -> str | None:
    """Refuse an order that gave its pieces back."""
    return None if order.stock_held != "nothing" else "the order's pieces were given back"


def reserve_stock(lines: list[OrderLine], stock: dict[str, Stock]) -> Iterator[Command]:
    """Promise the pieces to this order."""
    yield from (Reserve(stock[sku], quantity) for sku, quantity in pieces_of(lines).items())
    yield Set(stock_held="reserved")


def take_stock(order: Order, lines: list[OrderLine], stock: dict[str, Stock]) -> Iterator[Command]:
    """Take the promised pieces out of the stock."""
    if order.stock_held == "reserved":
        yield from (Commit(stock[sku], quantity) for sku, quantity in pieces_of(lines).items())
        yield Set(stock_held="taken")


def take_stock_anew(lines: list[OrderLine], stock: dict[str, Stock]) -> Iterator[Command]:
    """Take pieces out of the stock that are promised to nobody."""
    yield from _take(pieces_of(lines), stock)
    yield Set(stock_held="taken")


def give_back_stock(order: Order, lines: list[OrderLine], stock: dict[str, Stock]) -> Iterator[Command]:
    """Give back what the order holds: a promise is released, taken pieces return to the shelf unless they are gone."""
    if order.stock_held == "reserved":
        yield from (Release(stock[sku], quantity) for sku, quantity in pieces_of(lines).items())
    elif order.stock_held == "taken":
        yield from (Restock(stock[sku], quantity) for sku, quantity in _at_hand(lines).items())
    yield Set(stock_held="nothing")


def move_changed_stock(order: Order, event: Edit, lines: list[OrderLine], stock: dict[str, Stock]) -> Iterator[Command]:
    """Take what was added, and give back what was taken off, if the order holds its pieces."""
    if order.stock_held != "taken":
        return
    removed = by_line(event.remove)
    yield from (Restock(stock[line.sku], removed[line.number]) for line in lines if removed[line.number])
    yield from _take(_added(event), stock)


def _take(pieces: Counter[str], stock: dict[str, Stock]) -> Iterator[Command]:
    for sku, quantity in pieces.items():
        yield Reserve(stock[sku], quantity)
        yield Commit(stock[sku], quantity)


def _added(event: Edit) -> Counter[str]:
    added: Counter[str] = Counter()
    for line in event.add:
        added[line.sku] += line.quantity
    return added


def _at_hand(lines: list[OrderLine]) -> Counter[str]:
    pieces: Counter[str] = Counter()
    for line in lines:
        pieces[line.sku] += line.kept - line.lost - line.delivered - line.unavailable
    return +pieces


def _shortage(pieces: Counter[str], stock: dict[str, Stock]) -> str | None:
    short = []
    for sku, quantity in pieces.items():
        shelf = stock[sku]
        if shelf.state != "stocked":
            short.append(f"{sku}: its stock is {shelf.state}")
        elif shelf.available < quantity:
            short.append(f"{sku}: {quantity} asked, {shelf.available} available")
    return "not in stock: " + "; ".join(short) if short else None
