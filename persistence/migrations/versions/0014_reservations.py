"""Reservations, stock at several locations, and the queues of those who wait for pieces."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
IS_LOW = "is_low = (on_hand - reserved <= reorder_level)"
KEPT = "id, state, version, created_at, state_since, on_hand, reserved, reorder_level, is_low, alerted_at"


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Text that sorts by its bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


NEW_COLUMNS: dict[str, tuple[sa.types.TypeEngine[Any], str]] = {
    "sku": (text(64), "id"),
    "location": (text(32), "'main'"),
    "priority": (sa.BigInteger(), "1"),
    "waiting": (sa.BigInteger(), "0"),
    "tickets": (sa.BigInteger(), "0"),
    "served": (sa.BigInteger(), "0"),
}
"""What stocks have now, and what it is for those that there are."""

NEW_CHECKS = {
    "ck_stock_location": "location <> 'main' OR id = sku",
    "ck_stock_priority": "priority >= 1",
    "ck_stock_waiting": "waiting >= 0 AND served >= 0 AND tickets >= served",
}


def upgrade() -> None:
    """Bring the database forward."""
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_stock(with_locations=True)
    else:
        for name, (kind, value) in NEW_COLUMNS.items():
            op.add_column("stock", sa.Column(name, kind, nullable=True))
            op.execute(f"UPDATE stock SET {name} = {value}")  # noqa: S608
            op.alter_column("stock", name, nullable=False)
        for name, check in NEW_CHECKS.items():
            op.create_check_constraint(name, "stock", check)
        op.create_unique_constraint("uq_stock_location", "stock", ["sku", "location"])
    waiting = sa.text("waiting > 0")
    op.create_index("ix_stock_waiting", "stock", ["id"], sqlite_where=waiting, postgresql_where=waiting)
    _create_reservations()
    _create_lines()
    _create_backorders()


def _create_reservations() -> None:
    op.create_table(
        "reservations",
        sa.Column("id", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("state_since", MOMENT, nullable=False),
        sa.Column("order_id", text(), nullable=False),
        sa.Column("customer", text(100), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("missing", sa.BigInteger(), nullable=False),
        sa.Column("offered", text(64), nullable=True),
        sa.CheckConstraint("missing >= 0", name="ck_reservations_missing"),
        sa.CheckConstraint(
            "(state IN ('backordered', 'partly_taken')) = (missing > 0)", name="ck_reservations_waiting"
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_index("ix_reservations_created_at", "reservations", ["created_at", "id"])
    op.create_index("ix_reservations_state", "reservations", ["state", "state_since", "id"])
    op.create_index("ix_reservations_order_id", "reservations", ["order_id"])
    op.create_index("ix_reservations_order_id_lower", "reservations", [sa.text("lower(order_id)")])
    op.create_index("ix_reservations_customer", "reservations", ["customer", "id"])


def _create_lines() -> None:
    op.create_table(
        "reservation_lines",
        sa.Column("reservation_id", text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sku", text(64), nullable=False),
        sa.Column("stock_id", text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.CheckConstraint("quantity BETWEEN 1 AND 1000000000", name="ck_reservation_lines_quantity"),
        sa.CheckConstraint("state IN ('held', 'taken', 'released')", name="ck_reservation_lines_state"),
        sa.ForeignKeyConstraint(["reservation_id"], ["reservations.id"]),
        sa.ForeignKeyConstraint(["stock_id"], ["stock.id"]),
        sa.PrimaryKeyConstraint("reservation_id", "number"),
        sqlite_strict=True,
    )
    op.create_index("ix_reservation_lines_stock_id", "reservation_lines", ["stock_id"])


def _create_backorders() -> None:
    op.create_table(
        "backorders",
        sa.Column("sku", text(64), nullable=False),
        sa.Column("ticket", sa.Integer(), nullable=False),
        sa.Column("reservation_id", text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("missing", sa.BigInteger(), nullable=False),
        sa.Column("page", text(96), nullable=True),
        sa.Column("since", MOMENT, nullable=False),
        sa.CheckConstraint("ticket >= 1", name="ck_backorders_ticket"),
        sa.CheckConstraint("quantity BETWEEN 1 AND 1000000000", name="ck_backorders_quantity"),
        sa.CheckConstraint("missing BETWEEN 0 AND quantity", name="ck_backorders_missing"),
        sa.CheckConstraint("(missing = 0) = (page IS NULL)", name="ck_backorders_page"),
        sa.ForeignKeyConstraint(["sku"], ["stock.id"]),
        sa.ForeignKeyConstraint(["reservation_id"], ["reservations.id"]),
        sa.PrimaryKeyConstraint("sku", "ticket"),
        sqlite_strict=True,
    )
    op.create_index("ix_backorders_page", "backorders", ["page"])
    op.create_index("ix_backorders_reservation_id", "backorders", ["reservation_id"])


def _rebuild_stock(*, with_locations: bool) -> None:
    """Make the table anew: SQLite adds a constraint to no table that there is."""
    new = NEW_COLUMNS if with_locations else {}
    checks = NEW_CHECKS if with_locations else {}
    unique = [sa.UniqueConstraint("sku", "location", name="uq_stock_location")] if with_locations else []
    op.create_table(
        "stock_anew",
        sa.Column("id", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("state_since", MOMENT, nullable=False),
        sa.Column("on_hand", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("reorder_level", sa.BigInteger(), nullable=False),
        sa.Column("is_low", sa.Boolean(), nullable=False),
        sa.Column("alerted_at", MOMENT, nullable=True),
        *(sa.Column(name, kind, nullable=False) for name, (kind, _) in new.items()),
        sa.CheckConstraint("on_hand >= reserved AND on_hand <= 1000000000", name="ck_stock_on_hand"),
        sa.CheckConstraint("reorder_level >= 0", name="ck_stock_reorder_level"),
        sa.CheckConstraint("reserved >= 0", name="ck_stock_reserved"),
        sa.CheckConstraint(IS_LOW, name="ck_stock_is_low"),
        *(sa.CheckConstraint(check, name=name) for name, check in checks.items()),
        *unique,
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    values = ", ".join([KEPT, *(value for _, value in new.values())])
    op.execute(f"INSERT INTO stock_anew SELECT {values} FROM stock")  # noqa: S608
    op.drop_table("stock")
    op.rename_table("stock_anew", "stock")
    op.create_index("ix_stock_created_at", "stock", ["created_at", "id"])
    op.create_index("ix_stock_state", "stock", ["state", "state_since", "id"])
    op.create_index(
        "ix_stock_low",
        "stock",
        ["id"],
        sqlite_where=sa.text("is_low = 1 AND alerted_at IS NULL"),
    )


def downgrade() -> None:
    """Take it back: stocks at other locations than the main one are forgotten."""
    op.drop_table("backorders")
    op.drop_table("reservation_lines")
    op.drop_table("reservations")
    op.drop_index("ix_stock_waiting", "stock")
    op.execute("DELETE FROM stock WHERE location <> 'main'")
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_stock(with_locations=False)
    else:
        op.drop_constraint("uq_stock_location", "stock")
        for name in NEW_CHECKS:
            op.drop_constraint(name, "stock")
        for name in NEW_COLUMNS:
            op.drop_column("stock", name)
