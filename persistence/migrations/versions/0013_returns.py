"""Returns: pieces that customers send back, and what was found of them."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Text that sorts by its bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Bring the database forward."""
    op.create_table(
        "returns",
        sa.Column("id", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("state_since", MOMENT, nullable=False),
        sa.Column("order_id", text(), nullable=False),
        sa.Column("called", text(200), nullable=False),
        sa.Column("customer", text(200), nullable=False),
        sa.Column("email", text(254), nullable=True),
        sa.Column("currency", text(3), nullable=False),
        sa.Column("wish", text(8), nullable=False),
        sa.Column("reason", text(500), nullable=True),
        sa.Column("requested_by", text(200), nullable=False),
        sa.Column("label_asked", sa.Boolean(), nullable=False),
        sa.Column("label_url", text(2100), nullable=True),
        sa.Column("carrier_shipment", text(100), nullable=True),
        sa.Column("tracking", text(100), nullable=True),
        sa.Column("tracking_url", text(2100), nullable=True),
        sa.Column("refund_amount", sa.BigInteger(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        sa.Column("refund_due", sa.BigInteger(), nullable=False),
        sa.Column("refund_dropped", sa.BigInteger(), nullable=False),
        sa.Column("attention", text(500), nullable=True),
        sa.Column("note", text(500), nullable=True),
        sa.Column("approved_at", MOMENT, nullable=True),
        sa.Column("departed_at", MOMENT, nullable=True),
        sa.Column("received_at", MOMENT, nullable=True),
        sa.Column("inspected_at", MOMENT, nullable=True),
        sa.Column("inspected_by", text(200), nullable=True),
        sa.Column("ended_because", text(500), nullable=True),
        sa.CheckConstraint("wish IN ('refund', 'exchange')", name="ck_returns_wish"),
        sa.CheckConstraint("refund_amount BETWEEN 0 AND 1000000000000", name="ck_returns_refund_amount"),
        sa.CheckConstraint("refunded >= 0 AND refund_due >= 0 AND refund_dropped >= 0", name="ck_returns_refunds"),
        sa.CheckConstraint("refunded + refund_due + refund_dropped <= refund_amount", name="ck_returns_refunded"),
        sa.CheckConstraint("(inspected_at IS NULL) = (inspected_by IS NULL)", name="ck_returns_inspected"),
        sa.CheckConstraint("inspected_at IS NULL OR received_at IS NOT NULL", name="ck_returns_received"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_index("ix_returns_created_at", "returns", ["created_at", "id"])
    op.create_index("ix_returns_state", "returns", ["state", "state_since", "id"])
    op.create_index("ix_returns_order_id", "returns", ["order_id"])
    op.create_index("ix_returns_customer", "returns", ["customer", "id"])
    op.create_index("ix_returns_order_id_lower", "returns", [sa.text("lower(order_id)")])
    op.create_index("ix_returns_tracking_lower", "returns", [sa.text("lower(tracking)")])
    op.create_table(
        "return_lines",
        sa.Column("return_id", text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sku", text(64), nullable=False),
        sa.Column("name", text(200), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("damaged", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("percent", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity BETWEEN 1 AND 1000000", name="ck_return_lines_quantity"),
        sa.CheckConstraint("accepted >= 0 AND damaged >= 0 AND refused >= 0", name="ck_return_lines_found"),
        sa.CheckConstraint("accepted + damaged + refused <= quantity", name="ck_return_lines_announced"),
        sa.CheckConstraint("percent BETWEEN 0 AND 100", name="ck_return_lines_percent"),
        sa.ForeignKeyConstraint(["return_id"], ["returns.id"]),
        sa.ForeignKeyConstraint(["sku"], ["products.id"]),
        sa.PrimaryKeyConstraint("return_id", "number"),
        sqlite_strict=True,
    )
    op.create_index("ix_return_lines_sku", "return_lines", ["sku"])


def downgrade() -> None:
    """Take it back."""
    op.drop_table("return_lines")
    op.drop_table("returns")
