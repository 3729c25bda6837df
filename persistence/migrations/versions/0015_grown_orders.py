# ruff: noqa: S608  (names alone are put together)
"""Orders whose payments, refunds, shipments and returns are entities of their own.

What was asked of the gateway for an order before belongs to a payment from now on, made here from what the order knows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


COUNTS = {
    "orders": {
        "asked": None,
        "authorized": ("ck_orders_payments", "asked >= 0 AND authorized >= 0"),
        "charged_back": (
            "ck_orders_charged_back",
            "charged_back >= 0 AND refunded + refunding + refund_due + charged_back <= paid",
        ),
        "parcels": ("ck_orders_parcels", "parcels >= 0"),
    },
    "order_lines": {
        "discount": ("ck_order_lines_discount", "discount BETWEEN 0 AND unit_price * quantity"),
        "removed": None,
        "unavailable": None,
        "missing": None,
        "coming_back": None,
        "exchanged": (
            "ck_order_lines_kept",
            "removed >= missing AND missing >= 0 AND unavailable >= 0 AND exchanged >= 0 AND coming_back >= 0 "
            "AND removed + unavailable + returned + coming_back <= quantity",
        ),
        "packed": None,
        "shipped": None,
        "delivered": None,
        "lost": (
            "ck_order_lines_shipped",
            "delivered >= 0 AND lost >= 0 AND delivered + lost <= shipped AND shipped <= packed "
            "AND packed + removed <= quantity + exchanged",
        ),
    },
}
"""The counts that are new, each with the constraint that can be added with it."""


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Text that sorts by its bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Bring the database forward."""
    op.add_column("orders", sa.Column("address", sa.JSON(), nullable=True))
    op.add_column("orders", sa.Column("undoing", text(50), nullable=True))
    op.add_column("orders", sa.Column("approval", text(100), nullable=True))
    for table, columns in COUNTS.items():
        for name, check in columns.items():
            _add_count(table, name, check)
    _make_children()
    op.drop_column("orders", "payment")
    op.drop_column("orders", "payment_asked")


