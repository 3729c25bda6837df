"""Shipments and their lines."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Text that sorts by its bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Bring the database forward."""
    op.create_table(
        "shipments",
        sa.Column("id", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("state_since", MOMENT, nullable=False),
        sa.Column("order_id", text(), nullable=False),
        sa.Column("called", text(200), nullable=False),
        sa.Column("customer", text(100), nullable=False),
        sa.Column("email", text(254), nullable=True),
        sa.Column("phone", text(16), nullable=True),
        sa.Column("address", sa.JSON(), nullable=True),
        sa.Column("carrier_asked", sa.Boolean(), nullable=False),
        sa.Column("carrier_shipment", text(100), nullable=True),
        sa.Column("tracking", text(100), nullable=True),
        sa.Column("tracking_url", text(2008), nullable=True),
        sa.Column("label_url", text(2008), nullable=True),
        sa.Column("recalled", sa.Boolean(), nullable=False),
        sa.Column("attention", text(), nullable=True),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.Column("delivered_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "(state IN ('delivered', 'lost', 'returned_to_sender', 'in_transit', 'recalling', 'returning'))"
            " = (sent_at IS NOT NULL)",
            name="ck_shipments_sent_at",
        ),
        sa.CheckConstraint("(state = 'delivered') = (delivered_at IS NOT NULL)", name="ck_shipments_delivered_at"),
        sa.CheckConstraint(
            "state NOT IN ('label', 'cancelling', 'recalling', 'returning') OR carrier_shipment IS NOT NULL",
            name="ck_shipments_carrier_shipment",
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_index("ix_shipments_created_at", "shipments", ["created_at", "id"])
    op.create_index("ix_shipments_state", "shipments", ["state", "state_since", "id"])
    op.create_index("ix_shipments_order_id", "shipments", ["order_id"])
    op.create_index("ix_shipments_customer", "shipments", ["customer", "id"])
    op.create_index("ix_shipments_tracking", "shipments", ["tracking"])
    op.create_index("ix_shipments_order_id_lower", "shipments", [sa.text("lower(order_id)")])
    op.create_index("ix_shipments_tracking_lower", "shipments", [sa.text("lower(tracking)")])
    op.create_table(
        "shipment_lines",
        sa.Column("shipment_id", text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sku", text(64), nullable=False),
        sa.Column("name", text(200), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity BETWEEN 1 AND 1000000", name="ck_shipment_lines_quantity"),
        sa.ForeignKeyConstraint(["shipment_id"], ["shipments.id"]),
        sa.PrimaryKeyConstraint("shipment_id", "number"),
        sqlite_strict=True,
    )
    op.create_index("ix_shipment_lines_sku", "shipment_lines", ["sku"])


def downgrade() -> None:
    """Take it back."""
    op.drop_table("shipment_lines")
    op.drop_table("shipments")
