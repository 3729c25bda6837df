"""What may happen in a world next, chosen at random: an event of somebody, a timer, an answer."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from pydantic import ValidationError

from statemachines.declaration import Actor, Entity, Event, Role
from statemachines.machine import Machine
from statemachines.payments import CustomerActionRequired, Refunded
from statemachines.transaction import Asked, Timer
from statemachines.world import World
from tests.statemachines.explored import ADDRESS, ANSWERS

PEOPLE = [
    Actor("anna", Role.CUSTOMER),
    Actor("shop", Role.MERCHANT),
    Actor("eve", Role.APPROVER),
    Actor("vera", Role.APPROVER),
]

Said = Mapping[str, Callable[[Random, Any], Any]]
Choice = Timer | tuple[Asked, Event] | tuple[str, str | None, Event, Actor]


class Happenings:
    """Chooses, at random, what happens next in a world; mostly what may happen there."""

    def __init__(self, world: World, random: Random) -> None:
        self.world, self.random = world, random

    def choose(self) -> Choice:
        """Return a timer that fires, a call with its answer, or an event with its address and its actor."""
        if not self.world.ids("product"):
            return self._creation("product")
        what = self.random.random()
        if what < 0.03 and self.world.timers:
            return self.random.choice(self.world.timers)
        if what < 0.35 and self.world.awaited:
            asked = self.random.choice(self.world.awaited[-4:])
            return asked, self.random.choice([*ANSWERS[asked.call.effect.name](asked)] * 3 + _unusual(asked))
        if what < 0.40 or len(self.world.ids("order")) < 2:
            return self._creation(self.random.choice(["product", "order", "order", "order", "approval", "deal"]))
        return self._event()

    def _creation(self, machine: str) -> Choice:
        kind = self.world.registry[machine].creation
        return machine, None, filled(self.random, machine, kind, None), self._who(kind)

    def _event(self) -> Choice:
        """Choose what people ask of one of the newest entities; they seldom call anything off."""
        while True:
            machine = self.random.choice([*self.world.registry, *[self.world.registry["order"]] * 6])
            moving = [self.world.entity(machine.name, id_) for id_ in self.world.ids(machine.name)[-3:]]
            asks = [(entity, kind) for entity in moving for kind in _asks(machine, entity)]
            if not asks:
                continue
            entity, kind = self.random.choice(asks)
            if kind.event_name in DESTRUCTIVE and self.random.random() < 0.85:
                continue
            try:
                return machine.name, entity.id, filled(self.random, machine.name, kind, entity), self._who(kind)
            except ValidationError:  # it has to say what nobody knows here
                continue

    def _who(self, kind: type[Event]) -> Actor:
        may = [person for person in PEOPLE if person.role in kind.raised_by]
        return self.random.choice([*may * 4, *PEOPLE])


def filled(random: Random, machine: str, kind: type[Event], entity: Any, said_here: Said | None = None) -> Event:
    """Build an event: what it has to say, and now and then what it may.

    Raises:
        ValidationError: it has to say what nobody knows.
    """
    known, said = {**SAID, **(said_here or {})}, {}
    for name, field in kind.model_fields.items():
        say = known.get(f"{machine}.{kind.event_name}.{name}") or known.get(name)
        if say and (field.is_required() or random.random() < OFTEN.get(name, 0.3)):
            said[name] = say(random, entity)
    return kind.model_validate(said)


def _unusual(asked: Asked) -> list[Event]:
    """Return answers that stand for themselves: the customer has to do something first, or too little was taken."""
    match asked.call.effect.name:
        case "payments.charge" | "payments.authorize":
            return [CustomerActionRequired(payment=f"gw_{asked.id}", url="https://bank.example/confirm")]
        case "payments.refund":
            return [Refunded(amount=1, currency="EUR")]
        case _:
            return []


def _asks(machine: Machine, entity: Entity) -> list[type[Event]]:
    """Return what people may ask of an entity."""
    return [kind for name in machine.events_of(entity.state) if (kind := machine.events[name]).raised_by]


def _pieces(random: Random, _: object) -> list[dict[str, Any]]:
    return [{"number": random.randint(1, 2), "quantity": random.randint(1, 2)}]


SAID: Said = {
    "sku": lambda random, _: random.choice(["MUG", "POT"]),
    "name": lambda *_: "Thing",
    "price": lambda random, _: random.choice([1250, 4000]),
    "currency": lambda *_: "EUR",
    "priority": lambda random, _: random.randint(1, 3),
    "location": lambda *_: "berlin",
    "order.pay.amount": lambda random, _: random.choice([400, 1250]),
    "order.refund.amount": lambda random, _: random.choice([400, 1250, 10**9]),
    "take": lambda random, _: random.choice(["now", "later"]),
    "wish": lambda random, _: random.choice(["refund", "exchange"]),
    "order.create.address": lambda *_: ADDRESS,
    "return.inspect.lines": lambda random, _: [{"number": 1, random.choice(["accepted", "damaged", "refused"]): 1}],
    "tracking": lambda *_: "T-1",
    "outcome": lambda random, _: random.choice(["given", "not_given"]),
    "on_hand": lambda random, _: random.randint(5, 20),
    "quantity": lambda random, _: random.randint(1, 5),
    "difference": lambda random, _: random.choice([-1, 2]),
    "reorder_level": lambda random, _: random.randint(0, 3),
    "reason": lambda *_: "because",
    "text": lambda *_: "well",
    "note": lambda *_: "well",
    "method": lambda *_: "tok_1",
    "order.create.lines": lambda random, _: [{"sku": random.choice(["MUG", "POT"]), "quantity": random.randint(1, 3)}],
    "order.edit.add": lambda random, _: [{"sku": random.choice(["MUG", "POT"]), "quantity": 1}],
    "order.edit.remove": _pieces,
    "lines": _pieces,
    "customer": lambda *_: "anna",
    "total": lambda random, _: random.choice([5000, 200_000]),
    "round": lambda random, entity: random.choice([entity.round] * 5 + [1]),
    "to": lambda random, _: random.choice(["eve", "vera", "oscar"]),
    "kind": lambda *_: "expense",
    "reference": lambda *_: "E-14",
    "description": lambda *_: "a trip",
}
"""What events say: by ``machine.event.field``, or by the field alone."""

DESTRUCTIVE = {"cancel", "fail", "void", "discontinue", "freeze", "withdraw", "reject", "refuse", "edit", "lose"}

OFTEN = {"lines": 0.7, "method": 0.9, "on_hand": 0.9, "reference": 0.1, "add": 0.7, "remove": 0.5, "currency": 0}
"""How often what may be left out is said."""
