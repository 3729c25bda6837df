"""A machine's declaration as JSON: all of it for other programs, or as a machine of XState."""

import inspect
from collections.abc import Callable, Iterable
from datetime import timedelta

from pydantic import JsonValue

from statemachines.declaration import NEW, After, Effect, Event, State, Transition
from statemachines.machine import Machine

Json = dict[str, JsonValue]


def fixed_duration(machine: Machine, after: After) -> timedelta | None:
    """Return how long a timeout takes; None if that depends on the entity or on what happens to it."""
    if isinstance(after.duration, str):
        chosen: timedelta = getattr(machine.policy, after.duration)
        return chosen
    return after.duration if isinstance(after.duration, timedelta) else None


# -- the whole declaration -----------------------------------------------------------------------------------------


def export(machine: Machine) -> Json:
    """Return a machine's declaration as JSON. Durations are in seconds, events' payloads are JSON schemas."""
    return {
        "name": machine.name,
        "plural": machine.plural,
        "description": _doc(machine.entity),
        "id": {"prefix": machine.prefix} if machine.prefix else {"key_of": machine.creation.event_name},
        "readers": [str(role) for role in sorted(machine.readers)],
        "initial": machine.initial,
        "states": [_state(machine, state) for state in machine.states.values()],
        "transitions": [_transition(machine, row) for row in machine.transitions],
        "events": [_event(event) for event in machine.events.values()],
        "effects": [_effect(effect) for effect in _effects(machine)],
        "loads": [
            {"name": load.name, "row": load.row.__name__, "by": load.by, "lock": load.lock}
            for load in machine.loads.values()
        ],
        "policy": _policy(machine),
        "columns": _columns(machine),
    }


def _state(machine: Machine, state: State) -> Json:
    return {
        "name": state.name,
        "initial": state.name == machine.initial,
        "final": state.final,
        "waits": machine.is_waiting(state.name),
        "awaits": list(state.awaits),
        "timeouts": [_timeout(machine, after) for after in state.timeouts],
        "entry": _functions(state.entry),
        "exit": _functions(state.exit),
    }


def _timeout(machine: Machine, after: After) -> Json:
    duration = fixed_duration(machine, after)
    seconds = None if duration is None else duration.total_seconds()
    return {
        "timer": after.timer,
        "event": after.fire.event_name,
        "seconds": seconds,
        "computed_by": _computed_by(after),
    }


def _computed_by(after: After) -> str | None:
    match after.duration:
        case timedelta():
            return None
        case str():
            return after.duration
        case _:
            return _name(after.duration)


def _transition(machine: Machine, row: Transition) -> Json:
    return {
        "event": row.event.event_name,
        "sources": [source for source in row.sources if source != NEW],
        "creates": NEW in row.sources,
        "target": row.target,
        "internal": row.target is None,
        "guards": _functions(row.guards),
        "actions": _functions(row.actions),
        "effects": [effect.name for effect in machine.effects_of(row)],
    }


def _event(event: type[Event]) -> Json:
    return {
        "name": event.event_name,
        "description": _doc(event),
        "roles": [str(role) for role in sorted(event.raised_by)],
        "schema": event.model_json_schema(),
    }


def _effects(machine: Machine) -> list[Effect]:
    return list(dict.fromkeys(effect for row in machine.transitions for effect in machine.effects_of(row)))


def _effect(effect: Effect) -> Json:
    return {
        "name": effect.name,
        "description": _doc(effect.arguments),
        "arguments": effect.arguments.model_json_schema(),
        **{
            outcome: event.event_name if event else None
            for outcome, event in (("ok", effect.ok), ("failed", effect.failed), ("action", effect.action))
        },
        "timeout_seconds": effect.timeout.total_seconds(),
        "attempts": effect.retry.attempts,
        "within_seconds": effect.retry.within.total_seconds(),
        "editable": list(effect.editable),
    }


