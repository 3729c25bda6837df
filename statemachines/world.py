"""A world in memory: entities of several machines, moved by events, timers and answers as the engine moves them.

It is for testing machines without a database, and for exploring all that may happen to them
(`statemachines.exploration`). An event and all that it leads to happen as a whole or not at all. That the engine does
the same is tested, event by event.

    world = World(Registry([voucher]))
    name = world.given("voucher", None, Issue(value=500), SHOP)
    world.advance(timedelta(days=365))
    assert world.entity("voucher", name).state == "expired"

Nothing is left to chance: entities are numbered machine by machine, and the clock stands until it is moved.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlmodel import SQLModel

from statemachines.decision import Refused
from statemachines.declaration import Actor, Entity, Event, Role
from statemachines.machine import SYSTEM, Machine
from statemachines.registry import Registry
from statemachines.transaction import Asked, Happened, Holdings, Outcome, Timer, Transaction, refusal

R = TypeVar("R", bound=SQLModel)

BEGINNING = datetime(2026, 1, 5, 12, tzinfo=UTC)
"""When worlds begin, unless they are told otherwise: noon of a Monday."""


class World:
    """Entities in memory, and a clock that is moved by hand.

    Args:
        registry: the machines that there are.
        now: when it begins, in UTC.
    """

    def __init__(self, registry: Registry, now: datetime = BEGINNING) -> None:
        self._held = Holdings(registry, now)

    def fork(self) -> "World":
        """Return a world in which everything is as it is here, and that goes its own way from now on."""
        other = object.__new__(World)
        other._held = self._held.copy()
        return other

    # -- what there is ---------------------------------------------------------------------------------------------

    @property
    def registry(self) -> Registry:
        """The machines that there are."""
        return self._held.registry

    @property
    def now(self) -> datetime:
        """What the clock shows."""
        return self._held.now

    def entity(self, machine: str, id: str) -> Entity:  # noqa: A002
        """Return an entity; not to be changed.

        Raises:
            KeyError: there is none.
        """
        row = self._held.rows[self.registry[machine].entity][(id,)].row
        assert isinstance(row, Entity)
        return row

    def ids(self, machine: str) -> tuple[str, ...]:
        """Return the ids of a machine's entities, in the order in which they were created."""
        return self._held.ids.get(machine, ())

    def entities(self) -> Iterator[tuple[Machine, Entity]]:
        """Yield every entity with its machine."""
        for machine in self.registry:
            for id_ in self.ids(machine.name):
                yield machine, self.entity(machine.name, id_)

    def rows(self, kind: type[R]) -> list[R]:
        """Return the rows of a kind, be they entities or what belongs to them, in key order; not to be changed."""
        kept = self._held.rows.get(kind, {})
        return [row for key in sorted(kept) if isinstance(row := kept[key].row, kind)]

    @property
    def timers(self) -> list[Timer]:
        """The timers that are set, in the order in which they fall due."""
        timers = self._held.timers.values()
        return sorted(timers, key=lambda timer: (timer.due_at, timer.id, timer.machine, timer.name))

    @property
    def asked(self) -> list[Asked]:
        """All calls that were asked for, in their order."""
        return list(self._held.asked.values())

    @property
    def awaited(self) -> list[Asked]:
        """The open calls whose answers some machine waits for."""
        return [asked for asked in self._held.asked.values() if asked.status == "open" and asked.call.effect.outcomes]

    # -- what may happen -------------------------------------------------------------------------------------------

    def raise_(self, machine: str, id: str | None, event: Event, actor: Actor = SYSTEM) -> Outcome:  # noqa: A002
        """Let somebody raise an event; return all that came of it, or why it was refused.

        Args:
            machine: the entity's.
            id: the entity's; None if the event creates it.
            event: the request.
            actor: who asks.

        Raises:
            RuntimeError: it led to more events than one transaction may hold.
        """
        transaction = Transaction(self._held)
        outcome = transaction.run(self.registry[machine], id, event, actor)
        if isinstance(outcome, Happened):
            transaction.commit()
        return outcome

    def given(self, machine: str, id: str | None, event: Event, actor: Actor = SYSTEM) -> str:  # noqa: A002
        """Raise an event that has to be accepted, and return the entity's id; see `raise_`.

        Raises:
            ValueError: it was refused; the message says why.
        """
        outcome = self.raise_(machine, id, event, actor)
        if isinstance(outcome, Happened):
            return outcome.id
        raise ValueError(outcome.reason)

    def answer(self, asked: Asked, event: Event | None = None) -> Outcome:
        """Let the other side answer a call. It is answered even if the machine refuses to hear it.

        Args:
            asked: the call.
            event: one of its effect's outcomes; None if the effect has none.

        Raises:
            TypeError: the effect has no such outcome.
        """
        effect, known = asked.call.effect, self._held.asked[asked.number]
        if not isinstance(event, effect.outcomes or type(None)):
            raise TypeError(f"{effect.name} is not answered by {event!r}")
        if known.status != "open":
            reason = f"{effect.name} was {known.status} before"
            state, name = self.entity(asked.machine, asked.id).state, event.event_name if event else ""
            return Refused(state, name, None, reason, self.registry[asked.machine].events_of(state))
        outcome: Outcome = Happened(asked.id, ())
        if event is not None:
            outcome = self.raise_(asked.machine, asked.id, event, Actor(effect.name, Role.SYSTEM))
        is_end = effect.action is None or not isinstance(event, effect.action)
        self._held.asked[asked.number] = replace(known, status="answered" if is_end else "open", answer=event)
        return outcome

    def fire(self, timer: Timer) -> Outcome:
        """Let a timer fire; if it is not due yet, the clock moves on until it is."""
        machine, held = self.registry[timer.machine], self._held
        event = machine.events[timer.event]()
        if held.timers.get(timer.key) != timer:
            return refusal(machine, self.entity(timer.machine, timer.id).state, event, "the timer is no longer set")
        held.now = max(held.now, timer.due_at)
        transaction = Transaction(held)
        outcome = transaction.run(machine, timer.id, event, Actor(f"timer.{timer.name}", Role.SYSTEM))
        if isinstance(outcome, Happened):
            transaction.commit()
            if timer.key in transaction.timers:
                return outcome
        # Whatever came of it the timer has fired, unless the transition set it anew.
        state = self.entity(timer.machine, timer.id).state
        held.set_timers({timer.key: self._reminder(machine, state, timer)})
        return outcome

    def _reminder(self, machine: Machine, state: str, timer: Timer) -> Timer | None:
        """Return a timer that has fired as it is set anew, if it is a reminder that has not reached its limit."""
        for after, _ in machine.timeouts(state):
            if after.timer == timer.name and after.every is not None and timer.fired + 1 < after.times:
                due_at = timer.due_at + after.every
                if due_at <= self.now:  # those missed meanwhile are not made up for
                    due_at = self.now + after.every
                return replace(timer, due_at=due_at, fired=timer.fired + 1)
        return None

    def advance(self, span: timedelta) -> None:
        """Let time pass; timers fire as they fall due. Calls are not answered."""
        end = self.now + span
        while (timer := next(iter(self.timers), None)) and timer.due_at <= end:
            self.fire(timer)
        self._held.now = end

    # -- comparing worlds ------------------------------------------------------------------------------------------

    def shape(self, number: Callable[[object], int]) -> tuple[object, ...]:
        """Return what is the same in two worlds in which the same can happen: rows, timers and calls awaited.

        Args:
            number: returns the same number for what shall count as the same; asked once about each row as long as
                nobody else is.
        """
        rows = []
        for kept in (kept for of_kind in self._held.rows.values() for kept in of_kind.values()):
            if kept.numbered_by is not number:
                kept.number, kept.numbered_by = number(kept.row), number
            rows.append(kept.number)
        calls = [
            number((asked.machine, asked.id, asked.call.effect.name, asked.call.arguments, asked.answer))
            for asked in self.awaited
        ]
        timers = frozenset((*timer.key, timer.event, timer.fired) for timer in self._held.timers.values())
        return tuple(sorted(rows)), tuple(sorted(calls)), timers
