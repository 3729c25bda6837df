"""Parcels on real databases: orders in several, carriers that answer, messages that come twice or too early."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from engine.envelope import Committed, Forbidden
from engine.inbox import Message
from persistence.tables import TABLES, InboxRow
from statemachines.carrier import Address
from statemachines.declaration import Actor, Event, Role
from statemachines.order import Cancel as CallOff
from statemachines.order import Create, Fulfill, LineAsked, Pay, Ship, Submit
from statemachines.pieces import Pieces
from statemachines.shipment import Book, Cancel, Deliver, Dispatch, Lose, Recall, SendBack, Shipment, ShipmentLine
from tests.conftest import OpenService
from tests.engine.messages import Json
from tests.engine.shop import ANNA, MERCHANT, Shop, committed, rejected
from tests.gateways.peer import playing
from tests.gateways.services import TOKEN, Carrier

MUG, JUG = 1, 2
"""The lines of the orders."""


class Depot:
    """A shop that sends parcels, and the carrier's messages."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.service = shop, shop.service

    async def paid(self, city: str | None = None, *, mugs: int = 3, jugs: int = 1) -> str:
        """Have an order paid, for a customer in a city."""
        lines = (LineAsked(sku="MUG", quantity=mugs), LineAsked(sku="JUG", quantity=jugs))
        address = Address(name="Anna", lines=("Long Street 1",), city=city, country="DE") if city else None
        asked = Create(lines=lines, email="anna@shop.example", address=address)
        order = committed(await self.shop.tell("order", None, asked, ANNA)).id
        for event in (Submit(), Pay(method="tok_approve")):
            committed(await self.shop.tell("order", order, event, ANNA))
        await self.service.settle()
        return order

    async def ships(self, order: str, *pieces: tuple[int, int]) -> str:
        """Have a parcel prepared of so many pieces of each line, or of all that wait; return the shipment's id."""
        lines = tuple(Pieces(number=number, quantity=quantity) for number, quantity in pieces)
        await self.service.advance(timedelta(seconds=1))  # shipments are named in the order of their moments
        committed(await self.shop.tell("order", order, Ship(lines=lines)))
        await self.service.settle()
        return (await self.shipments(order))[-1]

    async def shipments(self, order: str) -> list[str]:
        table = TABLES[Shipment]
        statement = select(table.c.id).where(table.c.order_id == order).order_by(table.c.id)
        return await self.service.database.read(lambda c: list(c.execute(statement).scalars()))

    async def lines(self, shipment: str) -> list[tuple[int, str, int]]:
        table = TABLES[ShipmentLine]
        statement = select(table.c.number, table.c.sku, table.c.quantity).where(table.c.shipment_id == shipment)
        ordered = statement.order_by(table.c.number)
        return await self.service.database.read(lambda c: [tuple(row) for row in c.execute(ordered)])

    async def does(self, shipment: str, *events: Event, by: Actor = MERCHANT) -> None:
        for event in events:
            committed(await self.shop.tell("shipment", shipment, event, by))
        await self.service.settle()

    async def tells(self, *news: str, **about: str) -> None:
        """Let the carrier tell what happened to what it names by `reference`."""
        for number, each in enumerate(news):
            body: Json = {"type": f"shipment.{each}", "data": about}
            await self.service.inbox.receive(Message("carrier", f"{number}_{each}_{sorted(about.items())}", body))
        await self.service.settle()

    async def heard(self) -> list[str]:
        """Return what became of the carrier's messages."""
        table = TABLES[InboxRow]
        statement = select(table.c.status).order_by(table.c.seq)
        return await self.service.database.read(lambda c: list(c.execute(statement).scalars()))

    async def states(self, order: str) -> tuple[object, list[object]]:
        """Return the state of an order and those of its shipments."""
        return await self.shop.state(order), [
            (await self.shop.row("shipment", shipment))["state"] for shipment in await self.shipments(order)
        ]

    async def mails(self) -> list[str]:
        """Return which mails were written about parcels, in the order of the alphabet."""
        asked = [effect["arguments"] for effect in await self.shop.effects() if effect["name"] == "mail.send"]
        written = sorted(each["message"]["template"] for each in asked)  # type: ignore[index]
        return [each for each in written if each in ("order_shipped", "order_delivered", "delivery_failed")]


@pytest.fixture
async def depot(open_service: OpenService, database_url: str) -> AsyncIterator[Depot]:
    async with open_service(database_url, shipment={"ask_carrier": True}) as service:
        shop = Shop(service)
        await shop.sells("MUG", "JUG")
        yield Depot(shop)


