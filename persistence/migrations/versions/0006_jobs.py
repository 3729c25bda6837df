"""Work that is done at the times of a schedule."""

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""


def downgrade() -> None:
    """Take it back."""
