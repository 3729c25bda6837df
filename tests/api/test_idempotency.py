"""A request under an idempotency key happens once, however often it is sent."""

import asyncio

import pytest

from tests.api.shop import Shop, assert_problem
from tests.conftest import OpenService

MUG = {"lines": [{"sku": "MUG", "quantity": 1}]}
TWO = {"lines": [{"sku": "MUG", "quantity": 2}]}


def key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": text}


async def test_a_repeated_request_gets_the_same_bytes_and_is_marked(any_shop: Shop) -> None:
    first = await any_shop.ann.post("/orders", json=MUG, headers=key("a-1"))
    again = await any_shop.ann.post("/orders", json=MUG, headers=key("a-1"))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert first.headers["etag"] == again.headers["etag"]
    assert first.headers["location"] == again.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len((await any_shop.ann.get("/orders")).json()["items"]) == 1


async def test_a_transition_is_replayed_as_it_was_though_the_order_has_moved_on(any_shop: Shop) -> None:
    order = await any_shop.draft()
    first = await any_shop.ann.post(f"/orders/{order}/submit", headers=key("s"))
    await any_shop.ann.post(f"/orders/{order}/cancel")
    again = await any_shop.ann.post(f"/orders/{order}/submit", headers=key("s"))
    assert first.content == again.content
    assert again.json()["state"] == "pending"


async def test_bare_and_quoted_are_the_same_key(shop: Shop) -> None:
    first = await shop.ann.post("/orders", json=MUG, headers=key("a-1"))
    quoted = await shop.ann.post("/orders", json=MUG, headers=key('"a-1"'))
    assert (quoted.content, quoted.headers["idempotency-replayed"]) == (first.content, "true")


async def test_json_that_means_the_same_is_the_same_request(shop: Shop) -> None:
    first = await shop.ann.post("/orders", json=MUG, headers=key("a"))
    spaced = b'{ "reference": null, "lines": [ {"quantity": 1, "sku": "MUG"} ] }'
    headers = {**key("a"), "Content-Type": "application/json"}
    assert (await shop.ann.post("/orders/", content=spaced, headers=headers)).content == first.content


async def test_another_request_under_the_same_key_is_refused(shop: Shop) -> None:
    order = await shop.draft()
    await shop.ann.post("/orders", json=MUG, headers=key("a"))
    for path, body in (("/orders", TWO), ("/orders?x=1", MUG), (f"/orders/{order}/submit", {})):
        answer = await shop.ann.post(path, json=body, headers=key("a"))
        assert_problem(answer, 422, "idempotency-key-reused")


async def test_keys_of_different_callers_never_meet(shop: Shop) -> None:
    of_ann = await shop.ann.post("/orders", json=MUG, headers=key("a"))
    of_ben = await shop.ben.post("/orders", json=MUG, headers=key("a"))
    assert of_ann.json()["id"] != of_ben.json()["id"]
    assert "idempotency-replayed" not in of_ben.headers


async def test_a_refusal_is_replayed_too(shop: Shop) -> None:
    order = await shop.draft(quantity=11)
    first = await shop.ann.post(f"/orders/{order}/submit", headers=key("s"))
    await shop.merchant.post("/stock/MUG/receive", json={"quantity": 5})
    again = await shop.ann.post(f"/orders/{order}/submit", headers=key("s"))
    refusal, replay = (assert_problem(answer, 409, "transition-refused") for answer in (first, again))
    assert refusal | {"request_id": ""} == replay | {"request_id": ""}
    assert again.headers["idempotency-replayed"] == "true"
    assert (await shop.ann.post(f"/orders/{order}/submit", headers=key("t"))).status_code == 200


async def test_what_never_reached_the_machine_is_not_kept(shop: Shop) -> None:
    assert_problem(await shop.ann.post("/orders", json={"lines": 1}, headers=key("a")), 422, "invalid")
    assert (await shop.ann.post("/orders", json=MUG, headers=key("a"))).status_code == 201


async def test_the_same_request_many_times_at_once_happens_once(any_shop: Shop) -> None:
    requests = [any_shop.ann.post("/orders", json=MUG, headers=key("once")) for _ in range(20)]
    answers = await asyncio.gather(*requests)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert len((await any_shop.ann.get("/orders")).json()["items"]) == 1


async def test_a_replay_comes_before_the_version_is_looked_at(shop: Shop) -> None:
    order = await shop.draft()
    headers = {**key("s"), "If-Match": '"v1"'}
    first = await shop.ann.post(f"/orders/{order}/submit", headers=headers)
    assert (await shop.ann.post(f"/orders/{order}/submit", headers=headers)).content == first.content


@pytest.mark.parametrize("text", ["", '"', '"a', 'a"', "a b", "ü", "x" * 256, "a;b"])
async def test_a_key_has_a_form(shop: Shop, text: str) -> None:
    headers = {"Idempotency-Key": text.encode("latin-1")}
    assert_problem(await shop.ann.post("/orders", json=MUG, headers=headers), 400, "malformed")  # type: ignore[arg-type]


async def test_a_key_is_needed_where_the_settings_say_so(open_service: OpenService, sqlite_url: str) -> None:
    async with open_service(sqlite_url, require_idempotency_key=True) as service:
        shop = Shop(service)
        await shop.open()
        assert_problem(await shop.ann.post("/orders", json={}), 400, "idempotency-key-missing")
        assert (await shop.ann.get("/orders")).json()["items"] == []
        assert (await shop.ann.post("/orders", json={}, headers=key("a"))).status_code == 201
        await shop.close()
