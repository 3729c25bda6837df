"""The errors of the interface: one shape everywhere, the right status, the reason in words."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from api.keys import _checksum
from engine.clock import VirtualClock
from persistence.database import Database
from tests.api.conftest import OpenShop
from tests.api.shop import Shop, assert_problem

UNKNOWN = "ord_01jd4k0v3xe9h8m2q5t7w9y1z3"


@pytest.mark.parametrize("path", ["/orders", "/nowhere", "/keys", "/metrics", "/machines", "/whoami"])
async def test_without_a_valid_key_nobody_learns_anything(shop: Shop, path: str) -> None:
    for header in (None, "", "Bearer", "Bearer nonsense", "Basic YTpi", "ord_live_x"):
        answer = await shop.nobody.get(path, headers={"Authorization": header} if header is not None else {})
        assert_problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == 'Bearer realm="orderly"'


@pytest.mark.parametrize("path", ["/nowhere", "/orders/x/y/z", "/machines/unknown", "/orders/%F0%9F%98%80", "/a%20b"])
async def test_an_unknown_address_is_not_found(shop: Shop, path: str) -> None:
    assert_problem(await shop.ann.get(path), 404, "not-found")


async def test_nul_in_an_address_is_malformed(any_shop: Shop) -> None:
    for path in ("/orders/a%00b", "/orders?q=a%00b", "/orders/x/history?cursor=%00"):
        assert_problem(await any_shop.ann.get(path), 400, "malformed")


@pytest.mark.parametrize("place", ["", "/history", "/events", "/timers", "/effects"])
async def test_another_customers_order_looks_like_none(shop: Shop, place: str) -> None:
    order = await shop.draft()
    others = assert_problem(await shop.ben.get(f"/orders/{order}{place}"), 404, "not-found")
    unknown = assert_problem(await shop.ben.get(f"/orders/{UNKNOWN}{place}"), 404, "not-found")
    assert _without_ids(others, order) == _without_ids(unknown, UNKNOWN)


@pytest.mark.parametrize("event", ["submit", "pay", "cancel", "complete"])
async def test_another_customers_order_can_not_be_told_from_none_by_acting_on_it(shop: Shop, event: str) -> None:
    order, body = await shop.draft(), {"method": "tok_approve"} if event == "pay" else {}
    others = await shop.ben.post(f"/orders/{order}/{event}", json=body, headers={"If-Match": '"v9"'})
    unknown = await shop.ben.post(f"/orders/{UNKNOWN}/{event}", json=body, headers={"If-Match": '"v9"'})
    assert others.headers.keys() == unknown.headers.keys()
    assert _without_ids(assert_problem(others, 404, "not-found"), order) == _without_ids(
        assert_problem(unknown, 404, "not-found"), UNKNOWN
    )


def _without_ids(problem: dict[str, object], order: str) -> dict[str, object]:
    return {name: str(value).replace(order, "…") for name, value in problem.items() if name != "request_id"}


async def test_a_role_that_may_not_is_told_who_may(shop: Shop) -> None:
    order = await shop.pending()
    problem = assert_problem(await shop.ann.post(f"/orders/{order}/fulfill"), 403, "forbidden")
    assert problem["detail"] == "this takes merchant; your role is customer"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/orders", "GET, HEAD, OPTIONS, POST"),
        ("DELETE", "/orders/x", "GET, HEAD, OPTIONS"),
        ("GET", "/orders/x/pay", "OPTIONS, POST"),
        ("HEAD", "/orders/x/pay", "OPTIONS, POST"),
        ("PATCH", "/keys/x", "DELETE, OPTIONS"),
        ("TRACE", "/machines", "GET, HEAD, OPTIONS"),
        ("BREW", "/machines", "GET, HEAD, OPTIONS"),
    ],
)
async def test_another_method_is_told_which_the_path_takes(shop: Shop, method: str, path: str, allowed: str) -> None:
    answer = await shop.merchant.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    if method != "HEAD":
        assert allowed in assert_problem(answer, 405, "method-not-allowed")["detail"]


async def test_a_refused_event_says_why_and_what_would_do(shop: Shop) -> None:
    order = await shop.draft()
    problem = assert_problem(await shop.pay(order), 409, "transition-refused")
    machine = shop.service.registry["order"]
    assert (problem["state"], problem["version"], problem["event"], problem["guard"]) == ("draft", 1, "pay", None)
    assert problem["allowed"] == list(machine.events_of("draft"))
    assert "takes no 'pay'" in problem["detail"]


async def test_a_guard_that_refuses_is_named_with_its_figures(shop: Shop) -> None:
    order = await shop.draft(quantity=11)
    answer = await shop.ann.post(f"/orders/{order}/submit")
    problem = assert_problem(answer, 409, "transition-refused")
    assert (problem["guard"], problem["detail"]) == ("in_stock", "not in stock: MUG: 11 asked, 10 available")
    assert answer.headers["etag"] == '"v1"'


async def test_over_its_rate_a_caller_is_told_when_to_come_back(open_shop: OpenShop, clock: VirtualClock) -> None:
    async with open_shop(requests_per_second=3) as shop:
        for _ in range(3):
            assert (await shop.ann.get("/whoami")).status_code == 200
        answer = await shop.ann.get("/whoami")
        assert_problem(answer, 429, "too-many-requests")
        assert answer.headers["retry-after"] == "1"
        assert (await shop.ben.get("/whoami")).status_code == 200
        clock.advance(timedelta(seconds=1))
        assert (await shop.ann.get("/whoami")).status_code == 200


async def test_failed_logins_are_limited_but_lock_nobody_else_out(open_shop: OpenShop, clock: VirtualClock) -> None:
    async with open_shop(failed_logins_per_minute=2) as shop:
        wrong = {"Authorization": "Bearer wrong"}
        assert (await shop.ann.get("/whoami")).status_code == 200
        for _ in range(2):
            assert_problem(await shop.nobody.get("/whoami", headers=wrong), 401, "unauthorized")
        answer = await shop.nobody.get("/whoami", headers=wrong)
        assert_problem(answer, 429, "too-many-failures")
        assert int(answer.headers["retry-after"]) == 30
        assert (await shop.ann.get("/whoami")).status_code == 200
        clock.advance(timedelta(seconds=30))
        assert_problem(await shop.nobody.get("/whoami", headers=wrong), 401, "unauthorized")


async def test_a_full_queue_is_no_error_of_the_callers(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        await shop.service.dispatcher.stop()
        answer = await shop.ann.post("/orders", json={"lines": []})
        assert_problem(answer, 503, "overloaded")
        assert answer.headers["retry-after"] == "1"


async def test_without_its_database_the_service_asks_for_patience(shop: Shop) -> None:
    order = await shop.pending()
    _disconnect(shop.service.database)
    _block(Path(str(shop.service.database.url.database)))
    for answer in (
        await shop.ann.get(f"/orders/{order}"),
        await shop.ann.get("/orders"),
        await shop.pay(order),
        await (await shop.caller(_well_formed_key())).get("/whoami"),
        await shop.nobody.get("/health/ready"),
    ):
        problem = assert_problem(answer, 503, "unavailable")
        assert answer.headers["retry-after"] == "1"
        assert "sqlite" not in str(problem).lower()
        assert "Error" not in str(problem)
    assert (await shop.nobody.get("/health/live")).status_code == 200


def _disconnect(database: Database) -> None:
    """Close the connections that stand, so that new ones have to be made."""
    database._writer.engine.dispose()
    database._reader.engine.dispose()


def _block(file: Path) -> None:
    """Put a directory where the database was, so that it can't be opened again."""
    for part in file.parent.glob(file.name + "*"):
        part.unlink()
    file.mkdir()


def _well_formed_key() -> str:
    body = f"ord_live_{'A' * 12}_{'B' * 43}"
    return f"{body}_{_checksum(body)}"


async def test_a_database_of_another_revision_is_not_ready(shop: Shop) -> None:
    def forget(connection: Connection) -> None:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")

    assert (await shop.nobody.get("/health/ready")).json()["status"] == "ok"
    await shop.service.database.write(forget)
    answer = await shop.nobody.get("/health/ready")
    assert "orderly migrate" in assert_problem(answer, 503, "unavailable")["detail"]


async def test_a_mistake_of_ours_is_not_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop.service.registry["order"].entity, "owner_column", "no_such_column")
    answer = await shop.ann.get("/orders")
    problem = assert_problem(answer, 500, "internal")
    assert problem["detail"] == "it has been logged"
    assert "no_such_column" not in answer.text
