"""What a payment is: its columns, and the figures that a shop may choose."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field

from statemachines.declaration import Entity, Policy
from statemachines.privacy import PRIVATE
from statemachines.values import Span


class PaymentPolicy(Policy):
    """The figures of payments that a shop may choose."""

    method_within: Span = timedelta(hours=1)
    """How long a payment waits to be told with what it is paid."""
    confirm_within: Span = timedelta(hours=1)
    """How long a customer has to confirm a payment with the bank."""
    hold_for: Span = timedelta(days=7)
    """How long money is held ready; banks rarely hold it longer."""
    gateway_patience: Span = timedelta(hours=24)
    """How long a payment waits for the gateway before a person is asked to look."""


_IS_HELD = text("held > 0")


class Payment(Entity):
    """Money for an order, from asking for it to its end. Of each amount it is told where it is."""

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint("amount BETWEEN 1 AND 1000000000000", name="ck_payments_amount"),
        CheckConstraint("asked IN (0, amount)", name="ck_payments_asked"),
        CheckConstraint("held BETWEEN 0 AND 1000000000000", name="ck_payments_held"),
        CheckConstraint("captured BETWEEN 0 AND 1000000000000", name="ck_payments_captured"),
        CheckConstraint("capturing >= 0 AND capture_next >= 0", name="ck_payments_capturing"),
        CheckConstraint("refunded >= 0 AND refunding >= 0", name="ck_payments_refunds"),
        CheckConstraint("refunded + refunding + charged_back <= captured", name="ck_payments_refunded"),
        CheckConstraint("disputed BETWEEN 0 AND 1000000000000", name="ck_payments_disputed"),
        CheckConstraint("lost BETWEEN 0 AND 1000000000000", name="ck_payments_lost"),
        CheckConstraint("charged_back BETWEEN 0 AND disputed + lost", name="ck_payments_charged_back"),
        CheckConstraint("take IN ('now', 'later')", name="ck_payments_take"),
        CheckConstraint("(captured = 0) = (taken_at IS NULL)", name="ck_payments_taken_at"),
        CheckConstraint("held + captured = 0 OR payment IS NOT NULL", name="ck_payments_payment"),
        UniqueConstraint("payment", name="uq_payments_payment"),
        Index("ix_payments_order_id", "order_id"),
        Index("ix_payments_customer", "customer", "id"),
        Index("ix_payments_expires_at", "expires_at", sqlite_where=_IS_HELD, postgresql_where=_IS_HELD),
    )
    owner_column: ClassVar[str | None] = "customer"
    search_columns: ClassVar[tuple[str, ...]] = ("id", "order_id", "payment")

    order_id: str = Field(default="", foreign_key="orders.id")
    called: str | None = Field(default=None, max_length=200, description="what people call the order")
    customer: str = Field(default="", max_length=100)
    email: Annotated[str | None, PRIVATE] = Field(default=None, max_length=254, description="where mails about it go")
    currency: str = Field(default="", max_length=3)
    amount: int = Field(default=0, description="what is to be paid with it, in minor units")
    take: str = Field(default="now", description="whether money is taken now, or held ready and taken later")
    method: Annotated[str | None, PRIVATE] = Field(
        default=None, max_length=100, description="the gateway's token for what it is paid with"
    )
    payment: str | None = Field(default=None, max_length=200, description="the gateway's name for it")
    payment_asked: bool = Field(default=False, description="whether the gateway has not said how it ended")
    payment_url: Annotated[str | None, PRIVATE] = Field(
        default=None, max_length=2100, description="where the customer has to confirm it first"
    )
    asked: int = Field(default=0, description="what is asked for and neither held nor taken yet")
    held: int = Field(default=0, description="what the gateway holds ready")
    captured: int = Field(default=0, description="what the gateway took, whatever was given back since")
    refunding: int = Field(default=0, description="what refunds on their way give back of it")
    refunded: int = Field(default=0, description="what was given back of it")
    disputed: int = Field(default=0, description="what the customer's bank claims back, without a decision yet")
    lost: int = Field(default=0, description="what it claimed back and was given")
    charged_back: int = Field(default=0, description="what is gone with that, beside what was given back")
    capturing: int = Field(default=0, description="what the gateway was asked to take of what it holds, unanswered")
    capture_next: int = Field(default=0, description="what is to be taken of it after that")
    capture_final: bool = Field(default=False, description="whether the rest is let go with the last of these")
    void_asked: bool = Field(default=False, description="whether the order no longer wants it")
    dispute: str | None = Field(default=None, max_length=200, description="the gateway's name for the dispute")
    expires_at: datetime | None = Field(default=None, description="until when the gateway holds the money ready")
    taken_at: datetime | None = Field(default=None, description="when money was first taken")
    reason: str | None = Field(default=None, max_length=500, description="why there is no money, or no longer")
    attention: str | None = Field(default=None, max_length=500, description="what a person should look at")
