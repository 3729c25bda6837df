"""A machine drawn: Mermaid's text for a state diagram, which code hosts and the admin pages show as a picture."""

import re
from collections.abc import Iterator
from datetime import timedelta

from statemachines.declaration import NEW, Transition
from statemachines.export import fixed_duration
from statemachines.machine import Machine

# Words that Mermaid's grammar keeps for itself: https://mermaid.js.org/syntax/stateDiagram.html
_RESERVED = frozenset({"state", "note", "class", "default", "style", "scale", "click", "href", "end"})


def diagram(machine: Machine) -> str:
    """Return the machine as a Mermaid ``stateDiagram-v2``.

    An arrow bears its event, the timeout that may raise it, and its guards in brackets. Internal transitions, which
    stay in their state, stand in a note beside it.
    """
    ids = _ids(machine)
    lines = [f'state "{_text(name)}" as {id_}' for name, id_ in ids.items() if name not in (id_, NEW)]
    for row in machine.transitions:
        if row.target is not None:
            lines += [f"{ids[source]} --> {ids[row.target]} : {_label(machine, row, source)}" for source in row.sources]
    for state in machine.states:
        stays = list(_stays(machine, state))
        if stays:
            lines += [f"note right of {ids[state]}", *(f"    {line}" for line in stays), "end note"]
    lines += [f"{ids[state.name]} --> [*]" for state in machine.states.values() if state.final]
    return "\n    ".join(["stateDiagram-v2", *lines]) + "\n"


def duration_text(duration: timedelta) -> str:
    """Spell a duration for a person, in the greatest unit that it fills: ``7 days``, ``30 minutes``."""
    for unit, span in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        if duration >= span and not duration % span:
            count = duration // span
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"{duration.total_seconds():g} seconds"


def _ids(machine: Machine) -> dict[str, str]:
    ids = {NEW: "[*]"}
    for number, name in enumerate(machine.states, 1):
        plain = re.fullmatch(r"[a-z][a-z0-9_]*", name) and name not in _RESERVED
        ids[name] = name if plain else f"S{number}"
    return ids


def _label(machine: Machine, row: Transition, source: str) -> str:
    label = row.event.event_name
    for after in machine.states[source].timeouts if source != NEW else ():
        if after.fire is row.event:
            duration = fixed_duration(machine, after)
            label += " or" if row.event.raised_by else ""
            label += f" after {'a computed time' if duration is None else duration_text(duration)}"
    guards = ", ".join(_text(getattr(guard, "__name__", repr(guard))) for guard in row.guards)
    return f"{label} [{guards}]" if guards else label


def _stays(machine: Machine, state: str) -> Iterator[str]:
    for row in machine.transitions:
        if row.target is None and state in row.sources:
            yield f"stays on {_label(machine, row, state)}"


def _text(text: str) -> str:
    return re.sub(r'[":;\n]', " ", text)
