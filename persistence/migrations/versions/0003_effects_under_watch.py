"""Effects are claimed by destination, their failed attempts are kept, and timers count how often they fired."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)
OPEN = sa.text("status IN ('pending', 'running')")
NOT_DONE = sa.text("status != 'done'")
COLUMNS = ("destination", "lost", "retrying_since")


def upgrade() -> None:
    """Bring the database forward."""
    op.add_column("effects", sa.Column("destination", TEXT, nullable=False, server_default=""))
    op.add_column("effects", sa.Column("lost", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column(
        "effects", sa.Column("retrying_since", MOMENT, nullable=False, server_default="1970-01-01 00:00:00.000000")
    )
    dot = "strpos" if op.get_bind().dialect.name == "postgresql" else "instr"
    op.execute(
        f"UPDATE effects SET destination = substr(name, 1, {dot}(name || '.', '.') - 1), retrying_since = created_at"  # noqa: S608
    )
    op.drop_index("ix_effects_due", "effects")
    op.create_index("ix_effects_due", "effects", ["destination", "due_at"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.drop_index("ix_effects_entity", "effects")
    op.create_index("ix_effects_entity", "effects", ["entity_id", "id"])
    op.create_index(
        "ix_effects_not_done",
        "effects",
        ["destination", "status", "id"],
        sqlite_where=NOT_DONE,
        postgresql_where=NOT_DONE,
    )
    op.create_table(
        "effect_attempts",
        sa.Column("effect_id", TEXT, nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=False),
        sa.Column("error", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("effect_id", "token"),
        sqlite_strict=True,
    )
    op.add_column("timers", sa.Column("fired", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Take it back."""
    op.drop_column("timers", "fired")
    op.drop_table("effect_attempts")
    op.drop_index("ix_effects_not_done", "effects")
    op.drop_index("ix_effects_entity", "effects")
    op.create_index("ix_effects_entity", "effects", ["machine", "entity_id", "id"])
    op.drop_index("ix_effects_due", "effects")
    op.create_index("ix_effects_due", "effects", ["due_at"], sqlite_where=OPEN, postgresql_where=OPEN)
    for name in COLUMNS:
        op.drop_column("effects", name)
