"""What a refund is: its columns, and the figures that a shop may choose."""

from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field as Limited
from sqlalchemy import JSON, CheckConstraint, Index
from sqlmodel import Field

from statemachines.declaration import Entity, Policy
from statemachines.payments import PATIENCE
from statemachines.privacy import PRIVATE
from statemachines.values import AmountLimit, Span, SpanOrNothing

NOT_GIVEN = ("rejected", "cancelled")
"""The states in which no money was given, and none will be."""


class RefundPolicy(Policy):
    """The figures of refunds that a shop may choose."""

    approval_above: AmountLimit = 50_000
    """What an order is given back beyond this, in minor units of any currency, has to be approved first; 0 for nothing.
    What the shop owes anyway does not count."""
    approval_after: SpanOrNothing = timedelta(days=60)
    """A refund of what was taken longer ago than this has to be approved first; 0 for none."""
    answer_within: Span = timedelta(days=3)
    """How long the shop may leave a customer's request alone before the approvers are asked instead."""
    remind_every: Span = timedelta(days=1)
    """How often the shop is reminded of requests that wait for it, and of refunds that failed."""
    gateway_patience: Annotated[Span, Limited(ge=PATIENCE.within)] = timedelta(hours=24)
    """How long a refund waits for the payment gateway before a person is asked to look; it is tried for 23 hours."""
    dispute_patience: Span = timedelta(days=120)
    """How long a refund waits for the end of a dispute before a person is asked to look."""


class Refund(Entity):
    """Money of one payment that is given back, in full or in part."""

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint("amount BETWEEN 1 AND 1000000000000", name="ck_refunds_amount"),
        CheckConstraint("attempts >= 0", name="ck_refunds_attempts"),
        CheckConstraint("awaited BETWEEN 0 AND attempts", name="ck_refunds_awaited"),
        CheckConstraint("accepted_by <> requested_by", name="ck_refunds_accepted_by"),
        CheckConstraint(
            "NOT unanswered OR (state IN ('failed', 'succeeded') AND attempts > 0)", name="ck_refunds_unanswered"
        ),
        CheckConstraint("state NOT IN ('processing', 'failed') OR attempts > 0", name="ck_refunds_asked"),
        CheckConstraint("state <> 'failed' OR attention IS NOT NULL", name="ck_refunds_failed"),
        CheckConstraint("(state = 'succeeded') = (processed_at IS NOT NULL)", name="ck_refunds_processed_at"),
        CheckConstraint("state <> 'awaiting_approval' OR approval IS NOT NULL", name="ck_refunds_approval"),
        Index("ix_refunds_order_id", "order_id"),
        Index("ix_refunds_payment_id", "payment_id"),
        Index("ix_refunds_customer", "customer", "id"),
    )
    owner_column: ClassVar[str | None] = "customer"
    search_columns: ClassVar[tuple[str, ...]] = ("id", "order_id", "refund")

    order_id: str = Field(default="", foreign_key="orders.id")
    payment_id: str = Field(default="", foreign_key="payments.id", description="the payment of which it is given back")
    payment: str = Field(default="", max_length=200, description="the gateway's name for that payment")
    customer: str = Field(default="", max_length=200)
    called: str | None = Field(default=None, max_length=200, description="what people call the order")
    email: Annotated[str | None, PRIVATE] = Field(default=None, max_length=254, description="where mails about it go")
    amount: int = Field(default=1, description="in minor units")
    currency: str = Field(default="", max_length=3)
    taken_at: datetime | None = Field(default=None, description="when the money was taken")
    reason: str | None = Field(default=None, max_length=500, description="why it is asked for")
    requested_by: str = Field(default="", max_length=200)
    by_customer: bool = Field(default=False, description="whether the customer asked, so that the shop decides")
    accepted_by: str | None = Field(
        default=None, max_length=200, description="who accepted what the customer asked for"
    )
    owed: bool = Field(default=False, description="whether the shop owes it, so that nobody approves it first")
    goodwill: bool = Field(default=False, description="whether the order costs as much as before")
    return_case: str | None = Field(default=None, max_length=100, description="the return that it is for")
    lines: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON, description="the lines that it is for")
    approval: str | None = Field(default=None, max_length=100, description="the approval that it needs")
    refund: str | None = Field(default=None, max_length=200, description="the gateway's name for it")
    attempts: int = Field(default=0, description="how often the gateway was asked")
    awaited: int = Field(default=0, description="answers that the gateway still owes")
    unanswered: bool = Field(default=False, description="whether nobody knows what the gateway did")
    attention: str | None = Field(default=None, description="what a person should look at")
    decided_at: datetime | None = Field(default=None, description="when it was accepted, approved, refused or rejected")
    decided_because: str | None = Field(default=None, max_length=500)
    processed_at: datetime | None = Field(default=None, description="when the money was given back")
