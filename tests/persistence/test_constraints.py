"""What the database itself refuses, whoever asks."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from persistence import schema
from persistence.database import Database
from tests.conftest import _administer, _fresh_postgresql
from tests.engine.shop import Shop
from tests.persistence.rows import fill


async def _filled(url: str) -> None:
    database = Database(url)
    await schema.migrate(database)
    await database.write(fill)
    await database.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database of each kind with a row in each table; every change of a test is refused, so that it stays so."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('filled') / 'orderly.db'}"
        asyncio.run(_filled(url))
        yield url
        return
    server = request.getfixturevalue("postgresql")
    name, url = asyncio.run(_fresh_postgresql(server))
    asyncio.run(_filled(url))
    yield url
    asyncio.run(_administer(server, f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture
async def filled(filled_url: str) -> AsyncIterator[Database]:
    """The same, opened."""
    opened = Database(filled_url)
    yield opened
    await opened.close()


async def run(database: Database, sql: str) -> int:
    return await database.write(lambda connection: connection.execute(text(sql)).rowcount)


def vote(**values: str) -> str:
    """Return what adds a vote of oscar's in a second round, like the one that there is but for these values."""
    names = ("approval_id", "requested_by", "level", "choice", "comment", "fingerprint", "at")
    columns = {name: name for name in names} | {"round": "2", "person": "'oscar'", "seat": "'oscar'"} | values
    return f"INSERT INTO approval_votes ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM approval_votes"


def taken(values: str) -> str:
    """Return what makes of the payment one of which 100 were taken, with these values."""
    return f"UPDATE payments SET captured = 100, taken_at = created_at, {values}"


@pytest.mark.parametrize("statement", ["UPDATE history SET reason = 'better'", "DELETE FROM history"])
async def test_history_is_never_changed_or_removed(filled, statement) -> None:
    with pytest.raises(DBAPIError, match="append-only"):
        await run(filled, statement)


async def test_history_is_never_emptied(filled) -> None:
    if filled.is_sqlite:
        pytest.skip("SQLite has no TRUNCATE")
    with pytest.raises(DBAPIError, match="append-only"):
        await run(filled, "TRUNCATE history")


