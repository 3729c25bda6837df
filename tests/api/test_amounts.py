"""Amounts as people meet them over HTTP: what is none is refused clearly, and sums are exact in every currency."""

import httpx
import pytest

from tests.api.shop import Shop, assert_problem

NO_AMOUNTS = [0, -1, 10**12 + 1, 2**63, 2**64, 10**30, 1.5, 100.0, "100", True]


async def sells(shop: Shop, currency: str, price: int = 1000) -> str:
    sku = f"THING-{currency}"
    product = {"sku": sku, "name": "Thing", "price": price, "currency": currency, "on_hand": 10}
    (await shop.merchant.post("/products", json=product)).raise_for_status()
    return sku


async def pending(shop: Shop, sku: str, **asked: object) -> str:
    """Have three pieces of it ordered."""
    basket = {"customer": "ann", "lines": [{"sku": sku, "quantity": 3}], **asked}
    order = str((await shop.merchant.post("/orders", json=basket)).raise_for_status().json()["id"])
    (await shop.ann.post(f"/orders/{order}/submit")).raise_for_status()
    return order


async def pay(shop: Shop, order: str, amount: object) -> httpx.Response:
    return await shop.ann.post(f"/orders/{order}/pay", json={"method": "tok_approve", "amount": amount})


@pytest.mark.parametrize("amount", NO_AMOUNTS)
async def test_a_payment_is_a_positive_whole_number_of_minor_units(shop: Shop, amount: object) -> None:
    order = await pending(shop, await sells(shop, "EUR"))
    assert "amount" in str(assert_problem(await pay(shop, order, amount), 422, "invalid"))
    assert (await shop.ann.get(f"/orders/{order}")).json()["state"] == "pending"


@pytest.mark.parametrize("price", [-1, 10**12 + 1, 2**63, 2**64, 1.5, "100"])
async def test_a_price_is_a_whole_number_of_minor_units(shop: Shop, price: object) -> None:
    product = {"sku": "THING", "name": "Thing", "price": price, "currency": "EUR"}
    assert "price" in str(assert_problem(await shop.merchant.post("/products", json=product), 422, "invalid"))


async def test_an_order_is_in_one_currency(shop: Shop) -> None:
    lines = [{"sku": await sells(shop, currency), "quantity": 1} for currency in ("EUR", "JPY")]
    problem = assert_problem(await shop.ann.post("/orders", json={"lines": lines}), 409, "transition-refused")
    assert problem["detail"] == "the products are priced in different currencies: EUR, JPY"


async def test_a_total_stays_far_below_64_bits(shop: Shop) -> None:
    lines = [{"sku": await sells(shop, "EUR", price=10**12), "quantity": 10**6}]
    problem = assert_problem(await shop.ann.post("/orders", json={"lines": lines}), 409, "transition-refused")
    assert problem["detail"].startswith("the total ")


@pytest.mark.parametrize(("currency", "shown"), [("EUR", "30.01 EUR"), ("JPY", "3001 JPY"), ("BHD", "3.001 BHD")])
async def test_nobody_pays_more_than_is_to_be_paid(shop: Shop, currency: str, shown: str) -> None:
    order = await pending(shop, await sells(shop, currency))
    problem = assert_problem(await pay(shop, order, 3001), 409, "transition-refused")
    assert problem["detail"].startswith(shown)


@pytest.mark.parametrize("currency", ["EUR", "JPY", "BHD"])
async def test_what_is_paid_in_parts_and_given_back_piece_by_piece_sums_to_the_whole(shop: Shop, currency: str) -> None:
    order = await pending(shop, await sells(shop, currency), discount=1)
    for amount in (1, 1000, None):
        (await pay(shop, order, amount)).raise_for_status()
        await shop.service.settle()
    (await shop.merchant.post(f"/orders/{order}/fulfill")).raise_for_status()
    (await shop.ann.post(f"/orders/{order}/complete")).raise_for_status()
    for _ in range(3):
        back = await shop.merchant.post(f"/orders/{order}/return", json={"lines": [{"number": 1, "quantity": 1}]})
        back.raise_for_status()
        await shop.service.settle()
    row = (await shop.ann.get(f"/orders/{order}")).json()
    assert (row["currency"], row["total"], row["paid"], row["refunded"]) == (currency, 2999, 2999, 2999)
    refunds = (await shop.merchant.get("/refunds", params={"q": order})).json()["items"]
    assert {each["currency"] for each in refunds} == {currency}
    assert sum(each["amount"] for each in refunds) == 2999
