"""Looking at entities: lists and their pages, one with its details, its past, its possibilities, its future."""

import base64
import json
from datetime import timedelta

import httpx
import pytest

from engine.clock import VirtualClock
from tests.api.shop import Shop, assert_problem


async def test_a_list_is_read_page_by_page(any_shop: Shop, clock: VirtualClock) -> None:
    orders = []
    for _ in range(5):
        orders.append(await any_shop.draft())
        clock.advance(timedelta(seconds=1))
    seen, cursor = [], ""
    while True:
        page = (await any_shop.ann.get(f"/orders?limit=2{cursor}")).json()
        seen += [order["id"] for order in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == orders[::-1]


async def test_a_state_lists_those_longest_in_it_first(any_shop: Shop, clock: VirtualClock) -> None:
    orders = [await any_shop.pending() for _ in range(3) if clock.advance(timedelta(minutes=1)) is None]
    page = (await any_shop.merchant.get("/orders?state=pending&limit=2")).json()
    rest = (await any_shop.merchant.get(f"/orders?state=pending&limit=2&cursor={page['next_cursor']}")).json()
    assert [order["id"] for order in page["items"] + rest["items"]] == orders
    since = (clock.now() - timedelta(seconds=30)).isoformat().replace("+00:00", "Z")
    waiting = (await any_shop.merchant.get(f"/orders?state=pending&in_state_since={since}")).json()["items"]
    assert [order["id"] for order in waiting] == orders[:2]


def _cursor(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


BAD_CURSORS = [
    "x",
    "%E2%82%AC",
    "====",
    _cursor(1),
    _cursor("2026-01-05T12:00:00+00:00"),
    _cursor("yesterday", "ord_x"),
    _cursor("2026-01-05T12:00:00", "ord_x"),
    _cursor("2026-01-05T12:00:00+00:00", 5),
    _cursor("2026-01-05T12:00:00+00:00", None),
    _cursor("2026-01-05T12:00:00+00:00", "a\0b"),
    _cursor("2026-01-05T12:00:00+00:00", "\ud800"),
    _cursor("0001-01-01T00:00:00+23:59", "ord_x"),
    _cursor(10**30),
    _cursor(-1),
    _cursor(True),
    _cursor({"a": 1}, [2]),
    base64.urlsafe_b64encode(b"[" * 350).decode().rstrip("="),
    base64.urlsafe_b64encode(b"[" + b"9" * 340 + b"]").decode().rstrip("="),
    base64.urlsafe_b64encode(b"\xff\xfe").decode().rstrip("="),
]


async def test_a_cursor_that_no_page_gave_out_is_malformed(any_shop: Shop) -> None:
    order = await any_shop.draft()
    for cursor in BAD_CURSORS:
        for path in ("/orders", "/orders?state=draft", f"/orders/{order}/history"):
            answer = await any_shop.merchant.get(f"{path}{'&' if '?' in path else '?'}cursor={cursor}")
            if cursor != _cursor(1) or "history" not in path:  # of a history it is a good one
                assert_problem(answer, 400, "malformed")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("limit=null", "limit"),
        ("limit=5&limit=6", "limit"),
        ("state=lost", "state"),
        ("sate=draft", "sate"),
        ("q=x", "q"),
        ("q=" + "x" * 101, "q"),
        ("created_after=yesterday", "created_after"),
        ("created_after=null", "created_after"),
        ("created_before=2026-01-05T12:00:00", "created_before"),
        ("created_after=0001-01-01T00:00:00%2B14:00", "created_after"),
        ("created_before=9999-12-31T23:59:59-14:00", "created_before"),
        ("in_state_since=2026-01-05T12:00:00Z", "in_state_since"),
    ],
)
async def test_a_parameter_that_can_not_be_accepted_is_named(shop: Shop, query: str, field: str) -> None:
    problem = assert_problem(await shop.merchant.get(f"/orders?{query}"), 422, "invalid")
    assert [error["field"] for error in problem["errors"]] == [field]


async def test_moments_at_the_ends_of_the_calendar_are_taken(any_shop: Shop) -> None:
    query = "created_after=0001-01-01T00:00:00Z&created_before=9999-12-31T23:59:59.999999Z"
    assert len((await any_shop.merchant.get(f"/products?{query}")).json()["items"]) == 1


async def test_odd_texts_find_nothing_and_harm_nothing(any_shop: Shop) -> None:
    for text in ("%FF%FExx", "%25%25", "__", "''--", "%F0%9F%98%80xx", "null", "\\\\", "%ED%A0%80x"):
        answer = await any_shop.merchant.get(f"/orders?q={text}&customer={text}")
        assert answer.json() == {"items": [], "next_cursor": None}


