"""An order and its parcels, whatever happens to them: no news is lost, no piece is in two places, nothing is stuck."""

from collections import Counter
from random import Random

from hypothesis import given, note, settings
from hypothesis import strategies as st

from statemachines.carrier import (
    CANCEL_SHIPMENT,
    CREATE_SHIPMENT,
    CancellationRefused,
    CancelShipment,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentRefused,
)
from statemachines.declaration import Actor, Event, Role
from statemachines.order import Cancel as CallOff
from statemachines.order import Create, Fulfill, LineAsked, Order, OrderLine, Pay, Resume, Retry, Ship, Submit
from statemachines.payments import CHARGE, REFUND, ChargeArguments, Charged, RefundArguments, Refunded
from statemachines.pieces import Pieces
from statemachines.product import Create as CreateProduct
from statemachines.registry import MACHINES
from statemachines.shipment import (
    Book,
    Cancel,
    Deliver,
    Dispatch,
    Lose,
    SendBack,
    Shipment,
    ShipmentLine,
    ShipmentPolicy,
)
from statemachines.shipment.model import SENT, UNDER_WAY
from statemachines.stock import Stock
from statemachines.transaction import Asked, Happened, SentRefused
from statemachines.world import World
from tests.statemachines.dock import BERLIN, CARRIER, MERCHANT

STEPS = 40
ON_HAND = 10
BOUGHT = {"MUG": 5, "JUG": 3}
ANNA = Actor("anna", Role.CUSTOMER)
OVER = ("returned_to_sender", "cancelled")
"""The states of shipments whose pieces are with the shop again."""


class AnyOrder:
    """A paid order with parcels to which anything may happen that people, a carrier and a payment gateway can do."""

    def __init__(self, random: Random) -> None:
        self.random = random
        policy = ShipmentPolicy(ask_carrier=random.random() < 0.8)
        self.world = World(MACHINES.with_policies({"shipment": policy}))
        for sku in BOUGHT:
            product = CreateProduct(sku=sku, name=sku.title(), price=1000, currency="EUR", on_hand=ON_HAND)
            self.world.given("product", None, product, MERCHANT)
        lines = tuple(LineAsked(sku=sku, quantity=quantity) for sku, quantity in BOUGHT.items())
        asked = Create.model_validate({"lines": lines, "address": BERLIN})
        self.id = self.world.given("order", None, asked, ANNA)
        for event in (Submit(), Pay(method="tok_approve")):
            self.world.given("order", self.id, event, ANNA)
        self.answer(self.open[0])

    @property
    def order(self) -> Order:
        entity = self.world.entity("order", self.id)
        assert isinstance(entity, Order)
        return entity

    @property
    def open(self) -> list[Asked]:
        effects = (CHARGE, REFUND, CREATE_SHIPMENT, CANCEL_SHIPMENT)
        return [asked for asked in self.world.awaited if asked.call.effect in effects]

    def happens(self) -> str:
        """Let something happen; return what it was."""
        chance, shipments = self.random.random(), self.world.rows(Shipment)
        if chance < 0.3 and self.open:
            return self.answer(self.random.choice(self.open))
        if chance < 0.5:
            lines = (Pieces(number=self.random.randint(1, 2), quantity=self.random.randint(1, 3)),)
            return self.say("order", self.id, Ship(lines=lines))
        if chance < 0.6 or not shipments:
            return self.say("order", self.id, self.random.choice([CallOff(), Retry(), Resume(), Fulfill()]))
        events = [
            Dispatch(),
            Dispatch(tracking="X7"),
            Lose(),
            Lose(),
            SendBack(),
            SendBack(),
            Cancel(),
            Book(),
            Deliver(),
        ]
        return self.say("shipment", self.random.choice(shipments).id, self.random.choice(events))

    def say(self, machine: str, id_: str, event: Event) -> str:
        """Raise an event. It may be refused, but never because others don't want to hear of it."""
        actor = self.random.choice([MERCHANT, CARRIER]) if isinstance(event, Dispatch | Lose | SendBack) else MERCHANT
        outcome = self.world.raise_(machine, id_, event, actor)
        assert not isinstance(outcome, SentRefused), outcome.reason
        return f"{id_} {event!r}: {isinstance(outcome, Happened)}, {self.world.entity(machine, id_).state}"

    def answer(self, asked: Asked) -> str:
        """Let the other side answer; it is always heard."""
        answer = self._answer(asked)
        outcome = self.world.answer(asked, answer)
        assert isinstance(outcome, Happened), outcome
        return f"{asked.id} is answered {answer!r}"

    def _answer(self, asked: Asked) -> Event:
        match asked.call.arguments:
            case ChargeArguments() as charge:
                return Charged(amount=charge.amount, currency=charge.currency, payment="p1")
            case RefundArguments() as refund:
                return Refunded(amount=refund.amount, currency=refund.currency, refund=f"r{asked.number}")
            case CancelShipment() as off if self.random.random() < 0.5:
                return CancellationRefused(shipment=off.shipment, reason="it has been fetched")
            case CancelShipment() as off:
                return ShipmentCancelled(shipment=off.shipment)
            case _ if self.random.random() < 0.25:
                return ShipmentRefused(reason="no such street")
        return ShipmentCreated(shipment=f"S{asked.number}", tracking=f"T{asked.number}")

    def ends(self) -> None:
        """Let everybody answer, and every parcel come back, until nothing is left to do."""
        while self.open or any(shipment.state in (*UNDER_WAY, "label") for shipment in self.world.rows(Shipment)):
            for asked in self.open:
                self.answer(asked)
            for shipment in self.world.rows(Shipment):
                if shipment.state in UNDER_WAY:
                    self.say("shipment", shipment.id, SendBack())
                elif shipment.state == "label":
                    self.say("shipment", shipment.id, Cancel())


@given(st.randoms(use_true_random=True))
@settings(max_examples=100, deadline=None)
def test_every_piece_is_in_one_place_and_nothing_is_stuck(random: Random) -> None:
    any_order = AnyOrder(random)
    for _ in range(STEPS):
        note(any_order.happens())
        every_piece_is_in_one_place(any_order)
    any_order.ends()
    every_piece_is_in_one_place(any_order)
    assert any_order.order.state != "cancelling"
    if any_order.order.state == "cancelled":
        assert any_order.order.refunded == any_order.order.paid


def every_piece_is_in_one_place(any_order: AnyOrder) -> None:
    world, order = any_order.world, any_order.order
    shipments = {shipment.id: shipment.state for shipment in world.rows(Shipment)}
    shelves = {shelf.sku: shelf for shelf in world.rows(Stock)}
    for line in world.rows(OrderLine):
        at: Counter[str] = Counter()
        for part in world.rows(ShipmentLine):
            if part.number == line.number:
                at[shipments[part.shipment_id]] += part.quantity
        assert line.packed == sum(quantity for state, quantity in at.items() if state not in OVER)
        assert line.shipped == sum(quantity for state, quantity in at.items() if state in SENT and state not in OVER)
        assert (line.delivered, line.lost) == (at["delivered"], at["lost"])
        gone = line.quantity if order.stock_held == "taken" else line.delivered + line.lost
        assert (shelves[line.sku].on_hand, shelves[line.sku].reserved) == (ON_HAND - gone, 0)
    open_ = [state for state in shipments.values() if state not in ("delivered", "lost", *OVER)]
    assert order.parcels == len(open_)
    assert not (open_ and order.state == "cancelled")
