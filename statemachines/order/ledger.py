"""Where an order's money is: every piece of news moves an amount from one column to another, and nothing else does.

Asked becomes held or taken, held becomes taken or is let go, taken is on its way back, given back, still owed, or lost
to the customer's bank. Parcels are counted here too, for the order waits for them when it is called off.
"""

from collections.abc import Iterator

from statemachines.commands import Command, Set
from statemachines.declaration import Event
from statemachines.order.model import Order
from statemachines.payment.news import Authorized, Charged, Declined, DisputeClosed, PaymentDisputed, Released
from statemachines.refund.news import (
    RefundDropped,
    Refunded,
    RefundFailed,
    RefundRetried,
    RefundReturned,
    RefundSettled,
)
from statemachines.shipment.news import ShipmentCancelled, ShipmentDelivered, ShipmentLost, ShipmentReturned


def moves(order: Order, event: Event) -> dict[str, int]:
    """Return the order's amounts and counts as they are after a piece of news, as far as it moves them."""
    match event:
        case Authorized():
            return {"asked": order.asked - event.asked, "authorized": order.authorized + event.amount}
        case Charged():
            return {
                "asked": order.asked - event.asked,
                "authorized": order.authorized - event.held,
                "paid": order.paid + event.amount,
            }
        case Declined():
            return {"asked": order.asked - event.asked}
        case Released():
            return {"authorized": order.authorized - event.held}
        case PaymentDisputed():
            return {"charged_back": order.charged_back + event.amount}
        case DisputeClosed(won=True):
            return {"charged_back": order.charged_back - event.amount}
        case Refunded():
            return {"refunding": order.refunding - event.amount, "refunded": order.refunded + event.amount}
        case RefundFailed():
            return {"refunding": order.refunding - event.amount, "refund_due": order.refund_due + event.amount}
        case RefundReturned():
            return {"refunded": order.refunded - event.amount, "refund_due": order.refund_due + event.amount}
        case RefundRetried():
            return {"refund_due": order.refund_due - event.amount, "refunding": order.refunding + event.amount}
        case RefundSettled():
            return {"refund_due": order.refund_due - event.amount, "refunded": order.refunded + event.amount}
        case RefundDropped():
            column = "refund_due" if event.had_failed else "refunding"
            changes = {column: getattr(order, column) - event.amount}
            return changes | ({"goodwill": order.goodwill - event.amount} if event.goodwill else {})
        case ShipmentDelivered(was_lost=True) | ShipmentReturned(was_lost=True):
            return {}  # it was counted when it was lost
        case ShipmentDelivered() | ShipmentLost() | ShipmentReturned() | ShipmentCancelled():
            return {"parcels": order.parcels - 1}
        case _:
            return {}


def record(order: Order, event: Event) -> Iterator[Command]:
    """Write down what the news say."""
    yield Set(**moves(order, event))


def as_told(order: Order, event: Event, **changes: object) -> Order:
    """Return the order as it will be once the news and other changes are written down."""
    return order.model_copy(update={**moves(order, event), **changes})