async def test_an_order_comes_with_its_lines(any_shop: Shop) -> None:
    order = (await any_shop.ann.get(f"/orders/{await any_shop.draft(quantity=2)}")).json()
    assert [(line["number"], line["sku"], line["quantity"]) for line in order["lines"]] == [(1, "MUG", 2)]
    assert (order["total"], order["currency"], order["customer"]) == (2500, "EUR", "ann")


async def test_history_tells_who_did_what_when_and_why(any_shop: Shop) -> None:
    order = await any_shop.draft()
    cancelled = await any_shop.ann.post(f"/orders/{order}/cancel", json={"reason": "too late"})
    history = (await any_shop.ann.get(f"/orders/{order}/history")).json()["items"]
    assert [(each["version"], each["event"], each["target"]) for each in history] == [
        (1, "create", "draft"),
        (2, "cancel", "cancelled"),
    ]
    assert (history[1]["actor"], history[1]["reason"]) == ("customer:ann", "too late")
    assert history[1]["cause"] == cancelled.headers["x-request-id"]


async def test_possibilities_are_the_callers_own(shop: Shop) -> None:
    order = await shop.pending()
    await shop.settle_while(shop.pay(order, headers={"Prefer": "wait=5"}))
    of_ann, of_shop = await _possible(shop.ann, order), await _possible(shop.merchant, order)
    assert (of_ann["fulfill"]["allowed"], of_shop["fulfill"]["allowed"]) == (False, True)
    assert of_ann["fulfill"]["reason"] == "this takes merchant; your role is customer"
    assert (of_ann["cancel"]["allowed"], of_ann["cancel"]["guard"]) == (False, "before_capture")
    assert of_ann["cancel"]["reason"] == "the order is paid; ask the merchant to cancel it"
    assert (of_shop["cancel"]["allowed"], of_shop["cancel"]["targets"]) == (True, ["cancelling"])
    assert of_shop["refunded"]["reason"] == "only the system raises this"


async def test_what_only_the_system_raises_comes_last(shop: Shop) -> None:
    order = await shop.pending()
    raised_by = [each["by"] for each in (await _possible(shop.ann, order)).values()]
    assert raised_by == sorted(raised_by, key=lambda roles: not roles)
    assert raised_by[0]
    assert not raised_by[-1]


async def _possible(caller: httpx.AsyncClient, order: str) -> dict[str, dict[str, object]]:
    events = (await caller.get(f"/orders/{order}/events")).json()["events"]
    return {each["event"]: each for each in events}


async def test_timers_and_effects_tell_what_will_happen_by_itself(shop: Shop) -> None:
    order = await shop.pending()
    (timer,) = (await shop.ann.get(f"/orders/{order}/timers")).json()
    assert (timer["event"], timer["due_at"]) == ("expire", "2026-01-05T12:30:00Z")
    await shop.pay(order)
    (payment,) = await shop.children(order, "payments")
    (effect,) = (await shop.ann.get(f"/payments/{payment}/effects")).json()
    assert (effect["name"], effect["status"], effect["attempts"]) == ("payments.charge", "pending", 0)


@pytest.mark.parametrize("part", ["events", "timers", "effects", "children"])
async def test_what_is_told_of_an_order_is_not_narrowed_down_in_vain(shop: Shop, part: str) -> None:
    answer = await shop.ann.get(f"/orders/{await shop.draft()}/{part}?state=captured")
    assert assert_problem(answer, 422, "invalid")["detail"] == "state: no such parameter; there are none"


async def test_what_belongs_to_an_order_is_told(shop: Shop) -> None:
    order = await shop.pending()
    await shop.settle_while(shop.pay(order, headers={"Prefer": "wait=5"}))
    await shop.merchant.post(f"/orders/{order}/fulfill")
    children = (await shop.ann.get(f"/orders/{order}/children")).json()
    assert {(each["machine"], each["state"]) for each in children} == {
        ("payment", "captured"),
        ("shipment", "in_transit"),
        ("reservation", "taken"),
    }
    (payment,) = [each["id"] for each in children if each["machine"] == "payment"]
    assert (await shop.ann.get(f"/payments/{payment}/children")).json() == []
    assert (await shop.ben.get(f"/orders/{order}/children")).status_code == 404
    assert (await shop.ann.get("/products/MUG/children")).status_code == 404