# -- by hand


async def test_an_order_leaves_and_arrives_in_two_parcels(depot: Depot) -> None:
    order = await depot.paid()
    first = await depot.ships(order, (MUG, 2))
    second = await depot.ships(order)
    assert (await depot.lines(first), await depot.lines(second)) == (
        [(MUG, "MUG", 2)],
        [(MUG, "MUG", 1), (JUG, "JUG", 1)],
    )
    assert await depot.states(order) == ("processing", ["pending", "pending"])
    await depot.does(first, Dispatch(tracking="T1"))
    assert await depot.states(order) == ("partially_shipped", ["in_transit", "pending"])
    await depot.does(second, Dispatch())
    assert await depot.states(order) == ("fulfilled", ["in_transit", "in_transit"])
    await depot.does(second, Deliver())
    assert await depot.states(order) == ("partially_delivered", ["in_transit", "delivered"])
    await depot.does(first, Deliver())
    assert await depot.states(order) == ("delivered", ["delivered", "delivered"])
    assert await depot.mails() == ["order_delivered"] * 2 + ["order_shipped"] * 2


async def test_an_order_that_is_fulfilled_in_one_leaves_in_a_shipment(depot: Depot) -> None:
    order = await depot.paid()
    committed(await depot.shop.tell("order", order, Fulfill(tracking="T1")))
    assert await depot.states(order) == ("fulfilled", ["in_transit"])
    (shipment,) = await depot.shipments(order)
    assert (await depot.shop.row("shipment", shipment))["tracking"] == "T1"
    assert await depot.mails() == ["order_shipped"]


async def test_a_parcel_that_is_cancelled_waits_to_be_packed_again(depot: Depot) -> None:
    order = await depot.paid()
    shipment = await depot.ships(order)
    await depot.does(shipment, Cancel(reason="the wrong box"))
    assert await depot.states(order) == ("processing", ["cancelled"])
    again = await depot.ships(order)
    assert await depot.lines(again) == await depot.lines(shipment)


async def test_a_lost_parcel_turns_up(depot: Depot) -> None:
    order = await depot.paid()
    shipment = await depot.ships(order)
    await depot.does(shipment, Dispatch(), Lose(reason="the van burnt"))
    assert (await depot.shop.row("order", order))["attention"]
    await depot.does(shipment, Deliver())
    assert await depot.states(order) == ("delivered", ["delivered"])
    assert await depot.mails() == ["delivery_failed", "order_delivered", "order_shipped"]


async def test_a_parcel_that_comes_back_may_be_sent_again(depot: Depot) -> None:
    order = await depot.paid()
    shipment = await depot.ships(order)
    await depot.does(shipment, Dispatch(), SendBack(reason="nobody at home"))
    assert await depot.states(order) == ("processing", ["returned_to_sender"])
    again = await depot.ships(order)
    await depot.does(again, Dispatch(), Deliver())
    assert await depot.states(order) == ("delivered", ["returned_to_sender", "delivered"])


# -- with the carrier


async def test_a_carrier_fetches_and_brings_a_parcel(depot: Depot) -> None:
    order = await depot.paid("Berlin")
    shipment = await depot.ships(order)
    row = await depot.shop.row("shipment", shipment)
    assert (row["state"], row["carrier_asked"], row["attention"]) == ("label", False, None)
    assert row["carrier_shipment"]
    assert row["tracking"]
    assert row["label_url"]
    assert await depot.shop.state(order) == "processing"
    await depot.tells("shipped", "delivered", reference=shipment, tracking=str(row["tracking"]))
    assert await depot.states(order) == ("delivered", ["delivered"])
    assert await depot.shop.story("shipment", shipment) == ["prepare", "shipment_created", "dispatch", "deliver"]


async def test_messages_in_the_wrong_order_come_to_the_same(depot: Depot) -> None:
    order = await depot.paid("Berlin")
    shipment = await depot.ships(order)
    await depot.tells("delivered", "shipped", "delivered", reference=shipment)
    assert await depot.states(order) == ("delivered", ["delivered"])
    assert await depot.heard() == ["applied"] * 3
    assert await depot.mails() == ["order_delivered"]


async def test_a_carrier_that_refuses_an_address_is_asked_with_a_better_one(depot: Depot) -> None:
    order = await depot.paid("Nowhere")
    shipment = await depot.ships(order)
    row = await depot.shop.row("shipment", shipment)
    assert (row["state"], row["attention"]) == ("refused", "the carrier refused it: the address is not served")
    address = Address(name="Anna", lines=("Long Street 1",), city="Berlin", country="DE")
    await depot.does(shipment, Book(address=address))
    assert await depot.states(order) == ("processing", ["label"])


