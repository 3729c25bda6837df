# ruff: noqa: S608  (names alone are put together)
"""Orders keep their pieces by reservations: one for each order that holds pieces already."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

EXPIRES_AT = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f000', o.state_since, '+30 days')",
    "postgresql": "o.state_since + interval '30 days'",
}
RESERVATION = "'rsv_' || substr(o.id, 5)"

MOVES = (
    # What is made here has version 0: its story begins with what happens to it next.
    "INSERT INTO reservations (id, state, version, created_at, state_since, order_id, customer, expires_at, missing, "
    f"offered) SELECT {RESERVATION}, CASE o.stock_held WHEN 'taken' THEN 'taken' ELSE 'held' END, 0, o.created_at, "
    "o.state_since, o.id, o.customer, CASE o.stock_held WHEN 'taken' THEN NULL ELSE {expires_at} END, 0, NULL "
    "FROM orders o WHERE o.stock_held <> 'nothing'",
    "INSERT INTO reservation_lines (reservation_id, number, sku, stock_id, quantity, state) "
    f"SELECT {RESERVATION}, l.number, l.sku, l.sku, l.quantity - l.removed - l.returned, "
    "CASE o.stock_held WHEN 'taken' THEN 'taken' ELSE 'held' END "
    "FROM orders o JOIN order_lines l ON l.order_id = o.id "
    "WHERE o.stock_held <> 'nothing' AND l.quantity > l.removed + l.returned",
    "INSERT INTO timers (machine, entity_id, name, event, due_at, fired, cause) "
    f"SELECT 'reservation', {RESERVATION}, 'expire', 'expire', {{expires_at}}, 0, o.id "
    "FROM orders o WHERE o.stock_held = 'reserved'",
)


def upgrade() -> None:
    """Bring the database forward."""
    for statement in MOVES:
        op.execute(statement.format(expires_at=EXPIRES_AT[op.get_bind().dialect.name]))


def downgrade() -> None:
    """Take it back: orders know by themselves what they hold, all of it at the main location."""
    op.execute("DELETE FROM timers WHERE machine = 'reservation'")
    for table in ("backorders", "reservation_lines", "reservations"):
        op.execute(f"DELETE FROM {table}")
