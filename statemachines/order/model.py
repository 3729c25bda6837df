"""What an order is: its columns, its lines, and the figures that a shop may choose."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from statemachines.declaration import Entity, Policy
from statemachines.privacy import PRIVATE


class OrderPolicy(Policy):
    """The figures of orders that a shop may choose."""

    abandon_after: timedelta = timedelta(days=7)
    """How long a draft may lie before it is abandoned."""
    expire_after: timedelta = timedelta(minutes=30)
    """How long a submitted order may stay unpaid before its pieces are given back."""
    gateway_patience: timedelta = timedelta(hours=24)
    """How long an order waits for the payment gateway before a person is asked to look."""
    complete_after: timedelta = timedelta(days=14)
    """How long after fulfilment an order completes by itself."""
    return_window: timedelta = timedelta(days=30)
    """How long after completion an order may be returned."""
    payment_tries: int = 3
    """How often a payment may be declined before the order fails."""


_IS_PAID = text("paid_at IS NOT NULL")


class Order(Entity):
    """A customer's order."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("total BETWEEN 0 AND 1000000000000", name="ck_orders_total"),
        CheckConstraint("paid BETWEEN 0 AND 1000000000000", name="ck_orders_paid"),
        CheckConstraint("refunded >= 0 AND refunding >= 0 AND refund_due >= 0", name="ck_orders_refunds"),
        CheckConstraint("refunded + refunding + refund_due <= paid", name="ck_orders_refunded"),
        CheckConstraint("stock_held IN ('nothing', 'reserved', 'taken')", name="ck_orders_stock_held"),
        CheckConstraint("payment_tries >= 0", name="ck_orders_payment_tries"),
        Index("ix_orders_customer", "customer", "id"),
        Index("ix_orders_paid_at", "paid_at", sqlite_where=_IS_PAID, postgresql_where=_IS_PAID),
    )
    owner_column: ClassVar[str | None] = "customer"
    search_columns: ClassVar[tuple[str, ...]] = ("id", "reference")

    reference: str | None = Field(default=None, max_length=100, unique=True, description="the caller's own name for it")
    customer: str = Field(default="", max_length=100)
    email: Annotated[str | None, PRIVATE] = Field(default=None, max_length=254, description="where mails about it go")
    phone: Annotated[str | None, PRIVATE] = Field(default=None, max_length=16, description="where SMS about it go")
    currency: str = Field(default="", max_length=3)
    total: int = Field(default=0, description="what is to be paid, in minor units")
    paid: int = Field(default=0, description="what the gateway took")
    refunding: int = Field(default=0, description="what the gateway was asked to give back")
    refunded: int = Field(default=0, description="what the gateway gave back")
    refund_due: int = Field(default=0, description="what the gateway refused to give back, still owed")
    payment: str | None = Field(default=None, description="the gateway's name for the payment")
    payment_url: Annotated[str | None, PRIVATE] = Field(
        default=None, max_length=2000, description="where the customer has to confirm the payment first"
    )
    payment_tries: int = Field(default=0, description="payments declined since the order was submitted")
    payment_asked: bool = Field(default=False, description="whether a charge is without an answer")
    stock_held: str = Field(default="nothing", description="nothing, reserved or taken")
    attention: str | None = Field(default=None, description="what a person should look at")
    submitted_at: datetime | None = None
    paid_at: datetime | None = None
    fulfilled_at: datetime | None = None
    completed_at: datetime | None = None


class OrderLine(SQLModel):
    """Pieces of one product in an order, at the price of the day the order was placed."""

    __tablename__ = "order_lines"
    __table_args__ = (
        CheckConstraint("quantity BETWEEN 1 AND 1000000", name="ck_order_lines_quantity"),
        CheckConstraint("unit_price BETWEEN 0 AND 1000000000000", name="ck_order_lines_unit_price"),
        CheckConstraint("returned BETWEEN 0 AND quantity", name="ck_order_lines_returned"),
        Index("ix_order_lines_sku", "sku"),
    )

    order_id: str = Field(primary_key=True, foreign_key="orders.id")
    number: int = Field(primary_key=True)
    sku: str = Field(max_length=64, foreign_key="products.id")
    name: str = Field(default="", max_length=200, description="the product's name on the day of the order")
    quantity: int
    unit_price: int = Field(description="per piece, in minor units of the order's currency")
    returned: int = Field(default=0, description="pieces that came back")


def pieces_of(lines: list[OrderLine]) -> Counter[str]:
    """Sum the pieces by SKU; an order may name a product on several lines."""
    pieces: Counter[str] = Counter()
    for line in lines:
        pieces[line.sku] += line.quantity - line.returned
    return +pieces
