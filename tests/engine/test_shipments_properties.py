"""Parcels in any order of events on real databases: orders, shipments and shelves agree on where every piece is."""

from collections import Counter
from random import Random

import pytest
from sqlalchemy import select

from engine.envelope import Committed, Rejected
from engine.inbox import Message
from orderly.service import Service
from persistence.tables import TABLES
from statemachines.carrier import Address
from statemachines.declaration import Event
from statemachines.order import Cancel as CallOff
from statemachines.order import Create, Fulfill, LineAsked, OrderLine, Pay, Ship, Submit
from statemachines.pieces import Pieces
from statemachines.shipment import Arrived, Book, Cancel, Deliver, Dispatch, Lose, SendBack, Shipment, ShipmentLine
from statemachines.shipment.model import SENT
from tests.conftest import OpenService
from tests.engine.shop import ANNA, MERCHANT, Shop, committed

BOUGHT = {"MUG": 5, "JUG": 3}
ON_HAND = 10
STEPS = 40
CITIES = ["Berlin", "Berlin", "Nowhere", "Hurry", None]
OVER = ("returned_to_sender", "cancelled")
"""The states of shipments whose pieces are with the shop again."""


class AnyDay:
    """Parcels of one order, about which anything happens that people and the carrier can bring about."""

    def __init__(self, shop: Shop, random: Random) -> None:
        self.shop, self.service, self.random = shop, shop.service, random
        self.order = ""
        self.messages = 0

    async def begins(self) -> None:
        """Have the order paid."""
        await self.shop.sells(*BOUGHT, on_hand=ON_HAND)
        city = self.random.choice(CITIES)
        address = Address(name="Anna", lines=("Long Street 1",), city=city, country="DE") if city else None
        lines = tuple(LineAsked(sku=sku, quantity=quantity) for sku, quantity in BOUGHT.items())
        self.order = committed(await self.shop.tell("order", None, Create(lines=lines, address=address), ANNA)).id
        for event in (Submit(), Pay(method="tok_approve")):
            committed(await self.shop.tell("order", self.order, event, ANNA))
        await self.service.settle()

    async def goes_on(self) -> str:
        """Let something happen; return what it was."""
        chance = self.random.random()
        if chance < 0.2:
            return await self._say("order", self.order, self._ship())
        if chance < 0.24:
            return await self._say("order", self.order, self.random.choice([CallOff(), Fulfill()]))
        if chance < 0.4:
            await self.service.settle()
            return "everything that is due"
        shipments = await rows(self.service, Shipment)
        if not shipments:
            return "nothing"
        shipment = str(self.random.choice(shipments)["id"])
        if chance < 0.6:
            return await self._message(shipment)
        events = [Dispatch(), Dispatch(tracking="X7"), Deliver(), Lose(), SendBack(), Cancel(), Book(), Arrived()]
        return await self._say("shipment", shipment, self.random.choice(events))

    def _ship(self) -> Ship:
        if self.random.random() < 0.3:
            return Ship()
        return Ship(lines=(Pieces(number=self.random.randint(1, 2), quantity=self.random.randint(1, 3)),))

    async def _say(self, machine: str, id_: str, event: Event) -> str:
        outcome = await self.shop.tell(machine, id_, event, MERCHANT)
        assert isinstance(outcome, Committed | Rejected)
        # Whatever happens to a parcel, its order hears of it: only the shipment itself may refuse.
        assert isinstance(outcome, Committed) or "' refused '" not in outcome.reason, outcome.reason
        return f"{machine} {event!r}: {outcome.state}"

    async def _message(self, shipment: str) -> str:
        kind = self.random.choice(["shipped", "delivered", "lost", "returned"])
        self.messages += 1
        body = {"type": f"shipment.{kind}", "data": {"reference": shipment}}
        await self.service.inbox.receive(Message("carrier", f"msg_{self.messages}", body))
        await self.service.settle()
        return f"message {kind}"


async def rows(service: Service, kind: type) -> list[dict[str, object]]:
    statement = select(TABLES[kind])
    return await service.database.read(lambda c: [dict(row) for row in c.execute(statement).mappings()])


async def everybody_agrees_where_the_pieces_are(day: AnyDay) -> None:
    service = day.service
    shipments = {row["id"]: row for row in await rows(service, Shipment)}
    where: Counter[tuple[object, str]] = Counter()
    for line in await rows(service, ShipmentLine):
        state, number, quantity = shipments[line["shipment_id"]]["state"], line["number"], line["quantity"]
        assert isinstance(quantity, int)
        where[number, str(state)] += quantity
    order = await day.shop.row("order", day.order)
    for line in await rows(service, OrderLine):
        at = {state: quantity for (number, state), quantity in where.items() if number == line["number"]}
        packed = {state: quantity for state, quantity in at.items() if state not in OVER}
        assert line["packed"] == sum(packed.values())
        assert line["shipped"] == sum(quantity for state, quantity in packed.items() if state in SENT)
        assert (line["delivered"], line["lost"]) == (at.get("delivered", 0), at.get("lost", 0))
        on_hand, reserved = await day.shop.shelf(str(line["sku"]))
        held = {"taken": BOUGHT[str(line["sku"])], "nothing": at.get("delivered", 0) + at.get("lost", 0)}
        assert (on_hand, reserved) == (ON_HAND - held[str(order["stock_held"])], 0)
    open_ = [row for row in shipments.values() if row["state"] not in ("delivered", "lost", *OVER)]
    assert order["parcels"] == len(open_)


@pytest.mark.parametrize("seed", range(4))
async def test_orders_shipments_and_shelves_agree_on_every_piece(
    open_service: OpenService, database_url: str, seed: int
) -> None:
    async with open_service(database_url, seed=seed, shipment={"ask_carrier": seed % 2 == 0}) as service:
        day = AnyDay(Shop(service), Random(seed))
        await day.begins()
        story = []
        for _ in range(STEPS):
            story.append(await day.goes_on())
            await everybody_agrees_where_the_pieces_are(day)
        await service.settle()
        await everybody_agrees_where_the_pieces_are(day)
        order = await day.shop.row("order", day.order)
        assert order["state"] != "cancelled" or order["refunded"] == order["paid"], story
