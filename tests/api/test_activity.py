"""Customers' activity over HTTP: who tells of whom, what is answered, what the page shows."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from statemachines.activity import activity_id
from tests.api.conftest import OpenShop
from tests.api.shop import Shop, assert_problem

PAGE = Path(__file__).parents[2] / "docs" / "activity.md"
ANNS = f"/activities/{activity_id('ann')}"
REFUSED = "transition-refused"


async def test_the_program_in_the_docs_runs(any_shop: Shop) -> None:
    names: dict[str, Any] = {}
    for program in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(compile(program, PAGE.name, "exec"), names)
    activity = await names["ann_visits"](any_shop.ann, any_shop.merchant)
    await any_shop.service.advance(timedelta(hours=1))
    await names["an_hour_later"](any_shop.ann, any_shop.merchant, activity)


async def test_the_page_names_every_state_and_only_those(shop: Shop) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert rows == list(shop.service.registry["activity"].states)


async def test_tracking_is_safe_to_repeat(shop: Shop) -> None:
    first = await shop.merchant.post("/activities", json={"customer": "ann"})
    again = await shop.ann.post("/activities", json={"customer": "ann", "email": "ann@home.example"})
    assert [answer.status_code for answer in (first, again)] == [201, 201]
    assert {answer.headers["Location"] for answer in (first, again)} == {ANNS}
    assert (again.json()["version"], again.json()["email"]) == (2, "ann@home.example")


async def test_a_customer_tells_of_itself_and_the_shop_of_anybody(shop: Shop) -> None:
    answer = await shop.ann.post("/activities", json={"customer": "ben"})
    problem = assert_problem(answer, 409, REFUSED)
    assert problem["detail"] == "a customer's activity is kept for itself only"
    await shop.tracked()
    assert (await shop.merchant.post(f"{ANNS}/cart_add", json={"sku": "MUG"})).json()["state"] == "basket_filled"
    assert_problem(await shop.ben.post(f"{ANNS}/cart_add", json={"sku": "MUG"}), 404, "not-found")
    assert_problem(await shop.approver.get(ANNS), 403, "forbidden")
    assert_problem(await shop.ann.post(f"{ANNS}/ordered"), 403, "forbidden")


async def test_customers_list_their_own_and_the_shop_finds_left_baskets(shop: Shop) -> None:
    await shop.tracked()
    await shop.ann.post(f"{ANNS}/cart_add", json={"sku": "MUG"})
    for caller, seen in ((shop.ann, ["ann"]), (shop.ben, []), (shop.merchant, ["ann"])):
        page = (await caller.get("/activities?state=basket_filled")).json()
        assert [item["customer"] for item in page["items"]] == seen
    assert (await shop.merchant.get("/activities/counts")).json()["basket_filled"] == 1


async def test_what_makes_no_sense_is_refused_in_words(shop: Shop) -> None:
    await shop.tracked()
    unknown = assert_problem(await shop.ann.post(f"{ANNS}/product_view", json={"sku": "VASE"}), 409, REFUSED)
    assert unknown["detail"] == "not in the catalogue: VASE"
    none = await shop.ann.post(f"{ANNS}/cart_add", json={"sku": "MUG", "quantity": 0})
    assert_problem(none, 422, "invalid")
    empty = assert_problem(await shop.ann.post(f"{ANNS}/cart_remove"), 409, REFUSED)
    assert empty["detail"] == "the basket is empty"


async def test_who_opted_out_is_left_alone_by_the_shop(shop: Shop) -> None:
    await shop.tracked()
    assert (await shop.merchant.post(f"{ANNS}/stop")).json()["state"] == "opted_out"
    problem = assert_problem(await shop.merchant.post("/activities", json={"customer": "ann"}), 409, REFUSED)
    assert problem["detail"] == "the customer does not want to be tracked"
    assert_problem(await shop.merchant.post(f"{ANNS}/resume"), 403, "forbidden")
    assert (await shop.ann.post(f"{ANNS}/resume")).json()["state"] == "quiet"


async def test_the_figures_are_the_shops_to_choose(open_shop: OpenShop) -> None:
    async with open_shop(activity={"reward_products": 1, "reward_code": "SPRING-26", "views": 1}) as shop:
        await shop.tracked()
        assert (await shop.ann.post(f"{ANNS}/product_view", json={"sku": "MUG"})).json()["state"] == "interested"
        rewarded = (await shop.ann.post(f"{ANNS}/cart_add", json={"sku": "MUG"})).json()
        assert (rewarded["rewards"], rewarded["reward_code"]) == (1, "SPRING-26")
