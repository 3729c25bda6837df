"""`orderly machines`: the declarations, without a database."""

from enum import StrEnum
from typing import Annotated

import typer

from orderly.commands.opening import AsJson, machine_named, say, show_json, show_table, table
from statemachines.declaration import NEW, Transition
from statemachines.diagram import diagram, duration_text
from statemachines.export import export, fixed_duration, xstate
from statemachines.machine import Machine
from statemachines.registry import MACHINES
from statemachines.verification import verify

app = typer.Typer(no_args_is_help=True, help="Look at the state machines: their tables, diagrams and findings.")

Name = Annotated[str, typer.Argument(help="The machine's name, as `order`.")]


class Form(StrEnum):
    """How a machine can be drawn."""

    MERMAID = "mermaid"
    XSTATE = "xstate"


@app.command("list")
def list_machines(*, as_json: AsJson = False) -> None:
    """List the machines."""
    if as_json:
        show_json([_summary(machine) for machine in MACHINES])
        return
    shown = table("machine", "collection", "states", "events", "what it is")
    for machine in MACHINES:
        doc = (machine.entity.__doc__ or "").strip().splitlines()[0]
        shown.add_row(machine.name, f"/{machine.plural}", str(len(machine.states)), str(len(machine.events)), doc)
    show_table(shown)


def _summary(machine: Machine) -> dict[str, object]:
    return {
        "name": machine.name,
        "collection": machine.plural,
        "states": list(machine.states),
        "events": list(machine.events),
    }


@app.command()
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Show a machine's table: every state with its timeouts, every transition with its guards and actions."""
    machine = machine_named(name)
    if as_json:
        show_json(export(machine))
        return
    say(f"{machine.name}: {(machine.entity.__doc__ or '').strip()}\n")
    states = table("state", "by itself", "")
    for state in machine.states.values():
        marks = ["first"] * (state.name == machine.initial) + ["final"] * state.final
        marks += ["waits for an answer from outside"] * machine.is_waiting(state.name)
        states.add_row(state.name, "; ".join(_timeouts(machine, state.name)), ", ".join(marks))
    show_table(states)
    say()
    rows = table("event", "from", "to", "only if", "then", "by")
    for row in machine.transitions:
        rows.add_row(*_cells(row))
    show_table(rows)


def _timeouts(machine: Machine, state: str) -> list[str]:
    texts = []
    for after in machine.states[state].timeouts:
        duration = fixed_duration(machine, after)
        span = "a computed time" if duration is None else duration_text(duration)
        texts.append(f"{after.fire.event_name} after {span}")
    return texts


def _cells(row: Transition) -> list[str]:
    """Return a transition as the cells of a table row."""
    return [
        row.event.event_name,
        ", ".join("(new)" if source == NEW else source for source in row.sources),
        row.target or "(stays)",
        ", ".join(getattr(guard, "__name__", "?") for guard in row.guards),
        ", ".join(getattr(action, "__name__", "?") for action in row.actions),
        ", ".join(sorted(row.event.raised_by)) or "the system",
    ]


@app.command("verify")
def verify_machines(
    name: Annotated[str | None, typer.Argument(help="One machine; all of them by default.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Look for what is suspicious: unreachable states, dead ends, waits without end, unanswered effects, overlaps.

    Exit code 1 if there is anything.
    """
    machines = [machine_named(name)] if name else list(MACHINES)
    findings = [(machine, finding) for machine in machines for finding in verify(machine)]
    if as_json:
        show_json(
            [{"machine": m.name, "code": f.code, "place": f.place, "text": f.text} for m, f in findings],
        )
    else:
        for machine, finding in findings:
            say(f"{machine.name}: {finding}")
        if not findings:
            say(f"nothing suspicious in {', '.join(machine.name for machine in machines)}")
    if findings:
        raise typer.Exit(1)


@app.command("diagram")
def draw(
    name: Name,
    form: Annotated[Form, typer.Option("--format", help="Mermaid text, or an XState v5 configuration.")] = Form.MERMAID,
) -> None:
    """Draw a machine."""
    machine = machine_named(name)
    if form is Form.XSTATE:
        show_json(xstate(machine))
    else:
        say(diagram(machine).rstrip())