def _add_count(table: str, name: str, check: tuple[str, str] | None) -> None:
    """Add a column of zeros; SQLite takes a constraint only together with a column."""
    if op.get_bind().dialect.name == "sqlite":
        constraint = f" CONSTRAINT {check[0]} CHECK ({check[1]})" if check else ""
        op.execute(f"ALTER TABLE {table} ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0{constraint}")
        return
    op.add_column(table, sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    if check:
        op.create_check_constraint(check[0], table, check[1])


def _make_children() -> None:
    """Make payments, refunds and parcels of what orders did themselves; their open calls and timers belong to these.

    What is made here has version 0: its story begins with what happens to it next.
    """
    for statement in MOVES:
        op.execute(statement.format(**DIALECTS[op.get_bind().dialect.name]))


DIALECTS = {
    "sqlite": {
        "amount": "json_extract(e.arguments, '$.amount')",
        "day_after": "strftime('%Y-%m-%d %H:%M:%f000', o.state_since, '+1 day')",
        "next_day": "strftime('%Y-%m-%d %H:%M:%f000', e.created_at, '+1 day')",
        "overdue": "strftime('%Y-%m-%d %H:%M:%f000', coalesce(o.fulfilled_at, o.state_since), '+21 days')",
        "no_lines": "'[]'",
        "no": "0",
        "yes": "1",
        "asked": "o.payment_asked = 1",
    },
    "postgresql": {
        "amount": "CAST(e.arguments ->> 'amount' AS bigint)",
        "next_day": "e.created_at + interval '1 day'",
        "day_after": "o.state_since + interval '1 day'",
        "overdue": "coalesce(o.fulfilled_at, o.state_since) + interval '21 days'",
        "no_lines": "CAST('[]' AS json)",
        "no": "false",
        "yes": "true",
        "asked": "o.payment_asked",
    },
}

PAYMENT = "'pay_' || substr(o.id, 5)"
SHIPMENT = "'shp_' || substr(o.id, 5)"
SENT_AT = "coalesce(o.fulfilled_at, o.state_since)"
NAME = "coalesce(o.payment, 'unknown-' || o.id)"
REFUND_COLUMNS = (
    "id, state, version, created_at, state_since, order_id, payment_id, payment, customer, email, amount, currency, "
    "taken_at, requested_by, by_customer, owed, lines, attempts, awaited, unanswered, attention"
)

MOVES = (
    # The payment of each order that was paid or waits for the gateway's answer.
    "INSERT INTO payments (id, state, version, created_at, state_since, order_id, customer, email, currency, amount, "
    "take, payment, payment_asked, asked, held, captured, refunding, refunded, disputed, lost, charged_back, "
    "capturing, capture_next, capture_final, void_asked, taken_at) "
    f"SELECT {PAYMENT}, CASE WHEN NOT {{asked}} THEN 'captured' WHEN o.state = 'failed' THEN 'failed' "
    "ELSE 'capturing' END, 0, coalesce(o.submitted_at, o.created_at), o.state_since, o.id, o.customer, o.email, "
    "o.currency, CASE WHEN o.paid > 0 THEN o.paid ELSE o.total END, 'now', "
    f"CASE WHEN o.paid > 0 THEN {NAME} ELSE o.payment END, o.payment_asked, "
    "CASE WHEN {asked} AND o.paid = 0 THEN o.total ELSE 0 END, 0, o.paid, o.refunding + o.refund_due, o.refunded, "
    "0, 0, 0, 0, 0, {no}, {no}, CASE WHEN o.paid > 0 THEN coalesce(o.paid_at, o.state_since) END "
    "FROM orders o WHERE o.paid > 0 OR ({asked} AND o.total > 0)",
    "UPDATE orders SET asked = (SELECT p.asked FROM payments p WHERE p.order_id = orders.id) "
    "WHERE id IN (SELECT order_id FROM payments)",
    "UPDATE effects SET machine = 'payment', entity_id = 'pay_' || substr(entity_id, 5) "
    "WHERE machine = 'order' AND name = 'payments.charge' "
    "AND entity_id IN (SELECT order_id FROM payments WHERE asked > 0)",
    "INSERT INTO timers (machine, entity_id, name, event, due_at, fired, cause) "
    "SELECT 'payment', 'pay_' || substr(entity_id, 5), name, event, due_at, fired, cause FROM timers "
    "WHERE machine = 'order' AND name = 'unanswered'",
    "DELETE FROM timers WHERE machine = 'order' AND name = 'unanswered'",
    # The refunds that the gateway was asked for and has not answered, and those that it refused.
    f"INSERT INTO refunds ({REFUND_COLUMNS}) "
    f"SELECT 'rfd_' || substr(e.id, 5), 'processing', 0, e.created_at, e.created_at, o.id, {PAYMENT}, {NAME}, "
    "o.customer, o.email, {amount}, o.currency, o.paid_at, 'system', {no}, {yes}, {no_lines}, 1, 1, {no}, NULL "
    "FROM effects e JOIN orders o ON o.id = e.entity_id "
    "WHERE e.machine = 'order' AND e.name = 'payments.refund' AND e.status <> 'done'",
    "INSERT INTO timers (machine, entity_id, name, event, due_at, fired, cause) "
    "SELECT 'refund', 'rfd_' || substr(e.id, 5), 'unanswered', 'unanswered', {next_day}, 0, e.cause FROM effects e "
    "WHERE e.machine = 'order' AND e.name = 'payments.refund' AND e.status <> 'done'",
    "UPDATE effects SET machine = 'refund', entity_id = 'rfd_' || substr(id, 5) "
    "WHERE machine = 'order' AND name = 'payments.refund' AND status <> 'done'",
    f"INSERT INTO refunds ({REFUND_COLUMNS}) "
    f"SELECT 'rfd_' || substr(o.id, 5), 'failed', 0, o.state_since, o.state_since, o.id, {PAYMENT}, {NAME}, "
    "o.customer, o.email, o.refund_due, o.currency, o.paid_at, 'system', {no}, {yes}, {no_lines}, 1, 0, {no}, "
    "coalesce(o.attention, 'the gateway refused it') FROM orders o WHERE o.refund_due > 0",
    "INSERT INTO timers (machine, entity_id, name, event, due_at, fired, cause) "
    "SELECT 'refund', 'rfd_' || substr(o.id, 5), 'remind', 'remind', {day_after}, 0, o.id "
    "FROM orders o WHERE o.refund_due > 0",
    # What left the house before left it in one parcel.
    "UPDATE order_lines SET packed = quantity, shipped = quantity "
    "WHERE order_id IN (SELECT id FROM orders WHERE state IN ('fulfilled', 'completed', 'returned'))",
    "UPDATE order_lines SET delivered = quantity "
    "WHERE order_id IN (SELECT id FROM orders WHERE state IN ('completed', 'returned'))",
    # What has not arrived yet is a parcel under way: nobody gets the money back before it was called back.
    "INSERT INTO shipments (id, state, version, created_at, state_since, order_id, called, customer, email, phone, "
    f"carrier_asked, recalled, sent_at) SELECT {SHIPMENT}, 'in_transit', 0, {SENT_AT}, {SENT_AT}, o.id, "
    "coalesce(o.reference, o.id), o.customer, o.email, o.phone, {no}, {no}, "
    f"{SENT_AT} FROM orders o WHERE o.state = 'fulfilled'",
    "INSERT INTO shipment_lines (shipment_id, number, sku, name, quantity) "
    f"SELECT {SHIPMENT}, l.number, l.sku, l.name, l.quantity "
    "FROM order_lines l JOIN orders o ON o.id = l.order_id WHERE o.state = 'fulfilled'",
    "INSERT INTO timers (machine, entity_id, name, event, due_at, fired, cause) "
    f"SELECT 'shipment', {SHIPMENT}, 'overdue', 'overdue', {{overdue}}, 0, o.id "
    "FROM orders o WHERE o.state = 'fulfilled'",
    "UPDATE orders SET parcels = 1 WHERE state = 'fulfilled'",
)


BACK = (
    *(
        f"UPDATE effects SET machine = 'order', entity_id = (SELECT c.order_id FROM {child}s c WHERE c.id = entity_id) "
        f"WHERE machine = '{child}' AND name = '{call}' AND entity_id IN (SELECT id FROM {child}s)"
        for child, call in {"payment": "payments.charge", "refund": "payments.refund"}.items()
    ),
    "INSERT INTO timers (machine, entity_id, name, event, due_at, fired, cause) "
    "SELECT 'order', p.order_id, t.name, t.event, min(t.due_at), 0, min(t.cause) FROM timers t "
    "JOIN payments p ON p.id = t.entity_id WHERE t.machine = 'payment' AND t.name = 'unanswered' "
    "GROUP BY p.order_id, t.name, t.event",
    "DELETE FROM timers WHERE machine IN ('payment', 'refund', 'shipment', 'return')",
    *(
        f"DELETE FROM {table}"
        for table in ("shipment_lines", "shipments", "return_lines", "returns", "refunds", "payments")
    ),
)


def downgrade() -> None:
    """Take it back: orders know again by themselves what their only payment did."""
    op.add_column("orders", sa.Column("payment", text(), nullable=True))
    op.add_column("orders", sa.Column("payment_asked", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(
        "UPDATE orders SET payment = (SELECT max(p.payment) FROM payments p WHERE p.order_id = orders.id), "
        "payment_asked = (asked > 0)"
    )
    for statement in BACK:
        op.execute(statement)
    for table, columns in COUNTS.items():
        for name, check in reversed(columns.items()):
            if check and op.get_bind().dialect.name == "postgresql":
                op.drop_constraint(check[0], table)
            op.drop_column(table, name)
    for name in ("approval", "undoing", "address"):
        op.drop_column("orders", name)
