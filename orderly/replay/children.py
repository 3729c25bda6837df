"""Which parcels and returns orders have: the service names them, so the replay has to ask."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import Connection, Table, literal, select

from persistence.tables import TABLES
from statemachines.returns.model import ReturnCase
from statemachines.shipment import Shipment

Child = tuple[str, str, str | None]
"""A machine, the id of an order, and, of a return, the reason that it was asked for with."""

TABLE_OF: Final[Mapping[str, Table]] = {"shipment": TABLES[Shipment], "return": TABLES[ReturnCase]}


def find(connection: Connection, wanted: Iterable[Child]) -> dict[Child, str]:
    """Return the ids of those that are there, with one look at each table."""
    orders = defaultdict(set)
    for machine, order, _ in wanted:
        orders[machine].add(order)
    found: dict[Child, str] = {}
    for machine, ids in orders.items():
        columns = TABLE_OF[machine].c
        reason = columns.reason if machine == "return" else literal(None)
        rows = connection.execute(select(columns.id, columns.order_id, reason).where(columns.order_id.in_(ids)))
        found |= {(machine, order, why): child for child, order, why in rows}
    return found