@pytest.mark.parametrize(
    ("constraint", "statement"),
    [
        ("ck_stock_reserved", "UPDATE stock SET reserved = -1, is_low = false"),
        ("ck_stock_on_hand", "UPDATE stock SET on_hand = -1, reserved = -1 + 1"),
        ("ck_stock_on_hand", "UPDATE stock SET on_hand = 1, reserved = 2"),
        ("ck_stock_on_hand", "UPDATE stock SET on_hand = 1000000001, is_low = false"),
        ("ck_stock_reorder_level", "UPDATE stock SET reorder_level = -1, is_low = false"),
        ("ck_stock_is_low", "UPDATE stock SET on_hand = 100"),
        ("ck_jobs_missed", "UPDATE jobs SET missed = 'twice'"),
        ("ck_jobs_last_outcome", "UPDATE jobs SET last_outcome = 'lost'"),
        ("ck_jobs_runs", "UPDATE jobs SET runs = -1"),
        ("ck_orders_charged_back", "UPDATE orders SET paid = 100, refunded = 101"),
        ("ck_orders_charged_back", "UPDATE orders SET paid = 100, refunded = 60, refunding = 60"),
        ("ck_orders_refunds", "UPDATE orders SET refunding = -1"),
        ("ck_orders_goodwill", "UPDATE orders SET goodwill = -1"),
        ("ck_orders_goodwill", "UPDATE orders SET paid = 100, refunded = 60, goodwill = 61"),
        ("ck_orders_paid", "UPDATE orders SET paid = 1000000000001"),
        ("ck_orders_total", "UPDATE orders SET total = 1000000000001"),
        ("ck_orders_stock_held", "UPDATE orders SET stock_held = 'lost'"),
        ("ck_orders_payment_tries", "UPDATE orders SET payment_tries = -1"),
        ("ck_order_lines_returned", "UPDATE order_lines SET returned = -1"),
        ("ck_order_lines_quantity", "UPDATE order_lines SET quantity = 0, returned = 0"),
        ("ck_order_lines_unit_price", "UPDATE order_lines SET unit_price = 1000000000001"),
        ("ck_products_price", "UPDATE products SET price = -1"),
        ("ck_effects_status", "UPDATE effects SET status = 'lost'"),
        ("ck_effects_attempts", "UPDATE effects SET attempts = -1"),
        ("ck_api_keys_role", "UPDATE api_keys SET role = 'system'"),
        ("ck_approvals_amount", "UPDATE approvals SET amount = -1"),
        ("ck_approvals_currency", "UPDATE approvals SET currency = NULL"),
        ("ck_approvals_round", "UPDATE approvals SET round = 0"),
        ("ck_approvals_level", "UPDATE approvals SET level = 0"),
        ("ck_approval_seats_requested_by", "UPDATE approval_seats SET person = requested_by"),
        ("ck_approval_seats_requested_by", "UPDATE approval_seats SET holder = requested_by"),
        ("ck_approval_votes_requested_by", vote(person="requested_by")),
        ("ck_approval_votes_requested_by", vote(seat="requested_by")),
        ("ck_approval_votes_choice", vote(choice="'perhaps'")),
        ("ck_payments_amount", "UPDATE payments SET amount = 0"),
        ("ck_payments_asked", "UPDATE payments SET amount = 2, asked = 1"),
        ("ck_payments_held", "UPDATE payments SET held = -1"),
        ("ck_payments_captured", "UPDATE payments SET captured = 1000000000001, taken_at = created_at"),
        ("ck_payments_capturing", "UPDATE payments SET capture_next = -1"),
        ("ck_payments_refunds", "UPDATE payments SET refunding = -1"),
        ("ck_payments_refunded", taken("refunded = 60, refunding = 41")),
        ("ck_payments_refunded", taken("refunded = 60, disputed = 50, charged_back = 41")),
        ("ck_payments_disputed", "UPDATE payments SET disputed = 1000000000001"),
        ("ck_payments_lost", "UPDATE payments SET lost = 1000000000001"),
        ("ck_payments_charged_back", taken("charged_back = 1")),
        ("ck_payments_take", "UPDATE payments SET take = 'never'"),
        ("ck_payments_taken_at", "UPDATE payments SET captured = 1"),
        ("ck_payments_payment", "UPDATE payments SET held = 1, payment = NULL"),
        ("ck_refunds_amount", "UPDATE refunds SET amount = 0"),
        ("ck_refunds_attempts", "UPDATE refunds SET state = 'rejected', attempts = -1, awaited = -1"),
        ("ck_refunds_awaited", "UPDATE refunds SET awaited = attempts + 1"),
        ("ck_refunds_accepted_by", "UPDATE refunds SET accepted_by = requested_by"),
        ("ck_refunds_unanswered", "UPDATE refunds SET state = 'rejected', unanswered = true"),
        ("ck_refunds_asked", "UPDATE refunds SET attempts = 0, awaited = 0"),
        ("ck_refunds_failed", "UPDATE refunds SET state = 'failed', attention = NULL"),
        ("ck_refunds_processed_at", "UPDATE refunds SET state = 'succeeded'"),
        ("ck_refunds_approval", "UPDATE refunds SET state = 'awaiting_approval', approval = NULL"),
        ("ck_shipments_sent_at", "UPDATE shipments SET sent_at = NULL"),
        ("ck_shipments_sent_at", "UPDATE shipments SET state = 'cancelled', delivered_at = NULL"),
        ("ck_shipments_delivered_at", "UPDATE shipments SET state = 'in_transit'"),
        (
            "ck_shipments_carrier_shipment",
            "UPDATE shipments SET state = 'label', sent_at = NULL, delivered_at = NULL, carrier_shipment = NULL",
        ),
        ("ck_shipment_lines_quantity", "UPDATE shipment_lines SET quantity = 0"),
        ("ck_returns_wish", "UPDATE returns SET wish = 'gift'"),
        ("ck_returns_refund_amount", "UPDATE returns SET refund_amount = 1000000000001"),
        ("ck_returns_refunds", "UPDATE returns SET refund_due = -1"),
        ("ck_returns_refunded", "UPDATE returns SET refund_amount = 100, refunded = 60, refund_due = 41"),
        ("ck_returns_inspected", "UPDATE returns SET inspected_by = NULL"),
        ("ck_returns_received", "UPDATE returns SET received_at = NULL"),
        ("ck_return_lines_quantity", "UPDATE return_lines SET quantity = 0"),
        ("ck_return_lines_found", "UPDATE return_lines SET damaged = -1"),
        ("ck_return_lines_announced", "UPDATE return_lines SET quantity = 2, accepted = 1, damaged = 1, refused = 1"),
        ("ck_return_lines_percent", "UPDATE return_lines SET percent = 101"),
    ],
)
async def test_no_row_breaks_a_rule_of_the_business(filled, constraint, statement) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        await run(filled, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE order_lines SET order_id = 'nobody'",
        "UPDATE order_lines SET sku = 'NOTHING'",
    ],
)
async def test_a_line_belongs_to_an_order_and_names_a_product(filled, statement) -> None:
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        await run(filled, statement)


