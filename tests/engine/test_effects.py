"""Effects: asked for in a transaction, made at least once, settled just once, together with what comes of them."""

import asyncio
from datetime import timedelta

import pytest

from engine.effects import LEASE, LOST_LIMIT
from engine.envelope import Claim, Envelope, Superseded
from persistence import queue
from statemachines.declaration import Actor, Role
from statemachines.order import Cancel, Pay, Return
from statemachines.payment import PaymentPolicy
from statemachines.payments import CHARGE, REFUND, Charged, Declined
from tests.conftest import NOON
from tests.engine.shop import ANNA, MERCHANT, Shop, committed, rejected

GATEWAY = Actor("payments.charge", Role.SYSTEM)


@pytest.fixture
async def mugs(shop: Shop) -> Shop:
    """A shop with mugs at 12.50 EUR."""
    await shop.sells("MUG")
    return shop


@pytest.mark.parametrize(
    ("method", "state", "attempts"),
    [
        ("tok_approve", "processing", 1),
        ("tok_slow", "processing", 1),
        ("tok_decline", "pending", 1),
        ("tok_unknown", "pending", 1),
        ("tok_fail_once", "processing", 2),
        ("tok_no_refund", "processing", 1),
    ],
)
async def test_the_token_says_how_a_payment_ends(open_service, database_url, method, state, attempts) -> None:
    async with open_service(database_url, sandbox_slowness=timedelta()) as service:
        shop = Shop(service)
        await shop.sells("MUG")
        order = await shop.paying(method, MUG=2)
        await service.advance(timedelta(minutes=1))
        (charge,) = await shop.effects()
        assert await shop.state(order) == state
        assert (charge["status"], charge["attempts"]) == ("done", attempts)
        assert (await shop.row("order", order))["paid"] == (2500 if state == "processing" else 0)


@pytest.mark.parametrize(("method", "refunded"), [("tok_approve", 1250), ("tok_no_refund", 0)])
async def test_the_token_says_how_a_refund_ends(mugs: Shop, method, refunded) -> None:
    order = await mugs.paying(method, MUG=1)
    await mugs.service.settle()
    committed(await mugs.tell("order", order, Cancel(), MERCHANT))
    await mugs.service.settle()
    row = await mugs.row("order", order)
    ended = "cancelled" if refunded else "cancellation_failed"
    assert (row["state"], row["refunded"], row["refunding"]) == (ended, refunded, 0)
    assert bool(row["attention"]) == (refunded == 0)


async def test_a_payment_without_an_answer_is_parked_after_a_day_and_blocks_nobody(open_service, sqlite_url) -> None:
    async with open_service(sqlite_url, sqlite_synchronous="NORMAL") as service:
        shop = Shop(service)
        await shop.sells("MUG")
        silent, lively = await shop.paying("tok_timeout", MUG=1), await shop.paying(MUG=1)
        await service.advance(CHARGE.retry.within)
        parked, done = sorted(await shop.effects(), key=lambda effect: effect["status"], reverse=True)
        assert (parked["status"], parked["error"]) == ("parked", "the sandbox does not answer")
        assert 100 < parked["attempts"] < CHARGE.retry.attempts
        assert done["status"] == "done"
        assert (await shop.state(silent), await shop.state(lively)) == ("paying", "processing")
        assert await service.next_due() == NOON + PaymentPolicy().gateway_patience


async def test_an_outcome_and_the_end_of_its_effect_are_one_transaction(mugs: Shop) -> None:
    seen = []
    mugs.service.dispatcher.listen(lambda batch: seen.append(batch.changes))
    order = await mugs.paid(MUG=1)
    last = seen[-1]
    (charge,) = await mugs.effects()
    assert [(record["machine"], record["event"]) for record in last.history] == [
        ("payment", "charged"),
        ("order", "charged"),
        ("reservation", "take"),
    ]
    assert any(row.__name__ == "EffectRow" for row, _ in last.changed)
    assert charge["outcome"]["event"] == "charged"
    payment = await mugs.history("payment", charge["entity_id"])
    assert payment[-1]["cause"] == charge["id"]
    assert (await mugs.history("order", order))[-1]["cause"] == payment[-1]["event_id"]


async def claims(shop: Shop, lease: timedelta = LEASE) -> list[dict[str, object]]:
    """Claim what is due, as a runner does that dies right after."""
    now = shop.service.clock.now()
    return await shop.service.database.write(lambda c: queue.claim_effects(c, "payments", now, now + lease, 50))


