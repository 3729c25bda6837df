"""What customers do, on a real service: reminders come in time and once, rewards once whoever asks at the same time."""

import asyncio
from datetime import timedelta

import pytest

from engine.envelope import NotFound
from orderly.service import Service
from statemachines.activity import CartAdd, Ordered, ProductView, Stop, Track, activity_id
from statemachines.declaration import Actor
from tests.conftest import NOON, OpenService
from tests.engine.shop import ANNA, BEN, MERCHANT, Shop, committed

ANNAS = activity_id("anna")
SKUS = [f"MUG-{number}" for number in range(1, 9)]


async def tracked(service: Service) -> Shop:
    """Return a shop that sells mugs and keeps what Anna does."""
    shop = Shop(service)
    await shop.sells(*SKUS)
    committed(await shop.tell("activity", None, Track(customer="anna", email="anna@home.example"), ANNA))
    return shop


@pytest.fixture
async def visited(service: Service) -> Shop:
    """A shop that Anna visits, on each kind of database."""
    return await tracked(service)


async def adds(shop: Shop, *skus: str) -> None:
    for sku in skus:
        committed(await shop.tell("activity", ANNAS, CartAdd(sku=sku), ANNA))


async def sent(shop: Shop) -> list[object]:
    """Return which mails were sent to Anna, in order."""
    effects = [effect for effect in await shop.effects() if effect["name"] == "mail.send"]
    assert {effect["status"] for effect in effects} <= {"done"}
    return [dict(effect["arguments"])["message"]["template"] for effect in effects]  # type: ignore[call-overload]


async def test_reminders_come_in_their_time_and_no_more_of_them(visited: Shop) -> None:
    await adds(visited, "MUG-1")
    await visited.service.advance(timedelta(hours=1) - timedelta(microseconds=1))
    assert await sent(visited) == []
    await visited.service.advance(timedelta(microseconds=1))
    assert await sent(visited) == ["basket_reminder"]
    await visited.service.advance(timedelta(days=30))
    assert await sent(visited) == ["basket_reminder"] * 2
    history = await visited.history("activity", ANNAS)
    assert [(row["event"], row["at"]) for row in history[2:]] == [
        ("remind_of_basket", NOON + timedelta(hours=1)),
        ("remind_of_basket_again", NOON + timedelta(hours=24)),
        ("forget", NOON + timedelta(hours=24)),
    ]
    row = await visited.row("activity", ANNAS)
    assert (row["state"], row["recent"], row["reminders"], row["seen_at"]) == ("quiet", [], 2, NOON)
    assert await visited.timers() == []


async def test_whoever_comes_back_in_time_is_reminded_later_and_whoever_orders_is_not(visited: Shop) -> None:
    for _ in range(3):
        committed(await visited.tell("activity", ANNAS, ProductView(sku="MUG-1"), ANNA))
    await visited.service.advance(timedelta(minutes=119))
    committed(await visited.tell("activity", ANNAS, ProductView(sku="MUG-2"), ANNA))
    await visited.service.advance(timedelta(minutes=119))
    assert await sent(visited) == []
    await visited.service.advance(timedelta(minutes=1))
    assert await sent(visited) == ["product_reminder"]
    await adds(visited, "MUG-1")
    await visited.service.advance(timedelta(minutes=59))
    committed(await visited.tell("activity", ANNAS, Ordered(order="ord_1"), MERCHANT))
    await visited.service.advance(timedelta(days=3))
    assert await sent(visited) == ["product_reminder"]


async def test_reminders_survive_a_restart(open_service: OpenService, database_url: str) -> None:
    async with open_service(database_url) as service:
        await adds(await tracked(service), "MUG-1")
    async with open_service(database_url, seed=2) as service:
        await service.advance(timedelta(days=2))
        assert await sent(Shop(service)) == ["basket_reminder"] * 2


async def test_whoever_first_tells_of_a_customer_there_is_one_activity(service: Service) -> None:
    shop = Shop(service)
    told = [shop.tell("activity", None, Track(customer="anna"), by) for by in [ANNA, MERCHANT] * 20]
    outcomes = [committed(outcome) for outcome in await asyncio.gather(*told)]
    assert {outcome.id for outcome in outcomes} == {ANNAS}
    assert sorted(outcome.version for outcome in outcomes) == list(range(1, 41))


async def test_a_reward_is_earned_once_however_many_products_come_at_once(visited: Shop) -> None:
    await asyncio.gather(*(adds(visited, sku) for sku in SKUS * 5))
    await visited.service.settle()
    row = await visited.row("activity", ANNAS)
    assert (row["rewards"], row["rewarded_at"], row["version"]) == (1, NOON, 41)
    assert await sent(visited) == ["reward_earned"]


async def test_on_two_services_there_is_one_activity_and_one_reward(
    open_service: OpenService, postgresql_url: str
) -> None:
    async with open_service(postgresql_url) as one, open_service(postgresql_url, seed=2) as other:
        shops = [Shop(one), Shop(other)]
        await shops[0].sells(*SKUS)
        people = [f"customer-{number}" for number in range(10)]
        await asyncio.gather(*(_visit(shop, person) for person in people for shop in shops for _ in range(2)))
        await asyncio.gather(one.settle(), other.settle())
        for person in people:
            row = await shops[0].row("activity", activity_id(person))
            assert (row["rewards"], row["version"]) == (1, 4 + 4 * len(SKUS))
        assert await sent(shops[0]) == ["reward_earned"] * len(people)


async def _visit(shop: Shop, person: str) -> None:
    """Put everything into a customer's basket at once."""
    address, id_ = f"{person}@home.example", activity_id(person)
    committed(await shop.tell("activity", None, Track(customer=person, email=address), MERCHANT))
    added = (shop.tell("activity", id_, CartAdd(sku=sku), MERCHANT) for sku in SKUS)
    for outcome in await asyncio.gather(*added):
        committed(outcome)


async def test_an_order_and_a_reminder_that_meet_leave_one_outcome(visited: Shop) -> None:
    await adds(visited, "MUG-1")
    visited.service.clock.advance_to(NOON + timedelta(hours=1))  # type: ignore[attr-defined]
    ordered = visited.tell("activity", ANNAS, Ordered(order="ord_1"), MERCHANT)
    outcome, _ = await asyncio.gather(ordered, visited.service.settle())
    committed(outcome)
    await visited.service.advance(timedelta(days=3))
    reminded = (await visited.story("activity", ANNAS)).count("remind_of_basket")
    assert len(await sent(visited)) == reminded <= 1


async def test_whoever_opts_out_is_forgotten_and_letters_on_their_way_are_called_back(visited: Shop) -> None:
    await adds(visited, *SKUS)
    committed(await visited.tell("activity", ANNAS, Stop(), ANNA))
    await visited.service.advance(timedelta(days=3))
    row = await visited.row("activity", ANNAS)
    assert (row["state"], row["recent"], row["email"], row["rewards"]) == ("opted_out", [], None, 1)
    assert [effect["status"] for effect in await visited.effects()] == ["cancelled"]
    assert await visited.timers() == []


@pytest.mark.parametrize("stranger", [BEN, Actor("anna-2", ANNA.role)])
async def test_what_another_customer_does_is_nobodys_business(visited: Shop, stranger: Actor) -> None:
    with pytest.raises(NotFound):
        await visited.tell("activity", ANNAS, ProductView(sku="MUG-1"), stranger)
    with pytest.raises(NotFound):
        await visited.tell("activity", None, Track(customer="anna", email="ben@home.example"), stranger)
    assert (await visited.row("activity", ANNAS))["version"] == 1
