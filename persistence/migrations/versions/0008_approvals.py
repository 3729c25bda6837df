"""Approvals: requests, those who may vote on them, and their votes, which are append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
UNDECIDED = sa.text("state IN ('pending', 'escalated', 'changes_requested')")


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Text that sorts by its bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Bring the database forward."""
    op.create_table(
        "approvals",
        sa.Column("id", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("state_since", MOMENT, nullable=False),
        sa.Column("kind", text(50), nullable=False),
        sa.Column("reference", text(100), nullable=False),
        sa.Column("machine", text(50), nullable=True),
        sa.Column("subject_version", sa.BigInteger(), nullable=True),
        sa.Column("description", text(500), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", text(3), nullable=True),
        sa.Column("digest", text(64), nullable=True),
        sa.Column("fingerprint", text(64), nullable=False),
        sa.Column("requested_by", text(100), nullable=False),
        sa.Column("mail", text(254), nullable=True),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.BigInteger(), nullable=False),
        sa.Column("levels", sa.JSON(), nullable=False),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decided_because", text(500), nullable=True),
        sa.CheckConstraint("amount BETWEEN 0 AND 1000000000000", name="ck_approvals_amount"),
        sa.CheckConstraint("(amount IS NULL) = (currency IS NULL)", name="ck_approvals_currency"),
        sa.CheckConstraint("round >= 1", name="ck_approvals_round"),
        sa.CheckConstraint("level >= 1", name="ck_approvals_level"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("id", "requested_by", name="uq_approvals_requested_by"),
        sqlite_strict=True,
    )
    op.create_index("ix_approvals_created_at", "approvals", ["created_at", "id"])
    op.create_index("ix_approvals_state", "approvals", ["state", "state_since", "id"])
    op.create_index("ix_approvals_reference_lower", "approvals", [sa.text("lower(reference)")])
    op.create_index("ix_approvals_reference", "approvals", ["reference"])
    op.create_index("ix_approvals_requested_by", "approvals", ["requested_by", "id"])
    op.create_index(
        "ix_approvals_asked",
        "approvals",
        ["machine", "reference", "kind"],
        unique=True,
        sqlite_where=UNDECIDED,
        postgresql_where=UNDECIDED,
    )
    op.create_table(
        "approval_seats",
        sa.Column("approval_id", text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("person", text(100), nullable=False),
        sa.Column("requested_by", text(100), nullable=False),
        sa.Column("holder", text(100), nullable=False),
        sa.Column("reserve", sa.Boolean(), nullable=False),
        sa.CheckConstraint("person <> requested_by AND holder <> requested_by", name="ck_approval_seats_requested_by"),
        _belongs("approval_seats"),
        sa.PrimaryKeyConstraint("approval_id", "level", "person"),
        sa.UniqueConstraint("approval_id", "level", "holder", name="uq_approval_seats_holder"),
        sqlite_strict=True,
    )
    op.create_index("ix_approval_seats_holder", "approval_seats", ["holder", "approval_id"])
    op.create_table(
        "approval_votes",
        sa.Column("approval_id", text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("person", text(100), nullable=False),
        sa.Column("requested_by", text(100), nullable=False),
        sa.Column("seat", text(100), nullable=False),
        sa.Column("level", sa.BigInteger(), nullable=False),
        sa.Column("choice", text(20), nullable=False),
        sa.Column("comment", text(500), nullable=True),
        sa.Column("fingerprint", text(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("person <> requested_by AND seat <> requested_by", name="ck_approval_votes_requested_by"),
        sa.CheckConstraint(
            "choice IN ('approve', 'reject', 'abstain', 'request_changes')", name="ck_approval_votes_choice"
        ),
        _belongs("approval_votes"),
        sa.PrimaryKeyConstraint("approval_id", "round", "person"),
        sa.UniqueConstraint("approval_id", "round", "seat", name="uq_approval_votes_seat"),
        sqlite_strict=True,
    )
    _keep_votes()


def _belongs(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["approval_id", "requested_by"], ["approvals.id", "approvals.requested_by"], name=f"fk_{table}_approval"
    )


def _keep_votes() -> None:
    """Refuse to change or remove a vote."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION approval_votes_are_kept() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'votes are never changed or removed'; END $$"
        )
        op.execute(
            "CREATE TRIGGER approval_votes_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON approval_votes "
            "FOR EACH STATEMENT EXECUTE FUNCTION approval_votes_are_kept()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER approval_votes_refuse_{verb.lower()} BEFORE {verb} ON approval_votes "
            "BEGIN SELECT RAISE(ABORT, 'votes are never changed or removed'); END"
        )


def downgrade() -> None:
    """Take it back."""
    for table in ("approval_votes", "approval_seats", "approvals"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION approval_votes_are_kept()")
