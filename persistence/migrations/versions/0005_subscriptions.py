"""Who hears of transitions, and what was delivered to them."""

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""


def downgrade() -> None:
    """Take it back."""