async def test_the_effect_of_a_dead_runner_is_taken_again_after_its_lease_and_done_once(mugs: Shop) -> None:
    order = await mugs.paying(MUG=1)
    (dead,) = await claims(mugs)
    await mugs.service.advance(LEASE - timedelta(seconds=1))
    assert await mugs.state(order) == "paying"
    await mugs.service.advance(timedelta(seconds=1))
    (charge,) = await mugs.effects()
    assert (charge["status"], charge["attempts"], charge["token"]) == ("done", 2, dead["token"] + 1)
    assert await mugs.story("order", order) == ["create", "submit", "pay", "charged"]


async def test_an_effect_that_kills_its_runners_is_parked(mugs: Shop) -> None:
    order = await mugs.paying(MUG=1)
    for _ in range(LOST_LIMIT):
        assert len(await claims(mugs)) == 1
        mugs.service.clock.advance(LEASE)
    await mugs.service.settle()
    (charge,) = await mugs.effects()
    assert (charge["status"], await mugs.state(order)) == ("parked", "paying")


def outcome_of(effect: dict[str, object]) -> Envelope:
    """Report that a charge succeeded."""
    event = Charged(amount=1250, currency="EUR", payment="pay_1")
    claim = Claim(effect["id"], effect["token"])
    return Envelope(machine=effect["machine"], id=effect["entity_id"], event=event, actor=GATEWAY, completes=claim)


async def test_the_outcome_of_a_runner_that_was_replaced_changes_nothing(mugs: Shop) -> None:
    order = await mugs.paying(MUG=1)
    (late,) = await claims(mugs)
    mugs.service.clock.advance(LEASE)
    (current,) = await claims(mugs)
    with pytest.raises(Superseded):
        await mugs.service.dispatcher.dispatch(outcome_of(late))
    assert await mugs.state(order) == "paying"
    committed(await mugs.service.dispatcher.dispatch(outcome_of(current)))
    assert await mugs.state(order) == "processing"


async def test_an_outcome_that_is_reported_twice_at_once_counts_once(mugs: Shop) -> None:
    order = await mugs.paying(MUG=1)
    (claimed,) = await claims(mugs)
    reports = [mugs.service.dispatcher.dispatch(outcome_of(claimed)) for _ in range(5)]
    results = await asyncio.gather(*reports, return_exceptions=True)
    assert [type(result).__name__ for result in results].count("Superseded") == 4
    assert await mugs.story("order", order) == ["create", "submit", "pay", "charged"]


async def test_an_outcome_that_its_entity_refuses_ends_the_effect_with_the_reason(mugs: Shop) -> None:
    order = await mugs.paid(MUG=1)
    committed(await mugs.tell("order", order, Cancel(), MERCHANT))
    (claimed,) = await claims(mugs)
    wrong = outcome_of(claimed)
    wrong.event = Declined(reason="no funds")
    refused = rejected(await mugs.service.dispatcher.dispatch(wrong))
    (refund,) = [effect for effect in await mugs.effects() if effect["name"] == REFUND.name]
    assert (refund["status"], refund["error"]) == ("done", refused.reason)
    assert (await mugs.row("order", order))["refunding"] == 1250


async def test_two_runners_never_hold_the_same_effect(open_service, postgresql_url) -> None:
    async with open_service(postgresql_url) as one, open_service(postgresql_url, seed=2) as other:
        shop = Shop(one)
        await shop.sells("MUG", on_hand=100)
        for _ in range(30):
            await shop.paying(MUG=1)
        held = await asyncio.gather(*(claims(Shop(service)) for service in (one, other, one, other)))
        names = [effect["id"] for batch in held for effect in batch]
        assert len(names) == len(set(names)) == 30


async def test_a_return_is_refunded_to_the_cent(mugs: Shop) -> None:
    order = await mugs.fulfilled(MUG=3)
    await mugs.service.advance(timedelta(days=14))
    committed(await mugs.tell("order", order, Return(lines=({"number": 1, "quantity": 2},))))
    await mugs.service.settle()
    row = await mugs.row("order", order)
    assert (row["paid"], row["refunded"], row["refunding"]) == (3750, 2500, 0)
    assert await mugs.shelf() == (9, 0)


async def test_a_payment_is_charged_once_although_two_services_run_effects(open_service, postgresql_url) -> None:
    async with open_service(postgresql_url) as one, open_service(postgresql_url, seed=2) as other:
        shop = Shop(one)
        await shop.sells("MUG", on_hand=100)
        orders = [await shop.pending(MUG=1) for _ in range(10)]
        await asyncio.gather(*(shop.tell("order", each, Pay(method="tok_approve"), ANNA) for each in orders))
        await asyncio.gather(one.settle(), other.settle())
        assert {await shop.state(each) for each in orders} == {"processing"}
        assert {effect["attempts"] for effect in await shop.effects()} == {1}
