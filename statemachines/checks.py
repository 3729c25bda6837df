"""What makes a declaration wrong: checked at import, each error naming the line at fault."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import BaseModel

from statemachines.declaration import NEW, DeclarationError, Effect, Event, Load, State, Transition
from statemachines.mentions import mentions

if TYPE_CHECKING:
    from statemachines.machine import Machine


def declaration(machine: Machine, states: Sequence[State], loads: Sequence[Load]) -> None:
    """Check a machine's declaration.

    Raises:
        DeclarationError: with the file and line of the first fault found.
    """
    _states(machine, states)
    _loads(machine, loads)
    for row in machine.transitions:
        _row(machine, row)
    for state in states:
        _timeouts(machine, state)
    _overlaps(machine.transitions)
    _creation(machine)
    _reachable(machine, states)
    _ways_out(machine, states)
    for state in states:
        for action in (*state.entry, *state.exit):
            _asked_effects(state.line, action)


def _fault(line: str, text: str) -> DeclarationError:
    return DeclarationError(f"{line}: {text}")


def _states(machine: Machine, states: Sequence[State]) -> None:
    seen: set[str] = set()
    for state in states:
        if state.name in seen or state.name == NEW:
            raise _fault(state.line, f"state '{state.name}' is declared twice")
        seen.add(state.name)
        if not isinstance(state.final, bool):
            raise _fault(
                state.line, f"state '{state.name}' is final or not; name its entry and exit actions by keyword"
            )
        for action in (*state.entry, *state.exit):
            _function(state.line, action)
    if (machine.prefix is None) == (machine.key is None):
        raise DeclarationError(f"{machine.name}: give either the prefix of its ids or the key that names an entity")


def _loads(machine: Machine, loads: Sequence[Load]) -> None:
    for load in loads:
        if machine.loads[load.name] is not load:
            raise DeclarationError(f"{machine.name}: load '{load.name}' is declared twice")
        if load.by not in load.row.model_fields:
            raise DeclarationError(
                f"{machine.name}: load '{load.name}' is by '{load.by}', which {load.row.__name__} does not have"
            )


def _row(machine: Machine, row: Transition) -> None:
    if not (isinstance(row.event, type) and issubclass(row.event, Event) and row.event is not Event):
        raise _fault(row.line, f"event {row.event!r} has no payload type: declare it as a subclass of Event")
    if not (row.event.__doc__ or "").strip() or row.event.__doc__ == Event.__doc__:
        raise _fault(row.line, f"event {row.event.__name__} has no docstring")
    for name in (*row.sources, *([row.target] if row.target is not None else [])):
        if name not in machine.states and name != NEW:
            raise _fault(row.line, f"unknown state '{name}'")
    if not row.sources:
        raise _fault(row.line, "this row leaves no state")
    if row.target == NEW:
        raise _fault(row.line, f"no row leads to '{NEW}': it is where an entity stands before it exists")
    for source in row.sources:
        if source != NEW and machine.states[source].final and row.target is not None:
            raise _fault(row.line, f"'{source}' is final, but this row leaves it")
    if NEW in row.sources and row.target is None:
        raise _fault(row.line, "a row that creates an entity must name the state it starts in")
    for function in (*row.guards, *row.actions):
        _function(row.line, function)
    for guard in row.guards:
        if inspect.isgeneratorfunction(guard):
            raise _fault(row.line, f"{guard.__name__} yields commands: it is an action, not a guard")
    known = next((other for other in machine.transitions if other.event.event_name == row.event.event_name), row)
    if known.event is not row.event:
        raise _fault(row.line, f"two events are named '{row.event.event_name}'")
    for effect in row.effects:
        if not (isinstance(effect.arguments, type) and issubclass(effect.arguments, BaseModel)):
            raise _fault(row.line, f"effect {effect.name} has no argument type")
    for action in row.actions:
        _asked_effects(row.line, action)


def _function(line: str, function: object) -> None:
    """Refuse what deciding could not call: it awaits nothing."""
    if not callable(function) or inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise _fault(line, f"{getattr(function, '__name__', repr(function))} is not a plain function")


def _asked_effects(line: str, action: Callable[..., object]) -> None:
    asked = getattr(action, "effects", ())
    for effect in mentions(action):
        if isinstance(effect, Effect) and effect not in asked:
            name = getattr(action, "__name__", repr(action))
            raise _fault(line, f"{name} calls {effect.name} without being marked @asks for it")


def _timeouts(machine: Machine, state: State) -> None:
    names: set[str] = set()
    for after in state.timeouts:
        if after.timer in names:
            raise _fault(after.line, f"state '{state.name}' has two timers named '{after.timer}'")
        names.add(after.timer)
        if isinstance(after.duration, str) and not isinstance(getattr(machine.policy, after.duration, None), timedelta):
            raise _fault(after.line, f"the policy has no time span '{after.duration}'")
        if (after.every is not None and after.every <= timedelta()) or (after.times > 1) != (after.every is not None):
            raise _fault(after.line, f"reminder '{after.timer}' needs both a pause above 0 and more than one time")
        if state.final:
            raise _fault(after.line, f"state '{state.name}' is final and must have no timeout")
        if required := [name for name, column in after.fire.model_fields.items() if column.is_required()]:
            raise _fault(after.line, f"timeout event '{after.fire.event_name}' has no defaults for {required}")
        if not any(row.event is after.fire and state.name in row.sources for row in machine.transitions):
            raise _fault(after.line, f"'{state.name}' has no row for its timeout's event '{after.fire.event_name}'")


def _overlaps(rows: Iterable[Transition]) -> None:
    earlier: dict[tuple[str, str], list[Transition]] = {}
    for row in rows:
        for source in row.sources:
            for other in earlier.setdefault((source, row.event.event_name), []):
                if other.target == row.target and tuple(other.guards) == tuple(row.guards):
                    raise _fault(
                        row.line, f"'{row.event.event_name}' from '{source}' is declared twice; first at {other.line}"
                    )
                if set(other.guards) <= set(row.guards):
                    raise _fault(
                        row.line,
                        f"'{row.event.event_name}' from '{source}' can never be taken: "
                        f"whenever its guards hold, the row at {other.line} is taken first",
                    )
            earlier[source, row.event.event_name].append(row)


def _creation(machine: Machine) -> None:
    rows = [row for row in machine.transitions if NEW in row.sources]
    if not rows:
        raise DeclarationError(f"{machine.name}: no row creates it (a Transition from NEW)")
    if len({row.event for row in rows}) > 1:
        raise _fault(rows[-1].line, "a machine has one creating event")


def _reachable(machine: Machine, states: Sequence[State]) -> None:
    reached = {NEW}
    while True:
        further = {row.target for row in machine.transitions if row.target and reached & set(row.sources)} - reached
        if not further:
            break
        reached |= further
    for state in states:
        if state.name not in reached:
            raise _fault(state.line, f"state '{state.name}' is unreachable")


def _ways_out(machine: Machine, states: Sequence[State]) -> None:
    for state in states:
        leaves = any(state.name in row.sources and row.target not in (None, state.name) for row in machine.transitions)
        if not state.final and not leaves:
            raise _fault(state.line, f"state '{state.name}' has no way out and is not final")
