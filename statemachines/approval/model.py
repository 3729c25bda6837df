"""What a request for approval is: its columns, who may vote, and the votes."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

from sqlalchemy import JSON, CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from statemachines.declaration import Entity
from statemachines.privacy import PRIVATE

OPEN = ("pending", "escalated")
"""The states in which votes are taken."""

UNDECIDED = (*OPEN, "changes_requested")
"""The states in which nothing is settled yet."""

_IS_OPEN = text(f"state IN {UNDECIDED}")


class Approval(Entity):
    """A request that others approve or reject."""

    __tablename__ = "approvals"
    __table_args__ = (
        CheckConstraint("amount BETWEEN 0 AND 1000000000000", name="ck_approvals_amount"),
        CheckConstraint("(amount IS NULL) = (currency IS NULL)", name="ck_approvals_currency"),
        CheckConstraint("round >= 1", name="ck_approvals_round"),
        CheckConstraint("level >= 1", name="ck_approvals_level"),
        UniqueConstraint("id", "requested_by", name="uq_approvals_requested_by"),
        Index(
            "ix_approvals_asked",
            "machine",
            "reference",
            "kind",
            unique=True,
            sqlite_where=_IS_OPEN,
            postgresql_where=_IS_OPEN,
        ),
        Index("ix_approvals_reference", "reference"),
        Index("ix_approvals_requested_by", "requested_by", "id"),
    )
    owner_column: ClassVar[str | None] = "requested_by"
    search_columns: ClassVar[tuple[str, ...]] = ("id", "reference")
    subject_columns: ClassVar[tuple[str, str] | None] = ("machine", "reference")

    kind: str = Field(default="", max_length=50, description="what sort of thing is to be approved")
    reference: str = Field(default="", max_length=100, description="which one: an entity's id, or the requester's name")
    machine: str | None = Field(default=None, max_length=50, description="the entity's machine, if it is an entity")
    subject_version: int | None = Field(default=None, description="the entity's version that was shown")
    description: str = Field(default="", max_length=500)
    amount: int | None = Field(default=None, description="in minor units")
    currency: str | None = Field(default=None, max_length=3)
    digest: str | None = Field(default=None, max_length=64, description="SHA-256 of the document that was shown")
    fingerprint: str = Field(default="", max_length=64, description="SHA-256 of all that was asked; votes bear it")
    requested_by: str = Field(default="", max_length=100)
    mail: Annotated[str | None, PRIVATE] = Field(
        default=None, max_length=254, description="where the requester is told what became of it"
    )
    round: int = Field(default=1, description="counts how often it was put; votes of earlier rounds no longer count")
    level: int = Field(default=1, description="which of the levels is asked")
    levels: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON, description="who decides, in this order")
    decided_at: datetime | None = None
    decided_because: str | None = Field(default=None, max_length=500)


def _belongs(table: str) -> ForeignKeyConstraint:
    """Return what makes sure that a row knows who asked, so that the database can refuse that person."""
    return ForeignKeyConstraint(
        ["approval_id", "requested_by"], ["approvals.id", "approvals.requested_by"], name=f"fk_{table}_approval"
    )


class ApprovalSeat(SQLModel):
    """A place on a level: the person it was given to, and who votes in it now."""

    __tablename__ = "approval_seats"
    __table_args__ = (
        _belongs("approval_seats"),
        CheckConstraint("person <> requested_by AND holder <> requested_by", name="ck_approval_seats_requested_by"),
        UniqueConstraint("approval_id", "level", "holder", name="uq_approval_seats_holder"),
        Index("ix_approval_seats_holder", "holder", "approval_id"),
    )

    approval_id: str = Field(primary_key=True)
    level: int = Field(primary_key=True)
    person: str = Field(primary_key=True, max_length=100)
    requested_by: str = Field(max_length=100)
    holder: str = Field(max_length=100, description="who votes: the person, or whom the vote was handed to")
    reserve: bool = Field(default=False, description="whether it counts only once the request is escalated")


class ApprovalVote(SQLModel):
    """One person's vote in one round. Votes are never changed or removed."""

    __tablename__ = "approval_votes"
    __table_args__ = (
        _belongs("approval_votes"),
        CheckConstraint("person <> requested_by AND seat <> requested_by", name="ck_approval_votes_requested_by"),
        CheckConstraint(
            "choice IN ('approve', 'reject', 'abstain', 'request_changes')", name="ck_approval_votes_choice"
        ),
        UniqueConstraint("approval_id", "round", "seat", name="uq_approval_votes_seat"),
    )

    approval_id: str = Field(primary_key=True)
    round: int = Field(primary_key=True)
    person: str = Field(primary_key=True, max_length=100)
    requested_by: str = Field(max_length=100)
    seat: str = Field(max_length=100, description="in whose place")
    level: int
    choice: str = Field(max_length=20)
    comment: str | None = Field(default=None, max_length=500)
    fingerprint: str = Field(max_length=64, description="what was voted on")
    at: datetime
