"""What came in, as people see it and decide about it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.inbox import Message
from tests.api.shop import Shop, assert_problem
from tests.conftest import OpenService
from tests.engine.messages import parcel


@pytest.fixture
async def shop(open_service: OpenService, database_url: str) -> AsyncIterator[Shop]:
    """A shop that a carrier tells of parcels, on each kind of database."""
    async with open_service(database_url) as service:
        opened = Shop(service)
        await opened.open()
        await opened.sells()
        yield opened
        await opened.close()


async def arrive(shop: Shop, *kinds: str, order: str = "ord_1", source: str = "carrier") -> None:
    for number, kind in enumerate(kinds):
        await shop.service.inbox.receive(Message(source, f"msg_{number}_{order}", parcel(kind, order)))
    await shop.service.inbox.run()


async def listed(shop: Shop, query: str = "") -> list[int]:
    answer = await shop.merchant.get(f"/inbox{query}")
    assert answer.status_code == 200, answer.text
    return [entry["seq"] for entry in answer.json()["items"]]


async def test_the_newest_come_first_and_can_be_chosen_by_status_and_source(shop: Shop) -> None:
    await arrive(shop, "weighed", "shipped")
    await arrive(shop, "shipped", source="stripe")
    assert await listed(shop) == [3, 2, 1]
    assert await listed(shop, "?status=unknown") == [3, 1]
    assert await listed(shop, "?status=pending") == [2]
    assert await listed(shop, "?source=carrier") == [2, 1]
    assert await listed(shop, "?source=carrier&status=unknown") == [1]
    assert await listed(shop, "?source=nobody") == []


async def test_the_list_goes_on_page_by_page(shop: Shop) -> None:
    await arrive(shop, *["weighed"] * 5)
    first = (await shop.merchant.get("/inbox?limit=2")).json()
    second = (await shop.merchant.get(f"/inbox?limit=2&cursor={first['next_cursor']}")).json()
    third = (await shop.merchant.get(f"/inbox?limit=2&cursor={second['next_cursor']}")).json()
    assert [[entry["seq"] for entry in page["items"]] for page in (first, second, third)] == [[5, 4], [3, 2], [1]]
    assert third["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("?status=lost", 422, "invalid"),
        ("?statu=pending", 422, "invalid"),
        ("?limit=0", 422, "invalid"),
        ("?cursor=nonsense", 400, "malformed"),
        ("?cursor=WyJ4Il0", 400, "malformed"),
        ("?cursor=Wy0xXQ", 400, "malformed"),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused(shop: Shop, query: str, status: int, code: str) -> None:
    assert_problem(await shop.merchant.get(f"/inbox{query}"), status, code)


async def test_one_row_is_shown_with_what_was_said(shop: Shop) -> None:
    await arrive(shop, "weighed")
    row = (await shop.approver.get("/inbox/1")).json()
    assert row["body"] == parcel("weighed", "ord_1")
    assert row["reason"] == "nothing is done about 'shipment.weighed'"
    assert row.keys() > (await shop.approver.get("/inbox")).json()["items"][0].keys()


@pytest.mark.parametrize("seq", ["0", "2", "-1", "x", "1.0", "9" * 18, "9" * 19, "9" * 400, "\u0661"])
async def test_a_row_that_is_not_there_is_not_found(shop: Shop, seq: str) -> None:
    await arrive(shop, "weighed")
    assert_problem(await shop.admin.get(f"/inbox/{seq}"), 404, "not-found")
    assert_problem(await shop.admin.post(f"/inbox/{seq}/replay", json={"reason": "try"}), 404, "not-found")


async def decide(shop: Shop, what: str, seq: int = 1, **body: Any) -> dict[str, Any]:
    answer = await shop.admin.post(f"/inbox/{seq}/{what}", json={"reason": "they have corrected it", **body})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_what_was_refused_is_worked_on_again_if_an_admin_wants_it(shop: Shop) -> None:
    order = await shop.pending()
    await arrive(shop, "delivered", order=order)
    await shop.admin.post("/inbox/1/dismiss", json={"reason": "not yet"})
    await shop.pay(order)
    await shop.service.settle()
    await shop.merchant.post(f"/orders/{order}/fulfill", json={})
    row = await decide(shop, "replay")
    assert (row["status"], row["attempts"], row["reason"], row["finished_at"]) == ("pending", 0, None, None)
    assert (row["decided_by"], row["decision"]) == ("admin:root", "replay: they have corrected it")
    await shop.service.settle()
    row = (await shop.admin.get("/inbox/1")).json()
    assert (row["status"], row["entity_id"], row["event"]) == ("applied", order, "complete")
    assert row["decided_by"] == "admin:root"


async def test_what_is_dismissed_is_never_worked_on_again_by_itself(shop: Shop) -> None:
    await arrive(shop, "shipped")
    row = await decide(shop, "dismiss")
    assert (row["status"], row["decision"]) == ("dismissed", "dismiss: they have corrected it")
    await shop.service.settle()
    assert (await shop.admin.get("/inbox/1")).json()["status"] == "dismissed"
    problem = assert_problem(await shop.admin.post("/inbox/1/dismiss", json={"reason": "again"}), 409, "inbox-settled")
    assert problem["detail"] == "row 1 is dismissed; it can't be dismissed"


async def test_what_was_applied_is_settled(shop: Shop) -> None:
    order = await shop.pending()
    await shop.pay(order)
    await shop.service.settle()
    await arrive(shop, "shipped", order=order)
    for what in ("replay", "dismiss"):
        answer = await shop.admin.post(f"/inbox/1/{what}", json={"reason": "once more"})
        assert_problem(answer, 409, "inbox-settled")


@pytest.mark.parametrize(
    "body", [None, {}, {"reason": ""}, {"reason": 7}, {"reason": "x", "seq": 2}, {"reason": "a\x00"}]
)
async def test_a_decision_needs_a_reason(shop: Shop, body: Any) -> None:
    await arrive(shop, "weighed")
    answer = await shop.admin.post("/inbox/1/replay", json=body)
    assert answer.status_code in (400, 422)
    assert (await shop.admin.get("/inbox/1")).json()["status"] == "unknown"


async def test_a_customer_sees_nothing_and_only_an_admin_decides(shop: Shop) -> None:
    await arrive(shop, "weighed")
    for path in ("/inbox", "/inbox/1"):
        assert_problem(await shop.ann.get(path), 403, "forbidden")
    for caller in (shop.ann, shop.merchant, shop.approver):
        for what in ("replay", "dismiss"):
            assert_problem(await caller.post(f"/inbox/1/{what}", json={"reason": "me"}), 403, "forbidden")
