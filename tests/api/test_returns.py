"""Returns as people meet them: over HTTP, by their keys."""

import httpx
import pytest

from tests.api.shop import Shop, assert_problem


async def sold(shop: Shop) -> str:
    """Sell ann two mugs that arrive; return the order."""
    order = await shop.draft(quantity=2)
    for caller, event in ((shop.ann, "submit"), (shop.ann, "pay"), (shop.merchant, "fulfill"), (shop.ann, "complete")):
        body = {"method": "tok_approve"} if event == "pay" else {}
        answer = await caller.post(f"/orders/{order}/{event}", json=body)
        assert answer.is_success, answer.text
        await shop.service.settle()
    return order


async def requested(shop: Shop) -> str:
    """Let ann ask to send both back; return the return."""
    order = await sold(shop)
    assert (await shop.ann.post(f"/orders/{order}/request_return", json={"reason": "too big"})).status_code == 200
    (case,) = (await shop.ann.get("/returns", params={"q": order})).json()["items"]
    return str(case["id"])


async def received(shop: Shop) -> str:
    case = await requested(shop)
    for event in ("approve", "receive"):
        assert (await shop.merchant.post(f"/returns/{case}/{event}")).status_code == 200
    return case


async def inspect(caller: httpx.AsyncClient, case: str, *lines: dict[str, object]) -> httpx.Response:
    return await caller.post(f"/returns/{case}/inspect", json={"lines": lines})


async def test_a_return_is_seen_by_its_customer_and_the_shop_alone(shop: Shop) -> None:
    case = await requested(shop)
    for caller in (shop.ann, shop.merchant, shop.approver, shop.admin):
        seen = (await caller.get(f"/returns/{case}")).json()
        assert (seen["state"], seen["reason"], seen["requested_by"]) == ("requested", "too big", "ann")
        assert [(line["number"], line["quantity"]) for line in seen["lines"]] == [(1, 2)]
    assert_problem(await shop.ben.get(f"/returns/{case}"), 404, "not-found")
    assert (await shop.ben.get("/returns")).json()["items"] == []


@pytest.mark.parametrize("event", ["approve", "reject", "send_label", "receive", "inspect", "lose"])
async def test_only_the_shop_decides(shop: Shop, event: str) -> None:
    case = await requested(shop)
    for caller in (shop.ann, shop.approver, shop.admin):
        assert (await caller.post(f"/returns/{case}/{event}", json={})).status_code == 403


async def test_nobody_opens_a_return_beside_its_order(shop: Shop) -> None:
    assert (await shop.merchant.post("/returns", json={})).status_code in (404, 405)


async def test_a_result_that_does_not_add_up_is_refused_with_its_line(shop: Shop) -> None:
    case = await received(shop)
    problem = assert_problem(
        await inspect(shop.merchant, case, {"number": 1, "accepted": 1}), 409, "transition-refused"
    )
    assert problem["detail"] == "line 1: 2 pieces announced, 1 accounted for"
    problem = assert_problem(await inspect(shop.merchant, case, {"number": 1, "percent": 120}), 422, "invalid")
    assert "percent" in str(problem["errors"])


async def test_an_inspection_leads_to_the_money(shop: Shop) -> None:
    case = await received(shop)
    answer = await inspect(shop.merchant, case, {"number": 1, "accepted": 1, "damaged": 1, "percent": 50})
    assert answer.status_code == 200
    seen = (await shop.ann.get(f"/returns/{case}")).json()
    assert (seen["state"], seen["refund_amount"], seen["inspected_by"]) == ("refunding", 1875, "shop")
    (refund,) = (await shop.ann.get("/refunds")).json()["items"]
    assert (refund["return_case"], refund["amount"]) == (case, 1875)


async def test_what_can_be_done_is_told_with_reasons(shop: Shop) -> None:
    case = await received(shop)
    told = (await shop.merchant.get(f"/returns/{case}/events")).json()["events"]
    (inspection,) = [each for each in told if each["event"] == "inspect"]
    assert (inspection["allowed"], "accounts_for_every_piece" in inspection["depends_on_payload"]) == (True, True)
