"""Other programs drive machines by plain SQL: a row in the inbox is an event, if the settings allow it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from prometheus_client import REGISTRY
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from engine.clock import SteadyClock
from orderly.service import Service
from orderly.settings import Settings
from persistence import inbox as rows
from persistence.signals import connect
from statemachines.order import Pay
from tests.conftest import OpenService
from tests.engine.shop import ANNA, Shop, committed
from tests.engine.test_inbox import Post
from tests.engine.test_keeper import until
from tests.engine.test_pulse import hear_each_other

ALLOWED = {"legacy": ["order.create", "order.submit", "order.fulfill", "order.complete", "product.create"]}

Program = Callable[..., Awaitable[None]]


@pytest.fixture
async def program(database_url: str) -> AsyncIterator[Program]:
    """Another program, which knows nothing but SQL."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":

        async def execute(sql: str) -> None:
            connection = sqlite3.connect(Path(url.database or ""), timeout=10)
            with connection:
                connection.execute(sql)
            connection.close()

        yield execute
    else:
        connection = await connect(url)

        async def execute(sql: str) -> None:
            await connection.execute(sql)

        yield execute
        await connection.close()


@pytest.fixture
async def post(open_service: OpenService, database_url: str) -> AsyncIterator[Post]:
    async with open_service(database_url, inbox=ALLOWED) as service:
        await Shop(service).sells("MUG")
        yield Post(Shop(service))


def asks(event: str, entity: str | None = None, payload: str = "{}", *, source: str = "legacy", name: str = "") -> str:
    """Return the statement of a program that asks for an event, such as ``order.fulfill``."""
    machine, _, event_name = event.partition(".")
    external = f"'{name}'" if name else "NULL"
    entity_id = f"'{entity}'" if entity else "NULL"
    return (
        "INSERT INTO inbox (source, external_id, machine, entity_id, event, payload) "
        f"VALUES ('{source}', {external}, '{machine}', {entity_id}, '{event_name}', '{payload}')"
    )


async def test_a_row_raises_an_event(post: Post, program: Program) -> None:
    order = await post.shop.paid(MUG=1)
    await program(asks("order.fulfill", order, '{"tracking": "JD 0146"}'))
    await post.service.settle()
    fulfilled = (await post.shop.history("order", order))[4]
    assert (fulfilled["event"], fulfilled["actor"], fulfilled["payload"]) == (
        "fulfill",
        "system:inbox.legacy",
        {"tracking": "JD 0146"},
    )
    row = await post.row()
    assert (row["status"], row["event_id"], row["reason"]) == ("applied", fulfilled["event_id"], None)
    assert row["finished_at"] == post.service.clock.now()


async def test_a_row_needs_to_say_no_more_than_who_what_and_to_whom(post: Post, program: Program) -> None:
    order = await post.shop.paid(MUG=1)
    await program(
        f"INSERT INTO inbox (source, machine, entity_id, event) VALUES ('legacy','order','{order}','fulfill')"
    )
    await post.service.settle()
    assert await post.statuses() == ["applied"]


async def test_a_row_may_find_its_entity_by_another_name(post: Post, program: Program) -> None:
    order = await post.shop.draft(reference="shop-10042", MUG=1)
    await program(
        "INSERT INTO inbox (source, machine, entity_id, event) "
        "SELECT 'legacy', 'order', id, 'submit' FROM orders WHERE reference = 'shop-10042'"
    )
    await post.service.settle()
    assert await post.shop.state(order) == "pending"


async def test_a_row_may_create_an_entity_and_learns_its_name(post: Post, program: Program) -> None:
    payload = '{"lines": [{"sku": "MUG", "quantity": 2}], "customer": "ann", "reference": "old-1"}'
    await program(asks("order.create", None, payload, name="order 1"))
    await program(asks("product.create", None, '{"sku": "POT", "name": "Pot", "price": 4000, "currency": "EUR"}'))
    await post.service.settle()
    order, product = await post.rows()
    assert (order["status"], product["status"], product["entity_id"]) == ("applied", "applied", "POT")
    row = await post.shop.row("order", order["entity_id"])
    assert (row["customer"], row["total"], row["reference"]) == ("ann", 2500, "old-1")


