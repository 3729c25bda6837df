"""A request under an idempotency key is answered once and replayed after that; references are unique for ever."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from engine.envelope import Committed, KeyReused, NotFound, Rejected, Stale
from statemachines.order import Cancel, Pay, Submit
from statemachines.product import Create as CreateProduct
from tests.engine.shop import ANNA, BEN, MERCHANT, Shop, basket, committed, rejected


def plain(outcome: object) -> bytes:
    """Return an answer as its caller sees it, whether it is replayed or not."""
    return msgspec.json.encode(replace(outcome, replayed=False))


async def test_the_same_request_again_has_the_same_answer_and_happens_once(shop: Shop) -> None:
    await shop.sells("MUG")
    order = await shop.draft(MUG=2)
    first = committed(await shop.tell("order", order, Submit(), ANNA, key="k"))
    again = committed(await shop.tell("order", order, Submit(), ANNA, key="k"))
    assert (first.replayed, again.replayed) == (False, True)
    assert plain(again) == plain(first)
    assert await shop.story("order", order) == ["create", "submit"]


async def test_an_order_is_placed_once_under_a_key(shop: Shop) -> None:
    await shop.sells("MUG")
    first = await shop.tell("order", None, basket(MUG=1), ANNA, key="k")
    again = await shop.tell("order", None, basket(MUG=1), ANNA, key="k")
    assert again.id == first.id
    assert plain(again) == plain(first)


async def test_a_refusal_is_replayed_although_the_event_would_be_accepted_by_now(shop: Shop) -> None:
    await shop.sells("MUG", on_hand=1)
    holder, order = await shop.pending(MUG=1), await shop.draft(MUG=1)
    first = rejected(await shop.tell("order", order, Submit(), ANNA, key="k"))
    await shop.tell("order", holder, Cancel(), ANNA)
    again = rejected(await shop.tell("order", order, Submit(), ANNA, key="k"))
    assert plain(again) == plain(first)
    assert again.replayed
    assert isinstance(await shop.tell("order", order, Submit(), ANNA, key="another"), Committed)


async def test_a_key_names_one_request_only(shop: Shop) -> None:
    await shop.sells("MUG")
    order = await shop.draft(MUG=1)
    await shop.tell("order", order, Submit(), ANNA, key="k")
    with pytest.raises(KeyReused):
        await shop.tell("order", order, Cancel(), ANNA, key="k")
    assert await shop.state(order) == "pending"


async def test_keys_of_different_principals_never_meet(shop: Shop) -> None:
    await shop.sells("MUG")
    annas = await shop.tell("order", None, basket(MUG=1), ANNA, key="k")
    bens = await shop.tell("order", None, basket(MUG=1), BEN, key="k")
    assert annas.id != bens.id
    assert not bens.replayed


async def test_an_error_is_not_kept_under_a_key(shop: Shop) -> None:
    await shop.sells("MUG")
    order = await shop.draft(MUG=1)
    with pytest.raises(Stale):
        await shop.tell("order", order, Submit(), ANNA, key="k", version=7)
    with pytest.raises(NotFound):
        await shop.tell("order", "ord_nobody", Submit(), ANNA, key="k")
    assert not committed(await shop.tell("order", order, Submit(), ANNA, key="k", version=1)).replayed


async def test_a_replay_comes_before_the_expected_version(shop: Shop) -> None:
    await shop.sells("MUG")
    order = await shop.draft(MUG=1)
    first = await shop.tell("order", order, Submit(), ANNA, key="k", version=1)
    assert plain(await shop.tell("order", order, Submit(), ANNA, key="k", version=1)) == plain(first)


async def test_a_key_may_be_used_anew_after_seven_days(shop: Shop) -> None:
    await shop.sells("MUG")
    first = await shop.tell("order", None, basket(MUG=1), ANNA, key="k")
    await shop.service.advance(timedelta(days=7) - timedelta(seconds=1))
    assert (await shop.tell("order", None, basket(MUG=1), ANNA, key="k")).id == first.id
    await shop.service.advance(timedelta(seconds=1))
    anew = await shop.tell("order", None, basket(MUG=2), ANNA, key="k")
    assert anew.id != first.id
    assert (await shop.tell("order", None, basket(MUG=2), ANNA, key="k")).id == anew.id


async def test_the_same_key_twenty_times_at_once_happens_once(shop: Shop) -> None:
    await shop.sells("MUG")
    order = await shop.pending(MUG=1)
    pay = Pay(method="tok_approve")
    outcomes = await asyncio.gather(*(shop.tell("order", order, pay, ANNA, key="k") for _ in range(20)))
    assert sum(not committed(outcome).replayed for outcome in outcomes) == 1
    assert len({plain(outcome) for outcome in outcomes}) == 1
    assert await shop.story("order", order) == ["create", "submit", "pay"]


async def test_an_entity_is_moved_only_from_the_version_that_is_expected(shop: Shop) -> None:
    await shop.sells("MUG")
    order = await shop.draft(MUG=1)
    with pytest.raises(Stale, match="version 2 was expected, but the entity is at version 1"):
        await shop.tell("order", order, Submit(), ANNA, version=2)
    assert committed(await shop.tell("order", order, Submit(), ANNA, version=1)).version == 2


# -- references ---------------------------------------------------------------------------------------------------


async def test_a_reference_is_never_given_to_a_second_order(shop: Shop) -> None:
    await shop.sells("MUG")
    order = await shop.draft(reference="shop-1", MUG=1)
    await shop.tell("order", order, Cancel(), ANNA)
    await shop.service.advance(timedelta(days=400))
    refused = rejected(await shop.tell("order", None, basket("shop-1", MUG=1), BEN))
    assert refused.reason == "an order with the reference 'shop-1' exists"


async def test_of_several_orders_with_one_reference_at_once_one_is_placed(shop: Shop) -> None:
    await shop.sells("MUG")
    outcomes = await asyncio.gather(
        *(shop.tell("order", None, basket(f"shop-{number % 2}", MUG=1), ANNA) for number in range(10))
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Committed"] * 2 + ["Rejected"] * 8


# -- two services -------------------------------------------------------------------------------------------------


@pytest.fixture
async def two_shops(open_service, postgresql_url) -> AsyncIterator[list[Shop]]:
    """Two services on one PostgreSQL."""
    async with open_service(postgresql_url, seed=1) as one, open_service(postgresql_url, seed=2) as other:
        yield [Shop(one), Shop(other)]


async def test_the_same_key_on_two_services_at_once_happens_once(two_shops) -> None:
    one, _ = two_shops
    await one.sells("MUG", on_hand=1000)
    for round_ in range(10):
        asked = [shop.tell("order", None, basket(MUG=1), ANNA, key=f"k{round_}") for shop in two_shops * 3]
        outcomes = await asyncio.gather(*asked)
        assert len({plain(committed(outcome)) for outcome in outcomes}) == 1
        assert sum(not outcome.replayed for outcome in outcomes) == 1


async def test_one_reference_on_two_services_at_once_is_one_order(two_shops) -> None:
    one, _ = two_shops
    await one.sells("MUG")
    for round_ in range(10):
        asked = [
            shop.tell("order", None, basket(f"shop-{round_}", MUG=1), by) for shop in two_shops for by in (ANNA, BEN)
        ]
        outcomes = await asyncio.gather(*asked)
        assert [type(outcome) for outcome in outcomes].count(Committed) == 1
        assert [type(outcome) for outcome in outcomes].count(Rejected) == 3


async def test_one_product_on_two_services_at_once_is_created_once(two_shops) -> None:
    for round_ in range(10):
        mug = CreateProduct(sku=f"MUG-{round_}", name="Mug", price=1, currency="EUR")
        outcomes = await asyncio.gather(*(shop.tell("product", None, mug, MERCHANT) for shop in two_shops))
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Committed", "Rejected"]
