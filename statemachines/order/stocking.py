"""What an order holds of the stock, by its reservation: pieces are held when it is submitted, taken when it is paid.

A new reservation is made if pieces are wanted again that were given back. Then the earlier one may still count pieces
that were not there to be given back; the order moves pieces of the newest only.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from statemachines.commands import Change, Command, Send, Set, Spawn
from statemachines.order.events import Edit
from statemachines.order.model import Order, OrderLine, OrderPolicy, pieces_of
from statemachines.pieces import Pieces, by_line
from statemachines.reservation.events import Hold, HoldMore, PiecesOf, Release, Restock, Take, as_pieces
from statemachines.reservation.model import OVER, Reservation
from statemachines.shipment.model import ShipmentLine
from statemachines.stock import Backorder, Stock, shortage


def in_stock(lines: list[OrderLine], stock: list[Stock], policy: OrderPolicy) -> str | None:
    """Refuse unless every piece is available."""
    return None if policy.backorders else shortage(pieces_of(lines), stock)


def added_in_stock(event: Edit, stock: list[Stock]) -> str | None:
    """Refuse to add pieces that are not available."""
    return shortage(_added(event), stock)


def everything_is_here(reservations: list[Reservation]) -> str | None:
    """Refuse to pack while pieces are waited for."""
    missing = sum(each.missing for each in reservations if each.state not in OVER)
    return f"{missing} pieces have not come in yet" if missing else None


def still_holds_stock(order: Order) -> str | None:
    """Refuse an order that gave its pieces back."""
    return None if order.stock_held != "nothing" else "the order's pieces were given back"


def reserve_stock(order: Order, lines: list[OrderLine], now: datetime, policy: OrderPolicy) -> Iterator[Command]:
    """Promise the pieces to this order."""
    hold = Hold(
        order=order.id,
        customer=order.customer,
        pieces=as_pieces(pieces_of(lines)),
        allow_backorder=policy.backorders,
        until=now + policy.reserve_at_most,
    )
    yield Spawn("reservation", hold)
    yield Set(stock_held="reserved")


def take_stock(order: Order, lines: list[OrderLine], reservations: list[Reservation]) -> Iterator[Command]:
    """Take the pieces that are kept out of the stock; if they were given back, those that are left, and wait."""
    if order.stock_held == "reserved":
        yield from (Send("reservation", name, Take()) for name in _current(reservations))
        yield Set(stock_held="taken")
    elif order.stock_held == "nothing":
        yield from take_stock_anew(order, lines)


def take_stock_anew(order: Order, lines: list[OrderLine]) -> Iterator[Command]:
    """Take pieces out of the stock that are kept for nobody."""
    pieces = as_pieces(pieces_of(lines))
    hold = Hold(order=order.id, customer=order.customer, pieces=pieces, allow_backorder=True, paid=True)
    yield Spawn("reservation", hold)
    yield Set(stock_held="taken")


def give_back_stock(
    order: Order, lines: list[OrderLine], reservations: list[Reservation], backorders: list[Backorder]
) -> Iterator[Command]:
    """Give back what the order holds: a promise is released, taken pieces return to the shelf unless they are gone."""
    pieces: tuple[PiecesOf, ...] = ()
    if order.stock_held == "taken":
        in_vain = waited_in_vain(lines, _missing(backorders))
        pieces = as_pieces(_at_hand(lines, in_vain))
        for line in lines:
            if in_vain[line.number]:
                yield Change(line, {"unavailable": line.unavailable - in_vain[line.number]})
    if pieces or order.stock_held == "reserved":
        yield from (Send("reservation", name, Release(pieces=pieces)) for name in _current(reservations))
    yield Set(stock_held="nothing")


def move_changed_stock(
    order: Order, event: Edit, lines: list[OrderLine], reservations: list[Reservation]
) -> Iterator[Command]:
    """Take what was added, and give back what was taken off, if the order holds its pieces."""
    if order.stock_held == "taken":
        yield from take_more(_added(event), reservations)
        removed = as_pieces(by_product(event.remove, lines))
        if removed:
            yield from (Send("reservation", name, Release(pieces=removed)) for name in _current(reservations))


def take_more(pieces: Counter[str], reservations: list[Reservation]) -> Iterator[Command]:
    """Take further pieces for an order that is paid."""
    if pieces:
        yield from (Send("reservation", name, HoldMore(pieces=as_pieces(pieces))) for name in _current(reservations))


def wait_no_longer(
    lines: list[OrderLine],
    reservations: list[Reservation],
    backorders: list[Backorder],
    awaited_lines: list[ShipmentLine],
) -> Iterator[Command]:
    """Wait no longer for pieces that can't be delivered."""
    in_vain = waited_in_vain(lines, still_to_come(backorders, awaited_lines))
    if pieces := as_pieces(_by_sku(lines, in_vain)):
        yield from (Send("reservation", name, Release(pieces=pieces)) for name in _current(reservations))


def put_back(pieces: Counter[str], reservations: list[Reservation]) -> Iterator[Command]:
    """Put pieces back on the shelves from which they were taken."""
    if pieces:
        yield from (Send("reservation", name, Restock(pieces=as_pieces(pieces))) for name in _current(reservations))


def note_expired_reservation() -> Iterator[Command]:
    """Note that nothing is kept for the order any more."""
    yield Set(stock_held="nothing")


def by_product(pieces: tuple[Pieces, ...], lines: list[OrderLine]) -> Counter[str]:
    """Sum pieces of lines by their product."""
    return _by_sku(lines, by_line(pieces))


def still_to_come(backorders: list[Backorder], awaited_lines: list[ShipmentLine]) -> Counter[str]:
    """Count by SKU the pieces that are neither here nor in a parcel that waits for them."""
    awaited = _missing(backorders)
    for line in awaited_lines:
        awaited[line.sku] -= line.quantity
    return +awaited


def waited_in_vain(lines: list[OrderLine], awaited: Counter[str]) -> Counter[int]:
    """Count by line the pieces that can't be delivered because they never came; the others should be there and are not.

    Args:
        lines: of the order.
        awaited: what it waits for, by SKU.
    """
    left, in_vain = Counter(awaited), Counter[int]()
    for line in lines:
        in_vain[line.number] = min(line.unavailable, left[line.sku])
        left[line.sku] -= in_vain[line.number]
    return +in_vain


def _current(reservations: list[Reservation]) -> list[str]:
    """Name the reservation whose pieces are the order's; nothing if all are over."""
    return [each.id for each in reservations if each.state not in OVER][-1:]


def _added(event: Edit) -> Counter[str]:
    added: Counter[str] = Counter()
    for line in event.add:
        added[line.sku] += line.quantity
    return added


def _at_hand(lines: list[OrderLine], in_vain: Counter[int]) -> Counter[str]:
    pieces: Counter[str] = Counter()
    for line in lines:
        not_there = line.unavailable - in_vain[line.number]
        pieces[line.sku] += line.kept - line.lost - line.delivered - not_there
    return +pieces


def _by_sku(lines: list[OrderLine], quantities: Counter[int]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for line in lines:
        sums[line.sku] += quantities[line.number]
    return +sums


def _missing(backorders: list[Backorder]) -> Counter[str]:
    missing: Counter[str] = Counter()
    for backorder in backorders:
        missing[backorder.sku] += backorder.missing
    return missing
