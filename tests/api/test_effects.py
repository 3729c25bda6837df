"""Outbound calls as staff see them, and what an admin does about those that wait."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import insert

from persistence.tables import TABLES, EffectRow
from persistence.waiting import FAILURES_LIMIT
from statemachines.messages import SEND_MAIL
from statemachines.payments import CHARGE
from tests.api.shop import Shop, assert_problem
from tests.conftest import NOON

REPAIRED = {"reason": "their server is repaired"}


async def bought(shop: Shop, email: str | None = None, method: str = "tok_approve", sku: str = "MUG") -> str:
    """Buy a piece; an address that begins with nobody@ refuses its mail, tok_timeout is never answered."""
    basket = {"lines": [{"sku": sku, "quantity": 1}], "email": email}
    order = str((await shop.ann.post("/orders", json=basket)).raise_for_status().json()["id"])
    (await shop.ann.post(f"/orders/{order}/submit")).raise_for_status()
    (await shop.pay(order, method)).raise_for_status()
    await shop.service.settle()
    return order


async def unanswered(shop: Shop) -> tuple[str, str]:
    """Return an order whose payment was given up, and the effect."""
    order = await bought(shop, method="tok_timeout")
    await shop.service.advance(CHARGE.retry.within)
    return order, await effect_of(shop, order, CHARGE.name)


async def undeliverable(shop: Shop) -> tuple[str, str]:
    """Return an order whose confirmation could not be mailed, and the effect."""
    order = await bought(shop, "nobody@shop.example")
    return order, await effect_of(shop, order, SEND_MAIL.name)


async def effect_of(shop: Shop, order: str, name: str) -> str:
    machine, entity = "order", order
    if name == CHARGE.name:
        machine, (entity,) = "payment", await shop.children(order, "payments")
    (found,) = await listed(shop, f"?machine={machine}&entity={entity}&name={name}")
    return str(found["id"])


async def listed(shop: Shop, query: str = "", by: httpx.AsyncClient | None = None) -> list[dict[str, Any]]:
    answer = await (by or shop.merchant).get(f"/effects{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def shown(shop: Shop, effect: str) -> dict[str, Any]:
    return dict((await shop.admin.get(f"/effects/{effect}")).raise_for_status().json())


async def last_of_history(shop: Shop, entity: str, kind: str = "orders") -> dict[str, Any]:
    return dict((await shop.admin.get(f"/{kind}/{entity}/history")).json()["items"][-1])


# -- seeing -------------------------------------------------------------------------------------------------------


async def test_the_newest_come_first_and_those_that_wait_for_a_person_the_oldest(any_shop: Shop) -> None:
    orders = [await bought(any_shop, "nobody@shop.example")]
    any_shop.service.clock.advance(timedelta(seconds=1))
    orders.append(await bought(any_shop, "nobody@shop.example"))
    newest = await listed(any_shop)
    payments = [(await any_shop.children(order, "payments"))[0] for order in orders]
    assert [{each["entity_id"] for each in pair} for pair in (newest[:2], newest[2:])] == [
        {orders[1], payments[1]},
        {orders[0], payments[0]},
    ]
    assert {each["name"] for each in newest} == {CHARGE.name, SEND_MAIL.name}
    assert [each["entity_id"] for each in await listed(any_shop, "?status=parked")] == orders
    assert [each["entity_id"] for each in await listed(any_shop, "?status=done")] == payments[::-1]


async def test_they_are_chosen_by_destination_name_and_order(any_shop: Shop) -> None:
    (_, charge), (order, mail) = await unanswered(any_shop), await undeliverable(any_shop)
    for query, found in {
        "?status=parked": [charge, mail],
        "?status=parked&destination=payments": [charge],
        "?status=parked&name=mail.send": [mail],
        "?status=parked&destination=payments&name=mail.send": [],
        "?status=cancelled&destination=payments": [],
        f"?machine=order&entity={order}&status=parked": [mail],
        f"?machine=order&entity={order}&destination=mail": [mail],
        f"?machine=product&entity={order}": [],
    }.items():
        assert [each["id"] for each in await listed(any_shop, query)] == found, query


@pytest.mark.parametrize("query", ["?limit=2", "?limit=2&status=parked", "?limit=2&status=done"])
async def test_pages_neither_repeat_nor_skip(any_shop: Shop, query: str) -> None:
    for _ in range(3):
        await bought(any_shop, "nobody@shop.example")
    everything = [each["id"] for each in await listed(any_shop, query.replace("limit=2", "limit=50"))]
    seen, cursor = [], ""
    while cursor is not None:
        page = (await any_shop.merchant.get(f"/effects{query}{cursor and f'&cursor={cursor}'}")).json()
        seen += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert seen == everything
    assert len(seen) >= 3


@pytest.mark.parametrize(
    ("query", "field", "reason"),
    [
        ("?status=lost", "status", "one of pending, running, done, parked, cancelled"),
        ("?name=mail.send", "name", "needs 'entity', or a 'status' of pending, running, parked, cancelled"),
        ("?destination=mail&status=done", "destination", "needs 'entity', or a 'status' of pending"),
        ("?machine=order", "machine", "needs 'entity'"),
        ("?entity=ord_1", "entity", "needs 'machine'"),
        ("?machine=parcel&entity=1", "machine", "there is no machine 'parcel'"),
        ("?state=parked", "state", "no such parameter"),
    ],
)
async def test_a_question_without_an_index_is_refused(shop: Shop, query: str, field: str, reason: str) -> None:
    problem = assert_problem(await shop.merchant.get(f"/effects{query}"), 422, "invalid")
    assert problem["errors"][0]["field"] == field
    assert problem["errors"][0]["reason"].startswith(reason)


async def test_a_forged_cursor_is_refused(shop: Shop) -> None:
    assert_problem(await shop.merchant.get("/effects?cursor=WzFd"), 400, "malformed")


async def test_one_is_shown_with_what_was_asked_and_how_attempts_failed_but_without_the_token(any_shop: Shop) -> None:
    _, charge = await unanswered(any_shop)
    detail = await shown(any_shop, charge)
    assert detail["status"] == "parked"
    assert detail["attempts"] > len(detail["failures"]) == FAILURES_LIMIT
    assert {each["error"] for each in detail["failures"]} == {"the sandbox does not answer"}
    begins = [each["began_at"] for each in detail["failures"]]
    assert begins == sorted(begins, reverse=True)
    assert detail["arguments"]["amount"] == 1250
    assert (detail["hidden"], detail["editable"]) == (["method"], [])
    assert "tok_timeout" not in str(detail)


async def test_an_argument_that_may_have_to_be_put_right_is_shown(shop: Shop) -> None:
    _, mail = await undeliverable(shop)
    detail = await shown(shop, mail)
    assert detail["arguments"]["to"] == "nobody@shop.example"
    assert (detail["hidden"], detail["editable"]) == ([], ["to", "reply_to"])
    assert detail["error"] == "550 no such mailbox"


async def test_effects_of_machines_that_a_role_may_not_read_are_as_absent(any_shop: Shop) -> None:
    row = {"id": "eff_1", "machine": "subscription", "entity_id": "whs_1", "name": "mail.send", "destination": "mail"}
    row |= {"arguments": {}, "status": "parked", "attempts": 1, "token": 1, "lost": 0, "cause": "evt_1"}
    row |= dict.fromkeys(("due_at", "created_at", "retrying_since"), NOON)
    await any_shop.service.database.write(lambda connection: connection.execute(insert(TABLES[EffectRow]), [row]))
    assert [each["id"] for each in await listed(any_shop)] == ["eff_1"]
    assert await listed(any_shop, by=any_shop.approver) == []
    assert_problem(await any_shop.approver.get("/effects/eff_1"), 404, "not-found")
    assert_problem(await any_shop.approver.get("/effects?machine=subscription&entity=whs_1"), 422, "invalid")


# -- stepping in --------------------------------------------------------------------------------------------------


async def test_a_retry_stands_in_the_payments_history_with_who_and_why(any_shop: Shop) -> None:
    order, charge = await unanswered(any_shop)
    answer = await any_shop.admin.post(f"/effects/{charge}/retry", json=REPAIRED)
    assert (answer.status_code, answer.json()["status"], answer.json()["attempts"]) == (200, "pending", 0)
    (payment,) = await any_shop.children(order, "payments")
    entry = await last_of_history(any_shop, payment, "payments")
    assert (entry["event"], entry["actor"], entry["reason"]) == ("retry_effect", "admin:root", REPAIRED["reason"])
    assert entry["payload"]["effect"] == charge
    assert entry["cause"] == answer.headers["x-request-id"]
    assert answer.headers["etag"] == f'"v{entry["version"]}"'
    await any_shop.service.settle()
    assert (await shown(any_shop, charge))["attempts"] == 1


async def test_a_mail_whose_address_is_put_right_arrives(any_shop: Shop) -> None:
    order, mail = await undeliverable(any_shop)
    asked = {"reason": "a slip of the pen", "arguments": {"to": "ann@shop.example"}}
    (await any_shop.admin.post(f"/effects/{mail}/retry", json=asked)).raise_for_status()
    await any_shop.service.settle()
    (sent,) = any_shop.service.outside.mail.sent
    assert sent["To"] == "ann@shop.example"
    assert (await shown(any_shop, mail))["status"] == "done"
    assert (await last_of_history(any_shop, order))["payload"]["arguments"] == asked["arguments"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"message": {}}, "message of mail.send can't be edited"),
        ({"colour": "red"}, "colour of mail.send can't be edited"),
        ({"to": "no address"}, "to: String should match"),
        ({"to": 7}, "to: Input should be a valid string"),
    ],
)
async def test_what_may_not_be_edited_or_makes_no_sense_is_refused(
    shop: Shop, arguments: dict[str, Any], reason: str
) -> None:
    order, mail = await undeliverable(shop)
    before = await last_of_history(shop, order)
    answer = await shop.admin.post(f"/effects/{mail}/retry", json={**REPAIRED, "arguments": arguments})
    assert assert_problem(answer, 409, "transition-refused")["detail"].startswith(reason)
    assert (await shown(shop, mail))["status"] == "parked"
    assert await last_of_history(shop, order) == before


async def test_a_cancelled_one_is_given_up_for_good(any_shop: Shop) -> None:
    order, mail = await undeliverable(any_shop)
    answer = await any_shop.admin.post(f"/effects/{mail}/cancel", json={"reason": "told by telephone"})
    assert (answer.json()["status"], answer.json()["error"]) == ("cancelled", "told by telephone")
    entry = await last_of_history(any_shop, order)
    assert (entry["event"], entry["actor"], entry["reason"]) == ("cancel_effect", "admin:root", "told by telephone")
    again = await any_shop.admin.post(f"/effects/{mail}/retry", json=REPAIRED)
    assert assert_problem(again, 409, "transition-refused")["detail"] == "the effect is cancelled"


async def test_one_that_is_done_is_left_alone(shop: Shop) -> None:
    charge = await effect_of(shop, await bought(shop), CHARGE.name)
    for deed in ("retry", "cancel"):
        answer = await shop.admin.post(f"/effects/{charge}/{deed}", json=REPAIRED)
        assert assert_problem(answer, 409, "transition-refused")["detail"] == "the effect is done"


async def test_a_repeated_request_steps_in_once(any_shop: Shop) -> None:
    order, mail = await undeliverable(any_shop)
    key = {"Idempotency-Key": "a-1"}
    first = await any_shop.admin.post(f"/effects/{mail}/retry", json=REPAIRED, headers=key)
    await any_shop.service.settle()
    again = await any_shop.admin.post(f"/effects/{mail}/retry", json=REPAIRED, headers=key)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert again.headers["etag"] == first.headers["etag"]
    assert (await last_of_history(any_shop, order))["version"] == int(first.headers["etag"].strip('"v'))
    other = await any_shop.admin.post(f"/effects/{mail}/cancel", json=REPAIRED, headers=key)
    assert_problem(other, 422, "idempotency-key-reused")


@pytest.mark.parametrize(
    "body",
    [{}, {"reason": ""}, {"reason": "x" * 501}, {"reason": "x", "colour": "red"}, {"reason": "x", "arguments": 7}],
)
async def test_a_retry_without_a_proper_reason_is_refused(shop: Shop, body: dict[str, Any]) -> None:
    _, mail = await undeliverable(shop)
    assert_problem(await shop.admin.post(f"/effects/{mail}/retry", json=body), 422, "invalid")


async def test_there_is_nothing_to_do_about_what_is_not_there(shop: Shop) -> None:
    for deed in ("retry", "cancel"):
        assert_problem(await shop.admin.post(f"/effects/eff_none/{deed}", json=REPAIRED), 404, "not-found")


# -- destinations -------------------------------------------------------------------------------------------------


async def circuits(shop: Shop) -> dict[str, Any]:
    answer = (await shop.merchant.get("/destinations")).json()
    return {each["name"]: each for each in answer["destinations"]}


async def test_a_gateway_that_is_down_is_seen(shop: Shop) -> None:
    assert (await circuits(shop))["mail"]["circuit"] == "closed"
    await shop.sells("POT", on_hand=20)
    for _ in range(20):
        await bought(shop, "silent@shop.example", sku="POT")
    down = (await circuits(shop))["mail"]
    assert (down["circuit"], down["calls"], down["effects"]) == ("open", 0, ["mail.send"])
    assert down["reopens_at"] > shop.service.clock.now().isoformat()
    assert (await circuits(shop))["payments"]["circuit"] == "closed"
    figures = (await shop.admin.get("/metrics")).text
    assert 'orderly_circuits_open{destination="mail"} 1.0' in figures
    assert 'orderly_circuits_open{destination="payments"} 0.0' in figures


async def test_a_gateways_limits_are_seen(open_shop: Any) -> None:
    async with open_shop(destinations={"payments": {"concurrency": 3, "per_second": 2.5}}) as shop:
        assert (await circuits(shop))["payments"]["limits"] == {"concurrency": 3, "per_second": 2.5}
        assert (await circuits(shop))["mail"]["limits"] == {"concurrency": 10, "per_second": 0}
