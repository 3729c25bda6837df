"""What is given back though an order costs as much as before does not have to be paid again."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

CHECK = "goodwill >= 0 AND (goodwill = 0 OR goodwill <= refunded + refunding + refund_due)"


def upgrade() -> None:
    """Bring the database forward: of what was given back until now nobody knows."""
    op.add_column("refunds", sa.Column("goodwill", sa.Boolean(), nullable=False, server_default=sa.false()))
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"ALTER TABLE orders ADD COLUMN goodwill INTEGER NOT NULL DEFAULT 0 "
            f"CONSTRAINT ck_orders_goodwill CHECK ({CHECK})"
        )
    else:
        op.add_column("orders", sa.Column("goodwill", sa.BigInteger(), nullable=False, server_default="0"))
        op.create_check_constraint("ck_orders_goodwill", "orders", CHECK)


def downgrade() -> None:
    """Take it back."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("ALTER TABLE orders DROP COLUMN goodwill")
    else:
        op.drop_constraint("ck_orders_goodwill", "orders")
        op.drop_column("orders", "goodwill")
    op.drop_column("refunds", "goodwill")
