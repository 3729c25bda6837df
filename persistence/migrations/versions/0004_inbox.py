"""Events that other programs and webhooks ask for, kept before they are raised."""

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""


def downgrade() -> None:
    """Take it back."""
