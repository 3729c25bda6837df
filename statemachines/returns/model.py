"""What a return is: its columns, its lines, and the figures that a shop may choose."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import Field as Limited
from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from statemachines.carrier import Address
from statemachines.declaration import Entity, Policy
from statemachines.privacy import PRIVATE
from statemachines.values import MAX_QUANTITY, Span


class ReturnPolicy(Policy):
    """The figures of returns that a shop may choose."""

    approve_up_to: int = Limited(default=0, ge=0, le=MAX_QUANTITY)
    """Returns of no more pieces than these are approved by themselves; 0 for none."""
    return_to: Address | None = Limited(default=None, exclude=True)
    """Where returns go, as JSON: the carrier is asked for a label to it. Empty if the shop sends labels itself."""
    send_within: Span = timedelta(days=14)
    """How long a customer has to send the pieces, once the return is approved and again once there is a label."""
    remind_after: Span = timedelta(days=7)
    """When a customer who has not sent them is reminded."""
    answer_within: Span = timedelta(days=2)
    """How long a return may wait for the shop, or for the carrier's label, before somebody is asked to look."""
    arrive_within: Span = timedelta(days=30)
    """How long pieces may be on their way before somebody is asked to look."""
    refund_within: Span = timedelta(days=7)
    """How long it may take to give the money back before somebody is asked to look."""


class ReturnCase(Entity):
    """Pieces of an order that a customer sends back."""

    __tablename__ = "returns"
    __table_args__ = (
        CheckConstraint("wish IN ('refund', 'exchange')", name="ck_returns_wish"),
        CheckConstraint("refund_amount BETWEEN 0 AND 1000000000000", name="ck_returns_refund_amount"),
        CheckConstraint("refunded >= 0 AND refund_due >= 0 AND refund_dropped >= 0", name="ck_returns_refunds"),
        CheckConstraint("refunded + refund_due + refund_dropped <= refund_amount", name="ck_returns_refunded"),
        CheckConstraint("(inspected_at IS NULL) = (inspected_by IS NULL)", name="ck_returns_inspected"),
        CheckConstraint("inspected_at IS NULL OR received_at IS NOT NULL", name="ck_returns_received"),
        Index("ix_returns_order_id", "order_id"),
        Index("ix_returns_customer", "customer", "id"),
    )
    owner_column: ClassVar[str | None] = "customer"
    search_columns: ClassVar[tuple[str, ...]] = ("id", "order_id", "tracking")

    order_id: str = Field(default="", foreign_key="orders.id")
    called: str = Field(default="", max_length=200, description="what people call the order")
    customer: str = Field(default="", max_length=200)
    email: Annotated[str | None, PRIVATE] = Field(default=None, max_length=254, description="where mails about it go")
    currency: str = Field(default="", max_length=3)
    wish: str = Field(default="refund", max_length=8, description="refund, or exchange for the same")
    reason: str | None = Field(default=None, max_length=500, description="why they are sent back")
    requested_by: str = Field(default="", max_length=200)
    label_asked: bool = Field(default=False, description="whether the carrier has not answered yet about a label")
    label_url: Annotated[str | None, PRIVATE] = Field(
        default=None, max_length=2100, description="where the label to print is"
    )
    carrier_shipment: str | None = Field(
        default=None, max_length=100, description="the carrier's name for the parcel, if the carrier made the label"
    )
    tracking: str | None = Field(default=None, max_length=100, description="what the parcel is followed by")
    tracking_url: str | None = Field(default=None, max_length=2100)
    refund_amount: int = Field(default=0, description="what is given back for it, in minor units")
    refunded: int = Field(default=0, description="how much of that was given back")
    refund_due: int = Field(default=0, description="how much of that failed, and is still owed")
    refund_dropped: int = Field(default=0, description="how much of that will not be given back after all")
    attention: str | None = Field(default=None, max_length=500, description="what a person should look at")
    note: str | None = Field(default=None, max_length=500, description="what was noted at the inspection")
    approved_at: datetime | None = None
    departed_at: datetime | None = None
    received_at: datetime | None = None
    inspected_at: datetime | None = None
    inspected_by: str | None = Field(default=None, max_length=200)
    ended_because: str | None = Field(default=None, max_length=500, description="why it came to nothing, or to less")


class ReturnLine(SQLModel):
    """Pieces of one order line that are sent back, and what was found of them."""

    __tablename__ = "return_lines"
    __table_args__ = (
        CheckConstraint("quantity BETWEEN 1 AND 1000000", name="ck_return_lines_quantity"),
        CheckConstraint("accepted >= 0 AND damaged >= 0 AND refused >= 0", name="ck_return_lines_found"),
        CheckConstraint("accepted + damaged + refused <= quantity", name="ck_return_lines_announced"),
        CheckConstraint("percent BETWEEN 0 AND 100", name="ck_return_lines_percent"),
        Index("ix_return_lines_sku", "sku"),
    )

    return_id: str = Field(primary_key=True, foreign_key="returns.id")
    number: int = Field(primary_key=True, description="of the order's line")
    sku: str = Field(max_length=64, foreign_key="products.id")
    name: str = Field(default="", max_length=200, description="the product's name on the day of the order")
    quantity: int = Field(description="pieces that were announced")
    accepted: int = Field(default=0, description="pieces that are sound, on the shelf again")
    damaged: int = Field(default=0, description="pieces that can't be sold again")
    refused: int = Field(default=0, description="pieces that were not taken back")
    percent: int = Field(default=100, description="how much of their price the damaged pieces are refunded")
