"""Webhooks out: each entity's transitions arrive in order and at least once, and nobody waits for anybody else."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks import Webhook

import engine.deliveries
from engine.clock import VirtualClock
from engine.reports import JITTER, LEASE, LONGEST, LONGEST_HOLD, PAUSES, TROUBLED, Report, Reports
from orderly.service import Service
from orderly.settings import Settings
from persistence import lanes
from persistence.delivery_rows import EndpointRow, FeedCursorRow, LaneRow
from statemachines.stock import Adjust
from statemachines.subscription import (
    Pause,
    Ping,
    Redeliver,
    RedeliverSince,
    Remove,
    Resume,
    RotateSecret,
    Update,
)
from tests.engine.receivers import ALLOWING, DOWN, OK, Receiver, Told, receiving, told
from tests.engine.shop import committed, rejected
from tests.gateways.peer import Says

HOUR = timedelta(hours=1)


@pytest.fixture
async def shop(open_service, database_url) -> AsyncIterator[Told]:
    """A shop that may speak to this machine, on each kind of database."""
    async with open_service(database_url, subscription=ALLOWING, report_recipients=("ann@shop.example",)) as service:
        yield await told(service)


@pytest.fixture
async def erp() -> AsyncIterator[Receiver]:
    """Somebody who wants to hear of things."""
    async with receiving() as receiver:
        yield receiver


async def rows(shop: Told, row: type) -> list[dict[str, Any]]:
    return await shop._all(row)


# -- what is delivered


async def test_what_happens_to_an_order_is_told_once_and_in_order(shop: Told, erp: Receiver) -> None:
    await shop.subscribe(erp, "order.*")
    order = await shop.paid(A=1)
    assert erp.heard == [f"{order} {event}" for event in ("create 1", "submit 2", "pay 3", "charged 4")]
    assert erp.tried == 4
    assert await rows(shop, LaneRow) == []


async def test_nothing_is_told_of_what_was_before_the_subscription(shop: Told, erp: Receiver) -> None:
    await shop.receive("A", "B")
    await shop.subscribe(erp)
    await shop.receive("A")
    await shop.service.settle()
    assert erp.heard == ["A receive 3"]


async def test_only_what_the_patterns_mean_is_told(shop: Told, erp: Receiver) -> None:
    await shop.subscribe(erp, "stock.receive", "order.submit")
    await shop.receive("A")
    committed(await shop.tell("stock", "A", Adjust(difference=1, reason="found")))
    await shop.receive("A")
    order = await shop.paid(B=1)
    await shop.service.settle()
    assert sorted(erp.heard) == sorted(["A receive 2", "A receive 4", f"{order} submit 2"])


async def test_everybody_is_told_what_they_asked_for(shop: Told, erp: Receiver) -> None:
    async with receiving() as other:
        await shop.subscribe(erp, "stock.*")
        await shop.subscribe(other, "stock.adjust")
        await shop.receive("A")
        committed(await shop.tell("stock", "A", Adjust(difference=1, reason="found")))
        await shop.service.settle()
        assert (erp.heard, other.heard) == (["A receive 2", "A adjust 3"], ["A adjust 3"])


async def test_a_message_holds_as_a_cloudevent_and_as_a_standard_webhook(open_service, sqlite_url, erp) -> None:
    """Read by the independent libraries of both specifications."""
    settings = Settings(database_url=sqlite_url, key_pepper="pepper", subscription=ALLOWING | {"source": "urn:shop"})
    async with Service.open(settings, clock=VirtualClock(datetime.now(UTC)), migrate=True) as service:
        shop = await told(service)
        subscription = await shop.subscribe(erp, "order.pay")
        order = await shop.paying(A=1)
        await service.settle()
        (asked,) = erp.peer.asked
        Webhook(service.signing_secrets.secret(subscription, 1)).verify(asked.body, asked.headers)
    event = from_http_event(HTTPMessage(asked.headers, asked.body))
    assert (event.get_type(), event.get_source(), event.get_subject()) == ("orderly.order.pay", "urn:shop", order)
    assert event.get_id() == asked.headers["webhook-id"]
    assert event.get_time() == service.clock.now()
    data = event.get_data()
    assert (data["version"], data["from"], data["to"], data["actor"]) == (3, "pending", "paying", "customer:anna")
    assert b"tok_approve" not in asked.body


async def test_while_the_secret_is_rotated_both_verify(open_service, sqlite_url, erp) -> None:
    settings = Settings(database_url=sqlite_url, key_pepper="pepper", subscription=ALLOWING)
    clock = VirtualClock(datetime.now(UTC))
    async with Service.open(settings, clock=clock, migrate=True) as service:
        shop = await told(service)
        subscription = await shop.subscribe(erp, "stock.*")
        await shop.ask(subscription, RotateSecret())
        await shop.receive("A")
        await service.settle()
    (asked,) = erp.peer.asked
    for generation in (1, 2):
        Webhook(service.signing_secrets.secret(subscription, generation)).verify(asked.body, asked.headers)


async def test_a_ping_is_delivered_whatever_the_patterns_say_and_to_nobody_else(shop: Told, erp: Receiver) -> None:
    async with receiving() as other:
        subscription = await shop.subscribe(erp, "order.pay")
        await shop.subscribe(other, "order.pay")
        await shop.ask(subscription, Ping())
        assert erp.heard == [f"{subscription} ping 2"]
        assert other.heard == []
    (entry,) = await shop.log(subscription)
    assert (entry["event"], entry["outcome"], entry["status"], entry["attempt"]) == ("ping", "delivered", 200, 1)


async def test_nobody_costs_nothing(shop: Told) -> None:
    """Without a subscription the history is not even read."""
    before = await rows(shop, FeedCursorRow)
    await shop.service.settle()
    batches = []
    shop.service.dispatcher.listen(lambda batch: batches.append(shop.service.deliveries.wakes_at(batch)))
    await shop.receive("A", "B", "C")
    await shop.service.settle()
    assert batches == [None] * 3
    assert await rows(shop, FeedCursorRow) == before
    assert await shop.service.next_due() is None


# -- those who do not answer


async def test_after_a_long_time_without_an_answer_everything_arrives_in_order(shop: Told, erp: Receiver) -> None:
    erp.says = lambda event: DOWN
    await shop.subscribe(erp)
    for _ in range(3):
        await shop.receive("A", "B", "A", "C")
        await shop.service.advance(10 * HOUR)
    assert erp.took == []
    erp.says = lambda event: OK
    await shop.receive("C")
    await shop.service.advance(2 * LONGEST_HOLD)
    assert erp.versions() == {"A": [2, 3, 4, 5, 6, 7], "B": [2, 3, 4], "C": [2, 3, 4, 5]}
    assert await rows(shop, LaneRow) == []


async def test_an_event_is_sent_again_after_the_pauses_that_standard_webhooks_advises(
    shop: Told, erp: Receiver
) -> None:
    async with receiving() as well:
        erp.says = lambda event: DOWN
        subscription = await shop.subscribe(erp)
        await shop.subscribe(well)
        await shop.receive("A")
        await shop.service.advance(timedelta(hours=70))
        at = [entry["at"] for entry in await shop.log(subscription)]
    waits = [later - earlier for earlier, later in pairwise(at)]
    assert len(waits) >= 8
    for wait, pause in zip(waits, PAUSES, strict=False):
        assert pause * (1 - JITTER) <= wait <= max(pause * (1 + JITTER), pause + LONGEST_HOLD * (1 + JITTER))
    assert len({entry["event_id"] for entry in await shop.log(subscription)}) == 1


async def test_whoever_asks_to_be_left_alone_is(shop: Told, erp: Receiver) -> None:
    erp.says = lambda event: Says(429, headers={"Retry-After": "1800"})
    await shop.subscribe(erp)
    await shop.receive("A")
    await shop.service.settle()
    await shop.receive("B")
    await shop.service.advance(timedelta(minutes=29))
    assert erp.tried == 1
    await shop.service.advance(timedelta(minutes=2))
    assert erp.tried >= 2


async def test_one_event_that_is_never_taken_holds_up_its_entity_alone_and_is_let_go_at_last(
    shop: Told, erp: Receiver
) -> None:
    erp.says = lambda event: Says(500) if (event["subject"], event["data"]["version"]) == ("A", 2) else OK
    subscription = await shop.subscribe(erp)
    await shop.receive("A", "B", "A", "C")
    await shop.service.settle()
    assert erp.versions() == {"B": [2], "C": [2]}
    for _ in range(8):
        await shop.receive("B")
        await shop.service.advance(12 * HOUR)
    assert erp.versions() == {"A": [3], "B": list(range(2, 11)), "C": [2]}
    assert (await shop.subscription(subscription))["state"] == "active"
    (given_up,) = await shop.log(subscription, "abandoned")
    assert (given_up["entity_id"], given_up["version"], given_up["attempt"]) == ("A", 2, len(PAUSES) + 1)


async def test_an_address_where_nothing_gets_through_for_three_days_is_given_up_with_notice(
    shop: Told, erp: Receiver
) -> None:
    erp.says = lambda event: DOWN
    subscription = await shop.subscribe(erp)
    began = shop.service.clock.now()
    for _ in range(7):
        await shop.receive("A", "B")
        await shop.service.advance(12 * HOUR)
    row = await shop.subscription(subscription)
    assert row["state"] == "disabled"
    assert row["disabled_because"] == "nothing got through for 3 days; at last: answered 503"
    assert timedelta(days=3) <= row["state_since"] - began <= timedelta(days=3, hours=12)
    last = (await shop.history("subscription", subscription))[-1]
    assert (last["event"], last["actor"], last["payload"]["reason"]) == (
        "disable",
        "system:deliveries",
        row["disabled_because"],
    )
    (notice,) = shop.service.outside.mail.sent
    assert notice["To"] == "ann@shop.example"
    tried = erp.tried
    await shop.receive("A")
    await shop.service.advance(24 * HOUR)
    assert erp.tried == tried
    assert await rows(shop, LaneRow) == []


async def test_an_address_with_nothing_but_one_event_is_given_up_after_its_last_attempt(
    shop: Told, erp: Receiver
) -> None:
    erp.says = lambda event: Says(302, headers={"Location": "http://127.0.0.1/"})
    subscription = await shop.subscribe(erp)
    await shop.receive("A")
    await shop.service.advance(LONGEST + HOUR)
    row = await shop.subscription(subscription)
    assert row["state"] == "disabled"
    assert row["disabled_because"].endswith("at last: answered 302")
    assert 9 <= erp.tried <= len(PAUSES) + 1


async def test_an_address_that_is_gone_is_given_up_at_once(shop: Told, erp: Receiver) -> None:
    erp.says = lambda event: Says(410)
    subscription = await shop.subscribe(erp)
    await shop.receive("A", "B")
    await shop.service.settle()
    row = await shop.subscription(subscription)
    assert (row["state"], row["disabled_because"]) == ("disabled", "answered 410 Gone")


async def test_an_address_that_was_changed_meanwhile_is_not_given_up_for_the_one_before(
    shop: Told, erp: Receiver
) -> None:
    async with receiving() as moved:
        subscription = await shop.subscribe(erp)

        def gone(event: dict[str, Any]) -> Any:
            asyncio.get_running_loop().create_task(shop.tell("subscription", subscription, Update(url=moved.url)))
            return slowly(Says(410))

        erp.says = gone
        await shop.receive("A")
        await shop.service.settle()
        assert (await shop.subscription(subscription))["state"] == "active"
        await shop.service.settle()
        assert moved.heard == ["A receive 2"]


def slowly(said: Says) -> Any:
    async def say(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        writer.write(said.encoded())
        await writer.drain()

    return say


async def test_an_address_that_fails_again_and_again_gets_one_message_now_and_then(shop: Told, erp: Receiver) -> None:
    erp.says = lambda event: DOWN
    names = [f"S{number}" for number in range(40)]
    await shop.sells(*names)
    await shop.subscribe(erp)
    await shop.receive(*names)
    await shop.service.settle()
    assert TROUBLED <= erp.tried <= TROUBLED + 10
    before = erp.tried
    await shop.service.advance(HOUR)
    assert erp.tried - before <= HOUR / (LONGEST_HOLD * (1 - JITTER)) + 10
    erp.says = lambda event: OK
    await shop.service.advance(2 * LONGEST_HOLD)
    assert sorted(erp.versions()) == sorted(names)


async def test_addresses_that_hang_or_misbehave_hold_up_nobody_else(shop: Told, erp: Receiver) -> None:
    names = [f"S{number}" for number in range(30)]
    await shop.sells(*names)
    may_go_on = asyncio.Event()

    async def hang(writer: asyncio.StreamWriter) -> None:
        await may_go_on.wait()

    async with receiving(lambda event: hang) as silent, receiving(lambda event: b"\x00garbage") as garbled:
        hanging = [await shop.subscribe(silent), await shop.subscribe(silent)]
        await shop.subscribe(garbled)
        await shop.subscribe(erp)
        await shop.receive(*names)
        working = asyncio.create_task(shop.service.settle())
        await erp.has_tried(len(names))
        assert [await shop.log(each) for each in hanging] == [[], []]
        may_go_on.set()
        await working
        assert sorted(erp.versions()) == sorted(names)
        assert silent.took == garbled.took == []


async def test_as_many_as_are_allowed_are_on_their_way_to_an_address_at_a_time(open_service, sqlite_url, erp) -> None:
    allowed = {**ALLOWING, "concurrency_per_address": 3}
    async with open_service(sqlite_url, subscription=allowed) as service:
        shop, now, most = await told(service), 0, 0
        await shop.sells(*(f"S{number}" for number in range(12)))

        def slow(event: dict[str, Any]) -> Any:
            async def say(writer: asyncio.StreamWriter) -> None:
                nonlocal now, most
                now += 1
                most = max(most, now)
                await asyncio.sleep(0.02)
                now -= 1
                writer.write(OK.encoded())
                await writer.drain()

            return say

        erp.says = slow
        await shop.subscribe(erp)
        await shop.receive(*(f"S{number}" for number in range(12)))
        await service.settle()
        assert (most, erp.tried) == (3, 12)


# -- what people decide


async def test_what_happens_during_a_pause_is_told_after_it(shop: Told, erp: Receiver) -> None:
    subscription = await shop.subscribe(erp)
    await shop.ask(subscription, Pause(reason="maintenance"))
    await shop.receive("A", "B", "A")
    await shop.service.advance(HOUR)
    assert erp.tried == 0
    assert await shop.service.next_due() is None
    await shop.ask(subscription, Resume())
    assert erp.versions() == {"A": [2, 3], "B": [2]}


async def test_what_happened_while_it_was_disabled_is_told_only_to_those_who_ask(shop: Told, erp: Receiver) -> None:
    erp.says = lambda event: Says(410)
    subscription = await shop.subscribe(erp)
    await shop.receive("A")
    await shop.service.settle()
    since = shop.service.clock.now()
    await shop.receive("A", "B")
    await shop.service.advance(HOUR)
    erp.says = lambda event: OK
    await shop.ask(subscription, Resume())
    await shop.receive("A")
    await shop.service.settle()
    assert erp.heard == ["A receive 4"]
    await shop.ask(subscription, RedeliverSince(since=since))
    assert erp.versions() == {"A": [4, 1, 2, 3, 4], "B": [1, 2], "C": [1]}


async def test_one_event_is_told_again_under_the_same_id(shop: Told, erp: Receiver) -> None:
    subscription = await shop.subscribe(erp)
    await shop.receive("A", "A", "A")
    await shop.service.settle()
    again = erp.took[1]
    await shop.ask(subscription, Redeliver(event_id=again["id"]))
    assert erp.took[3:] == [again]
    assert [asked.headers["webhook-id"] for asked in erp.peer.asked].count(again["id"]) == 2
    assert (await shop.history("subscription", subscription))[-1]["actor"] == "merchant:shop"


async def test_an_event_that_there_is_not_is_not_told_again(shop: Told, erp: Receiver) -> None:
    subscription = await shop.subscribe(erp)
    await shop.ask(subscription, Redeliver(event_id="evt_unheard_of"))
    assert erp.tried == 0


async def test_everything_since_a_moment_is_told_again_as_far_as_the_patterns_mean_it(
    shop: Told, erp: Receiver, monkeypatch
) -> None:
    monkeypatch.setattr("engine.fanout.SCAN_LIMIT", 3)
    for _ in range(4):
        await shop.receive("A", "B", "A")
        committed(await shop.tell("stock", "A", Adjust(difference=1, reason="found")))
        await shop.service.advance(HOUR)
    subscription = await shop.subscribe(erp, "stock.receive")
    await shop.ask(subscription, RedeliverSince(since=shop.service.clock.now() - 2 * HOUR))
    assert erp.versions() == {"A": [8, 9, 11, 12], "B": [4, 5]}
    await shop.receive("B")
    await shop.service.settle()
    assert erp.heard[-1] == "B receive 6"
    assert len(await rows(shop, FeedCursorRow)) == 1


async def test_another_address_is_tried_at_once(shop: Told, erp: Receiver) -> None:
    erp.says = lambda event: DOWN
    subscription = await shop.subscribe(erp)
    await shop.receive("A", "B")
    await shop.service.advance(20 * HOUR)
    async with receiving() as moved:
        await shop.ask(subscription, Update(url=f"{moved.url}/new"))
        assert moved.versions() == {"A": [2], "B": [2]}


async def test_nothing_is_told_to_who_was_removed(shop: Told, erp: Receiver) -> None:
    erp.says = lambda event: DOWN
    subscription = await shop.subscribe(erp)
    await shop.receive("A")
    await shop.service.settle()
    await shop.ask(subscription, Remove())
    erp.says = lambda event: OK
    await shop.receive("A")
    await shop.service.advance(24 * HOUR)
    assert erp.took == []
    assert await rows(shop, LaneRow) == []
    assert rejected(await shop.tell("subscription", subscription, Resume())).state == "removed"


# -- runners that die, and several of them


async def claimed(shop: Told, subscription: str) -> list[dict[str, Any]]:
    """Claim what is due, as a runner does that dies right after."""
    now = shop.service.clock.now()
    return await shop.service.database.write(lambda c: lanes.claim(c, subscription, now, now + LEASE, 10))


async def test_what_a_dead_runner_had_claimed_is_delivered_once_its_lease_is_over(shop: Told, erp: Receiver) -> None:
    subscription = await shop.subscribe(erp)
    await shop.receive("A")
    await shop.service.deliveries._fan_out.run()
    assert len(await claimed(shop, subscription)) == 1
    await shop.receive("A", "B")
    await shop.service.advance(LEASE - timedelta(seconds=1))
    assert erp.versions() == {"B": [2]}
    await shop.service.advance(timedelta(seconds=1))
    assert erp.versions() == {"B": [2], "A": [2, 3]}


async def test_nothing_is_sent_when_the_lease_might_be_over_before_the_answer(
    shop: Told, erp: Receiver, monkeypatch
) -> None:
    monkeypatch.setattr(engine.deliveries, "TIMEOUT", LEASE)
    await shop.subscribe(erp)
    await shop.receive("A")
    await shop.service.settle()
    assert erp.tried == 0
    monkeypatch.undo()
    await shop.service.advance(LEASE)
    assert erp.heard == ["A receive 2"]


async def test_whoever_stops_finishes_what_was_begun_and_leaves_the_rest_to_others(
    open_service, postgresql_url, erp: Receiver
) -> None:
    async with open_service(postgresql_url, subscription=ALLOWING) as one:
        shop = await told(one)
        await shop.subscribe(erp)
        await shop.receive("A", "A", "B")
        erp.says = lambda event: slowly(OK)
        assert await one.deliveries.run()
        await erp.has_tried(2)
        await one.deliveries.stop(timedelta(seconds=5))
        assert erp.tried == 2
        await shop.receive("C")
        await one.settle()
        assert erp.tried == 2
        erp.says = lambda event: OK
        async with open_service(postgresql_url, seed=2, subscription=ALLOWING) as other:
            await other.settle()
        assert erp.versions() == {"A": [3], "C": [2]}


async def test_the_report_of_a_runner_that_was_replaced_changes_nothing(shop: Told, erp: Receiver) -> None:
    subscription = await shop.subscribe(erp)
    await shop.receive("A", "A")
    await shop.service.deliveries._fan_out.run()
    (late,) = await claimed(shop, subscription)
    shop.service.clock.advance(LEASE)
    (current,) = await claimed(shop, subscription)
    reports = Reports(shop.service.database, shop.service.clock, shop.service.random)
    assert (await reports.submit(Report(late, next_version=9, release=True))).lane is None
    (lane,) = await rows(shop, LaneRow)
    assert (lane["next_version"], lane["token"], lane["running"]) == (2, current["token"], True)


async def test_what_happens_while_a_lane_is_on_its_way_is_told_after_it(shop: Told, erp: Receiver) -> None:
    await shop.subscribe(erp)

    def meanwhile(event: dict[str, Any]) -> Any:
        if event["data"]["version"] < 30:
            asyncio.get_running_loop().create_task(shop.receive("A"))
        return OK

    erp.says = meanwhile
    await shop.receive("A")
    while len(erp.took) < 29:
        await shop.service.settle()
    assert erp.versions() == {"A": list(range(2, 31))}


async def test_two_services_tell_everything_in_order_and_once(open_service, postgresql_url, erp: Receiver) -> None:
    async with (
        open_service(postgresql_url, subscription=ALLOWING) as one,
        open_service(postgresql_url, seed=2, subscription=ALLOWING) as other,
    ):
        shops = [await told(one), Told(other)]
        names = [f"S{number}" for number in range(10)]
        await shops[0].sells(*names)
        await shops[0].subscribe(erp)

        async def sell(shop: Told) -> None:
            for _ in range(10):
                await asyncio.gather(*(shop.receive(name) for name in names))

        async def work(service: Service) -> None:
            while not selling.done():
                await service.settle()

        selling = asyncio.gather(*(sell(shop) for shop in shops))
        await asyncio.gather(selling, work(one), work(other))
        for _ in range(3):
            await asyncio.gather(one.settle(), other.settle())
        assert erp.versions() == {name: list(range(2, 22)) for name in names}
        assert await rows(shops[0], LaneRow) == []


async def test_without_a_subscription_for_long_the_next_one_begins_with_itself(shop: Told, erp: Receiver) -> None:
    subscription = await shop.subscribe(erp)
    await shop.ask(subscription, Remove())
    await shop.receive("A", "A")
    await shop.service.settle()
    await shop.subscribe(erp, "stock.*")
    await shop.receive("A")
    await shop.service.settle()
    assert erp.heard == ["A receive 4"]


async def test_a_success_forgets_the_failures_before(shop: Told, erp: Receiver) -> None:
    erp.says = lambda event: DOWN
    subscription = await shop.subscribe(erp)
    await shop.receive("A")
    await shop.service.settle()
    (failing,) = await rows(shop, EndpointRow)
    erp.says = lambda event: OK
    await shop.service.advance(HOUR)
    (well,) = await rows(shop, EndpointRow)
    assert (failing["failures"], well["failures"], well["failing_since"], well["held_until"]) == (1, 0, None, None)
    assert [entry["outcome"] for entry in await shop.log(subscription)] == ["failed", "delivered"]
