"""Refunds as people meet them: over HTTP, by their keys."""

import httpx
import pytest

from statemachines.declaration import Role
from tests.api.shop import Shop, assert_problem


async def paid(shop: Shop, *, price: int = 1250, currency: str = "EUR") -> str:
    """Have an order of one piece paid."""
    sku = f"THING-{price}-{currency}"
    product = {"sku": sku, "name": "Thing", "price": price, "currency": currency, "on_hand": 10}
    (await shop.merchant.post("/products", json=product)).raise_for_status()
    order = await shop.draft(sku=sku)
    for event, body in (("submit", {}), ("pay", {"method": "tok_approve"})):
        (await shop.ann.post(f"/orders/{order}/{event}", json=body)).raise_for_status()
    await shop.service.settle()
    return order


async def ask(caller: httpx.AsyncClient, order: str, **asked: object) -> httpx.Response:
    return await caller.post(f"/orders/{order}/refund", json=asked)


async def test_a_customer_sees_its_refund_and_others_do_not(shop: Shop) -> None:
    order = await paid(shop)
    (await ask(shop.ann, order, amount=100, reason="a scratch")).raise_for_status()
    (refund,) = await shop.children(order, "refunds")
    for caller in (shop.ann, shop.merchant, shop.approver, shop.admin):
        seen = (await caller.get(f"/refunds/{refund}")).json()
        assert (seen["state"], seen["amount"], seen["reason"]) == ("requested", 100, "a scratch")
    assert_problem(await shop.ben.get(f"/refunds/{refund}"), 404, "not-found")
    assert_problem(await shop.ben.post(f"/refunds/{refund}/cancel"), 404, "not-found")
    assert (await shop.ben.get("/refunds")).json()["items"] == []


@pytest.mark.parametrize("event", ["accept", "refuse", "retry", "settle", "clarify", "explain"])
async def test_only_the_shop_decides(shop: Shop, event: str) -> None:
    order = await paid(shop)
    (await ask(shop.ann, order, amount=100)).raise_for_status()
    (refund,) = await shop.children(order, "refunds")
    for caller in (shop.ann, shop.approver, shop.admin):
        body = {"reason": "so be it", "given": True} if event == "clarify" else {"reason": "so be it"}
        answer = await caller.post(f"/refunds/{refund}/{event}", json={} if event in ("accept", "retry") else body)
        assert_problem(answer, 403, "forbidden")


async def test_nobody_accepts_their_own_refund_with_another_key(shop: Shop) -> None:
    order = await paid(shop)
    (await ask(shop.ann, order, amount=100)).raise_for_status()
    (refund,) = await shop.children(order, "refunds")
    second_key = await shop.caller(await shop.key("ann", Role.MERCHANT))
    problem = assert_problem(await second_key.post(f"/refunds/{refund}/accept"), 409, "transition-refused")
    assert problem["detail"] == "'ann' asked for this; nobody accepts their own refund"


async def test_nobody_makes_a_refund_without_its_order(shop: Shop) -> None:
    for caller in (shop.ann, shop.merchant, shop.admin):
        assert (await caller.post("/refunds", json={})).status_code in (403, 404, 405)


@pytest.mark.parametrize("amount", [0, -1, 10**12 + 1, 2**63, 2**64, 1.5, 100.0, "100", True])
async def test_an_amount_is_a_positive_whole_number_of_minor_units(shop: Shop, amount: object) -> None:
    problem = assert_problem(await ask(shop.merchant, await paid(shop), amount=amount), 422, "invalid")
    assert "amount" in str(problem)


@pytest.mark.parametrize(
    ("price", "currency", "shown"),
    [(1250, "EUR", "12.51 EUR"), (1250, "JPY", "1251 JPY"), (1250, "BHD", "1.251 BHD")],
)
async def test_no_more_is_given_back_than_was_paid_in_any_currency(
    shop: Shop, price: int, currency: str, shown: str
) -> None:
    order = await paid(shop, price=price, currency=currency)
    problem = assert_problem(await ask(shop.merchant, order, amount=price + 1), 409, "transition-refused")
    assert problem["detail"].startswith(f"{shown} asked back")
    (await ask(shop.merchant, order)).raise_for_status()
    await shop.service.settle()
    (refund,) = await shop.children(order, "refunds")
    given = (await shop.ann.get(f"/refunds/{refund}")).json()
    assert (given["state"], given["amount"], given["currency"]) == ("succeeded", price, currency)


async def test_a_refund_asks_for_an_amount_or_for_lines(shop: Shop) -> None:
    order = await paid(shop)
    both = await ask(shop.merchant, order, amount=100, lines=[{"number": 1, "quantity": 1}])
    assert assert_problem(both, 409, "transition-refused")["detail"] == "give either an amount or lines"
    strange = await ask(shop.merchant, order, lines=[{"number": 7, "quantity": 1}])
    assert assert_problem(strange, 409, "transition-refused")["detail"] == "the order has no line 7"
