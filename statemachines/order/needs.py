"""What deciding on an order needs beside the order itself."""

from statemachines.activity import Activity, activity_id
from statemachines.declaration import Event, Load
from statemachines.order.basket import lines_asked
from statemachines.order.events import Create, Edit
from statemachines.order.model import Order, OrderLine
from statemachines.payment.model import Payment
from statemachines.product import Product
from statemachines.refund.model import Refund as RefundEntity
from statemachines.reservation.model import OVER, Reservation
from statemachines.shipment.model import Shipment, ShipmentLine
from statemachines.stock import Backorder, Stock


def own_id(order: Order) -> list[str]:
    """Name the order itself."""
    return [order.id]


def skus_bought(lines: list[OrderLine]) -> list[str]:
    """Name the SKUs on the order's lines."""
    return [line.sku for line in lines]


def skus_moved(event: Event, lines: list[OrderLine]) -> list[str]:
    """Name the SKUs that the order holds or a change adds."""
    added = [line.sku for line in event.add] if isinstance(event, Edit) else []
    return list(dict.fromkeys([*(line.sku for line in lines), *added]))


def skus_asked(event: Create | Edit) -> list[str]:
    """Name the SKUs that are asked for."""
    return [line.sku for line in lines_asked(event)]


def reservations_alive(reservations: list[Reservation]) -> list[str]:
    """Name the reservations that keep pieces for the order."""
    return [each.id for each in reservations if each.state not in OVER]


def parcels_awaited(shipments: list[Shipment]) -> list[str]:
    """Name the parcels whose pieces have not come in yet."""
    return [each.id for each in shipments if each.state == "backordered"]


def reference_asked(event: Create) -> list[str]:
    """Name the reference that a new order asks for."""
    return [event.reference] if event.reference else []


def activity_of(order: Order) -> list[str]:
    """Name the customer's activity."""
    return [activity_id(order.customer)]


LOADS = [
    Load("namesakes", Order, by="reference", keys=reference_asked),
    Load("products", Product, by="id", keys=skus_asked),
    Load("lines", OrderLine, by="order_id", keys=own_id),
    Load("payments", Payment, by="order_id", keys=own_id, lock=True),
    Load("refunds", RefundEntity, by="order_id", keys=own_id, lock=True),
    Load("shipments", Shipment, by="order_id", keys=own_id, lock=True),
    Load("stock", Stock, by="sku", keys=skus_moved, lock=True),
    Load("reservations", Reservation, by="order_id", keys=own_id, lock=True),
    Load("backorders", Backorder, by="reservation_id", keys=reservations_alive),
    Load("awaited_lines", ShipmentLine, by="shipment_id", keys=parcels_awaited),
    Load("activities", Activity, by="id", keys=activity_of),
]
