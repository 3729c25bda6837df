"""What will happen by itself, as staff see it, and what an admin does about it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from persistence.tables import TABLES, TimerRow
from tests.api.shop import Shop, assert_problem
from tests.conftest import NOON

CALLED = {"reason": "the customer called"}


async def listed(shop: Shop, query: str = "", by: str = "merchant") -> list[dict[str, Any]]:
    answer = await getattr(shop, by).get(f"/timers{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def state(shop: Shop, order: str) -> str:
    return str((await shop.admin.get(f"/orders/{order}")).json()["state"])


async def last_of_history(shop: Shop, order: str) -> dict[str, Any]:
    return dict((await shop.admin.get(f"/orders/{order}/history")).json()["items"][-1])


# -- seeing -------------------------------------------------------------------------------------------------------


async def test_the_next_due_come_first_and_can_be_chosen(any_shop: Shop) -> None:
    draft = await any_shop.draft()
    any_shop.service.clock.advance(timedelta(minutes=1))
    pending = await any_shop.pending()
    first, *_, second = [each for each in await listed(any_shop) if each["machine"] == "order"]
    assert (first["machine"], first["entity_id"], first["name"], first["event"]) == (
        "order",
        pending,
        "expire",
        "expire",
    )
    assert first["due_at"] == "2026-01-05T12:31:00Z"
    assert (second["entity_id"], second["name"]) == (draft, "abandon")
    assert (await listed(any_shop, f"?machine=order&entity={draft}"))[-1] == second
    assert await listed(any_shop, "?due_before=2026-01-05T12:31:00Z") == []
    assert await listed(any_shop, "?due_before=2026-01-05T14:31:01%2B02:00") == [first]
    assert await listed(any_shop, f"?machine=order&entity={draft}&due_before=2026-01-05T13:00:00Z") == []


async def test_pages_neither_repeat_nor_skip_timers_that_fall_due_together(any_shop: Shop) -> None:
    orders = [await any_shop.draft() for _ in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        page = (await any_shop.merchant.get(f"/timers?limit=2{cursor and f'&cursor={cursor}'}")).json()
        seen += [(each["name"], each["entity_id"]) for each in page["items"]]
        cursor = page["next_cursor"]
    names = ("remind_of_basket", "remind_of_basket_again", "abandon")
    assert seen == [(name, each) for name in names for each in sorted(orders)]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("?machine=order", 422, "invalid"),
        ("?entity=ord_1", 422, "invalid"),
        ("?machine=parcel&entity=1", 422, "invalid"),
        ("?due_before=tomorrow", 422, "invalid"),
        ("?name=expire", 422, "invalid"),
        ("?cursor=WzFd", 400, "malformed"),
    ],
)
async def test_a_question_that_can_not_be_answered_is_refused(shop: Shop, query: str, status: int, code: str) -> None:
    assert_problem(await shop.merchant.get(f"/timers{query}"), status, code)


async def test_timers_of_machines_that_a_role_may_not_read_are_as_absent(any_shop: Shop) -> None:
    row = {"machine": "subscription", "entity_id": "whs_1", "name": "x", "event": "x", "due_at": NOON, "cause": "evt_1"}
    row["fired"] = 0
    await any_shop.service.database.write(lambda connection: connection.execute(insert(TABLES[TimerRow]), [row]))
    assert [each["entity_id"] for each in await listed(any_shop)] == ["whs_1"]
    assert await listed(any_shop, by="approver") == []


# -- stepping in --------------------------------------------------------------------------------------------------


async def test_a_timer_that_is_fired_does_now_what_it_would_have_done(any_shop: Shop) -> None:
    order = await any_shop.pending()
    answer = await any_shop.admin.post(f"/timers/order/{order}/expire/fire", json=CALLED)
    assert answer.status_code == 200
    entry = await last_of_history(any_shop, order)
    assert (entry["event"], entry["actor"], entry["reason"]) == ("fire_timer", "admin:root", CALLED["reason"])
    assert entry["payload"]["timer"] == "expire"
    assert answer.headers["etag"] == f'"v{entry["version"]}"'
    await any_shop.service.settle()
    assert await state(any_shop, order) == "cancelled"
    assert (await last_of_history(any_shop, order))["event"] == "expire"


@pytest.mark.parametrize(
    "until", ["2026-01-05T15:00:00Z", "2026-01-05T17:30:00+02:30", "2026-01-05T03:00:00.000-12:00"]
)
async def test_a_timer_that_is_postponed_fires_then(any_shop: Shop, until: str) -> None:
    order = await any_shop.pending()
    answer = await any_shop.admin.post(f"/timers/order/{order}/expire/postpone", json={**CALLED, "until": until})
    assert [(each["name"], each["due_at"]) for each in answer.json()] == [("expire", "2026-01-05T15:00:00Z")]
    await any_shop.service.advance_to(NOON + timedelta(hours=3) - timedelta(microseconds=1))
    assert await state(any_shop, order) == "pending"
    await any_shop.service.advance(timedelta(microseconds=1))
    assert await state(any_shop, order) == "cancelled"
    story = (await any_shop.admin.get(f"/orders/{order}/history")).json()["items"]
    assert [each["event"] for each in story[2:]] == ["postpone_timer", "expire"]


async def test_a_timer_that_is_cancelled_never_fires(any_shop: Shop) -> None:
    order = await any_shop.pending()
    answer = await any_shop.admin.post(f"/timers/order/{order}/expire/cancel", json=CALLED)
    assert (answer.status_code, answer.json()) == (200, [])
    await any_shop.service.advance(timedelta(days=30))
    assert await state(any_shop, order) == "pending"


async def test_a_repeated_request_steps_in_once_although_the_timer_is_gone(any_shop: Shop) -> None:
    order = await any_shop.pending()
    key = {"Idempotency-Key": "a-1"}
    await any_shop.admin.post(f"/timers/order/{order}/expire/cancel", json=CALLED, headers=key)
    again = await any_shop.admin.post(f"/timers/order/{order}/expire/cancel", json=CALLED, headers=key)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    other = await any_shop.admin.post(f"/timers/order/{order}/expire/fire", json=CALLED, headers=key)
    assert_problem(other, 422, "idempotency-key-reused")


@pytest.mark.parametrize(
    ("until", "status", "reason"),
    [
        ("2026-01-05T12:00:00Z", 409, "a timer can only be moved to a time to come"),
        ("2020-01-01T00:00:00Z", 409, "a timer can only be moved to a time to come"),
        ("2026-01-05T15:00:00", 422, "until: Input should have timezone info"),
        ("9999-12-31T23:59:59-12:00", 422, "until: lies outside of the calendar"),
        ("tomorrow", 422, "until: "),
        (None, 422, "until: "),
    ],
)
async def test_a_timer_is_postponed_to_a_proper_time_to_come(shop: Shop, until: Any, status: int, reason: str) -> None:
    order = await shop.pending()
    answer = await shop.admin.post(f"/timers/order/{order}/expire/postpone", json={**CALLED, "until": until})
    problem = assert_problem(answer, status, "transition-refused" if status == 409 else "invalid")
    assert problem["detail"].startswith(reason)
    assert (await listed(shop, f"?machine=order&entity={order}"))[0]["due_at"] == "2026-01-05T12:30:00Z"


async def test_a_timer_that_is_not_set_is_refused(shop: Shop) -> None:
    order = await shop.draft()
    for deed in ("fire", "cancel"):
        answer = await shop.admin.post(f"/timers/order/{order}/expire/{deed}", json=CALLED)
        assert assert_problem(answer, 409, "transition-refused")["detail"] == "there is no timer 'expire'"


@pytest.mark.parametrize("place", ["order/ord_none/expire", "parcel/1/expire", "product/none/expire"])
async def test_there_is_nothing_to_do_about_what_is_not_there(shop: Shop, place: str) -> None:
    for deed in ("fire", "cancel"):
        assert_problem(await shop.admin.post(f"/timers/{place}/{deed}", json=CALLED), 404, "not-found")


async def test_stepping_in_needs_a_reason(shop: Shop) -> None:
    order = await shop.pending()
    for body in ({}, {"reason": ""}, {"reason": "x", "until": "2026-01-05T15:00:00Z"}):
        assert_problem(await shop.admin.post(f"/timers/order/{order}/expire/fire", json=body), 422, "invalid")