async def test_a_silent_carrier_is_shown_to_a_person_who_sends_the_parcel_otherwise(depot: Depot) -> None:
    order = await depot.paid("Silence")
    shipment = await depot.ships(order)
    await depot.service.advance(timedelta(hours=24))
    row = await depot.shop.row("shipment", shipment)
    assert (row["state"], row["attention"]) == ("pending", "the carrier has not answered")
    await depot.does(shipment, Dispatch(tracking="X7"))
    assert await depot.states(order) == ("fulfilled", ["in_transit"])


async def test_an_order_that_is_called_off_calls_the_carrier_off_first(depot: Depot) -> None:
    order = await depot.paid("Berlin")
    await depot.ships(order)
    committed(await depot.shop.tell("order", order, CallOff()))
    assert await depot.states(order) == ("cancelling", ["cancelling"])
    await depot.service.settle()
    assert await depot.states(order) == ("cancelled", ["cancelled"])
    row = await depot.shop.row("order", order)
    assert (row["paid"], row["refunded"]) == (5000, 5000)
    assert (await depot.shop.shelf("MUG"), await depot.shop.shelf("JUG")) == ((10, 0), (10, 0))


async def test_an_order_whose_parcel_can_not_be_called_back_waits_for_a_person(depot: Depot) -> None:
    order = await depot.paid("Hurry")
    shipment = await depot.ships(order)
    await depot.does(shipment, Dispatch())
    committed(await depot.shop.tell("order", order, CallOff()))
    await depot.service.settle()
    assert await depot.states(order) == ("cancellation_failed", ["in_transit"])
    await depot.does(shipment, SendBack())
    assert await depot.states(order) == ("cancelled", ["returned_to_sender"])
    assert (await depot.shop.row("order", order))["refunded"] == 5000


async def test_a_recall_of_a_parcel_under_way_waits_until_it_is_back(depot: Depot) -> None:
    order = await depot.paid("Berlin")
    shipment = await depot.ships(order)
    await depot.does(shipment, Dispatch())
    committed(await depot.shop.tell("order", order, CallOff()))
    await depot.service.settle()
    assert await depot.states(order) == ("cancelling", ["returning"])
    await depot.tells("returned", reference=shipment)
    assert await depot.states(order) == ("cancelled", ["returned_to_sender"])
    assert await depot.mails() == ["order_shipped"]


async def test_over_the_carriers_api_a_parcel_is_booked_and_called_off(
    open_service: OpenService, database_url: str
) -> None:
    async with playing(Carrier()) as peer:
        carrier = {"gateway": "http", "url": peer.url, "token": TOKEN}
        async with open_service(database_url, shipment={"ask_carrier": True}, carrier=carrier) as service:
            depot = Depot(Shop(service))
            await depot.shop.sells("MUG", "JUG")
            order = await depot.paid("Berlin")
            shipment = await depot.ships(order, (MUG, 1))
            await depot.does(shipment, Cancel())
            assert await depot.states(order) == ("processing", ["cancelled"])
    booked, off = peer.asked
    assert (booked.path, booked.json["order"], booked.json["reference"]) == ("/shipments", order, shipment)
    assert (off.path, off.json) == ("/shipments/S1/cancel", {"order": order})


# -- at once


async def test_what_is_sent_and_called_off_at_once_is_either(depot: Depot) -> None:
    order = await depot.paid()
    for _ in range(5):
        shipment = await depot.ships(order)
        asked = [Dispatch(), Cancel(), Dispatch()]
        outcomes = await asyncio.gather(*(depot.shop.tell("shipment", shipment, each) for each in asked))
        sent, cancelled, again = [isinstance(outcome, Committed) for outcome in outcomes]
        state = (await depot.shop.row("shipment", shipment))["state"]
        assert (state, cancelled, again) == (("in_transit", False, True) if sent else ("cancelled", True, False))
        if sent:
            await depot.does(shipment, SendBack())


async def test_people_do_not_recall_and_customers_do_not_send(depot: Depot) -> None:
    order = await depot.paid()
    shipment = await depot.ships(order)
    for event, who in ((Recall(), MERCHANT), (Dispatch(), ANNA), (Dispatch(), Actor("root", Role.ADMIN))):
        with pytest.raises(Forbidden):
            await depot.shop.tell("shipment", shipment, event, who)
    rejected(await depot.shop.tell("shipment", shipment, Lose()))
