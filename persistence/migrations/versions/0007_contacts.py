"""Orders know where to reach the customer, and their lines what the product was called."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def text(length: int) -> sa.types.TypeEngine[str]:
    """Text that sorts by its bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Bring the database forward."""
    op.add_column("orders", sa.Column("email", text(254), nullable=True))
    op.add_column("orders", sa.Column("phone", text(16), nullable=True))
    op.add_column("orders", sa.Column("payment_url", text(2000), nullable=True))
    op.add_column("order_lines", sa.Column("name", text(200), nullable=False, server_default=""))


def downgrade() -> None:
    """Take it back."""
    op.drop_column("order_lines", "name")
    for name in ("payment_url", "phone", "email"):
        op.drop_column("orders", name)
