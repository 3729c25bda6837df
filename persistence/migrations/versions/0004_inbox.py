"""Events that other programs and webhooks ask for, kept before they are raised."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENTS = ("received_at", "due_at", "finished_at")
PENDING = sa.text("status = 'pending'")
STATUSES = "'pending', 'applied', 'refused', 'unroutable', 'unknown', 'dismissed'"


def upgrade() -> None:
    """Make the table; on PostgreSQL a word is sent for each statement that puts rows into it."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    now = "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))" if sqlite else "now()"
    checks = [
        sa.CheckConstraint(f"status IN ({STATUSES})", name="ck_inbox_status"),
        sa.CheckConstraint(
            "body IS NOT NULL OR (machine IS NOT NULL AND event IS NOT NULL)", name="ck_inbox_says_something"
        ),
        *(
            sa.CheckConstraint(f"{name} BETWEEN '1970-01-01' AND '9999-12-31'", name=f"ck_inbox_{name}")
            for name in MOMENTS
        ),
    ]
    if sqlite:
        checks += [
            sa.CheckConstraint("body IS NULL OR json_valid(body)", name="ck_inbox_body"),
            sa.CheckConstraint("payload IS NULL OR json_valid(payload)", name="ck_inbox_payload"),
            *(sa.CheckConstraint(_moment(name), name=f"ck_inbox_{name}_form") for name in MOMENTS),
        ]
    op.create_table(
        "inbox",
        sa.Column("seq", SEQ, sa.Identity(always=False), nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("external_id", TEXT, nullable=True),
        sa.Column("kind", TEXT, nullable=True),
        sa.Column("body", JSON, nullable=True),
        sa.Column("machine", TEXT, nullable=True),
        sa.Column("entity_id", TEXT, nullable=True),
        sa.Column("event", TEXT, nullable=True),
        sa.Column("payload", JSON, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("status", TEXT, nullable=False, server_default=sa.text("'pending'")),
        sa.Column("reason", TEXT, nullable=True),
        sa.Column("event_id", TEXT, nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("received_at", MOMENT, nullable=False, server_default=sa.text(now)),
        sa.Column("due_at", MOMENT, nullable=False, server_default=sa.text("'1970-01-01 00:00:00.000000'")),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("decided_by", TEXT, nullable=True),
        sa.Column("decision", TEXT, nullable=True),
        *checks,
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("source", "external_id", name="uq_inbox_external_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_inbox_due", "inbox", ["due_at", "seq"], sqlite_where=PENDING, postgresql_where=PENDING)
    op.create_index("ix_inbox_status", "inbox", ["status", "seq"])
    op.create_index("ix_inbox_source", "inbox", ["source", "seq"])
    op.create_index("ix_inbox_finished_at", "inbox", ["finished_at"])
    if not sqlite:
        op.execute(
            "CREATE FUNCTION inbox_has_news() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_notify('orderly', 'inbox'); RETURN NULL; END $$"
        )
        op.execute(
            "CREATE TRIGGER inbox_has_news AFTER INSERT ON inbox FOR EACH STATEMENT EXECUTE FUNCTION inbox_has_news()"
        )


def _moment(column: str) -> str:
    """Demand what the program reads as a moment: a day that there is, and a time to the microsecond."""
    seconds = f"substr({column}, 1, 19)"
    form = f"{column} GLOB '????-??-?? ??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]'"
    return f"{form} AND {seconds} = datetime(julianday({seconds}))"


def downgrade() -> None:
    """Remove it."""
    op.drop_table("inbox")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION inbox_has_news()")
