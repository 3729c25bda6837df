"""Stock: what is on the shelves, at which location, and who waits for more."""

from statemachines.stock.events import (
    Adjust,
    Alert,
    Fill,
    Freeze,
    Open,
    PiecesArrived,
    PiecesAt,
    Receive,
    Retire,
    Revive,
    SetPriority,
    SetReorderLevel,
    Unfreeze,
)
from statemachines.stock.locations import Portion, choose, free_pieces, shortage
from statemachines.stock.machine import stock
from statemachines.stock.model import (
    MAIN,
    MAX_LOCATIONS,
    MAX_ON_HAND,
    Backorder,
    Location,
    Priority,
    Stock,
    queue_page,
    stock_id,
)
from statemachines.stock.queue import leave_queue

__all__ = [
    "MAIN",
    "MAX_LOCATIONS",
    "MAX_ON_HAND",
    "Adjust",
    "Alert",
    "Backorder",
    "Fill",
    "Freeze",
    "Location",
    "Open",
    "PiecesArrived",
    "PiecesAt",
    "Portion",
    "Priority",
    "Receive",
    "Retire",
    "Revive",
    "SetPriority",
    "SetReorderLevel",
    "Stock",
    "Unfreeze",
    "choose",
    "free_pieces",
    "leave_queue",
    "queue_page",
    "shortage",
    "stock",
    "stock_id",
]
