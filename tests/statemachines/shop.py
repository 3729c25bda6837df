"""A shop in memory: people and the clock in a world, and what came of what they did.

`shop.tell` says what came of an event, `accepted` and `refused` what it has to be. The `Store` of many machines and
the desks of single ones stand on it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any, TypeVar

from pydantic import BaseModel

from statemachines.commands import Call
from statemachines.decision import Refused
from statemachines.declaration import NEW, Actor, Entity, Event, Policy, Role, State, Transition
from statemachines.letters import Template
from statemachines.machine import Machine
from statemachines.messages import PostMessage, SendMail
from statemachines.product import Create as CreateProduct
from statemachines.registry import MACHINES, Registry
from statemachines.stock import MAX_ON_HAND, Receive
from statemachines.transaction import Happened, Outcome, Step, Timer
from statemachines.values import MAX_QUANTITY
from statemachines.world import World

B = TypeVar("B", bound=BaseModel)
T = TypeVar("T")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA = Actor("anna", Role.CUSTOMER)
BEN = Actor("ben", Role.CUSTOMER)
MERCHANT = Actor("shop", Role.MERCHANT)


class Seen:
    """An entity, as it stands whenever it is looked at."""

    __slots__ = ("id", "machine_name", "world")

    def __init__(self, world: World, machine_name: str, id: str) -> None:  # noqa: A002
        self.world, self.machine_name, self.id = world, machine_name, id

    def __getattr__(self, name: str) -> Any:
        return getattr(self.entity, name)

    def __repr__(self) -> str:
        return repr(self.entity)

    @property
    def entity(self) -> Any:
        """The row as it stands now; it stays as it is."""
        return self.world.entity(self.machine_name, self.id)


class Shop:
    """Lets things happen in a world of machines; the policies are by machine."""

    def __init__(self, machines: Iterable[Machine] = MACHINES, **policies: Policy) -> None:
        self.world = World(Registry(machines).with_policies(policies), NOON)
        self.steps: list[Step] = []

    # -- given

    def sells(self, sku: str = "MUG", price: int = 1250, currency: str = "EUR", on_hand: int = 10) -> Seen:
        """Put a product into the catalogue and return its stock."""
        product = CreateProduct(sku=sku, name=sku.title(), price=price, currency=currency, on_hand=on_hand)
        accepted(self.create("product", product, MERCHANT))
        return self.stock(sku)

    def fills(self, sku: str = "MUG", room: int = 0) -> None:
        """Let pieces arrive until there is room for only so many more."""
        while lacking := MAX_ON_HAND - room - self.stock(sku).on_hand:
            accepted(self.tell(self.stock(sku), Receive(quantity=min(lacking, MAX_QUANTITY))))

    # -- when

    def create(self, machine: str, event: Event, by: Actor) -> Outcome:
        return self.note(self.world.raise_(machine, None, event, by))

    def tell(self, seen: Seen, event: Event, by: Actor = MERCHANT) -> Outcome:
        """Raise an event on an entity."""
        return self.note(self.world.raise_(seen.machine_name, seen.id, event, by))

    def wait(self, **time: float) -> None:
        """Let time pass and due timers fire, the earliest first."""
        end = self.now + timedelta(**time)
        while (timer := next(iter(self.world.timers), None)) and timer.due_at <= end:
            self.note(self.world.fire(timer))
        self.world.advance(end - self.now)

    # -- then

    @property
    def now(self) -> datetime:
        return self.world.now

    def all(self, machine: str) -> list[Seen]:
        return [Seen(self.world, machine, id_) for id_ in self.world.ids(machine)]

    def last(self, machine: str) -> Seen:
        """Return the newest entity of a machine."""
        return self.all(machine)[-1]

    def product(self, sku: str = "MUG") -> Seen:
        return Seen(self.world, "product", sku)

    def stock(self, sku: str = "MUG") -> Seen:
        return Seen(self.world, "stock", sku)

    def timers(self, seen: Seen) -> dict[str, Timer]:
        """Return what will happen to an entity by itself, by the timers' names."""
        return {timer.name: timer for timer in self.world.timers if timer.key[:2] == (seen.machine_name, seen.id)}

    def calls(self, *machines: str) -> list[Call]:
        """Return what was asked of the outside world and not taken back, by these machines or by all."""
        asked = [each for each in self.world.asked if each.status != "withdrawn"]
        return [each.call for each in asked if not machines or each.machine in machines]

    def sent(self, kind: type[B], *machines: str) -> list[B]:
        """Return what was asked with arguments of a kind, by these machines or by all."""
        return [call.arguments for call in self.calls(*machines) if isinstance(call.arguments, kind)]

    def letters(self, *kinds: type[Template]) -> list[Any]:
        """Return what was written by mail, of these kinds or of all."""
        return [mail.message for mail in self.sent(SendMail) if isinstance(mail.message, kinds or Template)]

    @property
    def chat(self) -> list[str]:
        """What the shop was told."""
        return [post.text for post in self.sent(PostMessage)]

    # -- how

    def note(self, outcome: Outcome) -> Outcome:
        """Keep what happened."""
        if isinstance(outcome, Happened):
            self.steps += outcome.steps
        return outcome


def accepted(outcome: T | Refused) -> T:
    """Return the outcome, which must not be a refusal."""
    assert not isinstance(outcome, Refused), outcome
    return outcome


def refused(outcome: object) -> Refused:
    """Return the outcome, which must be a refusal."""
    assert isinstance(outcome, Refused), outcome
    return outcome


# -- machines that are not there --------------------------------------------------------------------------------------


class StandIn(Entity):
    """What takes every news and makes nothing of it."""


class Arrive(Event):
    """Be there."""

    called: str


def stand_in(name: str, *told_by: ModuleType) -> Machine:
    """Return a machine that hears what others tell it by the events of these modules; it is called as it says."""
    news = [each for module in told_by for each in vars(module).values() if _is_event_of(module, each)]
    return Machine(
        StandIn,
        name=name,
        plural=f"{name}s",
        key=lambda arrive: arrive.called,
        states=[State("there", final=True)],
        transitions=[Transition(Arrive, NEW, "there"), *(Transition(each, "there", None) for each in news)],
    )


def _is_event_of(module: ModuleType, what: object) -> bool:
    return isinstance(what, type) and issubclass(what, Event) and what.__module__ == module.__name__
