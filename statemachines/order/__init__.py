"""Orders: `machine` is the table; beside it stand what an order is, its events, guards and actions."""

from statemachines.order.events import (
    BUYERS,
    MAX_LINES,
    Abandon,
    Cancel,
    Complete,
    Create,
    Expire,
    Fail,
    Fulfill,
    LineAsked,
    LineReturned,
    Pay,
    RefundAgain,
    Retry,
    Return,
    Submit,
    Unanswered,
)
from statemachines.order.machine import order
from statemachines.order.model import Order, OrderLine, OrderPolicy

__all__ = [
    "BUYERS",
    "MAX_LINES",
    "Abandon",
    "Cancel",
    "Complete",
    "Create",
    "Expire",
    "Fail",
    "Fulfill",
    "LineAsked",
    "LineReturned",
    "Order",
    "OrderLine",
    "OrderPolicy",
    "Pay",
    "RefundAgain",
    "Retry",
    "Return",
    "Submit",
    "Unanswered",
    "order",
]