async def test_several_rows_are_worked_on_in_their_order(post: Post, program: Program) -> None:
    order = await post.shop.paid(MUG=1)
    await program(asks("order.fulfill", order))
    await program(asks("order.complete", order))
    await post.service.settle()
    assert (await post.shop.story("order", order))[-3:] == ["fulfill", "shipment_sent", "complete"]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (asks("order.fulfill", "ord_1", source="stranger"), "source 'stranger' may not ask for 'order.fulfill'"),
        (asks("order.charged", "ord_1"), "source 'legacy' may not ask for 'order.charged'"),
        (asks("order.pay", "ord_1"), "source 'legacy' may not ask for 'order.pay'"),
        (asks("teapot.brew", "tea_1"), "source 'legacy' may not ask for 'teapot.brew'"),
        (asks("order.cancel_timer", "ord_1"), "source 'legacy' may not ask for 'order.cancel_timer'"),
        (asks("order.fulfill"), "entity_id is missing"),
        (asks("order.create", "ord_1"), "'create' creates a order: leave entity_id out"),
        (asks("order.fulfill", "ord_1", '{"tracking": 7}'), "tracking: Input should be a valid string"),
        (asks("order.fulfill", "ord_1", '{"price": 7}'), "price: Extra inputs are not permitted"),
        (asks("order.fulfill", "ord_1", "[]"), "Input should be a valid dictionary or instance of Fulfill"),
    ],
)
async def test_what_is_not_allowed_or_makes_no_sense_is_refused_and_kept(
    post: Post, program: Program, statement: str, reason: str
) -> None:
    await program(statement)
    await post.service.settle()
    row = await post.row()
    assert (row["status"], row["reason"]) == ("refused", reason)


async def test_nothing_is_allowed_unless_the_settings_say_so(
    open_service: OpenService, database_url: str, program: Program
) -> None:
    async with open_service(database_url) as service:
        post = Post(Shop(service))
        await program(asks("order.create", None, '{"customer": "ann"}'))
        await service.settle()
        assert await post.statuses() == ["refused"]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO inbox (source) VALUES ('legacy')",
        "INSERT INTO inbox (source, machine) VALUES ('legacy', 'order')",
        asks("order.fulfill", "ord_1", "not json"),
        "INSERT INTO inbox (source, machine, event, status) VALUES ('legacy', 'order', 'create', 'done')",
        "INSERT INTO inbox (source, machine, event, due_at) VALUES ('legacy', 'order', 'create', 'soon')",
        "INSERT INTO inbox (source, machine, event, due_at) VALUES ('legacy', 'order', 'create', '2026-02-31 12:00')",
        "INSERT INTO inbox (source, machine, event, due_at) VALUES ('x', 'y', 'z', '0001-01-01 00:00:00.000000')",
        "INSERT INTO inbox (source, machine, event, due_at) VALUES ('x', 'y', 'z', '20000-01-01 00:00:00.000000')",
        "INSERT INTO inbox (source, machine, event, finished_at) VALUES ('x', 'y', 'z', 'infinity')",
        "INSERT INTO inbox (machine, event) VALUES ('order', 'create')",
    ],
)
async def test_the_database_itself_refuses_what_no_row_may_be(post: Post, program: Program, statement: str) -> None:
    with pytest.raises((sqlite3.IntegrityError, asyncpg.PostgresError)):
        await program(statement)


async def test_a_moment_to_the_microsecond_is_understood(post: Post, program: Program) -> None:
    later = "2026-01-05 13:00:00.999999"
    await program(
        f"INSERT INTO inbox (source, machine, event, payload, due_at) "
        f"""VALUES ('legacy', 'order', 'create', '{{"customer": "ann"}}', '{later}')"""
    )
    await post.service.settle()
    assert await post.statuses() == ["pending"]
    await post.service.advance(timedelta(hours=2))
    assert await post.statuses() == ["applied"]


async def test_what_became_of_rows_is_counted(post: Post, program: Program) -> None:
    def counted(source: str, status: str) -> float:
        return REGISTRY.get_sample_value("orderly_inbox_total", {"source": source, "status": status}) or 0

    before = counted("legacy", "applied"), counted("legacy", "refused"), counted("other", "refused")
    for source, machine in (("legacy", "order"), ("legacy", "teapot"), ("stranger", "order")):
        await program(asks(f"{machine}.create", None, '{"customer": "ann"}', source=source))
    await post.service.settle()
    after = counted("legacy", "applied"), counted("legacy", "refused"), counted("other", "refused")
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 1]


async def test_the_same_row_is_taken_once(post: Post, program: Program) -> None:
    await program(asks("order.create", None, '{"customer": "ann"}', name="17"))
    with pytest.raises((sqlite3.IntegrityError, asyncpg.UniqueViolationError)):
        await program(asks("order.create", None, '{"customer": "ann"}', name="17"))
    await program(asks("order.create", None, '{"customer": "ann"}', name="17", source="other"))
    await post.service.settle()
    assert await post.statuses() == ["applied", "refused"]


async def test_a_row_that_can_not_even_be_read_holds_up_none_of_the_others(post: Post, program: Program) -> None:
    order = await post.shop.paid(MUG=1)
    strange = {
        "sqlite": """CAST(x'7b2261223a22fc227d' AS TEXT)""",  # {"a":"ü"} in Latin-1
        "postgresql": f"""'{{"a": {"[" * 3000 + "]" * 3000}}}'""",
    }[make_url(str(post.service.database.url)).get_backend_name()]
    for _ in range(2):
        await program(
            f"INSERT INTO inbox (source, machine, entity_id, event, payload) "
            f"VALUES ('legacy', 'order', '{order}', 'fulfill', {strange})"
        )
    await program(asks("order.fulfill", order))
    await post.service.settle()
    assert await post.shop.state(order) == "fulfilled"
    first, second, third = await post.rows()
    assert (first["status"], second["status"], third["status"]) == ("refused", "refused", "applied")
    assert first["reason"].startswith("the row can't be read")
    assert list(first["payload"]) in (["hex"], ["text"])


