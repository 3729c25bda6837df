"""The pull feed: everything that happens, in one order, for those who would rather ask."""

import asyncio
import json
import time
from typing import Any

import httpx
import pytest
from cloudevents.core.formats.json import JSONFormat

from persistence import feed
from tests.api.shop import Shop, assert_problem


async def asked(by: httpx.AsyncClient, **parameters: Any) -> dict[str, Any]:
    answer = await by.get("/events", params=parameters)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def names(page: dict[str, Any]) -> list[str]:
    return [f"{item['data']['machine']} {item['data']['event']}" for item in page["items"]]


@pytest.fixture
async def mugs(any_shop: Shop) -> tuple[Shop, str]:
    """A shop in which an order was placed and submitted, and where its feed stood before."""
    place = (await asked(any_shop.merchant))["next_cursor"]
    await any_shop.pending()
    return any_shop, place


async def test_everything_is_told_from_the_start_in_order(mugs) -> None:
    shop, _ = mugs
    page = await asked(shop.merchant)
    assert names(page) == ["product create", "stock open", "order create", "order submit", "reservation hold"]
    assert page["more"] is False


async def test_pages_follow_each_other_without_gap_or_repetition(mugs) -> None:
    shop, _ = mugs
    told, after = [], None
    while True:
        page = await asked(shop.admin, limit=1, **({"after": after} if after else {}))
        told += names(page)
        after = page["next_cursor"]
        if not page["more"]:
            break
    assert told == names(await asked(shop.admin))
    assert names(await asked(shop.admin, after=after)) == []
    await shop.draft()
    assert names(await asked(shop.admin, after=after)) == ["order create"]


async def test_only_the_types_asked_for_are_told_and_the_place_moves_on_all_the_same(mugs) -> None:
    shop, place = mugs
    page = await asked(shop.merchant, after=place, types="order.submit,stock.*")
    assert names(page) == ["order submit"]
    page = await asked(shop.merchant, after=place, types="product.*")
    assert (names(page), page["next_cursor"] == place) == ([], False)
    assert names(await asked(shop.merchant, after=page["next_cursor"])) == []


async def test_what_is_rare_is_found_page_by_page(mugs, monkeypatch) -> None:
    shop, _ = mugs
    monkeypatch.setattr(feed, "SCAN_STEP", 1)
    monkeypatch.setattr(feed, "SCAN_STEPS", 2)
    page = await asked(shop.merchant, types="order.submit")
    assert (names(page), page["more"]) == ([], True)
    page = await asked(shop.merchant, types="order.submit", after=page["next_cursor"])
    assert (names(page), page["more"]) == (["order submit"], True)
    page = await asked(shop.merchant, types="order.submit", after=page["next_cursor"])
    assert (names(page), page["more"]) == ([], False)


async def test_items_are_cloudevents_without_tokens(mugs) -> None:
    """Read by an independent library."""
    shop, place = mugs
    order = await shop.draft()
    await shop.ann.post(f"/orders/{order}/submit")
    await shop.pay(order)
    items = (await asked(shop.merchant, after=place))["items"]
    events = [JSONFormat().read(None, json.dumps(item)) for item in items]
    paid = events[-2]
    begun = events[-1]
    assert (paid.get_type(), paid.get_source(), paid.get_subject()) == ("orderly.order.pay", "/orderly", order)
    assert paid.get_datacontenttype() == "application/json"
    history = (await shop.merchant.get(f"/orders/{order}/history")).json()["items"][-1]
    assert (paid.get_id(), paid.get_data()["version"]) == (history["event_id"], history["version"])
    assert paid.get_data()["payload"] == {"amount": None, "take": None}
    assert (begun.get_type(), begun.get_data()["cause"]) == ("orderly.payment.begin", paid.get_id())
    assert "tok_approve" not in json.dumps(items)


async def test_whoever_waits_is_told_as_soon_as_something_happens(mugs) -> None:
    shop, _ = mugs
    after = (await asked(shop.merchant))["next_cursor"]
    waiting = asyncio.ensure_future(
        shop.merchant.get("/events", params={"after": after}, headers={"Prefer": "wait=10"})
    )
    await asyncio.sleep(0.05)
    assert not waiting.done()
    began = time.monotonic()
    await shop.draft()
    answer = await waiting
    assert time.monotonic() - began < 8
    assert names(answer.json()) == ["order create"]
    assert answer.headers["preference-applied"] == "wait=10"


async def test_whoever_waits_in_vain_is_answered_in_time(shop: Shop) -> None:
    after = (await asked(shop.merchant))["next_cursor"]
    answer = await shop.merchant.get("/events", params={"after": after}, headers={"Prefer": "wait=1"})
    assert (answer.json()["items"], answer.json()["next_cursor"]) == ([], after)


@pytest.mark.parametrize("cursor", ["x", "WzFd", "WyJhIiwxXQ", "Wy0xLDFd", "WzEsMTAwMDAwMDAwMDAwMDAwMDAwMDAwXQ"])
async def test_a_place_that_no_page_gave_out_is_refused(shop: Shop, cursor: str) -> None:
    assert_problem(await shop.merchant.get("/events", params={"after": cursor}), 400, "malformed")


@pytest.mark.parametrize("types", ["", "order", "order.payed", "order.*,", "*.submit", ",".join(["order.*"] * 51)])
async def test_types_that_there_are_not_are_refused(shop: Shop, types: str) -> None:
    assert_problem(await shop.merchant.get("/events", params={"types": types}), 422, "invalid")


async def test_other_parameters_are_refused(shop: Shop) -> None:
    assert_problem(await shop.merchant.get("/events", params={"cursor": "x"}), 422, "invalid")
    assert_problem(await shop.merchant.get("/events", params={"limit": 0}), 422, "invalid")


async def test_it_is_for_those_who_run_the_shop(shop: Shop) -> None:
    for caller in (shop.ann, shop.approver):
        assert_problem(await caller.get("/events"), 403, "forbidden")
