"""Orders know by which order the same was ordered again."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    name = sa.String(100).with_variant(sa.String(100, collation="C"), "postgresql")
    op.add_column("orders", sa.Column("reordered_as", name, nullable=True))


def downgrade() -> None:
    """Take it back."""
    op.drop_column("orders", "reordered_as")
