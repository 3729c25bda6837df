"""Deciding events and explaining what could happen: pure, synchronous, no I/O.

The `transitions` library picks the row, evaluates its conditions and moves the state of a small trial object; the
entity itself is never its subject, so an exception half-way leaves nothing behind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from statemachines.commands import Command, Set
from statemachines.declaration import NEW, Actor, Entity, Event, Role
from statemachines.machine import SYSTEM, Machine
from statemachines.trial import Injected, Trial


@dataclass(frozen=True, slots=True)
class TimerSet:
    """A timer that a decision sets: the event is raised at `at` unless the timer is cancelled first."""

    name: str
    event: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    """The event may happen. Nothing has happened yet."""

    source: str
    target: str
    event: Event
    changes: Mapping[str, object]
    """The entity's own columns as they will be, beside its state."""
    commands: Sequence[Command]
    """What is asked for beyond the entity's own columns and its state's timers."""
    cancels: Sequence[str] = ()
    """Timers of the state that is left."""
    starts: Sequence[TimerSet] = ()
    """Timers of the state that is entered."""
    enters: bool = False
    """Whether a state is entered, be it the same anew, as opposed to an internal transition."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The event may not happen, and why."""

    state: str
    event: str
    guard: str | None
    """The guard that refused; None if the state takes no such event at all."""
    reason: str
    allowed: tuple[str, ...]
    """The events that this state takes."""


Decision = Accepted | Refused


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether one event could happen now."""

    event: str
    allowed: bool
    targets: tuple[str, ...]
    guard: str | None = None
    reason: str | None = None
    depends_on_payload: tuple[str, ...] = ()
    """Guards that can be answered only with the event's payload at hand."""
    roles: frozenset[Role] = frozenset()


class Nothing:
    """What is loaded for a decision that needs nothing loaded."""


NOTHING = Nothing()


def decide(
    machine: Machine, entity: Entity, event: Event, now: datetime, loaded: object = NOTHING, actor: Actor = SYSTEM
) -> Decision:
    """Decide whether `event` may happen to `entity` and what follows from it.

    Args:
        machine: the entity's.
        entity: the row as it is; it is not changed.
        event: the request.
        now: the moment of the batch, in UTC.
        loaded: has an attribute for each load that `machine.needs(entity, event)` lists.
        actor: who asks.
    """
    source = entity.state
    if not machine.rows_for(source, event.event_name):
        return _no_such_event(machine, entity, event.event_name)
    trial = Trial(entity, event, now, loaded, machine.policy, actor)
    if not machine.trigger(trial):
        assert trial.refusal is not None
        guard, reason = trial.refusal
        return Refused(source, event.event_name, guard, reason, machine.events_of(source))
    assert trial.row is not None
    changes: dict[str, object] = {}
    commands: list[Command] = []
    for command in trial.commands:
        if type(command) is Set:
            changes.update(command.changes)
        else:
            commands.append(command)
    if trial.row.target is None:
        return Accepted(source, source, event, changes, commands)
    return Accepted(
        source,
        trial.state,
        event,
        changes,
        commands,
        cancels=machine.timer_names(source),
        starts=_timers(machine, trial, changes),
        enters=True,
    )


def _timers(machine: Machine, trial: Trial, changes: Mapping[str, object]) -> list[TimerSet]:
    assert trial.now is not None
    timers = []
    for after, span in machine.timeouts(trial.state):
        if isinstance(span, Injected):
            if changes and span.asks_entity:
                trial.entity = trial.entity.model_copy(update={**changes, "state": trial.state})
            timers.append(TimerSet(after.timer, after.fire.event_name, trial.now + span(trial)))
        else:
            timers.append(TimerSet(after.timer, after.fire.event_name, trial.now + span))
    return timers


def _no_such_event(machine: Machine, entity: Entity, event: str) -> Refused:
    allowed = machine.events_of(entity.state)
    asked_for = [name for name in allowed if machine.events[name].raised_by]  # what others tell nobody can ask for
    instead = f"; it takes {', '.join(asked_for or allowed)}" if allowed else "; nothing can happen to it any more"
    if entity.state == NEW:
        reason = f"no {machine.name} begins with '{event}'"
    elif event == machine.creation.event_name:
        reason = f"{machine.name} '{entity.id}' exists already"
    else:
        reason = f"{machine.name} in state '{entity.state}' takes no '{event}'{instead}"
    return Refused(entity.state, event, None, reason, allowed)


def explain(
    machine: Machine, entity: Entity, now: datetime, loaded: object = NOTHING, actor: Actor = SYSTEM
) -> list[Explanation]:
    """Return, for every event that the entity's state takes, whether it could happen now, and if not, why.

    Args:
        machine: the entity's.
        entity: the row as it is.
        now: the moment to explain for, in UTC.
        loaded: has an attribute for each load that the guards ask for and that does not depend on a payload.
        actor: who would ask. Whether the actor's role may raise an event is told by the explanation's `roles`.
    """
    trial = Trial(entity, None, now, loaded, machine.policy, actor)
    return [_explain(machine, trial, name) for name in machine.events_of(entity.state)]


def _explain(machine: Machine, trial: Trial, event: str) -> Explanation:
    roles = machine.events[event].raised_by
    rows = machine.rows_for(trial.state, event)
    targets = tuple(dict.fromkeys(row.target or trial.state for row in rows))
    refusal: tuple[str, str] | None = None
    for row in rows:
        guards = machine.guards_of(row)
        answerable = [guard for guard in guards if not machine.asks_payload(guard)]
        refused = next(((guard.name, reason) for guard in answerable if (reason := guard(trial)) is not None), None)
        if refused is None:
            open_guards = tuple(guard.name for guard in guards if guard not in answerable)
            return Explanation(event, allowed=True, targets=targets, depends_on_payload=open_guards, roles=roles)
        refusal = refused
    assert refusal is not None
    return Explanation(event, allowed=False, targets=targets, guard=refusal[0], reason=refusal[1], roles=roles)
