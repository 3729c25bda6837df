"""Whole orders paid through Stripe: whatever happens, the shop's books and Stripe's ledger agree."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Literal

import pytest
from sqlalchemy import select

from engine.interventions import RetryEffect
from persistence.tables import TABLES
from statemachines.declaration import Actor, Role
from statemachines.order import Cancel, Fulfill, Pay, Ship
from statemachines.payments import PATIENCE
from statemachines.pieces import Pieces
from statemachines.shipment import Dispatch, Shipment
from tests.conftest import OpenService
from tests.engine.shop import ANNA, Shop, committed
from tests.gateways import faults
from tests.gateways.peer import apart
from tests.gateways.stripe_double import SECRET_KEY, Fault, StripeDouble


@pytest.fixture
def stripe() -> Iterator[StripeDouble]:
    with apart(StripeDouble()) as playing:
        yield playing


@pytest.fixture
async def shop(open_service: OpenService, database_url: str, stripe: StripeDouble) -> AsyncIterator[Shop]:
    payments = {"gateway": "stripe", "secret_key": SECRET_KEY, "url": stripe.url}
    async with open_service(database_url, payments=payments) as service:
        opened = Shop(service)
        await opened.sells("MUG")
        yield opened


async def test_takes_the_money_of_an_order(shop: Shop, stripe: StripeDouble) -> None:
    order = await shop.paying("pm_card_visa", MUG=2)
    await shop.service.settle()
    row = await shop.row("order", order)
    assert (row["state"], row["paid"]) == ("processing", 2500)
    (intent,) = stripe.intents.values()
    assert stripe.taken == [(intent["id"], 2500, "eur")]
    assert intent["metadata"]["order"] == order


async def test_lets_the_customer_pay_otherwise_after_a_decline(shop: Shop, stripe: StripeDouble) -> None:
    order = await shop.paying("pm_card_chargeDeclinedExpiredCard", MUG=1)
    await shop.service.settle()
    row = await shop.row("order", order)
    assert (row["state"], row["attention"]) == ("pending", "declined: the card has expired")
    assert stripe.taken == []


@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.parametrize("fault", [faults.resets, faults.breaks_off, faults.says(429), faults.says(200)])
async def test_takes_the_money_once_although_the_answer_was_lost(
    shop: Shop, stripe: StripeDouble, fault, carried_out: bool
) -> None:
    stripe.faults.extend([Fault(fault, carried_out)] * 2)
    order = await shop.paying("pm_card_visa", MUG=1)
    await shop.service.advance(timedelta(minutes=1))
    assert await shop.state(order) == "processing"
    assert [amount for _, amount, _ in stripe.taken] == [1250]


@pytest.mark.parametrize("take", ["now", "later"])
async def test_moves_money_once_that_an_admin_asks_for_again_when_stripe_has_forgotten_its_key(
    shop: Shop, stripe: StripeDouble, take: Literal["now", "later"]
) -> None:
    stripe.faults.extend([Fault(faults.resets)] * PATIENCE.attempts)
    order = await shop.pending(MUG=1)
    committed(await shop.tell("order", order, Pay(method="pm_card_visa", take=take), ANNA))
    await shop.service.advance(timedelta(hours=25))
    (effect,) = [each for each in await shop.effects() if each["status"] == "parked"]
    stripe.faults.clear()
    stripe.kept.clear()
    again = RetryEffect(effect=str(effect["id"]), reason="Stripe answers again")
    committed(await shop.tell("payment", str(effect["entity_id"]), again, Actor("root", Role.ADMIN)))
    await shop.service.settle()
    row = await shop.row("order", order)
    assert (row["state"], row["paid"] + row["authorized"]) == ("processing", 1250)
    assert len(stripe.intents) == 1


async def test_gives_the_money_of_a_cancelled_order_back_once(shop: Shop, stripe: StripeDouble) -> None:
    order = await shop.paying("pm_card_visa", MUG=1)
    await shop.service.settle()
    stripe.faults.append(Fault(faults.resets))
    committed(await shop.tell("order", order, Cancel(reason="broken")))
    await shop.service.advance(timedelta(minutes=1))
    assert (await shop.row("order", order))["refunded"] == 1250
    assert [amount for _, amount in stripe.given_back] == [1250]


@pytest.mark.parametrize("in_pieces", [True, False])
async def test_takes_what_is_held_parcel_by_parcel_where_the_card_allows_it(
    open_service: OpenService, database_url: str, stripe: StripeDouble, in_pieces: bool
) -> None:
    payments = {"gateway": "stripe", "secret_key": SECRET_KEY, "url": stripe.url, "multicapture": True}
    stripe.takes_in_pieces = in_pieces
    async with open_service(database_url, payments=payments) as service:
        shop = Shop(service)
        await shop.sells("MUG")
        order = await shop.pending(MUG=2)
        committed(await shop.tell("order", order, Pay(method="pm_card_visa", take="later"), ANNA))
        await service.settle()
        committed(await shop.tell("order", order, Ship(lines=(Pieces(number=1, quantity=1),))))
        parcel = await service.database.read(lambda c: c.execute(select(TABLES[Shipment].c.id)).scalar_one())
        committed(await shop.tell("shipment", parcel, Dispatch()))
        await service.settle()
        row = await shop.row("order", order)
        assert (row["paid"], row["authorized"]) == (1250, 1250 if in_pieces else 0)
        lapsed = "12.50 EUR are no longer held: the bank lets it be taken in one piece only"
        assert row["attention"] == (None if in_pieces else lapsed)
        committed(await shop.tell("order", order, Fulfill()))
        await service.settle()
        assert sum(amount for _, amount, _ in stripe.taken) == (2500 if in_pieces else 1250)
