"""Versions of entities: every answer names one, a request may ask for one, and an answer may wait for the next."""

import pytest

from tests.api.conftest import OpenShop
from tests.api.shop import Shop, assert_problem


async def test_every_answer_with_an_entity_names_its_version(shop: Shop) -> None:
    created = await shop.ann.post("/orders", json={"lines": [{"sku": "MUG", "quantity": 1}]})
    place = created.headers["location"]
    assert created.headers["etag"] == '"v1"'
    assert (await shop.ann.get(place)).headers["etag"] == '"v1"'
    assert (await shop.ann.post(f"{place}/submit")).headers["etag"] == '"v2"'
    assert (await shop.ann.get(place)).headers["etag"] == '"v2"'
    assert (await shop.ann.post(f"{place}/submit")).headers["etag"] == '"v2"'


async def test_a_request_for_a_stale_version_changes_nothing(shop: Shop) -> None:
    order = await shop.pending()
    answer = await shop.ann.post(f"/orders/{order}/cancel", headers={"If-Match": '"v1"'})
    problem = assert_problem(answer, 412, "stale")
    assert (problem["version"], answer.headers["etag"]) == (2, '"v2"')
    assert (await shop.ann.get(f"/orders/{order}")).json()["state"] == "pending"
    answer = await shop.ann.post(f"/orders/{order}/cancel", headers={"If-Match": answer.headers["etag"]})
    assert answer.json()["state"] == "cancelled"


async def test_any_version_will_do_if_the_caller_says_so(shop: Shop) -> None:
    order = await shop.draft()
    assert (await shop.ann.post(f"/orders/{order}/submit", headers={"If-Match": "*"})).status_code == 200


@pytest.mark.parametrize("text", ["", "v1", "1", '"1"', '"v1', '"v1", "v2"', '"v-1"', '"v' + "9" * 19 + '"'])
async def test_a_version_has_a_form(shop: Shop, text: str) -> None:
    order = await shop.draft()
    answer = await shop.ann.post(f"/orders/{order}/submit", headers={"If-Match": text})
    assert_problem(answer, 400, "malformed")


async def test_an_entity_that_has_not_changed_is_not_sent_again(shop: Shop) -> None:
    order = await shop.draft()
    answer = await shop.ann.get(f"/orders/{order}", headers={"If-None-Match": '"v7", "v1"'})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"v1"')
    await shop.ann.post(f"/orders/{order}/submit")
    answer = await shop.ann.get(f"/orders/{order}", headers={"If-None-Match": '"v1"'})
    assert (answer.status_code, answer.json()["state"]) == (200, "pending")


async def test_an_answer_waits_until_the_gateway_has_answered(shop: Shop) -> None:
    order = await shop.pending()
    answer = await shop.settle_while(shop.pay(order, headers={"Prefer": "wait=10"}))
    assert (answer.json()["state"], answer.headers["preference-applied"]) == ("processing", "wait=10")
    assert answer.headers["etag"] == f'"v{answer.json()["version"]}"' == '"v4"'


async def test_a_slow_gateway_is_waited_for(open_shop: OpenShop) -> None:
    async with open_shop(sandbox_slowness="PT0.05S") as shop:
        order = await shop.pending()
        answer = await shop.settle_while(shop.pay(order, "tok_slow", {"Prefer": "respond-async, wait=10"}))
        assert answer.json()["state"] == "processing"


async def test_a_declined_payment_is_an_answer_too(shop: Shop) -> None:
    order = await shop.pending()
    answer = await shop.settle_while(shop.pay(order, "tok_decline", {"Prefer": "wait=10"}))
    assert (answer.json()["state"], answer.json()["attention"]) == ("pending", "declined: insufficient funds")


async def test_nobody_waits_longer_than_asked_or_than_the_service_allows(open_shop: OpenShop) -> None:
    async with open_shop(longest_wait="PT1S") as shop:
        order = await shop.pending()
        answer = await shop.pay(order, "tok_timeout", {"Prefer": "wait=3600"})
        assert (answer.json()["state"], answer.headers["preference-applied"]) == ("paying", "wait=1")
        other = await shop.pending()
        answer = await shop.pay(other, "tok_timeout", {"Prefer": "wait=0"})
        assert (answer.json()["state"], answer.headers["preference-applied"]) == ("paying", "wait=0")


async def test_a_preference_that_can_not_be_read_is_ignored(shop: Shop) -> None:
    for preference in ("wait", "wait=", "wait=-1", "wait=1.5", "wait=soon", "waiting=5", 'wait="5', "return=minimal"):
        order = await shop.pending()
        answer = await shop.pay(order, headers={"Prefer": preference})
        assert (answer.status_code, answer.json()["state"]) == (200, "paying"), preference
        assert "preference-applied" not in answer.headers


async def test_no_one_waits_where_nothing_is_waited_for(shop: Shop) -> None:
    order = await shop.draft()
    answer = await shop.ann.post(f"/orders/{order}/submit", headers={"Prefer": "wait=30"})
    assert answer.json()["state"] == "pending"
