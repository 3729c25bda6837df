"""What follows when a reservation's row is taken: each action yields what it asks for and changes nothing itself."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import count
from typing import TypeVar

from statemachines.commands import Add, Call, Change, Command, Commit, Reserve, Send, Set, Start
from statemachines.commands import Release as Unpromise
from statemachines.commands import Restock as PutBack
from statemachines.declaration import asks
from statemachines.messages import POST_MESSAGE, PostMessage
from statemachines.reservation.events import (
    Backordered,
    BackorderFilled,
    Expire,
    Extend,
    Hold,
    HoldMore,
    PiecesOf,
    Release,
    Remind,
    ReservationExpired,
    Restock,
    Wake,
    Want,
    as_pieces,
    by_sku,
)
from statemachines.reservation.model import Reservation, ReservationLine, ReservationPolicy
from statemachines.stock import (
    Backorder,
    Fill,
    PiecesArrived,
    Portion,
    Stock,
    choose,
    free_pieces,
    leave_queue,
    queue_page,
)

REMIND_OF = 20
"""How many of the products that an order waits for a message lists."""

T = TypeVar("T")

# -- keeping pieces ------------------------------------------------------------------------------------------------


def note_order(event: Hold) -> Iterator[Command]:
    """Note whose pieces they are."""
    yield Set(order_id=event.order, customer=event.customer, expires_at=event.until)


def hold_pieces(reservation: Reservation, event: Hold, offers: list[Stock]) -> Iterator[Command]:
    """Promise what there is."""
    yield from _hold(reservation, event, offers, 0, "held")


def take_at_once(reservation: Reservation, event: Hold, offers: list[Stock]) -> Iterator[Command]:
    """Take what there is out of the stock."""
    yield from _hold(reservation, event, offers, 0, "taken")


def hold_more(
    reservation: Reservation, event: HoldMore, offers: list[Stock], lines: list[ReservationLine]
) -> Iterator[Command]:
    """Promise what there is of the pieces that come on top."""
    yield from _hold(reservation, event, offers, len(lines), "held")


def take_more(
    reservation: Reservation, event: HoldMore, offers: list[Stock], lines: list[ReservationLine]
) -> Iterator[Command]:
    """Take what there is of the pieces that come on top out of the stock."""
    yield from _hold(reservation, event, offers, len(lines), "taken")


def _hold(reservation: Reservation, event: Want, offers: list[Stock], lines: int, state: str) -> Iterator[Command]:
    for number, (stock, quantity) in enumerate(_offered(event, offers), lines + 1):
        yield Reserve(stock, quantity)
        if state == "taken":
            yield Commit(stock, quantity)
        yield Add(_line(reservation.id, number, stock.sku, stock.id, quantity, state))


def queue_up(reservation: Reservation, event: Want, offers: list[Stock], now: datetime) -> Iterator[Command]:
    """Wait for the rest behind those who came earlier, and tell the order."""
    mains = {each.id: each for each in offers}
    missing = by_sku(event.pieces)
    for stock, quantity in _offered(event, offers):
        missing[stock.sku] -= quantity
    missing = +missing
    for sku, quantity in missing.items():
        ticket = mains[sku].tickets + 1
        yield Change(mains[sku], {"waiting": mains[sku].waiting + quantity, "tickets": ticket})
        yield Add(
            Backorder(
                sku=sku,
                ticket=ticket,
                reservation_id=reservation.id,
                quantity=quantity,
                missing=quantity,
                page=queue_page(sku, ticket),
                since=now,
            )
        )
    yield Set(missing=reservation.missing + missing.total())
    order = event.order if isinstance(event, Hold) else reservation.order_id
    yield Send("order", order, Backordered(reservation=reservation.id, missing=as_pieces(missing)))


def _offered(event: Want, offers: list[Stock]) -> list[Portion]:
    """Return what the order gets at once: nothing of what others wait for already."""
    queued = {each.sku for each in offers if each.waiting}
    wanted = {sku: quantity for sku, quantity in by_sku(event.pieces).items() if sku not in queued}
    return choose(wanted, offers, free_pieces(offers))


def keep_longer(event: Extend) -> Iterator[Command]:
    """Keep the pieces until the new moment."""
    yield Set(expires_at=event.until)
    yield Start(Expire.event_name, Expire, event.until)


def put_aside(reservation: Reservation, event: PiecesArrived, lines: list[ReservationLine]) -> Iterator[Command]:
    """Keep what arrived, and tell the order."""
    yield from _arrived(reservation, event, lines, "held")


def pass_on(
    reservation: Reservation, event: PiecesArrived, lines: list[ReservationLine], shelves: dict[str, Stock]
) -> Iterator[Command]:
    """Take what arrived out of the stock: it is paid; and tell the order."""
    yield from (Commit(shelves[each.stock], each.quantity) for each in event.pieces)
    yield from _arrived(reservation, event, lines, "taken")


def _arrived(
    reservation: Reservation, event: PiecesArrived, lines: list[ReservationLine], state: str
) -> Iterator[Command]:
    for number, each in enumerate(event.pieces, len(lines) + 1):
        yield Add(_line(reservation.id, number, event.sku, each.stock, each.quantity, state))
    arrived = sum(each.quantity for each in event.pieces)
    missing = reservation.missing - arrived
    yield Set(missing=missing)
    news = BackorderFilled(
        reservation=reservation.id, pieces=(PiecesOf(sku=event.sku, quantity=arrived),), missing=missing
    )
    yield Send("order", reservation.order_id, news)


def take_pieces(lines: list[ReservationLine], shelves: dict[str, Stock]) -> Iterator[Command]:
    """Take what is promised out of the stock for good."""
    for line in lines:
        if line.state == "held":
            yield Commit(shelves[line.stock_id], line.quantity)
            yield Change(line, {"state": "taken"})
    yield Set(expires_at=None)


# -- giving pieces back --------------------------------------------------------------------------------------------


def give_back(
    reservation: Reservation,
    event: Release | Expire,
    lines: list[ReservationLine],
    waiting: list[Backorder],
    queues: dict[str, Stock],
    now: datetime,
) -> Iterator[Command]:
    """Give back what the order no longer wants; what is not there yet first, then what came last."""
    asked = by_sku(event.pieces) if isinstance(event, Release) and event.pieces else None
    forgone = _share(((each, each.sku, each.missing) for each in reversed(waiting)), asked)
    for backorder, quantity in forgone:
        left = backorder.missing - quantity
        yield Change(backorder, {"missing": left, "page": backorder.page if left else None})
    fewer: Counter[str] = Counter()
    for backorder, quantity in forgone:
        fewer[backorder.sku] += quantity
    yield from (Change(queues[sku], leave_queue(queues[sku], quantity)) for sku, quantity in fewer.items())
    yield Set(missing=reservation.missing - fewer.total())
    latest = [line for state in ("held", "taken") for line in reversed(lines) if line.state == state]
    returned = _share(((line, line.sku, line.quantity) for line in latest), asked)
    yield from _return(returned, queues, len(lines))
    yield from _offer(returned, queues, fewer, now)


def put_back(
    event: Restock, lines: list[ReservationLine], queues: dict[str, Stock], now: datetime
) -> Iterator[Command]:
    """Put pieces back where they came from; what was taken first goes first."""
    taken = ((line, line.sku, line.quantity) for line in lines if line.state == "taken")
    returned = _share(taken, by_sku(event.pieces))
    yield from _return(returned, queues, len(lines))
    yield from _offer(returned, queues, Counter(), now)


def _share(rows: Iterable[tuple[T, str, int]], asked: Counter[str] | None) -> list[tuple[T, int]]:
    """Return how many pieces each row gives of those asked for, which become less; without any asked, all it has."""
    shares = []
    for row, sku, quantity in rows:
        given = quantity if asked is None else min(quantity, asked[sku])
        if asked is not None:
            asked[sku] -= given
        if given:
            shares.append((row, given))
    return shares


def _return(returned: list[tuple[ReservationLine, int]], shelves: dict[str, Stock], lines: int) -> Iterator[Command]:
    number = count(lines + 1)
    for line, quantity in returned:
        movement = Unpromise if line.state == "held" else PutBack
        yield movement(shelves[line.stock_id], quantity)
        if quantity == line.quantity:
            yield Change(line, {"state": "released"})
        else:
            yield Change(line, {"quantity": line.quantity - quantity})
            yield Add(_line(line.reservation_id, next(number), line.sku, line.stock_id, quantity, "released"))


def _offer(
    returned: list[tuple[ReservationLine, int]], mains: dict[str, Stock], forgone: Counter[str], now: datetime
) -> Iterator[Command]:
    """Let others have what is free now, if any wait for it, right after this transaction."""
    if any(mains[line.sku].waiting > forgone[line.sku] for line, _ in returned):
        yield Set(offered=None)
        yield Start(Wake.event_name, Wake, now)


def offer_next(
    reservation: Reservation, lines: list[ReservationLine], queues: dict[str, Stock], now: datetime
) -> Iterator[Command]:
    """Have those served who wait for the next of the products that were given back."""
    given_back = {line.sku for line in lines if line.state == "released" and queues[line.sku].waiting}
    skus = sorted(sku for sku in given_back if sku > (reservation.offered or ""))
    yield from (Send("stock", sku, Fill()) for sku in skus[:1])
    if skus[1:]:
        yield Start(Wake.event_name, Wake, now)
    yield Set(offered=skus[0] if skus[1:] else None)


# -- telling -------------------------------------------------------------------------------------------------------


def tell_expired(reservation: Reservation) -> Iterator[Command]:
    """Tell the order that nothing is kept for it."""
    yield Send("order", reservation.order_id, ReservationExpired(reservation=reservation.id))


@asks(POST_MESSAGE)
def remind_shop(
    reservation: Reservation, waiting: list[Backorder], now: datetime, policy: ReservationPolicy
) -> Iterator[Command]:
    """Say in the chat what a paid order waits for, and again after a while."""
    missing = [each for each in waiting if each.missing]
    listed = "".join(f"\n• {each.missing} of {each.sku}, since {each.since:%Y-%m-%d}" for each in missing[:REMIND_OF])
    more = f"\n• and {len(missing) - REMIND_OF} more products" if missing[REMIND_OF:] else ""
    text = f"Order {reservation.order_id} is paid and waits for pieces:{listed}{more}"
    yield Call(POST_MESSAGE, PostMessage(text=text))
    yield Start(Remind.event_name, Remind, now + policy.remind_after)


def _line(reservation_id: str, number: int, sku: str, stock_id: str, quantity: int, state: str) -> ReservationLine:
    return ReservationLine(
        reservation_id=reservation_id, number=number, sku=sku, stock_id=stock_id, quantity=quantity, state=state
    )
