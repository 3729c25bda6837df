"""How pieces come back: by a return that is inspected, or over the counter."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from statemachines.commands import Change, Command, Send, Set, Spawn
from statemachines.declaration import Actor
from statemachines.order.events import RequestReturn, Return
from statemachines.order.model import Order, OrderLine, OrderPolicy, worth
from statemachines.order.packing import shipment_of
from statemachines.order.refunding import give_back, refunded_pieces
from statemachines.order.stocking import put_back, take_more
from statemachines.payment.model import Payment
from statemachines.pieces import NamedPieces, by_line
from statemachines.refund.model import Refund
from statemachines.reservation.model import Reservation
from statemachines.returns.events import (
    Inspected,
    NothingOwed,
    RefundBegun,
    ReplacementRefused,
    ReplacementSent,
    Request,
)
from statemachines.returns.news import ReturnDropped, ReturnSettled
from statemachines.stock import Stock, shortage

# -- only if ------------------------------------------------------------------------------------------------------


def within_return_window(order: Order, now: datetime, policy: OrderPolicy) -> str | None:
    """Refuse once the return window has closed; it opens anew with every order that is completed."""
    if order.completed_at is None:
        return None
    passed, window = now - order.completed_at, policy.return_window
    return None if passed <= window else f"completed {passed.days} days ago; the return window is {window.days} days"


def no_more_than_bought(event: Return | RequestReturn, lines: list[OrderLine]) -> str | None:
    """Refuse lines that the order does not have, and more pieces than are left to return."""
    bought = {line.number: line for line in lines}
    for number, quantity in pieces_coming(event, lines).items():
        line = bought.get(number)
        if line is None:
            return f"the order has no line {number}"
        if quantity > line.returnable:
            before = line.returned + line.coming_back
            return f"line {number}: {quantity} to return, but {line.quantity} bought and {before} returned before"
    return None


def returns_something(event: Return | RequestReturn, lines: list[OrderLine]) -> str | None:
    """Refuse a return of nothing."""
    return None if pieces_coming(event, lines) else "everything was returned before"


def returns_the_rest(event: Return, lines: list[OrderLine]) -> str | None:
    """Hold if nothing stays with the customer."""
    left = sum(line.kept - line.lost for line in lines) - sum(pieces_coming(event, lines).values())
    return None if left == 0 else f"{left} pieces stay with the customer"


def settles_the_rest(event: ReturnSettled, lines: list[OrderLine]) -> str | None:
    """Hold if nothing stays with the customer."""
    left = sum(line.kept - line.lost for line in lines) - sum(each.accepted + each.damaged for each in event.lines)
    return None if left == 0 else f"{left} pieces stay with the customer"


def pieces_for_exchange(event: ReturnSettled, lines: list[OrderLine], stock: list[Stock]) -> str | None:
    """Hold if other pieces are wanted for those that came back, and are there."""
    if event.wish != "exchange":
        return "the customer wants the money back"
    wanted = _wanted_instead(event, lines)
    if not wanted:
        return "nothing was taken back"
    return shortage(wanted, stock)


# -- then ---------------------------------------------------------------------------------------------------------


def open_return(order: Order, event: RequestReturn, actor: Actor, lines: list[OrderLine]) -> Iterator[Command]:
    """Open a return for the pieces that are to come back."""
    coming = pieces_coming(event, lines)
    for line in lines:
        if coming[line.number]:
            yield Change(line, {"coming_back": line.coming_back + coming[line.number]})
    yield Spawn(
        "return",
        Request(
            order=order.id,
            called=order.called,
            customer=order.customer,
            email=order.email,
            currency=order.currency,
            lines=tuple(
                NamedPieces(number=line.number, quantity=coming[line.number], sku=line.sku, name=line.name)
                for line in lines
                if coming[line.number]
            ),
            reason=event.reason,
            wish=event.wish,
            requested_by=actor.id,
        ),
    )


def keep_pieces(event: ReturnDropped, lines: list[OrderLine]) -> Iterator[Command]:
    """Note that pieces stay with the customer after all."""
    kept = by_line(event.lines)
    for line in lines:
        if kept[line.number]:
            yield Change(line, {"coming_back": line.coming_back - kept[line.number]})


def refund_return(
    order: Order, event: ReturnSettled, lines: list[OrderLine], payments: list[Payment], refunds: list[Refund]
) -> Iterator[Command]:
    """Note what came back, and give back what it had cost; of damaged pieces only a part."""
    found, before = _by_number(event), refunded_pieces(refunds)
    for line in lines:
        if each := found.get(line.number):
            changes = {"returned": line.returned + each.accepted + each.damaged}
            yield Change(line, {**changes, "coming_back": line.coming_back - _announced(each)})
    owed = sum(_owed(line, found[line.number], before) for line in lines if line.number in found)
    amount = min(order.refundable, owed)
    if amount == 0:
        yield Send("return", event.return_case, NothingOwed())
        return
    begun = ReplacementRefused(amount=amount) if event.wish == "exchange" else RefundBegun(amount=amount)
    yield Send("return", event.return_case, begun)
    yield from give_back(order, payments, amount, event.inspected_by, reason="returned", return_case=event.return_case)


def send_instead(
    order: Order, event: ReturnSettled, lines: list[OrderLine], reservations: list[Reservation]
) -> Iterator[Command]:
    """Send other pieces for those that were taken back."""
    found = _by_number(event)
    instead = {each.number: each.accepted + each.damaged for each in found.values() if each.accepted + each.damaged}
    for line in lines:
        if each := found.get(line.number):
            again = instead.get(line.number, 0)
            yield Change(
                line,
                {
                    "coming_back": line.coming_back - _announced(each),
                    "exchanged": line.exchanged + again,
                    "packed": line.packed + again,
                },
            )
    yield from take_more(_wanted_instead(event, lines), reservations)
    yield Spawn("shipment", shipment_of(order, lines, instead))
    yield Set(parcels=order.parcels + 1)
    yield Send("return", event.return_case, ReplacementSent())


def restock_returned(event: Return, lines: list[OrderLine], reservations: list[Reservation]) -> Iterator[Command]:
    """Put the pieces that came back over the counter on the shelf."""
    coming, pieces = pieces_coming(event, lines), Counter[str]()
    for line in lines:
        if quantity := coming[line.number]:
            yield Change(line, {"returned": line.returned + quantity})
            pieces[line.sku] += quantity
    yield from put_back(pieces, reservations)


def restock_sound(event: ReturnSettled, lines: list[OrderLine], reservations: list[Reservation]) -> Iterator[Command]:
    """Put the sound pieces of a return back on the shelf."""
    found, pieces = _by_number(event), Counter[str]()
    for line in lines:
        if each := found.get(line.number):
            pieces[line.sku] += each.accepted
    yield from put_back(+pieces, reservations)


def refund_returned(
    order: Order,
    event: Return,
    actor: Actor,
    lines: list[OrderLine],
    payments: list[Payment],
    refunds: list[Refund],
) -> Iterator[Command]:
    """Give back what the pieces that came back over the counter had cost."""
    coming, before = pieces_coming(event, lines), refunded_pieces(refunds)
    owed = sum(worth(line, min(coming[line.number], _unrefunded(line, before))) for line in lines)
    yield from give_back(order, payments, min(order.refundable, owed), actor.id, reason=event.reason)


def pieces_coming(event: Return | RequestReturn, lines: list[OrderLine]) -> Counter[int]:
    """Sum what comes back by line; a return without lines is of everything left."""
    if event.lines:
        return by_line(event.lines)
    return +Counter({line.number: line.returnable for line in lines})


def _by_number(event: ReturnSettled) -> dict[int, Inspected]:
    return {each.number: each for each in event.lines}


def _announced(found: Inspected) -> int:
    return found.accepted + found.damaged + found.refused


def _unrefunded(line: OrderLine, before: Counter[int]) -> int:
    """Return of how many pieces of a line nobody has given back the price, though they may have stayed."""
    return max(0, line.kept - max(0, before[line.number] - line.removed))


def _owed(line: OrderLine, found: Inspected, before: Counter[int]) -> int:
    """Return what is given back for a line; half a minor unit is given to the customer."""
    left = _unrefunded(line, before)
    sound = worth(line, min(left, found.accepted))
    damaged = worth(line, min(left, found.accepted + found.damaged)) - sound
    return sound + (damaged * found.percent + 50) // 100


def _wanted_instead(event: ReturnSettled, lines: list[OrderLine]) -> Counter[str]:
    found, wanted = _by_number(event), Counter[str]()
    for line in lines:
        if each := found.get(line.number):
            wanted[line.sku] += each.accepted + each.damaged
    return +wanted
