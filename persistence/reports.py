"""The figures of reports: sums over the orders of some days, and the stocks that are low. Each is one statement.

A day is a stretch of time here, from its beginning up to, and without, its end.
"""

from datetime import datetime

from sqlalchemy import Connection, func, select
from sqlalchemy.sql import ColumnElement

from persistence.bulk import Values
from persistence.tables import TABLES
from statemachines.order import Order, OrderLine
from statemachines.product import Product
from statemachines.stock import Stock

_orders = TABLES[Order]
_lines = TABLES[OrderLine]
_products = TABLES[Product]
_stock = TABLES[Stock]

WAITING = ("fraud_hold", "on_hold", "failed", "cancellation_failed")
"""The states of orders with which only a person goes on."""


def _paid_within(begin: datetime, end: datetime) -> ColumnElement[bool]:
    return (_orders.c.paid_at >= begin) & (_orders.c.paid_at < end)


def takings(connection: Connection, begin: datetime, end: datetime) -> list[Values]:
    """Return of each currency how many orders were paid, and what was paid for them and not given or taken back since.

    The figures are in minor units; a currency in which nothing was paid is left out.
    """
    revenue = func.sum(_orders.c.paid - _orders.c.refunded - _orders.c.charged_back)
    statement = (
        select(_orders.c.currency, func.count().label("orders"), revenue.label("revenue"))
        .where(_paid_within(begin, end))
        .group_by(_orders.c.currency)
        .order_by(_orders.c.currency)
    )
    # PostgreSQL adds integers up to a decimal.
    return [{**row, "revenue": int(row["revenue"])} for row in connection.execute(statement).mappings()]


def bestsellers(connection: Connection, begin: datetime, end: datetime, most: int) -> list[Values]:
    """Return the SKUs of which most pieces were paid and neither called off, taken off nor returned since."""
    quantity = func.sum(_lines.c.quantity - _lines.c.removed - _lines.c.returned)
    statement = (
        select(_lines.c.sku, quantity.label("quantity"))
        .join(_orders, _orders.c.id == _lines.c.order_id)
        .where(_paid_within(begin, end), _orders.c.state != "cancelled")
        .group_by(_lines.c.sku)
        .having(quantity > 0)
        .order_by(quantity.desc(), _lines.c.sku)
        .limit(most)
    )
    return [{**row, "quantity": int(row["quantity"])} for row in connection.execute(statement).mappings()]


def count_cancelled(connection: Connection, begin: datetime, end: datetime) -> int:
    """Count the orders that were called off."""
    within = (_orders.c.state_since >= begin) & (_orders.c.state_since < end)
    return connection.execute(select(func.count()).where(_orders.c.state == "cancelled", within)).scalar_one()


def count_waiting(connection: Connection) -> int:
    """Count the orders that wait for a person now."""
    return connection.execute(select(func.count()).where(_orders.c.state.in_(WAITING))).scalar_one()


def low_stocks(connection: Connection, most: int) -> list[Values]:
    """Return up to `most` stocks that are low and of which the shop was not told, but for those of retired products."""
    available = _stock.c.on_hand - _stock.c.reserved
    statement = (
        select(_stock.c.id.label("sku"), _products.c.name, available.label("available"), _stock.c.reorder_level)
        .join(_products, _products.c.id == _stock.c.sku)
        .where(_stock.c.is_low, _stock.c.alerted_at.is_(None), _stock.c.state != "retired")
        .order_by(_stock.c.id)
        .limit(most)
    )
    return [dict(row) for row in connection.execute(statement).mappings()]
