"""What is suspicious in a machine although it may be declared so: findings, from the declaration alone.

What is wrong beyond doubt (an unknown state, a row that can never be taken, a timeout that no row takes) is an error at
import, see `statemachines.checks`. Here stands what needs the whole picture: who raises which event, and what happens
to an effect's answer. Guards count as able to hold and to refuse, so a machine without findings may still be refused
into a corner by its guards; the property tests look for that.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations

from statemachines.declaration import NEW, Effect, Event, Transition
from statemachines.machine import Machine
from statemachines.mentions import mentions
from statemachines.registry import MACHINES


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a person should look at in a machine's declaration."""

    code: str
    """The kind of finding: unreachable, dead-end, endless-wait, unanswered-effect, lost-outcome, overlap or
    unraised-event."""
    place: str
    """The file and line of the state or row."""
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text} ({self.code})"


def verify(machine: Machine, among: Iterable[Machine] = MACHINES) -> list[Finding]:
    """Return what is suspicious in `machine`, in the order of its declaration; nothing if all is well.

    Args:
        machine: the machine to look at.
        among: the machines that live beside it and may send it events.
    """
    raised = _raised([machine, *among])
    rows = [row for row in machine.transitions if row.event in raised]
    return [
        *_unreachable(machine, rows),
        *_dead_ends(machine, rows),
        *_endless_waits(machine, [machine, *among]),
        *_unanswered_effects(machine),
        *_overlaps(machine),
        *_unraised_events(machine, raised),
    ]


def _unreachable(machine: Machine, rows: list[Transition]) -> Iterator[Finding]:
    reached = _closure({NEW}, lambda state: (row.target for row in rows if state in row.sources and row.target))
    for state in machine.states.values():
        if state.name not in reached:
            yield Finding("unreachable", state.line, f"no event that anything raises leads to '{state.name}'")


def _dead_ends(machine: Machine, rows: list[Transition]) -> Iterator[Finding]:
    finals = {state.name for state in machine.states.values() if state.final}
    ending = _closure(finals, lambda state: (source for row in rows if row.target == state for source in row.sources))
    for state in machine.states.values():
        if finals and state.name not in ending:
            yield Finding("dead-end", state.line, f"from '{state.name}' no final state can be reached")
        elif not finals and not any(state.name in row.sources and row.target not in (None, state.name) for row in rows):
            yield Finding("dead-end", state.line, f"no event that anything raises leaves '{state.name}'")


def _endless_waits(machine: Machine, among: Iterable[Machine]) -> Iterator[Finding]:
    others = {other.name: _raised_by(other) for other in among}
    for state in machine.states.values():
        ways_on = {row.event for row in machine.transitions if state.name in row.sources and row.target}
        for awaited in state.awaits:
            if not ways_on & others.get(awaited, set()):
                text = f"'{state.name}' awaits '{awaited}', but nothing that it tells leads on from here"
                yield Finding("endless-wait", state.line, text)
        if not machine.is_waiting(state.name) or state.awaits:
            continue
        ways = [row for after in state.timeouts for row in machine.rows_for(state.name, after.fire.event_name)]
        if not ways:
            text = f"'{state.name}' waits for the outcome of an effect and has no timeout"
            yield Finding("endless-wait", state.line, text)
        elif all(row.guards for row in ways):
            text = f"'{state.name}' waits for the outcome of an effect, and every row of its timeouts may be refused"
            yield Finding("endless-wait", state.line, text)


def _unanswered_effects(machine: Machine) -> Iterator[Finding]:
    for row in machine.transitions:
        for effect in machine.effects_of(row):
            asked_in = {row.target} if row.target is not None else set(row.sources)
            later = _closure(asked_in, partial(_unguarded_ways, machine, effect))
            for state, outcome in ((state, outcome) for state in machine.states for outcome in effect.outcomes):
                if state not in later or any(
                    other.event is outcome for other in machine.rows_for(state, outcome.event_name)
                ):
                    continue
                if state in asked_in:
                    text = f"{effect.name} is asked for, but '{state}' takes no '{outcome.event_name}'"
                    yield Finding("unanswered-effect", row.line, text)
                else:
                    text = (
                        f"{effect.name} is asked for, and no guard keeps its late '{outcome.event_name}' "
                        f"from meeting '{state}', which takes none"
                    )
                    yield Finding("lost-outcome", row.line, text)


def _unguarded_ways(machine: Machine, effect: Effect, state: str) -> Iterator[str]:
    """Yield where `state` may lead while the effect is without an answer, and no guard might know of it."""
    for row in machine.transitions:
        if state in row.sources and row.target and not row.guards and row.event not in effect.outcomes:
            yield row.target


def _overlaps(machine: Machine) -> Iterator[Finding]:
    for earlier, later in combinations(machine.transitions, 2):
        shared = [source for source in later.sources if source in earlier.sources]
        if not shared or earlier.event is not later.event:
            continue
        if _names(earlier) <= _names(later):  # other functions, or the import would have failed
            text = (
                f"the guards of '{later.event.event_name}' from '{shared[0]}' are named like those of the row at "
                f"{earlier.line}, which is tried first: a refusal could not say which row refused"
            )
            yield Finding("overlap", later.line, text)


def _unraised_events(machine: Machine, raised: set[type[Event]]) -> Iterator[Finding]:
    for event in machine.events.values():
        if event not in raised:
            row = next(row for row in machine.transitions if row.event is event)
            text = f"no role, timeout, effect or other machine raises '{event.event_name}'"
            yield Finding("unraised-event", row.line, text)


def _raised(machines: list[Machine]) -> set[type[Event]]:
    """Return the events that something raises: a role, a timeout, an effect's outcome, or an action of any machine."""
    raised: set[type[Event]] = set()
    for machine in machines:
        raised.update(event for event in machine.events.values() if event.raised_by or event.by_engine)
        raised.update(after.fire for state in machine.states.values() for after in state.timeouts)
        raised.update(
            outcome for row in machine.transitions for effect in machine.effects_of(row) for outcome in effect.outcomes
        )
        raised.update(effect.undone for effect in machine.effects if effect.undone)
        raised.update(_raised_by(machine))
    return raised


def _raised_by(machine: Machine) -> set[type[Event]]:
    """Return the events that a machine's actions raise on other entities, or on its own."""
    actions = [action for state in machine.states.values() for action in (*state.entry, *state.exit)]
    actions += [action for row in machine.transitions for action in row.actions]
    named = [thing for action in actions for thing in mentions(action)]
    return {thing for thing in named if isinstance(thing, type) and issubclass(thing, Event)}


def _names(row: Transition) -> set[str]:
    return {getattr(guard, "__name__", repr(guard)) for guard in row.guards}


def _closure(start: set[str], ways: Callable[[str], Iterable[str]]) -> set[str]:
    """Return the states that can be reached from `start`, itself included."""
    reached, rest = set(start), list(start)
    while rest:
        for state in set(ways(rest.pop())) - reached:
            reached.add(state)
            rest.append(state)
    return reached
