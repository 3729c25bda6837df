"""Payments."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
IS_HELD = sa.text("held > 0")


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Text that sorts by its bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def amount(name: str) -> sa.Column[int]:
    """Money in minor units."""
    return sa.Column(name, sa.BigInteger(), nullable=False)


def upgrade() -> None:
    """Bring the database forward."""
    op.create_table(
        "payments",
        sa.Column("id", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("state_since", MOMENT, nullable=False),
        sa.Column("order_id", text(), nullable=False),
        sa.Column("called", text(200), nullable=True),
        sa.Column("customer", text(100), nullable=False),
        sa.Column("email", text(254), nullable=True),
        sa.Column("currency", text(3), nullable=False),
        amount("amount"),
        sa.Column("take", text(), nullable=False),
        sa.Column("method", text(100), nullable=True),
        sa.Column("payment", text(200), nullable=True),
        sa.Column("payment_asked", sa.Boolean(), nullable=False),
        sa.Column("payment_url", text(2100), nullable=True),
        amount("asked"),
        amount("held"),
        amount("captured"),
        amount("refunding"),
        amount("refunded"),
        amount("disputed"),
        amount("lost"),
        amount("charged_back"),
        amount("capturing"),
        amount("capture_next"),
        sa.Column("capture_final", sa.Boolean(), nullable=False),
        sa.Column("void_asked", sa.Boolean(), nullable=False),
        sa.Column("dispute", text(200), nullable=True),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("taken_at", MOMENT, nullable=True),
        sa.Column("reason", text(500), nullable=True),
        sa.Column("attention", text(500), nullable=True),
        sa.CheckConstraint("amount BETWEEN 1 AND 1000000000000", name="ck_payments_amount"),
        sa.CheckConstraint("asked IN (0, amount)", name="ck_payments_asked"),
        sa.CheckConstraint("held BETWEEN 0 AND 1000000000000", name="ck_payments_held"),
        sa.CheckConstraint("captured BETWEEN 0 AND 1000000000000", name="ck_payments_captured"),
        sa.CheckConstraint("capturing >= 0 AND capture_next >= 0", name="ck_payments_capturing"),
        sa.CheckConstraint("refunded >= 0 AND refunding >= 0", name="ck_payments_refunds"),
        sa.CheckConstraint("refunded + refunding + charged_back <= captured", name="ck_payments_refunded"),
        sa.CheckConstraint("disputed BETWEEN 0 AND 1000000000000", name="ck_payments_disputed"),
        sa.CheckConstraint("lost BETWEEN 0 AND 1000000000000", name="ck_payments_lost"),
        sa.CheckConstraint("charged_back BETWEEN 0 AND disputed + lost", name="ck_payments_charged_back"),
        sa.CheckConstraint("take IN ('now', 'later')", name="ck_payments_take"),
        sa.CheckConstraint("(captured = 0) = (taken_at IS NULL)", name="ck_payments_taken_at"),
        sa.CheckConstraint("held + captured = 0 OR payment IS NOT NULL", name="ck_payments_payment"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("payment", name="uq_payments_payment"),
        sqlite_strict=True,
    )
    op.create_index("ix_payments_created_at", "payments", ["created_at", "id"])
    op.create_index("ix_payments_state", "payments", ["state", "state_since", "id"])
    op.create_index("ix_payments_order_id", "payments", ["order_id"])
    op.create_index("ix_payments_customer", "payments", ["customer", "id"])
    op.create_index("ix_payments_order_id_lower", "payments", [sa.text("lower(order_id)")])
    op.create_index("ix_payments_payment_lower", "payments", [sa.text("lower(payment)")])
    op.create_index(
        "ix_payments_expires_at", "payments", ["expires_at"], sqlite_where=IS_HELD, postgresql_where=IS_HELD
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("payments")
