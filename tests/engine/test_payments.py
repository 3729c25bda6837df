"""Payments on real databases: taken at once or parcel by parcel, let go, stuck, disputed; the order's books agree."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from engine.envelope import NotFound
from engine.inbox import Message
from persistence.tables import TABLES, InboxRow
from statemachines.declaration import Actor, Event
from statemachines.order import Cancel, Create, LineAsked, Pay, Refund, Ship, Submit
from statemachines.payment import Payment
from statemachines.payment.events import Confirm, Retry, Void
from statemachines.pieces import Pieces
from statemachines.shipment import Dispatch, Shipment
from tests.conftest import OpenService
from tests.engine.messages import Json, dispute, intent
from tests.engine.shop import ANNA, BEN, MERCHANT, Shop, committed, rejected
from tests.engine.test_pulse import counted

MUG, JUG = 1, 2
"""The lines of the orders."""


class Till:
    """A shop whose payments are looked at."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.service = shop, shop.service

    async def paying(self, method: str | None = "tok_approve", **how: Any) -> str:
        """Order two mugs and a jug and begin to pay; return the order."""
        lines = (LineAsked(sku="MUG", quantity=2), LineAsked(sku="JUG", quantity=1))
        asked = Create(lines=lines, email="anna@shop.example")
        order = committed(await self.shop.tell("order", None, asked, ANNA)).id
        for event in (Submit(), Pay(method=method, **how)):
            committed(await self.shop.tell("order", order, event, ANNA))
        return order

    async def paid(self, method: str = "tok_approve", **how: Any) -> str:
        order = await self.paying(method, **how)
        await self.service.settle()
        return order

    async def ships(self, order: str, *pieces: tuple[int, int]) -> None:
        """Send a parcel of so many pieces of each line."""
        await self.service.advance(timedelta(seconds=1))
        lines = tuple(Pieces(number=number, quantity=quantity) for number, quantity in pieces)
        committed(await self.shop.tell("order", order, Ship(lines=lines)))
        shipment = (await self.children(Shipment, order))[-1]
        committed(await self.shop.tell("shipment", shipment["id"], Dispatch()))

    async def tell(self, order: str, event: Event, by: Actor = MERCHANT) -> None:
        committed(await self.shop.tell("payment", (await self.payment(order))["id"], event, by))

    async def hears(self, *messages: Json) -> None:
        """Receive messages of Stripe's."""
        for message in messages:
            await self.service.inbox.receive(Message("stripe", message["id"], message))
        await self.service.settle()

    async def payment(self, order: str) -> dict[str, Any]:
        (payment,) = await self.children(Payment, order)
        return payment

    async def children(self, row: type, order: str) -> list[dict[str, Any]]:
        table = TABLES[row]
        statement = select(table).where(table.c.order_id == order).order_by(table.c.id)
        return await self.service.database.read(lambda c: [dict(each) for each in c.execute(statement).mappings()])

    async def books(self, order: str) -> dict[str, Any]:
        """Return where the order's money is, by its own account, which must be that of its payments."""
        row, payments = await self.shop.row("order", order), await self.children(Payment, order)
        mine = {name: row[name] for name in ("asked", "authorized", "paid", "refunding", "refunded", "charged_back")}
        theirs = ("asked", "held", "captured", "refunding", "refunded", "charged_back")
        sums = [sum(payment[name] for payment in payments) for name in theirs]
        assert list(mine.values()) == sums
        return {"state": row["state"], **{name: value for name, value in mine.items() if value}}

    async def inbox(self) -> list[tuple[str, str | None]]:
        table = TABLES[InboxRow]
        statement = select(table.c.status, table.c.reason).order_by(table.c.seq)
        return await self.service.database.read(lambda c: [tuple(row) for row in c.execute(statement)])


@pytest.fixture
async def till(open_service: OpenService, database_url: str) -> AsyncIterator[Till]:
    async with open_service(database_url) as service:
        shop = Shop(service)
        await shop.sells("MUG", "JUG", price=1000)
        yield Till(shop)


async def test_money_is_taken_at_once(till: Till) -> None:
    order = await till.paying()
    assert await till.books(order) == {"state": "paying", "asked": 3000}
    await till.service.settle()
    assert await till.books(order) == {"state": "processing", "paid": 3000}
    assert (await till.payment(order))["state"] == "captured"


async def test_money_is_held_and_taken_parcel_by_parcel(till: Till) -> None:
    order = await till.paid(take="later")
    assert await till.books(order) == {"state": "processing", "authorized": 3000}
    await till.ships(order, (MUG, 1))
    await till.service.settle()
    assert await till.books(order) == {"state": "partially_shipped", "authorized": 2000, "paid": 1000}
    assert (await till.payment(order))["state"] == "partially_captured"
    await till.ships(order, (MUG, 1))
    await till.ships(order, (JUG, 1))
    await till.service.settle()
    assert await till.books(order) == {"state": "fulfilled", "paid": 3000}
    assert (await till.payment(order))["state"] == "captured"


async def test_an_order_is_paid_by_several_payments(till: Till) -> None:
    order = await till.paid(amount=1000)
    assert await till.books(order) == {"state": "pending", "paid": 1000}
    committed(await till.shop.tell("order", order, Pay(method="tok_approve", take="later"), ANNA))
    await till.service.settle()
    assert await till.books(order) == {"state": "processing", "authorized": 2000, "paid": 1000}


async def test_the_customer_says_with_what_it_is_paid(till: Till) -> None:
    order = await till.paying(method=None)
    payment = (await till.payment(order))["id"]
    with pytest.raises(NotFound):
        await till.shop.tell("payment", payment, Confirm(method="tok_approve"), BEN)
    committed(await till.shop.tell("payment", payment, Confirm(method="tok_approve"), ANNA))
    await till.service.settle()
    assert await till.books(order) == {"state": "processing", "paid": 3000}


