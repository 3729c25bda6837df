"""The ground floor: orders, products, stock, history, effects, timers, idempotency keys, API keys."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
DUE = sa.text("status IN ('pending', 'running')")
MOMENT = sa.DateTime(timezone=True)


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Text that sorts by its bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    op.create_table(
        "api_keys",
        sa.Column("id", text(), nullable=False),
        sa.Column("digest", text(), nullable=False),
        sa.Column("principal", text(100), nullable=False),
        sa.Column("role", text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", text(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("revoked_by", text(), nullable=True),
        sa.CheckConstraint("role IN ('customer', 'merchant', 'approver', 'admin')", name="ck_api_keys_role"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_index("ix_api_keys_principal", "api_keys", ["principal"])

    op.create_table(
        "effects",
        sa.Column("id", text(), nullable=False),
        sa.Column("machine", text(), nullable=False),
        sa.Column("entity_id", text(), nullable=False),
        sa.Column("name", text(), nullable=False),
        sa.Column("arguments", JSON, nullable=False),
        sa.Column("status", text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("outcome", JSON, nullable=True),
        sa.Column("error", text(), nullable=True),
        sa.Column("cause", text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.CheckConstraint("status IN ('pending', 'running', 'done', 'parked', 'cancelled')", name="ck_effects_status"),
        sa.CheckConstraint("attempts >= 0", name="ck_effects_attempts"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_index("ix_effects_due", "effects", ["due_at"], sqlite_where=DUE, postgresql_where=DUE)
    op.create_index("ix_effects_entity", "effects", ["machine", "entity_id", "id"])
    op.create_index("ix_effects_status", "effects", ["status", "id"])

    op.create_table(
        "history",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("event_id", text(), nullable=False),
        sa.Column("machine", text(), nullable=False),
        sa.Column("entity_id", text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("event", text(), nullable=False),
        sa.Column("source", text(), nullable=False),
        sa.Column("target", text(), nullable=False),
        sa.Column("actor", text(), nullable=False),
        sa.Column("cause", text(), nullable=True),
        sa.Column("reason", text(), nullable=True),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("version >= 1", name="ck_history_version"),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("event_id", name="uq_history_event_id"),
        sa.UniqueConstraint("machine", "entity_id", "version", name="uq_history_version"),
        sqlite_strict=True,
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("key", text(), nullable=False),
        sa.Column("scope", text(), nullable=False),
        sa.Column("fingerprint", text(), nullable=False),
        sa.Column("outcome", sa.JSON(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("key", "scope"),
        sqlite_strict=True,
    )
    op.create_index("ix_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"])

    op.create_table(
        "orders",
        sa.Column("id", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("state_since", MOMENT, nullable=False),
        sa.Column("reference", text(100), nullable=True),
        sa.Column("customer", text(100), nullable=False),
        sa.Column("currency", text(3), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("paid", sa.BigInteger(), nullable=False),
        sa.Column("refunding", sa.BigInteger(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        sa.Column("refund_due", sa.BigInteger(), nullable=False),
        sa.Column("payment", text(), nullable=True),
        sa.Column("payment_tries", sa.BigInteger(), nullable=False),
        sa.Column("payment_asked", sa.Boolean(), nullable=False),
        sa.Column("stock_held", text(), nullable=False),
        sa.Column("attention", text(), nullable=True),
        sa.Column("submitted_at", MOMENT, nullable=True),
        sa.Column("paid_at", MOMENT, nullable=True),
        sa.Column("fulfilled_at", MOMENT, nullable=True),
        sa.Column("completed_at", MOMENT, nullable=True),
        sa.CheckConstraint("stock_held IN ('nothing', 'reserved', 'taken')", name="ck_orders_stock_held"),
        sa.CheckConstraint("paid BETWEEN 0 AND 1000000000000", name="ck_orders_paid"),
        sa.CheckConstraint("payment_tries >= 0", name="ck_orders_payment_tries"),
        sa.CheckConstraint("refunded >= 0 AND refunding >= 0 AND refund_due >= 0", name="ck_orders_refunds"),
        sa.CheckConstraint("refunded + refunding + refund_due <= paid", name="ck_orders_refunded"),
        sa.CheckConstraint("total BETWEEN 0 AND 1000000000000", name="ck_orders_total"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("reference"),
        sqlite_strict=True,
    )
    op.create_index("ix_orders_created_at", "orders", ["created_at", "id"])
    op.create_index("ix_orders_customer", "orders", ["customer", "id"])
    op.create_index("ix_orders_reference_lower", "orders", [sa.text("lower(reference)")])
    op.create_index("ix_orders_state", "orders", ["state", "state_since", "id"])

    op.create_table(
        "products",
        sa.Column("id", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("state_since", MOMENT, nullable=False),
        sa.Column("name", text(200), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("currency", text(3), nullable=False),
        sa.CheckConstraint("price BETWEEN 0 AND 1000000000000", name="ck_products_price"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_index("ix_products_created_at", "products", ["created_at", "id"])
    op.create_index("ix_products_name_lower", "products", [sa.text("lower(name)")])
    op.create_index("ix_products_state", "products", ["state", "state_since", "id"])

    op.create_table(
        "stock",
        sa.Column("id", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("state_since", MOMENT, nullable=False),
        sa.Column("on_hand", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("reorder_level", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("on_hand >= reserved AND on_hand <= 1000000000", name="ck_stock_on_hand"),
        sa.CheckConstraint("reorder_level >= 0", name="ck_stock_reorder_level"),
        sa.CheckConstraint("reserved >= 0", name="ck_stock_reserved"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_index("ix_stock_created_at", "stock", ["created_at", "id"])
    op.create_index("ix_stock_state", "stock", ["state", "state_since", "id"])

    op.create_table(
        "timers",
        sa.Column("machine", text(), nullable=False),
        sa.Column("entity_id", text(), nullable=False),
        sa.Column("name", text(), nullable=False),
        sa.Column("event", text(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("cause", text(), nullable=False),
        sa.PrimaryKeyConstraint("machine", "entity_id", "name"),
        sqlite_strict=True,
    )
    op.create_index("ix_timers_due", "timers", ["due_at", "entity_id"])

    op.create_table(
        "order_lines",
        sa.Column("order_id", text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sku", text(64), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit_price", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity BETWEEN 1 AND 1000000", name="ck_order_lines_quantity"),
        sa.CheckConstraint("returned BETWEEN 0 AND quantity", name="ck_order_lines_returned"),
        sa.CheckConstraint("unit_price BETWEEN 0 AND 1000000000000", name="ck_order_lines_unit_price"),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.id"],
        ),
        sa.ForeignKeyConstraint(
            ["sku"],
            ["products.id"],
        ),
        sa.PrimaryKeyConstraint("order_id", "number"),
        sqlite_strict=True,
    )
    op.create_index("ix_order_lines_sku", "order_lines", ["sku"])


def downgrade() -> None:
    """Remove every table."""
    for table in (
        "order_lines",
        "timers",
        "stock",
        "products",
        "orders",
        "idempotency_keys",
        "history",
        "effects",
        "api_keys",
    ):
        op.drop_table(table)