async def test_no_row_is_set_aside_because_the_database_is_away(
    post: Post, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    await program(asks("order.create", None, '{"customer": "ann"}'))

    read = post.service.database.read

    async def now_and_then(work: Any) -> Any:
        if work.func in (rows.due, rows.get):
            raise OperationalError("SELECT", {}, OSError("connection lost"))
        return await read(work)

    monkeypatch.setattr(post.service.database, "read", now_and_then)
    with pytest.raises(OperationalError):
        await post.service.inbox.run()
    monkeypatch.undo()
    await post.service.settle()
    assert await post.statuses() == ["applied"]


async def test_an_applied_row_is_never_applied_again_whatever_is_written_into_it(post: Post, program: Program) -> None:
    await program(asks("order.create", None, '{"customer": "ann"}'))
    await post.service.settle()
    await program("UPDATE inbox SET due_at = '1970-01-01 00:00:00.000000', attempts = 0")
    await post.service.settle()
    assert await post.statuses() == ["applied"]


async def test_a_program_may_be_let_in_to_write_rows_and_nothing_else(
    open_service: OpenService, postgresql_url: str
) -> None:
    async with open_service(postgresql_url, inbox=ALLOWED) as service:
        post, admin = Post(Shop(service)), await connect(make_url(postgresql_url))
        role = f"legacy_{service.random.getrandbits(40)}"
        columns = "source, external_id, machine, entity_id, event, payload"
        await admin.execute(f"CREATE ROLE {role}")
        try:
            await admin.execute(f"GRANT INSERT ({columns}) ON inbox TO {role}; SET ROLE {role}")
            await admin.execute(asks("order.create", None, '{"customer": "ann"}'))
            for statement in (
                "INSERT INTO inbox (source, kind, body) VALUES ('stripe', 'payment_intent.succeeded', '{}')",
                "UPDATE inbox SET status = 'pending'",
                "SELECT * FROM inbox",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await admin.execute(statement)
            await service.settle()
            assert await post.statuses() == ["applied"]
        finally:
            await admin.execute(f"RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")
            await admin.close()


# -- without anybody who says that there is something to do


async def applied(service: Service, seconds: float) -> list[str]:
    """Return the statuses of all rows once none is pending any more."""
    post = Post(Shop(service))
    async with asyncio.timeout(seconds):
        while "pending" in (statuses := await post.statuses()):  # noqa: ASYNC110  (nobody here hears of it)
            await asyncio.sleep(0.02)
    return statuses


async def test_a_row_is_found_by_itself(database_url: str, program: Program) -> None:
    settings = Settings(database_url=database_url, key_pepper="pepper", inbox=ALLOWED)
    async with Service.open(settings, clock=SteadyClock(), migrate=True, background=True) as service:
        await program(asks("order.create", None, '{"customer": "ann"}'))
        assert await applied(service, 10) == ["applied"]


async def test_on_postgresql_the_database_says_that_there_is_a_row(postgresql_url: str) -> None:
    patient = {"poll_interval": timedelta(minutes=10), "inbox": ALLOWED, "key_pepper": "pepper"}
    connection = await connect(make_url(postgresql_url))
    settings = Settings(database_url=postgresql_url, **patient)
    async with Service.open(settings, clock=SteadyClock(), migrate=True, background=True) as service:
        await until(lambda: hear_each_other(service))
        await connection.execute(asks("order.create", None, '{"customer": "ann"}'))
        assert await applied(service, 30) == ["applied"]
    await connection.close()


async def test_two_processes_apply_each_row_once(
    open_service: OpenService, database_url: str, program: Program
) -> None:
    async with (
        open_service(database_url, inbox=ALLOWED) as one,
        open_service(database_url, seed=2, inbox=ALLOWED) as two,
    ):
        shop = Shop(one)
        await shop.sells("MUG")
        orders = [await shop.pending(MUG=1) for _ in range(5)]
        for order in orders:
            committed(await shop.tell("order", order, Pay(method="tok_approve"), ANNA))
        await one.settle()
        for number in range(40):
            await program(asks("order.fulfill", orders[number % 5], name=f"f{number}"))
        await asyncio.gather(*(service.inbox.run() for service in (one, two, one, two)))
        await one.advance(timedelta(hours=2))  # a parcel that comes back might be sent again
        statuses: list[Any] = await Post(shop).statuses()
        assert sorted(statuses) == ["applied"] * 5 + ["refused"] * 35
        for order in orders:
            assert (await shop.story("order", order)).count("fulfill") == 1
