"""A loading dock in memory: an order that has pieces sent and writes down what it is told, people, and a carrier."""

from collections.abc import Iterator

from sqlmodel import Field

from statemachines.carrier import (
    CANCEL_SHIPMENT,
    CREATE_SHIPMENT,
    CancellationRefused,
    CancelShipment,
    CreateShipment,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentRefused,
)
from statemachines.commands import Command, Send, Set, Spawn
from statemachines.declaration import NEW, Actor, Entity, Event, Role, State, Transition
from statemachines.letters import Template
from statemachines.machine import Machine
from statemachines.messages import PostMessage, SendMail, SendSms
from statemachines.pieces import NamedPieces
from statemachines.registry import Registry
from statemachines.shipment import Prepare, Recall, Shipment, ShipmentPolicy, news, shipment
from statemachines.transaction import Asked, Happened, Outcome
from statemachines.world import World

MERCHANT = Actor("shop", Role.MERCHANT)
CARRIER = Actor("inbox.carrier", Role.SYSTEM)
LINES = (
    NamedPieces(number=1, quantity=2, sku="MUG", name="Mug"),
    NamedPieces(number=3, quantity=1, sku="JUG", name="Jug"),
)
BERLIN = {"name": "Anna", "lines": ["Long Street 1"], "postal_code": "10115", "city": "Berlin", "country": "DE"}
NEWS = (
    news.ShipmentSent,
    news.ShipmentDelivered,
    news.ShipmentLost,
    news.ShipmentReturned,
    news.ShipmentCancelled,
    news.RecallRefused,
)


class Order(Entity):
    """What has pieces sent."""

    __tablename__ = "dock_orders"

    heard: list[Event] = Field(default_factory=list)


class Open(Event):
    """Begin."""


class Want(Event, by=[Role.MERCHANT]):
    """Have pieces sent."""

    prepare: Prepare


class CallBack(Event, by=[Role.MERCHANT]):
    """Call a shipment back."""

    shipment: str


def begin() -> Iterator[Command]:
    yield Set(heard=[])


def have_sent(event: Want) -> Iterator[Command]:
    yield Spawn("shipment", event.prepare)


def call_back(event: CallBack) -> Iterator[Command]:
    yield Send("shipment", event.shipment, Recall(reason="called off"))


def write_down(order: Order, event: Event) -> Iterator[Command]:
    yield Set(heard=[*order.heard, event])


order = Machine(
    Order,
    plural="orders",
    prefix="ord",
    states=[State("open", final=True)],
    transitions=[
        Transition(Open, NEW, "open", [], [begin]),
        Transition(Want, "open", None, [], [have_sent]),
        Transition(CallBack, "open", None, [], [call_back]),
        *(Transition(each, "open", None, [], [write_down]) for each in NEWS),
    ],
)


class Dock:
    """One shipment and all who have to do with it; the keywords are the figures of the shop's policy."""

    def __init__(self, **policy: object) -> None:
        figures = ShipmentPolicy.model_validate(policy)
        self.world = World(Registry([order, shipment.with_policy(figures)]))
        self.order = self.world.given("order", None, Open())

    # -- given

    def prepares(self, *, address: dict[str, object] | None = None, **more: object) -> Shipment:
        """Have the shipment prepared."""
        about = {"order": self.order, "called": "shop-1", "customer": "anna", "address": address, "lines": LINES}
        self.world.given("order", self.order, Want(prepare=Prepare.model_validate({**about, **more})), MERCHANT)
        return self.shipment

    def books(self, **more: object) -> Shipment:
        """Have it prepared and fetched, which the carrier promises."""
        self.prepares(address=BERLIN, **more)
        self.creates()
        return self.shipment

    # -- when

    def say(self, event: Event, by: Actor = MERCHANT) -> Outcome:
        """Raise an event on the shipment."""
        return self.world.raise_("shipment", self.shipment.id, event, by)

    def said(self, *events: Event, by: Actor = MERCHANT) -> None:
        """Raise events that have to be accepted."""
        for event in events:
            outcome = self.say(event, by)
            assert isinstance(outcome, Happened), outcome

    def recalls(self) -> None:
        """Let the order call the shipment back, which it may always do."""
        self.world.given("order", self.order, CallBack(shipment=self.shipment.id), MERCHANT)

    def creates(self, name: str = "S1") -> None:
        """Let the carrier promise to fetch what it was asked for first."""
        self.answers(CREATE_SHIPMENT.name, created(name))

    def refuses(self, reason: str = "no such street") -> None:
        """Let the carrier refuse to fetch it."""
        self.answers(CREATE_SHIPMENT.name, ShipmentRefused(reason=reason))

    def calls_off(self, name: str = "S1") -> None:
        """Let the carrier agree to call it off."""
        self.answers(CANCEL_SHIPMENT.name, ShipmentCancelled(shipment=name))

    def goes_on(self, name: str = "S1") -> None:
        """Let the carrier refuse to call it off."""
        self.answers(CANCEL_SHIPMENT.name, CancellationRefused(shipment=name, reason="it has been fetched"))

    def answers(self, effect: str, event: Event) -> None:
        """Let the carrier answer the first call of a kind that is open."""
        asked = next(each for each in self.open if each.call.effect.name == effect)
        outcome = self.world.answer(asked, event)
        assert isinstance(outcome, Happened), outcome

    # -- then

    @property
    def shipment(self) -> Shipment:
        entity = self.world.entity("shipment", self.world.ids("shipment")[-1])
        assert isinstance(entity, Shipment)
        return entity

    @property
    def state(self) -> str:
        return self.shipment.state

    @property
    def open(self) -> list[Asked]:
        """What the carrier was asked and has not answered."""
        return [asked for asked in self.world.awaited if asked.call.effect in (CREATE_SHIPMENT, CANCEL_SHIPMENT)]

    @property
    def heard(self) -> list[Event]:
        """What the order was told."""
        entity = self.world.entity("order", self.order)
        assert isinstance(entity, Order)
        return entity.heard

    @property
    def told(self) -> list[str]:
        """What the order was told, by name."""
        return [event.event_name.removeprefix("shipment_") for event in self.heard]

    @property
    def bookings(self) -> list[CreateShipment]:
        """All that the carrier was asked to fetch."""
        calls = [asked.call.arguments for asked in self.world.asked if asked.status != "withdrawn"]
        return [each for each in calls if isinstance(each, CreateShipment)]

    @property
    def called_off(self) -> list[str]:
        """The carrier's shipments that it was asked to call off."""
        calls = [asked.call.arguments for asked in self.world.asked]
        return [each.shipment for each in calls if isinstance(each, CancelShipment)]

    @property
    def mails(self) -> list[Template]:
        calls = [asked.call.arguments for asked in self.world.asked]
        return [each.message for each in calls if isinstance(each, SendMail)]

    @property
    def texts(self) -> list[str]:
        """What was said by SMS."""
        calls = [asked.call.arguments for asked in self.world.asked]
        return [each.text for each in calls if isinstance(each, SendSms)]

    @property
    def chat(self) -> list[str]:
        """What the shop was told by chat, without what every message begins with."""
        calls = [asked.call.arguments for asked in self.world.asked]
        return [each.text.split(" needs attention: ")[1] for each in calls if isinstance(each, PostMessage)]


def created(name: str = "S1") -> ShipmentCreated:
    """Return a carrier's promise: shipment ``S1`` is followed by ``T1``."""
    number = f"T{name[1:]}"
    page = f"https://carrier.example/{number}"
    return ShipmentCreated(shipment=name, tracking=number, tracking_url=page, label_url=f"{page}.pdf")
