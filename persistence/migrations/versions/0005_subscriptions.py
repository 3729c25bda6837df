"""Who hears of transitions, in which order, and what was delivered to them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
NOT_DELIVERED = sa.text("outcome != 'delivered'")

HERE = {
    "postgresql": "history_commit_order(pg_snapshot_xmin(pg_current_snapshot())), 0",
    "sqlite": "0, (SELECT coalesce(max(seq), 0) FROM history)",
}
"""The place in the history behind which a new subscription hears of everything that is not committed yet."""

BEGIN = (
    "INSERT INTO endpoints (subscription_id, after_commit_order, after_seq, failures) VALUES (NEW.id, {here}, 0) "
    "ON CONFLICT (subscription_id) DO UPDATE SET after_commit_order = excluded.after_commit_order, "
    "after_seq = excluded.after_seq, failures = 0, failing_since = NULL, held_until = NULL"
)
RESUMED = "OLD.state = 'disabled' AND NEW.state = 'active'"


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Text that sorts by its bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Bring the database forward."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.add_column("history", sa.Column("commit_order", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    if not sqlite:
        _order_history()
    _create_tables()
    op.execute("INSERT INTO feed_cursors (name, commit_order, seq) VALUES ('deliveries', 0, 0)")
    (_begin_on_sqlite if sqlite else _begin_on_postgresql)()


def _order_history() -> None:
    """Number transitions in an order in which they become visible; persistence/feed.py says how it comes about."""
    op.execute(
        "CREATE FUNCTION history_commit_order(xid8) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE "
        "AS $$ SELECT $1::text::bigint + 0 $$"
    )
    op.execute(
        "ALTER TABLE history ALTER COLUMN commit_order SET DEFAULT greatest("
        "history_commit_order(pg_current_xact_id()), "
        "history_commit_order(pg_snapshot_xmax(pg_current_snapshot())) - 1)"
    )
    op.create_index("ix_history_feed", "history", ["commit_order", "seq"])


def _create_tables() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("state_since", MOMENT, nullable=False),
        sa.Column("url", text(2000), nullable=False),
        sa.Column("patterns", sa.JSON(), nullable=False),
        sa.Column("description", text(500), nullable=True),
        sa.Column("secret_generation", sa.BigInteger(), nullable=False),
        sa.Column("secret_rotated_at", MOMENT, nullable=True),
        sa.Column("disabled_because", text(), nullable=True),
        sa.CheckConstraint("secret_generation >= 1", name="ck_subscriptions_secret_generation"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_index("ix_subscriptions_created_at", "subscriptions", ["created_at", "id"])
    op.create_index("ix_subscriptions_state", "subscriptions", ["state", "state_since", "id"])
    op.create_table(
        "feed_cursors",
        sa.Column("name", text(), nullable=False),
        sa.Column("commit_order", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_strict=True,
    )
    op.create_table(
        "endpoints",
        sa.Column("subscription_id", text(), nullable=False),
        sa.Column("after_commit_order", sa.BigInteger(), nullable=False),
        sa.Column("after_seq", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", MOMENT, nullable=True),
        sa.Column("held_until", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("subscription_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "delivery_lanes",
        sa.Column("subscription_id", text(), nullable=False),
        sa.Column("machine", text(), nullable=False),
        sa.Column("entity_id", text(), nullable=False),
        sa.Column("asked_by", text(), nullable=False),
        sa.Column("next_version", sa.BigInteger(), nullable=False),
        sa.Column("last_version", sa.BigInteger(), nullable=False),
        sa.Column("running", sa.Boolean(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", MOMENT, nullable=True),
        sa.CheckConstraint("next_version >= 1", name="ck_delivery_lanes_next_version"),
        sa.CheckConstraint("attempts >= 0", name="ck_delivery_lanes_attempts"),
        sa.PrimaryKeyConstraint("subscription_id", "machine", "entity_id", "asked_by"),
        sqlite_strict=True,
    )
    op.create_index("ix_delivery_lanes_due", "delivery_lanes", ["subscription_id", "due_at"])
    op.create_table(
        "deliveries",
        sa.Column("id", text(), nullable=False),
        sa.Column("subscription_id", text(), nullable=False),
        sa.Column("event_id", text(), nullable=False),
        sa.Column("machine", text(), nullable=False),
        sa.Column("entity_id", text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("event", text(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=True),
        sa.Column("error", text(), nullable=True),
        sa.Column("outcome", text(), nullable=False),
        sa.CheckConstraint("outcome IN ('delivered', 'failed', 'abandoned')", name="ck_deliveries_outcome"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_index("ix_deliveries_subscription", "deliveries", ["subscription_id", "id"])
    op.create_index(
        "ix_deliveries_failed",
        "deliveries",
        ["subscription_id", "id"],
        sqlite_where=NOT_DELIVERED,
        postgresql_where=NOT_DELIVERED,
    )
    op.create_index("ix_deliveries_at", "deliveries", ["at"])


def _begin_on_postgresql() -> None:
    """Note where a subscription begins, in its own transaction: only there it is known what others still have open."""
    begin = BEGIN.format(here=HERE["postgresql"])
    op.execute(
        "CREATE FUNCTION subscription_begins() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {begin}; RETURN NULL; END $$"
    )
    for name, moment, condition in (
        ("subscription_begins", "INSERT", ""),
        ("subscription_resumes", "UPDATE OF state", f"WHEN ({RESUMED}) "),
    ):
        op.execute(
            f"CREATE TRIGGER {name} AFTER {moment} ON subscriptions "
            f"FOR EACH ROW {condition}EXECUTE FUNCTION subscription_begins()"
        )


def _begin_on_sqlite() -> None:
    begin = BEGIN.format(here=HERE["sqlite"])
    op.execute(f"CREATE TRIGGER subscription_begins AFTER INSERT ON subscriptions BEGIN {begin}; END")
    op.execute(
        f"CREATE TRIGGER subscription_resumes AFTER UPDATE OF state ON subscriptions WHEN {RESUMED} BEGIN {begin}; END"
    )


def downgrade() -> None:
    """Take it back."""
    for table in ("deliveries", "delivery_lanes", "endpoints", "feed_cursors", "subscriptions"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("ix_history_feed", "history")
        op.drop_column("history", "commit_order")
        op.execute("DROP FUNCTION subscription_begins()")
        op.execute("DROP FUNCTION history_commit_order(xid8)")
    else:
        op.drop_column("history", "commit_order")