def _policy(machine: Machine) -> Json:
    shown = machine.policy.model_dump(mode="json")
    return {
        name: value.total_seconds() if isinstance(value, timedelta) else shown[name]
        for name, value in machine.policy
        if name in shown
    }


def _columns(machine: Machine) -> list[JsonValue]:
    properties = machine.entity.model_json_schema()["properties"]
    return [{"name": name, "schema": schema} for name, schema in properties.items()]


def _functions(functions: Iterable[Callable[..., object]]) -> list[JsonValue]:
    return [{"name": _name(function), "description": _doc(function)} for function in functions]


def _name(function: object) -> str:
    return getattr(function, "__name__", repr(function))


def _doc(thing: object) -> str:
    return inspect.getdoc(thing) or ""


# -- XState --------------------------------------------------------------------------------------------------------

ALL_OF = "all of"
"""The XState guard that stands for several; no Python function can be named so."""


def xstate(machine: Machine) -> Json:
    """Return a machine's declaration as a machine of XState 5 (https://stately.ai/docs/machines), as JSON.

    Guards, actions and delays are names; whoever runs it provides them. Several guards of one row become the guard
    ``all of`` with their names as its parameter ``guards``. The row that creates an entity becomes the initial state;
    its guards and actions, which XState has no place for, stand under ``meta``. A timeout stands under ``after`` in
    milliseconds, or under its function's name if its duration depends on the entity.
    """
    creation = next(row for row in machine.transitions if NEW in row.sources)
    names = _StateNames(machine)
    return {
        "id": machine.name,
        "description": _doc(machine.entity),
        "initial": names[machine.initial],
        "meta": {"created_by": {"event": creation.event.event_name, **_guard(creation), **_actions(creation.actions)}},
        "states": {names[state.name]: _xstate_state(machine, state, names) for state in machine.states.values()},
    }


class _StateNames(dict[str, str]):
    """States by the names they have in XState, where a dot or a hash sign in a target means a path."""

    def __init__(self, machine: Machine) -> None:
        for name in machine.states:
            plain = name.replace(".", "_").replace("#", "_")
            while plain in self.values():
                plain += "_"
            self[name] = plain


def _xstate_state(machine: Machine, state: State, names: _StateNames) -> Json:
    node: Json = {"type": "final"} if state.final else {}
    if state.entry:
        node["entry"] = [_name(action) for action in state.entry]
    if state.exit:
        node["exit"] = [_name(action) for action in state.exit]
    events = machine.events_of(state.name)
    if events and not state.final:  # XState stops in a final state: an answer that comes later has no place there
        node["on"] = {event: _xstate_rows(machine, state.name, event, names) for event in events}
    after: dict[str, list[JsonValue]] = {}
    for timeout in state.timeouts:
        rows = _xstate_rows(machine, state.name, timeout.fire.event_name, names)
        after.setdefault(_delay(machine, timeout), []).extend(rows)
    if after:
        node["after"] = {**after}
    return node


def _delay(machine: Machine, timeout: After) -> str:
    duration = fixed_duration(machine, timeout)
    return _name(timeout.duration) if duration is None else str(duration // timedelta(milliseconds=1))


def _xstate_rows(machine: Machine, source: str, event: str, names: _StateNames) -> list[JsonValue]:
    return [_xstate_row(row, source, names) for row in machine.rows_for(source, event)]


def _xstate_row(row: Transition, source: str, names: _StateNames) -> Json:
    node: Json = {}
    if row.target is not None:
        node["target"] = names[row.target]
    if row.target == source:
        node["reenter"] = True
    return {**node, **_guard(row), **_actions(row.actions), "description": _doc(row.event)}


def _guard(row: Transition) -> Json:
    names: list[JsonValue] = [_name(guard) for guard in row.guards]
    if len(names) > 1:
        return {"guard": {"type": ALL_OF, "params": {"guards": names}}}
    return {"guard": names[0]} if names else {}


def _actions(actions: Iterable[Callable[..., object]]) -> Json:
    names: list[JsonValue] = [_name(action) for action in actions]
    return {"actions": names} if names else {}