@pytest.mark.parametrize("again", [{"person": "person"}, {"seat": "seat"}])
async def test_nobody_votes_twice_in_a_round_nor_in_one_seat(filled, again) -> None:
    with pytest.raises(IntegrityError, match=r"approval_votes"):
        await run(filled, vote(round="round", **again))


async def test_a_vote_knows_who_asked(filled) -> None:
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        await run(filled, vote(requested_by="'somebody else'"))


@pytest.mark.parametrize("statement", ["UPDATE approval_votes SET choice = 'approve'", "DELETE FROM approval_votes"])
async def test_votes_are_never_changed_or_removed(filled, statement) -> None:
    with pytest.raises(DBAPIError, match="votes are never changed or removed"):
        await run(filled, statement)


async def test_an_entity_waits_for_one_approval_of_a_kind(filled) -> None:
    columns = "version, created_at, state_since, kind, reference, machine, description, fingerprint, requested_by"
    columns += ", round, level, levels"
    waiting = f"SELECT '{{}}', 'pending', {columns} FROM approvals"
    twice = f"{waiting.format('a2')} UNION ALL {waiting.format('a3')}"
    with pytest.raises(IntegrityError, match="approvals"):
        await run(filled, f"INSERT INTO approvals (id, state, {columns}) {twice}")


async def test_versions_of_history_begin_with_one(filled) -> None:
    with pytest.raises(IntegrityError, match="ck_history_version"):
        await run(filled, f"{_HISTORY} SELECT 2, 'e2', machine, entity_id, 0, {_REST}")


async def test_one_event_is_one_row_of_history(filled) -> None:
    with pytest.raises(IntegrityError, match="event_id"):
        await run(filled, f"{_HISTORY} SELECT 2, event_id, machine, 'another', 1, {_REST}")


async def test_one_version_is_one_row_of_history(filled) -> None:
    with pytest.raises(IntegrityError, match="version"):
        await run(filled, f"{_HISTORY} SELECT 2, 'e2', machine, entity_id, version, {_REST}")


_NAMES = "event, source, target, actor, cause, reason, payload, at"
_HISTORY = f"INSERT INTO history (seq, event_id, machine, entity_id, version, {_NAMES})"
_REST = f"{_NAMES} FROM history"


async def test_an_integer_beyond_64_bits_never_becomes_a_float(filled) -> None:
    with pytest.raises(DBAPIError):
        await run(filled, "UPDATE products SET version = version + 9223372036854775807")


async def test_numbers_and_texts_are_not_mixed_up(filled) -> None:
    with pytest.raises(DBAPIError):
        await run(filled, "UPDATE products SET price = 'cheap'")


async def test_an_effect_without_an_outcome_has_none_in_sql(database, open_service, database_url) -> None:
    async with open_service(database_url) as service:
        shop = Shop(service)
        await shop.sells("MUG")
        await shop.paying(MUG=1)

    def without_outcome(connection: Connection) -> int:
        return connection.execute(text("SELECT count(*) FROM effects WHERE outcome IS NULL")).scalar_one()

    assert await database.read(without_outcome) == 1
