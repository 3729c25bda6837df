"""What the service's own tables say after a replay, each figure read from one table alone."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, case, func, select

from persistence.queries import count_states
from persistence.tables import TABLES
from statemachines.machine import Machine
from statemachines.order import Order, OrderLine, order
from statemachines.payment import Payment, payment
from statemachines.refund import Refund, refund
from statemachines.refund.model import NOT_GIVEN
from statemachines.returns.machine import returns
from statemachines.returns.model import ReturnCase, ReturnLine
from statemachines.shipment import Shipment, ShipmentLine, shipment
from statemachines.stock import Stock

COUNTED: Final[tuple[Machine, ...]] = (order, payment, shipment, returns, refund)


@dataclass(frozen=True, slots=True)
class Money:
    """Amounts of one currency, in minor units."""

    orders_taken: int = 0
    payments_taken: int = 0
    orders_given: int = 0
    payments_given: int = 0
    returns_given: int = 0
    refunds_for_returns: int = 0
    """What refunds gave back for returns."""
    other_refunds: int = 0
    """What refunds gave back for orders that were called off."""
    orders_open: int = 0
    """What is asked for, held, on its way back, owed or lost by the orders' columns."""
    payments_open: int = 0
    """The same, by the payments'."""
    refunds_open: int = 0
    """What refunds ask for that have not come to an end."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Pieces, and where they are."""

    on_hand: int = 0
    reserved: int = 0
    shipments_delivered: int = 0
    orders_delivered: int = 0
    under_way: int = 0
    """In parcels that neither arrived, nor came back, nor were called off."""
    returns_accepted: int = 0
    orders_returned: int = 0
    unsettled: int = 0
    """Announced by returns that did not come to nothing, and not accounted for."""
    coming_back: int = 0
    """On their way back by the orders' lines."""


@dataclass(frozen=True, slots=True)
class Figures:
    """All that the report compares with the file."""

    money: Mapping[str, Money] = field(default_factory=dict)
    """By currency."""
    pieces: Pieces = Pieces()
    states: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """How many entities of each machine, by its plural, are in each state."""


def read_figures(connection: Connection) -> Figures:
    """Read what the tables say."""
    return Figures(
        money=_money(connection),
        pieces=_pieces(connection),
        states={machine.plural: dict(sorted(count_states(connection, machine).items())) for machine in COUNTED},
    )


def _money(connection: Connection) -> dict[str, Money]:
    orders, payments = TABLES[Order].c, TABLES[Payment].c
    returns_, refunds = TABLES[ReturnCase].c, TABLES[Refund].c
    given = refunds.state == "succeeded"
    for_return = refunds.return_case.is_not(None)
    amounts: dict[str, dict[str, int]] = defaultdict(dict)
    for currency, sums in (
        (
            orders.currency,
            {
                "orders_taken": orders.paid,
                "orders_given": orders.refunded,
                "orders_open": orders.asked
                + orders.authorized
                + orders.refunding
                + orders.refund_due
                + orders.charged_back,
            },
        ),
        (
            payments.currency,
            {
                "payments_taken": payments.captured,
                "payments_given": payments.refunded,
                "payments_open": payments.asked
                + payments.held
                + payments.refunding
                + payments.charged_back
                + payments.disputed,
            },
        ),
        (returns_.currency, {"returns_given": returns_.refunded}),
        (
            refunds.currency,
            {
                "refunds_for_returns": case((given & for_return, refunds.amount), else_=0),
                "other_refunds": case((given & ~for_return, refunds.amount), else_=0),
                "refunds_open": case((given | refunds.state.in_(NOT_GIVEN), 0), else_=refunds.amount),
            },
        ),
    ):
        columns = [_sum(column).label(name) for name, column in sums.items()]
        for row in connection.execute(select(currency.label("currency"), *columns).group_by(currency)).mappings():
            amounts[row["currency"]] |= {name: int(row[name]) for name in sums}
    return {currency: Money(**sums) for currency, sums in amounts.items()}


def _pieces(connection: Connection) -> Pieces:
    shipments, parcels = TABLES[Shipment], TABLES[ShipmentLine]
    cases, announced = TABLES[ReturnCase], TABLES[ReturnLine]
    bought, stock = TABLES[OrderLine].c, TABLES[Stock].c
    ended = shipments.c.state.in_(("delivered", "returned_to_sender", "cancelled"))
    settled = announced.c.accepted + announced.c.damaged + announced.c.refused
    dropped = cases.c.state.in_(("rejected", "expired", "cancelled"))
    found: dict[str, int] = {}
    for columns, tables in (
        ({"on_hand": stock.on_hand, "reserved": stock.reserved}, TABLES[Stock]),
        (
            {
                "orders_delivered": bought.delivered,
                "orders_returned": bought.returned,
                "coming_back": bought.coming_back,
            },
            TABLES[OrderLine],
        ),
        (
            {
                "shipments_delivered": case((shipments.c.state == "delivered", parcels.c.quantity), else_=0),
                "under_way": case((ended, 0), else_=parcels.c.quantity),
            },
            parcels.join(shipments, shipments.c.id == parcels.c.shipment_id),
        ),
        (
            {
                "returns_accepted": announced.c.accepted,
                "unsettled": case((dropped, 0), else_=announced.c.quantity - settled),
            },
            announced.join(cases, cases.c.id == announced.c.return_id),
        ),
    ):
        sums = [_sum(column).label(name) for name, column in columns.items()]
        row = connection.execute(select(*sums).select_from(tables)).mappings().one()
        found |= {name: int(row[name]) for name in columns}
    return Pieces(**found)


def _sum(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(column), 0)
