"""Shipments: pieces of an order that travel together, prepared by the order, sent by people or fetched by a carrier."""

from statemachines.shipment.events import (
    Arrived,
    Book,
    Cancel,
    Deliver,
    Dispatch,
    Lose,
    Overdue,
    Prepare,
    Recall,
    SendBack,
)
from statemachines.shipment.machine import shipment
from statemachines.shipment.model import Shipment, ShipmentLine, ShipmentPolicy

__all__ = [
    "Arrived",
    "Book",
    "Cancel",
    "Deliver",
    "Dispatch",
    "Lose",
    "Overdue",
    "Prepare",
    "Recall",
    "SendBack",
    "Shipment",
    "ShipmentLine",
    "ShipmentPolicy",
    "shipment",
]
