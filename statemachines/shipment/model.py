"""What a shipment is: its columns, its lines, and the figures that a shop may choose."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from sqlalchemy import JSON, CheckConstraint, Index
from sqlmodel import Field, SQLModel

from statemachines.declaration import Entity, Policy
from statemachines.privacy import PRIVATE
from statemachines.values import Span

UNDER_WAY = ("in_transit", "recalling", "returning")
"""The states in which a parcel is out of the house and not at its end."""

SENT = ("delivered", "lost", "returned_to_sender", *UNDER_WAY)
"""The states of parcels that left the house."""


class ShipmentPolicy(Policy):
    """The figures of shipments that a shop may choose."""

    ask_carrier: bool = False
    """Whether the carrier is asked by itself to fetch what has an address."""
    carrier_patience: Span = timedelta(hours=24)
    """How long a shipment waits for the carrier's answer before a person is asked to look."""
    dispatch_within: Span = timedelta(days=2)
    """How long a parcel may wait in the house before a person is asked to look."""
    arrive_within: Span = timedelta(days=14)
    """How long a shipment may wait for its pieces before a person is asked to look."""
    deliver_within: Span = timedelta(days=21)
    """How long a parcel may be under way, out or back, before a person is asked to look."""


class Shipment(Entity):
    """Pieces of an order that travel together."""

    __tablename__ = "shipments"
    __table_args__ = (
        CheckConstraint(f"(state IN {SENT}) = (sent_at IS NOT NULL)", name="ck_shipments_sent_at"),
        CheckConstraint("(state = 'delivered') = (delivered_at IS NOT NULL)", name="ck_shipments_delivered_at"),
        CheckConstraint(
            "state NOT IN ('label', 'cancelling', 'recalling', 'returning') OR carrier_shipment IS NOT NULL",
            name="ck_shipments_carrier_shipment",
        ),
        Index("ix_shipments_order_id", "order_id"),
        Index("ix_shipments_customer", "customer", "id"),
        Index("ix_shipments_tracking", "tracking"),
    )
    owner_column: ClassVar[str | None] = "customer"
    search_columns: ClassVar[tuple[str, ...]] = ("id", "order_id", "tracking")

    order_id: str = Field(default="", foreign_key="orders.id")
    called: str = Field(default="", max_length=200, description="what people call the order")
    customer: str = Field(default="", max_length=100)
    email: Annotated[str | None, PRIVATE] = Field(default=None, max_length=254, description="where mails about it go")
    phone: Annotated[str | None, PRIVATE] = Field(default=None, max_length=16, description="where SMS about it go")
    address: Annotated[dict[str, object] | None, PRIVATE] = Field(
        default=None, sa_type=JSON(none_as_null=True), description="where it goes"
    )
    carrier_asked: bool = Field(default=False, description="whether the carrier's answer to being booked is waited for")
    carrier_shipment: str | None = Field(default=None, max_length=100, description="the carrier's name for it")
    tracking: str | None = Field(default=None, max_length=100, description="what it is followed by")
    tracking_url: str | None = Field(default=None, max_length=2008, description="where it can be followed")
    label_url: Annotated[str | None, PRIVATE] = Field(
        default=None, max_length=2008, description="where the label to print is"
    )
    recalled: bool = Field(default=False, description="whether the order waits to hear what becomes of its recall")
    attention: str | None = Field(default=None, description="what a person should look at")
    sent_at: datetime | None = Field(default=None, description="when it left the house")
    delivered_at: datetime | None = None


class ShipmentLine(SQLModel):
    """Pieces of one order line in a shipment."""

    __tablename__ = "shipment_lines"
    __table_args__ = (
        CheckConstraint("quantity BETWEEN 1 AND 1000000", name="ck_shipment_lines_quantity"),
        Index("ix_shipment_lines_sku", "sku"),
    )

    shipment_id: str = Field(primary_key=True, foreign_key="shipments.id")
    number: int = Field(primary_key=True, description="the number of the line in its order")
    sku: str = Field(max_length=64)
    name: str = Field(max_length=200)
    quantity: int
