"""Subscriptions over HTTP: made, tried and looked after by merchants, seen by admins."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from statemachines.subscription import OVERLAP
from tests.api.shop import Shop, assert_problem
from tests.engine.receivers import ALLOWING, DOWN, OK, Receiver, receiving

URL = "https://erp.example/hook?key=s3cret"


@pytest.fixture
async def open_to_all(open_shop) -> AsyncIterator[Shop]:
    """A shop that may speak to this machine."""
    async with open_shop(subscription=ALLOWING) as shop:
        yield shop


@pytest.fixture
async def erp() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def secret(shop: Shop, subscription: str) -> dict[str, object]:
    answer = await shop.merchant.get(f"/subscriptions/{subscription}/secret")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


async def test_a_subscription_is_made_and_seen(shop: Shop) -> None:
    made = await shop.merchant.post("/subscriptions", json={"url": URL, "patterns": ["order.*"], "description": "ERP"})
    assert made.status_code == 201
    row = made.json()
    assert (row["state"], row["url"], row["patterns"], row["description"]) == ("active", URL, ["order.*"], "ERP")
    seen = await shop.admin.get(f"/subscriptions/{row['id']}")
    assert seen.json() == row
    listed = await shop.admin.get("/subscriptions")
    assert [each["id"] for each in listed.json()["items"]] == [row["id"]]
    assert_problem(await shop.ann.get("/subscriptions"), 403, "forbidden")
    assert_problem(await shop.admin.post("/subscriptions", json={"url": URL}), 403, "forbidden")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"url": "http://erp.example"}, 409),
        ({"url": "https://127.0.0.1"}, 409),
        ({"url": URL, "patterns": ["order.payed"]}, 409),
        ({"url": "https://user:password@erp.example"}, 422),
        ({"url": URL, "patterns": []}, 422),
        ({"url": URL, "patterns": ["order"]}, 422),
        ({"patterns": ["*"]}, 422),
    ],
)
async def test_what_cannot_be_subscribed_is_refused_with_the_reason(shop: Shop, body, status) -> None:
    code = {409: "transition-refused", 422: "invalid"}[status]
    problem = assert_problem(await shop.merchant.post("/subscriptions", json=body), status, code)
    assert "password" not in problem["detail"]


async def test_the_secret_is_for_merchants_and_for_nobody_else(shop: Shop) -> None:
    subscription = await shop.subscribed()
    assert str((await secret(shop, subscription))["secret"]).startswith("whsec_")
    for caller in (shop.admin, shop.approver, shop.ann):
        assert_problem(await caller.get(f"/subscriptions/{subscription}/secret"), 403, "forbidden")
    assert_problem(await shop.merchant.get("/subscriptions/absent/secret"), 404, "not-found")


async def test_the_secret_stands_nowhere_but_there(shop: Shop) -> None:
    subscription = await shop.subscribed()
    known = str((await secret(shop, subscription))["secret"]).removeprefix("whsec_")
    for path in ("", "/history", "/events"):
        assert known not in (await shop.merchant.get(f"/subscriptions/{subscription}{path}")).text
    assert known not in (await shop.merchant.get("/events")).text


async def test_both_secrets_are_shown_for_a_day_after_a_rotation(shop: Shop) -> None:
    subscription = await shop.subscribed()
    first = await secret(shop, subscription)
    assert (first["generation"], first["previous"], first["previous_until"]) == (1, None, None)
    assert (await shop.merchant.post(f"/subscriptions/{subscription}/rotate_secret")).status_code == 200
    both = await secret(shop, subscription)
    assert (both["generation"], both["previous"]) == (2, first["secret"])
    assert both["secret"] != first["secret"]
    await shop.service.advance(OVERLAP)
    assert await secret(shop, subscription) == {**both, "previous": None, "previous_until": None}


async def test_deliveries_are_signed_with_the_secret_that_is_shown(open_to_all: Shop, erp: Receiver) -> None:
    shop = open_to_all
    subscription = await shop.subscribed(erp.url, "order.create")
    await shop.draft()
    await shop.service.settle()
    (asked,) = erp.peer.asked
    webhook = Webhook(str((await secret(shop, subscription))["secret"]))
    signature = webhook.sign(asked.headers["webhook-id"], shop.service.clock.now(), asked.body.decode())
    assert asked.headers["webhook-signature"] == signature


async def test_the_log_tells_every_attempt_newest_first(open_to_all: Shop, erp: Receiver) -> None:
    shop = open_to_all
    erp.says = lambda event: DOWN
    subscription = await shop.subscribed(erp.url, "order.create")
    order = await shop.draft()
    await shop.service.advance(timedelta(seconds=4))
    erp.says = lambda event: OK
    await shop.service.advance(timedelta(seconds=10))
    log = f"/subscriptions/{subscription}/deliveries"
    page = (await shop.admin.get(log)).json()
    shown = [(item["outcome"], item["status"], item["error"], item["attempt"]) for item in page["items"]]
    assert shown == [("delivered", 200, None, 2), ("failed", 503, "answered 503", 1)]
    assert {item["entity_id"] for item in page["items"]} == {order}
    figures = (await shop.admin.get("/metrics")).text
    assert all(f'orderly_deliveries_total{{outcome="{outcome}"}}' in figures for outcome in ("delivered", "failed"))
    assert len({item["event_id"] for item in page["items"]}) == 1
    failed = (await shop.merchant.get(log, params={"outcome": "failed"})).json()["items"]
    assert failed == page["items"][1:]
    first = (await shop.merchant.get(log, params={"limit": 1})).json()
    rest = (await shop.merchant.get(log, params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert first["items"] + rest["items"] == page["items"]
    assert rest["next_cursor"] is None


async def test_the_log_refuses_what_it_does_not_know(shop: Shop) -> None:
    log = f"/subscriptions/{await shop.subscribed()}/deliveries"
    assert_problem(await shop.merchant.get(log, params={"outcome": "lost"}), 422, "invalid")
    assert_problem(await shop.merchant.get(log, params={"cursor": "x"}), 400, "malformed")
    assert_problem(await shop.merchant.get("/subscriptions/absent/deliveries"), 404, "not-found")
    assert_problem(await shop.ann.get(log), 403, "forbidden")


async def test_a_ping_shows_in_the_log_whether_the_address_works(open_to_all: Shop, erp: Receiver) -> None:
    shop = open_to_all
    subscription = await shop.subscribed(erp.url, "order.create")
    assert (await shop.merchant.post(f"/subscriptions/{subscription}/ping")).status_code == 200
    await shop.service.settle()
    (item,) = (await shop.merchant.get(f"/subscriptions/{subscription}/deliveries")).json()["items"]
    assert (item["event"], item["outcome"]) == ("ping", "delivered")


async def test_a_redelivery_that_is_asked_for_twice_under_one_key_happens_once(
    open_to_all: Shop, erp: Receiver
) -> None:
    shop = open_to_all
    subscription = await shop.subscribed(erp.url, "order.create")
    await shop.draft()
    await shop.service.settle()
    for _ in range(2):
        answer = await shop.merchant.post(
            f"/subscriptions/{subscription}/redeliver",
            json={"event_id": erp.took[0]["id"]},
            headers={"Idempotency-Key": "again"},
        )
        assert answer.status_code == 200
    await shop.service.settle()
    assert erp.took == [erp.took[0]] * 2


async def test_what_is_too_far_back_is_not_redelivered(shop: Shop) -> None:
    path = f"/subscriptions/{await shop.subscribed()}/redeliver_since"
    answer = await shop.merchant.post(path, json={"since": "2020-01-01T00:00:00Z"})
    assert assert_problem(answer, 409, "transition-refused")["detail"] == "lies more than 30 days back"
    assert_problem(await shop.merchant.post(path, json={"since": "2020-01-01T00:00:00"}), 422, "invalid")
