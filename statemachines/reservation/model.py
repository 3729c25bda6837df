"""What a reservation is: its columns, the pieces that it holds, and the figures that a shop may choose."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from statemachines.declaration import Entity, Policy
from statemachines.values import Span

UNPAID = ("held", "backordered")
"""The states in which the pieces are promised for a while."""

PAID = ("taken", "partly_taken")
"""The states in which the pieces are the customer's."""

OVER = ("released", "expired")
"""The states in which nothing is held any more."""


class ReservationPolicy(Policy):
    """The figures of reservations that a shop may choose."""

    remind_after: Span = timedelta(days=7)
    """How long a paid order may wait for pieces before a person is asked to look, and how often after that."""


class Reservation(Entity):
    """Pieces that are kept for an order."""

    __tablename__ = "reservations"
    __table_args__ = (
        CheckConstraint("missing >= 0", name="ck_reservations_missing"),
        CheckConstraint("(state IN ('backordered', 'partly_taken')) = (missing > 0)", name="ck_reservations_waiting"),
        Index("ix_reservations_order_id", "order_id"),
        Index("ix_reservations_customer", "customer", "id"),
    )
    owner_column: ClassVar[str | None] = "customer"
    search_columns: ClassVar[tuple[str, ...]] = ("id", "order_id")

    order_id: str = Field(default="", foreign_key="orders.id")
    customer: str = Field(default="", max_length=100)
    expires_at: datetime | None = Field(default=None, description="until when it is kept unless it is paid")
    missing: int = Field(default=0, description="pieces that it waits for")
    offered: str | None = Field(
        default=None, max_length=64, description="the SKU up to which others were offered what was given back"
    )


class ReservationLine(SQLModel):
    """Pieces of one SKU from one stock."""

    __tablename__ = "reservation_lines"
    __table_args__ = (
        CheckConstraint("quantity BETWEEN 1 AND 1000000000", name="ck_reservation_lines_quantity"),
        CheckConstraint("state IN ('held', 'taken', 'released')", name="ck_reservation_lines_state"),
        Index("ix_reservation_lines_stock_id", "stock_id"),
    )

    reservation_id: str = Field(primary_key=True, foreign_key="reservations.id")
    number: int = Field(primary_key=True)
    sku: str = Field(max_length=64)
    stock_id: str = Field(foreign_key="stock.id", description="where the pieces come from, and go back to")
    quantity: int
    state: str = Field(description="held, taken or released")


def pieces_in(state: str, lines: Iterable[ReservationLine]) -> Counter[str]:
    """Sum the pieces that are held, taken or released, by SKU."""
    pieces: Counter[str] = Counter()
    for line in lines:
        if line.state == state:
            pieces[line.sku] += line.quantity
    return pieces