async def test_the_customer_is_sent_to_the_bank(till: Till) -> None:
    order = await till.paid("tok_action")
    payment = await till.payment(order)
    assert payment["state"] == "requires_action"
    assert payment["payment_url"].startswith("https://sandbox.invalid/confirm/")
    (mail,) = [each for each in await till.shop.effects() if each["name"] == "mail.send"]
    assert mail["arguments"]["message"]["template"] == "payment_action_required"
    charge = next(each for each in await till.shop.effects() if each["name"] == "payments.charge")
    await till.hears(intent("succeeded", str(charge["id"]), payment["payment"], amount=3000))
    assert await till.books(order) == {"state": "processing", "paid": 3000}


async def test_what_the_customer_does_not_confirm_is_called_off(till: Till) -> None:
    order = await till.paid("tok_action")
    await till.service.advance(timedelta(hours=1))
    assert (await till.payment(order))["state"] == "voided"
    assert "asked" not in await till.books(order)


async def test_what_is_held_is_let_go_with_the_order(till: Till) -> None:
    order = await till.paid(take="later")
    committed(await till.shop.tell("order", order, Cancel(), MERCHANT))
    await till.service.settle()
    assert await till.books(order) == {"state": "cancelled"}
    assert (await till.payment(order))["state"] == "voided"


async def test_what_is_held_lapses_after_a_week(till: Till) -> None:
    order = await till.paid(take="later")
    await till.service.advance(timedelta(days=7))
    assert (await till.payment(order))["state"] == "expired"
    assert "authorized" not in await till.books(order)


async def test_a_refused_capture_is_for_a_person(till: Till) -> None:
    order = await till.paid("tok_no_capture", take="later")
    await till.ships(order, (MUG, 2), (JUG, 1))
    await till.service.settle()
    payment = await till.payment(order)
    assert (payment["state"], payment["attention"]) == ("failed", "the bank no longer holds the money ready")
    assert (await till.books(order))["authorized"] == 3000
    await till.tell(order, Retry())
    await till.service.settle()
    assert (await till.payment(order))["state"] == "failed"


async def test_what_the_bank_will_not_let_go_is_for_a_person(till: Till) -> None:
    order = await till.paid("tok_no_void", take="later")
    await till.tell(order, Void())
    await till.service.settle()
    assert (await till.payment(order))["state"] == "failed"
    assert (await till.books(order))["authorized"] == 3000


async def test_a_gateway_that_never_answers_is_for_a_person(till: Till) -> None:
    order = await till.paid("tok_timeout")
    await till.service.advance(timedelta(hours=24))
    assert (await till.payment(order))["state"] == "failed"
    assert (await till.books(order))["asked"] == 3000


# -- disputes ------------------------------------------------------------------------------------------------------


async def test_a_dispute_finds_its_payment_by_the_gateways_name(till: Till) -> None:
    order = await till.paid()
    name = (await till.payment(order))["payment"]
    await till.hears(dispute("created", name, amount=2000))
    assert (await till.books(order))["charged_back"] == 2000
    await till.hears(dispute("closed", name, amount=2000, status="won"))
    assert await till.books(order) == {"state": "processing", "paid": 3000}
    assert (await till.payment(order))["state"] == "dispute_won"
    assert await till.inbox() == [("applied", None)] * 2


async def test_a_lost_dispute_takes_the_money(till: Till) -> None:
    order = await till.paid()
    name = (await till.payment(order))["payment"]
    await till.hears(dispute("created", name, amount=3000), dispute("closed", name, amount=3000, status="lost"))
    assert (await till.books(order))["charged_back"] == 3000
    assert (await till.payment(order))["state"] == "dispute_lost"


async def test_a_dispute_about_a_payment_of_others_waits_and_is_kept_for_a_person(till: Till) -> None:
    await till.hears(dispute("created", "pi_of_others"))
    assert (await till.inbox())[0][0] == "pending"
    await till.service.advance(timedelta(hours=1))
    assert await till.inbox() == [("unroutable", "no payment has the payment 'pi_of_others'")]


async def test_a_dispute_may_be_heard_of_before_the_payment_is_known(till: Till) -> None:
    order = await till.paying("tok_slow")
    await till.service.effects.run()
    charge = next(each for each in await till.shop.effects() if each["name"] == "payments.charge")
    name = f"sbx_taken_approve_EUR3000_{charge['id']}"
    await till.service.inbox.receive(Message("stripe", "evt_1", dispute("created", name, amount=3000)))
    await till.service.inbox.run()
    await till.service.effects.finish()
    await till.service.advance(timedelta(minutes=1))
    assert (await till.payment(order))["state"] == "disputed"


async def test_many_disputes_are_looked_up_by_one_statement(till: Till) -> None:
    orders = [await till.paying() for _ in range(5)]
    await till.service.settle()
    for order in orders:
        name = (await till.payment(order))["payment"]
        await till.service.inbox.receive(Message("stripe", name, dispute("created", name)))
    with counted(till.service) as statements:
        await till.service.inbox.run()
    assert len([each for each in statements if "payments.payment " in each.partition("WHERE")[2]]) == 1
    assert [(await till.payment(order))["state"] for order in orders] == ["disputed"] * 5


async def test_no_more_is_refunded_than_the_bank_left(till: Till) -> None:
    order = await till.paid()
    name = (await till.payment(order))["payment"]
    await till.hears(dispute("created", name, amount=2000))
    refusal = rejected(await till.shop.tell("order", order, Refund(amount=1001)))
    assert "30.00 EUR were taken" in refusal.reason
