"""The rows from which webhooks are sent: how far the history was read, what is still to be delivered, what was tried.

The history itself is the queue. A lane says which stretch of an entity's history a subscription has yet to get.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, Column, Index
from sqlmodel import Field, SQLModel

OUTCOMES = ("delivered", "failed", "abandoned")


class FeedCursorRow(SQLModel, table=True):
    """How far a reader has read the history."""

    __tablename__ = "feed_cursors"

    name: str = Field(primary_key=True)
    commit_order: int
    seq: int


class EndpointRow(SQLModel, table=True):
    """How a subscription's address fares. A trigger makes the row together with the subscription."""

    __tablename__ = "endpoints"

    subscription_id: str = Field(primary_key=True)
    after_commit_order: int
    after_seq: int
    """The place in the history after which the subscription hears of what happens."""
    failures: int = 0
    """How many attempts failed since the last that did not."""
    failing_since: datetime | None = None
    """When the first of them failed."""
    held_until: datetime | None = None
    """While it fails again and again nothing is sent until then, and then one message to see how it is."""


class LaneRow(SQLModel, table=True):
    """A stretch of one entity's history on its way to one subscription."""

    __tablename__ = "delivery_lanes"
    __table_args__ = (
        CheckConstraint("next_version >= 1", name="ck_delivery_lanes_next_version"),
        CheckConstraint("attempts >= 0", name="ck_delivery_lanes_attempts"),
        Index("ix_delivery_lanes_due", "subscription_id", "due_at"),
    )

    subscription_id: str = Field(primary_key=True)
    machine: str = Field(primary_key=True)
    entity_id: str = Field(primary_key=True)
    asked_by: str = Field(primary_key=True)
    """The event that asked for a redelivery; empty for what is delivered as it happens."""
    next_version: int
    """The first transition that is not delivered yet."""
    last_version: int
    """The last transition to be delivered."""
    running: bool = False
    due_at: datetime
    """When it may be claimed next: while running the end of the lease."""
    token: int = 0
    """Grows with every claim; only the claim that holds the newest may report."""
    attempts: int = 0
    """How often the next transition was sent in vain."""
    failing_since: datetime | None = None


class DeliveryRow(SQLModel, table=True):
    """One attempt to deliver one event."""

    __tablename__ = "deliveries"
    __table_args__ = (
        CheckConstraint(f"outcome IN {OUTCOMES}", name="ck_deliveries_outcome"),
        Index("ix_deliveries_subscription", "subscription_id", "id"),
        Index(
            "ix_deliveries_failed",
            "subscription_id",
            "id",
            sqlite_where=Column("outcome") != "delivered",
            postgresql_where=Column("outcome") != "delivered",
        ),
        Index("ix_deliveries_at", "at"),
    )

    id: str = Field(primary_key=True)
    subscription_id: str
    event_id: str
    machine: str
    entity_id: str
    version: int
    event: str
    attempt: int
    """Counts from 1."""
    at: datetime
    duration_ms: int
    status: int | None = None
    """What the address answered; None if it did not."""
    error: str | None = None
    outcome: str
