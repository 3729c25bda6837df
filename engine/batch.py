"""One batch: load and lock, decide each event in order on the rows in memory, save.

All of it happens in one transaction and touches the database a few times per table, however many events there are.
When a decision leads to entities not loaded yet (an event sent on, a new entity), the whole pass is taken back, what it
lacked is loaded for all at once, and the pass is made again: deciding costs microseconds and has no effects.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

import structlog
from sqlalchemy import Connection

from engine import records
from engine.access import check_access
from engine.envelope import (
    CascadeTooLong,
    Committed,
    DecisionFailed,
    DispatchError,
    Envelope,
    Outcome,
    Rejected,
)
from engine.interventions import EffectIntervention, TimerIntervention, on_effect, on_timer
from engine.papers import Papers, TimerKey
from engine.rows import Journal, Lacking, Rows
from persistence.bulk import Values
from persistence.store import Changes, Store, cancel_withdrawn
from statemachines.commands import CASCADE_LIMIT, Add, Call, Cancel, Change, Send, Spawn, Start, StockMovement, Withdraw
from statemachines.decision import Accepted, Decision, Refused, decide
from statemachines.declaration import NEW, Actor, Entity, Event
from statemachines.ids import new_id
from statemachines.machine import SYSTEM, Machine
from statemachines.registry import Registry

log = structlog.get_logger("orderly.batch")

Result = Outcome | DispatchError


@dataclass(frozen=True, slots=True)
class _Step:
    """One event to decide: the one that arrived, or one that it led to."""

    machine: Machine
    id: str
    event: Event
    actor: Actor
    cause: str | None
    event_id: str


@dataclass(slots=True)
class _Outputs:
    """What one arrived event, with all that it led to, will write."""

    journal: Journal = field(default_factory=Journal)
    history: list[Values] = field(default_factory=list)
    effects: list[Values] = field(default_factory=list)
    withdrawn: list[Values] = field(default_factory=list)
    timers: dict[TimerKey, Values | None] = field(default_factory=dict)
    intervened: list[Values] = field(default_factory=list)
    arrived: str = ""
    spawned: int = 0


class Batch:
    """Events that share a transaction.

    Args:
        registry: the machines.
        envelopes: the events, in the order in which they are to be decided; their ids are filled in.
        now: the moment of all of them.
        random: for new ids.
        earlier: results, by event id, that an attempt computed whose commit is unknown.
    """

    def __init__(
        self,
        registry: Registry,
        envelopes: Sequence[Envelope],
        now: datetime,
        random: Random,
        earlier: Mapping[str, Result],
    ) -> None:
        self._registry = registry
        self._envelopes = envelopes
        self.now = now
        self._random = random
        self._earlier = earlier
        self._committed_before: set[str] = set()
        self._rows = Rows()
        self._papers = Papers(registry, envelopes, now)
        self._outputs: list[_Outputs] = []
        self._waiting: list[_Step] = []
        self._spawned: dict[tuple[str, int, str], str] = {}
        self.changes = Changes()
        self.results: list[Result] = []

    def run(self, connection: Connection) -> list[Result]:
        """Load, decide and save; return what became of each event, in order."""
        store = Store(connection)
        self._load(store)
        while True:
            self.results = [self._settle(envelope) for envelope in self._envelopes]
            if not self._rows.lacking:
                break
            for outputs in reversed(self._outputs):
                outputs.journal.take_back()
            self._outputs = []
            self._papers.clear()
            while self._rows.lacking:
                self._rows.fetch(store)
                self._look_ahead(self._waiting)
            self._waiting.clear()
        self._collect()
        store.save(self.changes)
        return self.results

    # -- loading ---------------------------------------------------------------------------------------------------

    def _load(self, store: Store) -> None:
        """Load the papers that the envelopes carry, then their entities and what these need."""
        self._papers.load_before_entities(store)
        self._find_parents(store)
        self._name_new_entities()
        self._find_needs()
        while self._rows.lacking:
            self._rows.fetch(store)
            self._find_needs()
        self._papers.load_timers(store)
        if self._earlier:
            self._committed_before = store.committed(self._earlier)

    def _find_parents(self, store: Store) -> None:
        """Note the entities that others belong to: an order's own events lock it before its payments, so all do."""
        arrived: dict[type[Entity], set[str]] = defaultdict(set)
        for envelope in self._envelopes:
            if envelope.id is not None:
                arrived[self._registry[envelope.machine].entity].add(envelope.id)
        for entity, ids in list(arrived.items()):
            for machine, id in store.subjects(entity, ids):  # noqa: A001
                self._rows.lock(subject := self._registry[machine].entity, [id])
                arrived[subject].add(id)
        for entity, ids in arrived.items():
            for parent, theirs in store.parents(entity, ids):
                self._rows.lock(parent, theirs)

    def _name_new_entities(self) -> None:
        for envelope in self._envelopes:
            if envelope.id is None:
                machine = self._registry[envelope.machine]
                envelope.id = self._new_entity_id(machine, envelope.event)

    def _find_needs(self) -> None:
        """Note what the arrived events need and is not loaded yet."""
        for envelope in self._envelopes:
            with suppress(Exception):  # what is wrong with one of them will show when it is decided
                self._need(self._registry[envelope.machine], _id_of(envelope), envelope.event)

    def _need(self, machine: Machine, id: str, event: Event) -> None:  # noqa: A002
        self._rows.loaded(machine, self._rows.entity(machine, id, event), event)

    # -- one arrived event and all that it leads to ----------------------------------------------------------------

    def _settle(self, envelope: Envelope) -> Result:
        """Decide one event. Whatever goes wrong with it stays with it."""
        if envelope.event_id in self._committed_before:
            return self._earlier[envelope.event_id]
        outputs = _Outputs(arrived=envelope.event_id)
        try:
            if answered := self._papers.answered_before(envelope):
                return answered
            self._papers.check(envelope)
            outcome = self._cascade(envelope, outputs)
        except DispatchError as error:
            outputs.journal.take_back()
            return error
        except Lacking:
            outputs.journal.take_back()
            return DecisionFailed("its rows are not loaded yet")
        except Exception as error:
            outputs.journal.take_back()
            log.exception("decision_failed", machine=envelope.machine, id=envelope.id, event_id=envelope.event_id)
            failure = DecisionFailed(f"'{envelope.event.event_name}' could not be decided")
            failure.__cause__ = error
            return failure
        if isinstance(outcome, Committed):
            self._outputs.append(outputs)
            self._papers.note(outputs.timers, outputs.intervened)
        else:
            outputs.journal.take_back()
        self._papers.file(envelope, outcome)
        return outcome

    def _cascade(self, envelope: Envelope, outputs: _Outputs) -> Outcome:
        """Decide the arrived event, then those it leads to; all of them happen, or none."""
        machine = self._registry[envelope.machine]
        first = _Step(machine, _id_of(envelope), envelope.event, envelope.actor, envelope.cause, envelope.event_id)
        steps, taken, answered = deque([first]), 0, None
        while steps:
            step, taken = steps.popleft(), taken + 1
            if taken > CASCADE_LIMIT:
                raise CascadeTooLong(f"'{envelope.event.event_name}' led to more than {CASCADE_LIMIT} events")
            try:
                entity = self._rows.entity(step.machine, step.id, step.event)
                if step is first:
                    check_access(machine, entity, envelope)
                decision = self._decide(step, entity, outputs)
            except Lacking:
                self._waiting.extend([step, *steps])
                self._look_ahead(steps)
                raise
            if isinstance(decision, Refused):
                outputs.journal.take_back()
                outputs.journal = Journal()
                return self._rejected(first, step, decision)
            steps.extend(self._apply(step, entity, decision, outputs))
            answered = answered or (entity, decision)
        assert answered is not None
        return self._committed(first, *answered)

    def _look_ahead(self, steps: Iterable[_Step]) -> None:
        """Note what the events that wait to be decided need, too, so that it is fetched for all of them at once."""
        for step in steps:
            with suppress(Exception):  # as things stand before those decided earlier; what is wrong will show then
                self._need(step.machine, step.id, step.event)

    def _decide(self, step: _Step, entity: Entity, outputs: _Outputs) -> Decision:
        match step.event:
            case EffectIntervention() as event:
                row = self._papers.effect(event.effect)
                effect = next((each for each in step.machine.effects if row and each.name == row["name"]), None)
                intervened = on_effect(step.machine, entity, event, row, effect, self.now)
            case TimerIntervention() as event:
                key = step.machine.name, step.id, event.timer
                intervened = on_timer(entity, event, self._papers.timer(key), self.now)
            case _:
                loaded = self._rows.loaded(step.machine, entity, step.event)
                return decide(step.machine, entity, step.event, self.now, loaded, step.actor)
        if intervened.effect:
            outputs.intervened.append(intervened.effect)
        if intervened.timer:
            outputs.timers[key] = intervened.timer if intervened.timer["due_at"] else None
        return intervened.decision

    def _rejected(self, first: _Step, step: _Step, refused: Refused) -> Rejected:
        entity = self._rows.entity(first.machine, first.id, first.event)
        if step is first:
            reason = refused.reason
        else:
            reason = f"{step.machine.name} '{step.id}' refused '{refused.event}': {refused.reason}"
        return Rejected(
            machine=first.machine.name,
            id=first.id,
            event=first.event.event_name,
            state=entity.state,
            version=entity.version,
            guard=refused.guard,
            reason=reason,
            allowed=first.machine.events_of(entity.state),
        )

    def _committed(self, step: _Step, entity: Entity, accepted: Accepted) -> Committed:
        """Tell where the entity stands at the commit: what its event led to may have moved it on."""
        return Committed(
            machine=step.machine.name,
            id=entity.id,
            event_id=step.event_id,
            event=step.event.event_name,
            source=accepted.source,
            state=entity.state,
            version=entity.version,
            at=self.now,
            entity=dict(vars(entity)),
        )

    # -- carrying out a decision -----------------------------------------------------------------------------------

    def _apply(self, step: _Step, entity: Entity, accepted: Accepted, outputs: _Outputs) -> list[_Step]:
        """Carry out an accepted decision on the rows in memory; return the events that it leads to."""
        machine, journal, now = step.machine, outputs.journal, self.now
        is_new = accepted.source == NEW
        if is_new:
            vars(entity)["created_at"] = now
        changes = {"state": accepted.target, "version": entity.version + 1, **accepted.changes}
        if accepted.enters:
            changes["state_since"] = now
        journal.set(entity, changes)
        if is_new:  # once its columns are set: it is looked for by them
            journal.add(entity, self._rows.places_of(machine, entity, entity, is_new=True))
        for name in accepted.cancels:
            outputs.timers[machine.name, entity.id, name] = None
        for timer in accepted.starts:
            self._start(step, entity, timer.name, timer.event, timer.at, outputs)
        led_to: list[_Step] = []
        for command in accepted.commands:
            match command:
                case StockMovement():
                    journal.set(command.shelf, command.changes())
                case Change():
                    journal.set(command.row, dict(command.changes))
                case Add():
                    journal.add(command.row, self._rows.places_of(machine, entity, command.row, is_new=is_new))
                case Call():
                    effect_id = new_id("eff", now, self._random)
                    row = records.effect(machine, entity, command, effect_id=effect_id, event_id=step.event_id, now=now)
                    outputs.effects.append(row)
                case Withdraw():
                    outputs.withdrawn.append(records.withdrawal(machine, entity, command, now))
                    cancel_withdrawn(outputs.effects, outputs.withdrawn[-1])
                case Send():
                    led_to.append(self._next(step, self._registry[command.machine], command.id, command.event))
                case Spawn():
                    other = self._registry[command.machine]
                    other_id = self._spawned_id(other, command.event, outputs)
                    led_to.append(self._next(step, other, other_id, command.event))
                case Start():
                    self._start(step, entity, command.name, command.event.event_name, command.at, outputs)
                case Cancel():
                    outputs.timers[machine.name, entity.id, command.name] = None
        record = records.history(
            machine,
            entity,
            step.event,
            accepted,
            event_id=step.event_id,
            actor=step.actor,
            cause=step.cause,
            now=now,
        )
        outputs.history.append(record)
        return led_to

    def _next(self, step: _Step, machine: Machine, id: str, event: Event) -> _Step:  # noqa: A002
        return _Step(machine, id, event, SYSTEM, step.event_id, new_id("evt", self.now, self._random))

    def _new_entity_id(self, machine: Machine, event: Event) -> str:
        if machine.key:
            return machine.key(event)
        assert machine.prefix is not None
        entity_id = new_id(machine.prefix, self.now, self._random)
        self._rows.expect_none(machine, entity_id)
        return entity_id

    def _spawned_id(self, machine: Machine, event: Event, outputs: _Outputs) -> str:
        """Name an entity that a decision creates: the same in every pass, or what it needs would always be lacking."""
        if machine.key:
            return machine.key(event)
        outputs.spawned += 1
        place = outputs.arrived, outputs.spawned, machine.name
        if place not in self._spawned:
            self._spawned[place] = self._new_entity_id(machine, event)
        return self._spawned[place]

    def _start(self, step: _Step, entity: Entity, name: str, event: str, at: datetime, outputs: _Outputs) -> None:
        row = records.timer(step.machine, entity, name, event, at, step.event_id)
        outputs.timers[step.machine.name, entity.id, name] = row

    def _collect(self) -> None:
        """Turn what the pass left in memory into rows to write."""
        changes = self.changes
        self._rows.collect([outputs.journal for outputs in self._outputs], changes)
        for outputs in self._outputs:
            changes.history.extend(outputs.history)
            for withdrawn in outputs.withdrawn:
                changes.withdraw(withdrawn)
            changes.effects.extend(outputs.effects)
        self._papers.collect(changes)


def _id_of(envelope: Envelope) -> str:
    assert envelope.id is not None
    return envelope.id
