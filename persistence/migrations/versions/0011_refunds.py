"""Refunds."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Text that sorts by its bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Bring the database forward."""
    op.create_table(
        "refunds",
        sa.Column("id", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("state_since", MOMENT, nullable=False),
        sa.Column("order_id", text(), nullable=False),
        sa.Column("payment_id", text(), nullable=False),
        sa.Column("payment", text(200), nullable=False),
        sa.Column("customer", text(200), nullable=False),
        sa.Column("called", text(200), nullable=True),
        sa.Column("email", text(254), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", text(3), nullable=False),
        sa.Column("taken_at", MOMENT, nullable=True),
        sa.Column("reason", text(500), nullable=True),
        sa.Column("requested_by", text(200), nullable=False),
        sa.Column("by_customer", sa.Boolean(), nullable=False),
        sa.Column("accepted_by", text(200), nullable=True),
        sa.Column("owed", sa.Boolean(), nullable=False),
        sa.Column("return_case", text(100), nullable=True),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("approval", text(100), nullable=True),
        sa.Column("refund", text(200), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("awaited", sa.BigInteger(), nullable=False),
        sa.Column("unanswered", sa.Boolean(), nullable=False),
        sa.Column("attention", text(), nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decided_because", text(500), nullable=True),
        sa.Column("processed_at", MOMENT, nullable=True),
        sa.CheckConstraint("amount BETWEEN 1 AND 1000000000000", name="ck_refunds_amount"),
        sa.CheckConstraint("attempts >= 0", name="ck_refunds_attempts"),
        sa.CheckConstraint("awaited BETWEEN 0 AND attempts", name="ck_refunds_awaited"),
        sa.CheckConstraint("accepted_by <> requested_by", name="ck_refunds_accepted_by"),
        sa.CheckConstraint(
            "NOT unanswered OR (state IN ('failed', 'succeeded') AND attempts > 0)", name="ck_refunds_unanswered"
        ),
        sa.CheckConstraint("state NOT IN ('processing', 'failed') OR attempts > 0", name="ck_refunds_asked"),
        sa.CheckConstraint("state <> 'failed' OR attention IS NOT NULL", name="ck_refunds_failed"),
        sa.CheckConstraint("(state = 'succeeded') = (processed_at IS NOT NULL)", name="ck_refunds_processed_at"),
        sa.CheckConstraint("state <> 'awaiting_approval' OR approval IS NOT NULL", name="ck_refunds_approval"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"]),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_index("ix_refunds_created_at", "refunds", ["created_at", "id"])
    op.create_index("ix_refunds_state", "refunds", ["state", "state_since", "id"])
    op.create_index("ix_refunds_order_id", "refunds", ["order_id"])
    op.create_index("ix_refunds_payment_id", "refunds", ["payment_id"])
    op.create_index("ix_refunds_customer", "refunds", ["customer", "id"])
    op.create_index("ix_refunds_order_id_lower", "refunds", [sa.text("lower(order_id)")])
    op.create_index("ix_refunds_refund_lower", "refunds", [sa.text("lower(refund)")])


def downgrade() -> None:
    """Take it back."""
    op.drop_table("refunds")
