"""One transaction in memory: an event and all that it leads to, as a whole or not at all, in the engine's order.

Rows are copied when they are first looked at, so that what is refused leaves nothing behind, and so that worlds that
have most rows in common may share them.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import SimpleNamespace
from typing import Literal

from sqlmodel import SQLModel

from statemachines.commands import (
    CASCADE_LIMIT,
    Add,
    Call,
    Cancel,
    Change,
    Send,
    Set,
    Spawn,
    Start,
    StockMovement,
    Withdraw,
)
from statemachines.decision import Accepted, Refused, decide
from statemachines.declaration import NEW, Actor, Entity, Event, Load, Role, primary_key
from statemachines.machine import SYSTEM, Machine
from statemachines.registry import Registry

Key = tuple[str | int, ...]
"""The values of a row's primary key."""

TimerKey = tuple[str, str, str]
"""A timer's machine, entity and name."""


Sent = tuple[Machine, str, Event]
"""An event and its address."""


@dataclass(frozen=True, slots=True)
class Step:
    """One transition that was made."""

    machine: str
    id: str
    event: Event
    actor: Actor
    source: str
    target: str

    def __str__(self) -> str:
        moved = self.source if self.source == self.target else f"{self.source} -> {self.target}"
        return f"{self.machine} {self.id} {self.event.event_name}: {moved}"


@dataclass(frozen=True, slots=True)
class Happened:
    """An event was accepted, and with it all that it led to."""

    id: str
    """The entity that it was raised on."""
    steps: tuple[Step, ...]
    """The transitions, in the order in which they were made."""


@dataclass(frozen=True, slots=True)
class SentRefused(Refused):
    """An event was refused because another refused what it led to. Nothing happened."""

    machine: str
    """The machine of the entity that refused."""
    id: str
    sent: Event
    """What it was sent."""


Outcome = Happened | Refused


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer that is set: `event` is raised at `due_at`."""

    machine: str
    id: str
    name: str
    event: str
    due_at: datetime
    fired: int = 0
    """How often a reminder has fired already."""

    @property
    def key(self) -> TimerKey:
        """What names it: its machine, entity and name."""
        return self.machine, self.id, self.name


@dataclass(frozen=True, slots=True)
class Asked:
    """One outbound call that was asked for."""

    number: int
    """Counts the calls of a world, from 1."""
    machine: str
    id: str
    """The entity that asked."""
    call: Call
    status: Literal["open", "answered", "withdrawn"] = "open"
    answer: Event | None = None
    """What was answered last; while it is open, what the customer has to do first."""


class Kept:
    """A row that a world holds. It is never changed, so that several worlds may hold it."""

    __slots__ = ("number", "numbered_by", "row")

    def __init__(self, row: SQLModel) -> None:
        self.row = row
        self.number = 0
        """What it is known by where worlds are compared."""
        self.numbered_by: object = None
        """Whose number that is; others number it anew."""


@dataclass(slots=True)
class Holdings:
    """All that a world holds."""

    registry: Registry
    now: datetime
    rows: dict[type[SQLModel], dict[Key, Kept]] = field(default_factory=dict)
    ids: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The entities by their machines, in the order in which they were created."""
    timers: dict[TimerKey, Timer] = field(default_factory=dict)
    asked: dict[int, Asked] = field(default_factory=dict)

    def copy(self) -> "Holdings":
        """Return the same, to be changed independently; the rows themselves are shared."""
        rows = {kind: dict(kept) for kind, kept in self.rows.items()}
        return Holdings(self.registry, self.now, rows, dict(self.ids), dict(self.timers), dict(self.asked))

    def row(self, kind: type[SQLModel], key: Key) -> SQLModel | None:
        """Return a row as it is held."""
        kept = self.rows.get(kind, {}).get(key)
        return kept.row if kept else None

    def set_timers(self, timers: dict[TimerKey, Timer | None]) -> None:
        """Set timers, or cancel those that are None."""
        for key, timer in timers.items():
            if timer is None:
                self.timers.pop(key, None)
            else:
                self.timers[key] = timer


