"""Customers' activity."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Text that sorts by its bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Bring the database forward."""
    op.create_table(
        "activities",
        sa.Column("id", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("state_since", MOMENT, nullable=False),
        sa.Column("customer", text(100), nullable=False),
        sa.Column("email", text(254), nullable=True),
        sa.Column("recent", sa.JSON(), nullable=False),
        sa.Column("seen_at", MOMENT, nullable=True),
        sa.Column("interest", text(64), nullable=True),
        sa.Column("reminders", sa.BigInteger(), nullable=False),
        sa.Column("reminded_at", MOMENT, nullable=True),
        sa.Column("rewards", sa.BigInteger(), nullable=False),
        sa.Column("rewarded_at", MOMENT, nullable=True),
        sa.Column("reward_code", text(100), nullable=True),
        sa.CheckConstraint("reminders >= 0", name="ck_activities_reminders"),
        sa.CheckConstraint("rewards >= 0", name="ck_activities_rewards"),
        sa.CheckConstraint(
            "(rewards = 0) = (rewarded_at IS NULL) AND (rewards = 0) = (reward_code IS NULL)",
            name="ck_activities_rewarded",
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("customer", name="uq_activities_customer"),
        sqlite_strict=True,
    )
    op.create_index("ix_activities_created_at", "activities", ["created_at", "id"])
    op.create_index("ix_activities_state", "activities", ["state", "state_since", "id"])


def downgrade() -> None:
    """Take it back."""
    op.drop_table("activities")
