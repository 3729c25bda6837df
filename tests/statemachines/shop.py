"""A desk in memory for one machine at a time: rows in a list, commands carried out at once, a clock set by hand.

What several machines do together is tested in a `Store`, in which events happen in the engine's order.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace

from sqlmodel import SQLModel

from statemachines.commands import Add, Call, Cancel, Change, Command, Send, Spawn, Start, StockMovement, Withdraw
from statemachines.decision import Accepted, Decision, Refused, TimerSet, decide
from statemachines.declaration import NEW, Actor, Entity, Event, Load, Policy, Role
from statemachines.ids import new_id
from statemachines.machine import SYSTEM, Machine
from statemachines.order import Create, LineAsked, Order, Submit
from statemachines.product import Create as CreateProduct
from statemachines.product import Product
from statemachines.registry import MACHINES
from statemachines.stock import Stock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA = Actor("anna", Role.CUSTOMER)
BEN = Actor("ben", Role.CUSTOMER)
MERCHANT = Actor("shop", Role.MERCHANT)


class Shop:
    """Decides events on its rows and carries their commands out, as the dispatcher does on a database."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.now = NOON
        self.machines = MACHINES if policy is None else MACHINES.with_policies({"order": policy})
        self.rows: list[SQLModel] = []
        self.calls: list[Call] = []
        self.asked_by: dict[str, list[Call]] = defaultdict(list)
        self.timers: dict[tuple[str, str], TimerSet] = {}
        self.random = Random(1)

    # -- given

    def sells(self, sku: str = "MUG", price: int = 1250, currency: str = "EUR", on_hand: int = 10) -> Stock:
        """Put a product into the catalogue and return its stock."""
        product = CreateProduct(sku=sku, name=sku.title(), price=price, currency=currency, on_hand=on_hand)
        accepted(self.create("product", product, MERCHANT))
        return self.stock(sku)

    def draft(self, *, by: Actor = ANNA, **pieces: int) -> Order:
        """Place a draft of the pieces named, for example ``draft(MUG=2)``."""
        lines = tuple(LineAsked(sku=sku, quantity=quantity) for sku, quantity in pieces.items())
        accepted(self.create("order", Create(lines=lines), by))
        return self.orders[-1]

    def pending(self, **pieces: int) -> Order:
        order = self.draft(**pieces)
        accepted(self.tell(order, Submit(), ANNA))
        return order

    # -- when

    def create(self, machine: str, event: Event, by: Actor) -> Decision:
        kind = self.machines[machine]
        id_ = kind.key(event) if kind.key else new_id(kind.prefix or "", self.now, self.random)
        entity = kind.entity(id=id_, state=NEW)
        return self._decide(kind, entity, event, by)

    def tell(self, entity: Entity, event: Event, by: Actor = MERCHANT) -> Decision:
        """Raise an event on an entity."""
        kind = next(machine for machine in self.machines if machine.entity is type(entity))
        return self._decide(kind, entity, event, by)

    def wait(self, **time: float) -> None:
        """Let time pass and due timers fire, the earliest first."""
        end = self.now + timedelta(**time)
        while due := [(timer.at, key) for key, timer in self.timers.items() if timer.at <= end]:
            self.now, (id_, name) = min(due)
            timer = self.timers.pop((id_, name))
            entity = next(entity for entity in self.entities if entity.id == id_)
            kind = next(machine for machine in self.machines if machine.entity is type(entity))
            self.tell(entity, kind.events[timer.event](), SYSTEM)
        self.now = end

    # -- then

    def product(self, sku: str = "MUG") -> Product:
        return next(row for row in self.rows if isinstance(row, Product) and row.id == sku)

    @property
    def entities(self) -> list[Entity]:
        return [row for row in self.rows if isinstance(row, Entity)]

    @property
    def orders(self) -> list[Order]:
        return [row for row in self.rows if isinstance(row, Order)]

    def stock(self, sku: str = "MUG") -> Stock:
        return next(row for row in self.rows if isinstance(row, Stock) and row.id == sku)

    # -- how

    def loaded(self, kind: Machine, entity: Entity, event: Event) -> SimpleNamespace:
        """Load what the event's guards and actions ask for."""
        loaded = SimpleNamespace()
        for load in kind.needs(entity, event):
            found = self._find(load, kind.key_of(load, entity, event, loaded))
            by_key = {getattr(row, load.by): row for row in found}
            setattr(loaded, load.name, by_key if load.by_primary_key else found)
        return loaded

    def _find(self, load: Load, keys: Sequence[str]) -> list[SQLModel]:
        return [row for row in self.rows if isinstance(row, load.row) and getattr(row, load.by) in keys]

    def _decide(self, kind: Machine, entity: Entity, event: Event, by: Actor) -> Decision:
        decision = decide(kind, entity, event, self.now, self.loaded(kind, entity, event), by)
        if isinstance(decision, Accepted):
            if entity.state == NEW:
                self.rows.append(entity)
            _set(entity, {**decision.changes, "state": decision.target, "version": entity.version + 1})
            if decision.enters:
                entity.state_since = self.now
            for name in decision.cancels:
                self.timers.pop((entity.id, name), None)
            self.timers.update({(entity.id, timer.name): timer for timer in decision.starts})
            self._carry_out(entity, decision.commands)
        return decision

    def _carry_out(self, entity: Entity, commands: Iterable[Command]) -> None:
        for command in commands:
            match command:
                case Add(row):
                    self.rows.append(row)
                case Change(row, changes):
                    _set(row, changes)
                case StockMovement(shelf=shelf):
                    _set(shelf, command.changes())
                case Call():
                    self.calls.append(command)
                    self.asked_by[entity.id].append(command)
                case Send(machine, id_, event):
                    receivers = (each for each in self.entities if isinstance(each, self.machines[machine].entity))
                    accepted(self.tell(next(each for each in receivers if each.id == id_), event, SYSTEM))
                case Spawn(machine, event):
                    accepted(self.create(machine, event, SYSTEM))
                case Start(name, event, at):
                    self.timers[entity.id, name] = TimerSet(name, event.event_name, at)
                case Cancel(name):
                    self.timers.pop((entity.id, name), None)
                case Withdraw(effect):
                    taken_back = [id(call) for call in self.asked_by[entity.id] if call.effect is effect]
                    self.calls = [call for call in self.calls if id(call) not in taken_back]
                case _:
                    raise AssertionError(f"nobody carries out {command}")


def _set(row: SQLModel, changes: object) -> None:
    assert isinstance(changes, dict)
    for name, value in changes.items():
        setattr(row, name, value)


def accepted(decision: Decision) -> Accepted:
    """Return the decision, which must be an acceptance."""
    assert isinstance(decision, Accepted), decision
    return decision


def refused(decision: Decision) -> Refused:
    """Return the decision, which must be a refusal."""
    assert isinstance(decision, Refused), decision
    return decision
