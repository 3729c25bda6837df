"""How an order's pieces leave: in one parcel or several, each a shipment of its own that tells where it is."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from statemachines.commands import Change, Command, Send, Set
from statemachines.order.basket import unavailable_worth
from statemachines.order.ledger import moves
from statemachines.order.model import Order, OrderLine, worth
from statemachines.order.stocking import by_product, put_back
from statemachines.payment.events import Capture, Void
from statemachines.payment.model import Payment
from statemachines.pieces import Pieces, by_line
from statemachines.reservation.model import Reservation
from statemachines.shipment.news import ShipmentCancelled as Unsent
from statemachines.shipment.news import ShipmentDelivered, ShipmentLost, ShipmentReturned, ShipmentSent

# -- only if ------------------------------------------------------------------------------------------------------


def no_parcel_waits(lines: list[OrderLine]) -> str | None:
    """Refuse while a prepared parcel has not left."""
    waiting = sum(line.packed - line.shipped for line in lines)
    return f"{waiting} pieces are in parcels that have not left yet; dispatch or cancel these" if waiting else None


def nothing_is_packed(lines: list[OrderLine]) -> str | None:
    """Refuse once pieces are in parcels."""
    packed = sum(line.packed for line in lines)
    return f"{packed} pieces are packed already" if packed else None


def nothing_is_delivered(lines: list[OrderLine]) -> str | None:
    """Refuse once something arrived; from there on pieces are returned."""
    delivered = sum(line.delivered for line in lines)
    return f"{delivered} pieces were delivered already; what arrived can be returned" if delivered else None


def ships_the_rest(event: ShipmentSent, lines: list[OrderLine]) -> str | None:
    """Hold if with this parcel everything has left."""
    sent = by_line(event.lines)
    left = sum(line.to_send - line.shipped - sent[line.number] for line in lines)
    return f"{left} pieces have not left yet" if left > 0 else None


def the_rest_left(lines: list[OrderLine]) -> str | None:
    """Hold if everything has left but what can't be delivered."""
    left = sum(line.to_send - line.shipped - line.unavailable for line in lines)
    return f"{left} pieces have not left yet" if left > 0 else None


def everything_left(lines: list[OrderLine]) -> str | None:
    """Hold if everything has left."""
    left = sum(line.to_send - line.shipped for line in lines)
    return f"{left} pieces have not left yet" if left > 0 else None


def something_left(lines: list[OrderLine]) -> str | None:
    """Hold if something has left."""
    return None if any(line.shipped for line in lines) else "nothing has left yet"


def nothing_left(lines: list[OrderLine]) -> str | None:
    """Refuse once something has left."""
    return "parcels have left; ask the merchant to cancel the order" if any(line.shipped for line in lines) else None


def some_are_delivered(lines: list[OrderLine]) -> str | None:
    """Hold if something arrived."""
    return None if any(line.delivered for line in lines) else "nothing was delivered yet"


def delivers_the_rest(event: ShipmentDelivered, lines: list[OrderLine]) -> str | None:
    """Hold if with this parcel everything that is not lost has arrived."""
    arrived = by_line(event.lines)
    left = sum(line.to_send - line.lost - line.delivered - arrived[line.number] for line in lines)
    return f"{left} pieces have not arrived yet" if left > 0 else None


def everything_arrived(lines: list[OrderLine]) -> str | None:
    """Hold if everything that is not lost has arrived."""
    left = sum(line.to_send - line.lost - line.delivered for line in lines)
    return f"{left} pieces have not arrived yet" if left > 0 else None


def the_rest_arrived(lines: list[OrderLine]) -> str | None:
    """Hold if everything has arrived but what is lost or can't be delivered."""
    left = sum(line.to_send - line.lost - line.delivered - line.unavailable for line in lines)
    return f"{left} pieces have not arrived yet" if left > 0 else None


def others_are_out(event: ShipmentReturned, lines: list[OrderLine]) -> str | None:
    """Hold if other pieces than these have left."""
    back = by_line(event.lines)
    return None if any(line.shipped > back[line.number] for line in lines) else "everything is back"


# -- then ---------------------------------------------------------------------------------------------------------


def stamp_fulfilled(now: datetime) -> Iterator[Command]:
    """Note when everything had left."""
    yield Set(fulfilled_at=now)


def stamp_sent_meanwhile(order: Order, now: datetime) -> Iterator[Command]:
    """Note that everything has left while nobody worked on the order."""
    yield Set(fulfilled_at=order.fulfilled_at or now)


def stamp_completed(now: datetime) -> Iterator[Command]:
    """Note when the order was completed; the return window runs from here."""
    yield Set(completed_at=now)


