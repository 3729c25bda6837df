"""How an order is called off: each step that was taken is taken back, the last one first.

| what was done | is taken back by |
| --- | --- |
| pieces were reserved | `undo_reservation` |
| money was asked for, held or taken | `undo_payment` |
| pieces were taken out of the stock | `undo_taking` |
| parcels were made | `undo_shipping` |

Each step is an event of its own in the order's history. A step that others have to finish, the carrier or the payment
gateway, is waited for; what they tell leads on. A step that can't be finished leaves the order in
`cancellation_failed`, where a person sees what is left, puts it right and has it tried again.
"""

from collections.abc import Iterator

from statemachines.commands import Change, Command, Send, Set
from statemachines.declaration import Actor, Event
from statemachines.order.events import Undone, UndoPayment, UndoReservation, UndoShipping, UndoTaking
from statemachines.order.ledger import as_told
from statemachines.order.model import Order, OrderLine
from statemachines.order.refunding import give_back, owe_refunds, try_refunds_again
from statemachines.order.stocking import give_back_stock
from statemachines.payment.events import Void
from statemachines.payment.model import Payment
from statemachines.refund.model import Refund
from statemachines.reservation.model import Reservation
from statemachines.shipment.events import Recall
from statemachines.shipment.model import Shipment
from statemachines.shipment.news import RecallRefused, ShipmentDelivered, ShipmentLost
from statemachines.stock import Backorder

CALLED_OFF = "the order was called off"
ENDED = ("delivered", "lost", "returned_to_sender", "cancelled")
"""The states of shipments that can't be called back, or need not be."""


def next_step(order: Order) -> Event:
    """Return what is to be taken back next."""
    if order.parcels:
        return UndoShipping()
    if order.stock_held == "taken":
        return UndoTaking()
    if order.asked or order.authorized or order.paid > order.refunded + order.charged_back:
        return UndoPayment()
    if order.stock_held == "reserved":
        return UndoReservation()
    return Undone()


def something_to_undo(order: Order) -> str | None:
    """Hold if something was done that has to be taken back by others."""
    if isinstance(next_step(order), UndoReservation | Undone):
        return "nothing was paid, held or sent"
    return None


def nothing_is_undone(order: Order) -> str | None:
    """Refuse to go on with an order of which more than parcels was taken back."""
    if order.stock_held == "taken":  # money is given back after the pieces are
        return None
    return "pieces or money were given back already"


def step_is_finished(order: Order, event: Event, lines: list[OrderLine]) -> str | None:
    """Hold if with these news the step that was being taken back is finished, and nothing is left to a person."""
    if order.undoing == UndoShipping.event_name and any(line.delivered for line in lines):
        return "something arrived; a person decides whether to go on"
    return None if next_step(as_told(order, event)).event_name != order.undoing else f"{order.undoing} is not finished"


def no_parcel_is_out(order: Order) -> str | None:
    """Hold if there is nothing left to call back."""
    return f"{order.parcels} parcels are prepared or under way" if order.parcels else None


def begin_to_undo(order: Order) -> Iterator[Command]:
    """Take the first step back, or try again what could not be taken back."""
    yield Set(attention=None)
    yield from _on(order)


def go_on(order: Order, event: Event) -> Iterator[Command]:
    """Take the next step back, if with these news the last one is finished."""
    after = as_told(order, event)
    if next_step(after).event_name != order.undoing:
        yield from _on(after)


def recall_parcels(shipments: list[Shipment]) -> Iterator[Command]:
    """Call back every parcel that is prepared or under way."""
    yield Set(undoing=UndoShipping.event_name)
    for shipment in shipments:
        if shipment.state not in ENDED:
            yield Send("shipment", shipment.id, Recall(reason=CALLED_OFF))


def put_back_pieces(
    order: Order, lines: list[OrderLine], reservations: list[Reservation], backorders: list[Backorder]
) -> Iterator[Command]:
    """Put taken pieces back on the shelf, or promise reserved ones to others again."""
    yield from give_back_stock(order, lines, reservations, backorders)
    yield from _on(order.model_copy(update={"stock_held": "nothing"}))


def give_money_back(order: Order, actor: Actor, payments: list[Payment], refunds: list[Refund]) -> Iterator[Command]:
    """Let go what is held, give back what was taken without asking anybody, and try failed refunds again."""
    yield Set(undoing=UndoPayment.event_name)
    for payment in payments:
        if payment.asked or payment.held:
            yield Send("payment", payment.id, Void(reason=CALLED_OFF))
    yield from owe_refunds(refunds)
    yield from try_refunds_again(refunds)
    yield from give_back(order, payments, order.refundable, actor.id, reason=CALLED_OFF)


def finish() -> Iterator[Command]:
    """Nothing needs a person any more."""
    yield Set(undoing=None, attention=None)


def resume(lines: list[OrderLine]) -> Iterator[Command]:
    """Forget that the order was to be called off; what can't be delivered is to be reported anew."""
    yield Set(undoing=None, attention=None)
    yield from (Change(line, {"unavailable": 0}) for line in lines if line.unavailable)


def note_end(event: ShipmentDelivered | ShipmentLost) -> Iterator[Command]:
    """Say that a parcel could not be called back in time."""
    what = "arrived" if isinstance(event, ShipmentDelivered) else "is lost"
    yield Set(attention=f"shipment '{event.shipment}' {what}; resume the order, or retry to give the money back")


def note_late_arrival(event: ShipmentDelivered) -> Iterator[Command]:
    """Say that the customer has a parcel of which everything was given back."""
    text = (
        f"shipment '{event.shipment}' arrived after the order was called off; ask the customer for it, or for its price"
    )
    yield Set(attention=text)


def note_refused_recall(event: RecallRefused) -> Iterator[Command]:
    """Say which parcel can't be called back."""
    yield Set(attention=f"shipment '{event.shipment}' can't be called back: {event.reason}")


def note_overdue(order: Order) -> Iterator[Command]:
    """Say what is waited for."""
    yield Set(attention=f"calling the order off takes too long: {order.undoing} is not finished")


def _on(order: Order) -> Iterator[Command]:
    yield Send("order", order.id, next_step(order))