class Transaction:
    """An event and all that it leads to, on copies of the rows that it looks at."""

    def __init__(self, held: Holdings) -> None:
        self._held = held
        self._copies: dict[tuple[type[SQLModel], Key], SQLModel] = {}
        self._added: list[SQLModel] = []
        self._new: Counter[str] = Counter()
        self._written: dict[tuple[type[SQLModel], Key], SQLModel] = {}
        self._created: list[tuple[str, str]] = []
        self.timers: dict[TimerKey, Timer | None] = {}
        """Those that it sets and, as None, those that it cancels."""
        self._asked: dict[int, Asked] = {}

    def run(self, machine: Machine, id_: str | None, event: Event, actor: Actor) -> Outcome:
        """Decide an event, then those it leads to, first come, first decided; return what came of it.

        Raises:
            RuntimeError: it led to more events than one transaction may hold.
        """
        first = machine, id_ or self._name(machine, event), event
        if refusal := self._refusal_of_access(*first, actor):
            return refusal
        todo, steps = deque([(*first, actor)]), list[Step]()
        while todo:
            kind, name, raised, by = todo.popleft()
            if len(steps) == CASCADE_LIMIT:
                raise RuntimeError(f"'{event.event_name}' led to more than {CASCADE_LIMIT} events")
            decision = self._decide(kind, name, raised, by)
            if isinstance(decision, Refused):
                return self._sent_refused(first, decision, (kind, name, raised)) if steps else decision
            todo.extend((other, id_, sent, SYSTEM) for other, id_, sent in self._apply(kind, name, decision))
            steps.append(Step(kind.name, name, raised, by, decision.source, decision.target))
        return Happened(first[1], tuple(steps))

    def commit(self) -> None:
        """Change the holdings for good."""
        held = self._held
        for (kind, key), row in self._written.items():
            held.rows.setdefault(kind, {})[key] = Kept(row)
        for machine, id_ in self._created:
            held.ids[machine] = (*held.ids.get(machine, ()), id_)
        held.set_timers(self.timers)
        held.asked.update(self._asked)

    # -- what there is ---------------------------------------------------------------------------------------------

    def _name(self, machine: Machine, event: Event) -> str:
        if machine.key:
            return machine.key(event)
        self._new[machine.name] += 1
        return f"{machine.prefix}_{len(self._held.ids.get(machine.name, ())) + self._new[machine.name]:04}"

    def _entity(self, machine: Machine, id_: str, event: Event) -> Entity | None:
        row = self._row(machine.entity, (id_,))
        if row is None and isinstance(event, machine.creation):
            return machine.blank(id_)
        assert row is None or isinstance(row, Entity)
        return row

    def _row(self, kind: type[SQLModel], key: Key) -> SQLModel | None:
        """Return this transaction's own copy of a row."""
        if (copy := self._copies.get((kind, key))) is None and (row := self._held.row(kind, key)):
            copy = self._copies[kind, key] = row.model_copy()
        return copy

    def _loaded(self, machine: Machine, entity: Entity, event: Event) -> SimpleNamespace:
        loaded = SimpleNamespace()
        for load in machine.needs(entity, event):
            keys = machine.key_of(load, entity, event, loaded)
            setattr(loaded, load.name, self._gather(load, keys))
        return loaded

    def _gather(self, load: Load, keys: Iterable[str]) -> dict[str, SQLModel] | list[SQLModel]:
        if load.by_primary_key:
            return {key: row for key in keys if (row := self._row(load.row, (key,))) is not None}
        return [row for key in keys for row in self._find(load, key)]

    def _find(self, load: Load, value: str) -> Iterator[SQLModel]:
        """Yield the rows with a value in the column that is looked up: the stored ones in key order, then new ones."""
        stored = self._held.rows.get(load.row, {})
        for key in sorted(key for key, kept in stored.items() if getattr(kept.row, load.by) == value):
            row = self._row(load.row, key)
            assert row is not None
            yield row
        yield from (row for row in self._added if type(row) is load.row and getattr(row, load.by) == value)

    # -- deciding --------------------------------------------------------------------------------------------------

    def _decide(self, machine: Machine, id_: str, event: Event, actor: Actor) -> Accepted | Refused:
        entity = self._entity(machine, id_, event)
        if entity is None:
            return refusal(machine, NEW, event, f"there is no {machine.name} '{id_}'")
        return decide(machine, entity, event, self._held.now, self._loaded(machine, entity, event), actor)

    def _apply(self, machine: Machine, id_: str, accepted: Accepted) -> list[Sent]:
        """Carry out an accepted decision; return the events that it leads to."""
        entity = self._entity(machine, id_, accepted.event)
        assert entity is not None
        now, registry = self._held.now, self._held.registry
        changes: dict[str, object] = {"state": accepted.target, "version": entity.version + 1, **accepted.changes}
        if accepted.enters:
            changes["state_since"] = now
        if accepted.source == NEW:
            changes["created_at"] = now
            self._created.append((machine.name, entity.id))
            self._add(entity)
        self._set(entity, changes)
        for name in accepted.cancels:
            self.timers[machine.name, entity.id, name] = None
        for timer in accepted.starts:
            self._start(machine, entity, timer.name, timer.event, timer.at)
        led_to: list[Sent] = []
        for command in accepted.commands:
            match command:
                case StockMovement():
                    self._set(command.shelf, command.changes())
                case Change():
                    self._set(command.row, dict(command.changes))
                case Add():
                    self._add(command.row)
                case Call():
                    number = len(self._held.asked | self._asked) + 1
                    self._asked[number] = Asked(number, machine.name, entity.id, command)
                case Withdraw():
                    self._withdraw(machine, entity, command)
                case Send():
                    led_to.append((registry[command.machine], command.id, command.event))
                case Spawn():
                    other = registry[command.machine]
                    led_to.append((other, self._name(other, command.event), command.event))
                case Start():
                    self._start(machine, entity, command.name, command.event.event_name, command.at)
                case Cancel():
                    self.timers[machine.name, entity.id, command.name] = None
                case Set():
                    raise AssertionError("a decision holds what is set among its changes")
        return led_to

    def _set(self, row: SQLModel, changes: dict[str, object]) -> None:
        values = vars(row)
        if unknown := changes.keys() - values.keys():
            raise AttributeError(f"{type(row).__name__} has no columns {sorted(unknown)}")
        values.update(changes)
        self._written[type(row), _key(row)] = row

    def _add(self, row: SQLModel) -> None:
        key = _key(row)
        if (type(row), key) in self._written or self._held.row(type(row), key):
            raise ValueError(f"there is a {type(row).__name__} {key} already")
        self._added.append(row)
        self._written[type(row), key] = self._copies[type(row), key] = row

    def _start(self, machine: Machine, entity: Entity, name: str, event: str, at: datetime) -> None:
        timer = Timer(machine.name, entity.id, name, event, at)
        self.timers[timer.key] = timer

    def _withdraw(self, machine: Machine, entity: Entity, command: Withdraw) -> None:
        for number, asked in (self._held.asked | self._asked).items():
            about = (asked.machine, asked.id, asked.call.effect.name, asked.status, asked.answer)
            if about == (machine.name, entity.id, command.effect.name, "open", None):
                self._asked[number] = replace(asked, status="withdrawn")

    # -- refusing --------------------------------------------------------------------------------------------------

    def _refusal_of_access(self, machine: Machine, id_: str, event: Event, actor: Actor) -> Refused | None:
        entity = self._entity(machine, id_, event)
        if actor.role is Role.SYSTEM or entity is None:
            return None
        if not machine.shows(entity, actor):
            return refusal(machine, NEW, event, f"there is no {machine.name} '{id_}'")
        if actor.role in event.raised_by:
            return None
        who = " or ".join(sorted(event.raised_by)) or "only the system"
        return refusal(
            machine, entity.state, event, f"the role {actor.role} may not raise '{event.event_name}'; it takes {who}"
        )

    def _sent_refused(self, first: Sent, refused: Refused, by: Sent) -> SentRefused:
        """Return how the refusal of another looks to whoever raised the first event."""
        machine, id_, event = first
        other, name, sent = by
        entity = self._held.row(machine.entity, (id_,))
        state = entity.state if isinstance(entity, Entity) else NEW
        return SentRefused(
            state,
            event.event_name,
            refused.guard,
            f"{other.name} '{name}' refused '{sent.event_name}': {refused.reason}",
            machine.events_of(state),
            other.name,
            name,
            sent,
        )


def refusal(machine: Machine, state: str, event: Event, reason: str) -> Refused:
    """Return the refusal of an event by no guard."""
    return Refused(state, event.event_name, None, reason, machine.events_of(state))


def _key(row: SQLModel) -> Key:
    return tuple(getattr(row, name) for name in primary_key(type(row)))
