"""Orders whose payments, refunds, shipments and returns are entities of their own.

What was asked of the gateway for an order before belongs to a payment from now on, made here from what the order knows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


COUNTS = {
    "orders": {
        "asked": None,
        "authorized": ("ck_orders_payments", "asked >= 0 AND authorized >= 0"),
        "charged_back": (
            "ck_orders_charged_back",
            "charged_back >= 0 AND refunded + refunding + refund_due + charged_back <= paid",
        ),
        "parcels": ("ck_orders_parcels", "parcels >= 0"),
    },
    "order_lines": {
        "discount": ("ck_order_lines_discount", "discount BETWEEN 0 AND unit_price * quantity"),
        "removed": None,
        "unavailable": None,
        "missing": None,
        "coming_back": None,
        "exchanged": (
            "ck_order_lines_kept",
            "removed >= missing AND missing >= 0 AND unavailable >= 0 AND exchanged >= 0 AND coming_back >= 0 "
            "AND removed + unavailable + returned + coming_back <= quantity",
        ),
        "packed": None,
        "shipped": None,
        "delivered": None,
        "lost": (
            "ck_order_lines_shipped",
            "delivered >= 0 AND lost >= 0 AND delivered + lost <= shipped AND shipped <= packed "
            "AND packed + removed <= quantity + exchanged",
        ),
    },
}
"""The counts that are new, each with the constraint that can be added with it."""


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Text that sorts by its bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Bring the database forward."""
    op.add_column("orders", sa.Column("address", sa.JSON(), nullable=True))
    op.add_column("orders", sa.Column("undoing", text(50), nullable=True))
    op.add_column("orders", sa.Column("approval", text(100), nullable=True))
    for table, columns in COUNTS.items():
        for name, check in columns.items():
            _add_count(table, name, check)
    _make_payments()
    op.drop_column("orders", "payment")
    op.drop_column("orders", "payment_asked")


def _add_count(table: str, name: str, check: tuple[str, str] | None) -> None:
    """Add a column of zeros; SQLite takes a constraint only together with a column."""
    if op.get_bind().dialect.name == "sqlite":
        constraint = f" CONSTRAINT {check[0]} CHECK ({check[1]})" if check else ""
        op.execute(f"ALTER TABLE {table} ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0{constraint}")
        return
    op.add_column(table, sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    if check:
        op.create_check_constraint(check[0], table, check[1])


def _make_payments() -> None:
    """Make a payment of what each order has paid or asked for, and let its calls and timers belong to that."""


def downgrade() -> None:
    """Take it back."""
    op.add_column("orders", sa.Column("payment", text(), nullable=True))
    op.add_column("orders", sa.Column("payment_asked", sa.Boolean(), nullable=False, server_default=sa.false()))
