"""Jobs, the stocks that are low, and an index over when orders were paid."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
PAID = sa.text("paid_at IS NOT NULL")
IS_LOW = "is_low = (on_hand - reserved <= reorder_level)"
COUNTS = "id, state, version, created_at, state_since, on_hand, reserved, reorder_level"


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Text that sorts by its bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Bring the database forward."""
    op.create_table(
        "jobs",
        sa.Column("id", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("state_since", MOMENT, nullable=False),
        sa.Column("description", text(200), nullable=False),
        sa.Column("cron", text(100), nullable=False),
        sa.Column("timezone", text(64), nullable=False),
        sa.Column("missed", text(), nullable=False),
        sa.Column("deletes", sa.Boolean(), nullable=False),
        sa.Column("legal_hold", text(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=True),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.Column("last_for", MOMENT, nullable=True),
        sa.Column("last_at", MOMENT, nullable=True),
        sa.Column("last_outcome", text(), nullable=True),
        sa.Column("last_summary", text(), nullable=True),
        sa.Column("last_error", text(), nullable=True),
        sa.Column("letters", sa.JSON(), nullable=False),
        sa.CheckConstraint("missed IN ('once', 'skip')", name="ck_jobs_missed"),
        sa.CheckConstraint("last_outcome IN ('succeeded', 'failed', 'skipped')", name="ck_jobs_last_outcome"),
        sa.CheckConstraint("runs >= 0", name="ck_jobs_runs"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_index("ix_jobs_created_at", "jobs", ["created_at", "id"])
    op.create_index("ix_jobs_state", "jobs", ["state", "state_since", "id"])
    op.create_index("ix_orders_paid_at", "orders", ["paid_at"], sqlite_where=PAID, postgresql_where=PAID)
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_stock(with_alerts=True)
    else:
        op.add_column("stock", sa.Column("is_low", sa.Boolean(), nullable=True))
        op.add_column("stock", sa.Column("alerted_at", MOMENT, nullable=True))
        op.execute("UPDATE stock SET is_low = on_hand - reserved <= reorder_level")
        op.alter_column("stock", "is_low", nullable=False)
        op.create_check_constraint("ck_stock_is_low", "stock", IS_LOW)
    op.create_index(
        "ix_stock_low",
        "stock",
        ["id"],
        sqlite_where=sa.text("is_low = 1 AND alerted_at IS NULL"),
        postgresql_where=sa.text("is_low AND alerted_at IS NULL"),
    )


def _rebuild_stock(*, with_alerts: bool) -> None:
    """Make the table anew: SQLite adds a constraint to no table that there is."""
    columns, checks, values = [], [], COUNTS
    if with_alerts:
        columns = [sa.Column("is_low", sa.Boolean(), nullable=False), sa.Column("alerted_at", MOMENT, nullable=True)]
        checks = [sa.CheckConstraint(IS_LOW, name="ck_stock_is_low")]
        values = f"{COUNTS}, on_hand - reserved <= reorder_level, NULL"
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
        *columns,
        sa.CheckConstraint("on_hand >= reserved AND on_hand <= 1000000000", name="ck_stock_on_hand"),
        sa.CheckConstraint("reorder_level >= 0", name="ck_stock_reorder_level"),
        sa.CheckConstraint("reserved >= 0", name="ck_stock_reserved"),
        *checks,
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.execute(f"INSERT INTO stock_anew SELECT {values} FROM stock")  # noqa: S608
    op.drop_table("stock")
    op.rename_table("stock_anew", "stock")
    op.create_index("ix_stock_created_at", "stock", ["created_at", "id"])
    op.create_index("ix_stock_state", "stock", ["state", "state_since", "id"])


def downgrade() -> None:
    """Take it back."""
    op.drop_index("ix_stock_low", "stock")
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_stock(with_alerts=False)
    else:
        op.drop_constraint("ck_stock_is_low", "stock")
        op.drop_column("stock", "alerted_at")
        op.drop_column("stock", "is_low")
    op.drop_index("ix_orders_paid_at", "orders")
    op.drop_table("jobs")