def count_sent(event: ShipmentSent, lines: list[OrderLine]) -> Iterator[Command]:
    """Note which pieces left."""
    yield from _count(lines, event.lines, shipped=1)


def count_delivered(order: Order, event: ShipmentDelivered, lines: list[OrderLine]) -> Iterator[Command]:
    """Note which pieces arrived; those that were thought lost no longer are."""
    yield from _count(lines, event.lines, delivered=1, lost=-1 if event.was_lost else 0)
    yield from _count_parcel(order, event)


def count_lost(order: Order, event: ShipmentLost, lines: list[OrderLine]) -> Iterator[Command]:
    """Note which pieces are lost."""
    yield from _count(lines, event.lines, lost=1)
    yield from _count_parcel(order, event)


def note_loss(event: ShipmentLost) -> Iterator[Command]:
    """Say what a person should do about a lost parcel."""
    yield Set(attention=f"shipment '{event.shipment}' is lost: refund its pieces")


def count_back(order: Order, event: ShipmentReturned, lines: list[OrderLine]) -> Iterator[Command]:
    """Note which pieces came back without having arrived; they wait to be packed again."""
    yield from _count(lines, event.lines, packed=-1, shipped=-1, lost=-1 if event.was_lost else 0)
    yield from _count_parcel(order, event)


def note_return(order: Order, event: ShipmentReturned) -> Iterator[Command]:
    """Say what a person should do about a parcel that came back; of an order that is over nothing is sent any more."""
    over = order.state in ("completed", "returned")
    what = "refund its pieces" if over else "send it again or cancel the order"
    yield Set(attention=f"shipment '{event.shipment}' came back: {what}")


def count_unsent(order: Order, event: Unsent, lines: list[OrderLine]) -> Iterator[Command]:
    """Note which pieces wait to be packed again."""
    yield from _count(lines, event.lines, packed=-1)
    yield from _count_parcel(order, event)


def restock_found(
    order: Order, event: ShipmentReturned, lines: list[OrderLine], reservations: list[Reservation]
) -> Iterator[Command]:
    """Put pieces on the shelf that were thought lost when everything else of the order was put back."""
    if order.stock_held == "nothing":
        yield from put_back(by_product(event.lines, lines), reservations)


def _count(lines: list[OrderLine], pieces: Iterable[Pieces], **each: int) -> Iterator[Command]:
    counted = by_line(pieces)
    for line in lines:
        if quantity := counted[line.number]:
            yield Change(line, {name: getattr(line, name) + sign * quantity for name, sign in each.items()})


def _count_parcel(
    order: Order, event: ShipmentDelivered | ShipmentLost | ShipmentReturned | Unsent
) -> Iterator[Command]:
    yield Set(**moves(order, event))


def take_for_parcel(
    order: Order, event: ShipmentSent, lines: list[OrderLine], payments: list[Payment]
) -> Iterator[Command]:
    """Take what a parcel's pieces cost of what is held ready; with the last parcel all that lacks, and keep no more."""
    sent = by_line(event.lines)
    cost = sum(worth(line, sent[line.number]) for line in lines)
    yield from _take(order, payments, cost, is_last=ships_the_rest(event, lines) is None)


def take_for_sent(order: Order, lines: list[OrderLine], payments: list[Payment]) -> Iterator[Command]:
    """Take what those pieces cost that left while the order was called off."""
    cost = sum(worth(line, line.shipped) for line in lines) - order.paid - _being_taken(payments)
    yield from _take(order, payments, cost, is_last=everything_left(lines) is None)


def take_for_rest(order: Order, lines: list[OrderLine], payments: list[Payment]) -> Iterator[Command]:
    """Take all that lacks for pieces that left before, now that no others follow, and keep no more."""
    changed = order.model_copy(update={"total": order.total - unavailable_worth(lines)})
    yield from _take(changed, payments, 0, is_last=True)


def _take(order: Order, payments: list[Payment], cost: int, *, is_last: bool) -> Iterator[Command]:
    lacking = order.total - order.paid - _being_taken(payments)
    left = lacking if is_last else min(lacking, cost)
    for payment in sorted(payments, key=lambda each: each.id):
        held = payment.held - payment.capturing - payment.capture_next
        if payment.void_asked or held <= 0:
            continue
        if left > 0:
            part = min(left, held)
            left -= part
            yield Send("payment", payment.id, Capture(amount=part, final=is_last))
        elif is_last:
            yield Send("payment", payment.id, Void(reason="it is not needed"))


def _being_taken(payments: list[Payment]) -> int:
    return sum(payment.capturing + payment.capture_next for payment in payments)
