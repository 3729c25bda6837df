"""`orderly orders`: look at orders and raise events on them, in process, through the same dispatcher as the API."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.envelope import Committed, Rejected
from orderly.commands.opening import (
    MISUSED,
    AsJson,
    Obstacle,
    actor_named,
    fail,
    machine_named,
    parse_json,
    say,
    show_json,
    show_rows,
    show_table,
    table,
    with_service,
)
from orderly.commands.raising import event_of, raise_event, why_not
from persistence import queries
from persistence.tables import hydrate
from statemachines.decision import explain
from statemachines.declaration import Event
from statemachines.machine import Machine
from statemachines.registry import MACHINES
from statemachines.values import money

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from orderly.service import Service

app = typer.Typer(no_args_is_help=True, help="Look at orders, and raise events on them.")

OrderId = Annotated[str, typer.Argument(metavar="ORDER", help="The order's id, as `ord_01jd4k0v3xe9h8m2q5t7w9y1z3`.")]

Rows = list[dict[str, Any]]


@app.command("list")
def list_orders(
    state: Annotated[str | None, typer.Option(help="Only those in this state, the longest there first.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only those of this customer.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=queries.PAGE_LIMIT, help="How many.")] = 20,
    *,
    as_json: AsJson = False,
) -> None:
    """List orders, the newest first."""
    machine = machine_named("order")
    if state is not None and state not in machine.states:
        fail(f"there is no state '{state}'; there are {', '.join(machine.states)}", MISUSED)
    wanted = queries.Filter(state=state, owner=customer)

    def read(connection: "Connection") -> queries.Page:
        return queries.list_entities(connection, machine, wanted, limit, None)

    page = with_service(lambda service: service.database.read(read))
    if as_json:
        show_json(page.rows)
        return
    shown = table("id", "reference", "customer", "state", "total", "since")
    for row in page.rows:
        total = money(row["total"], row["currency"])
        shown.add_row(
            row["id"], row["reference"] or "-", row["customer"], row["state"], total, f"{row['state_since']:%F %T}"
        )
    show_table(shown)
    if page.next_cursor:
        say(f"and more; the first {limit} are shown")


@app.command()
def show(order: OrderId, *, as_json: AsJson = False) -> None:
    """Show an order: its columns and lines, what belongs to it, its history, what it waits for, what could happen."""
    machine = machine_named("order")

    async def read(service: "Service") -> dict[str, Any]:
        now = service.clock.now()
        shown = await service.database.read(lambda connection: _read(connection, machine, order))
        loaded, entity = shown.pop("loaded"), hydrate(machine.entity, shown["order"])
        possible = explain(service.registry[machine.name], entity, now, SimpleNamespace(**loaded))
        shown["events"] = [
            {"event": e.event, "allowed": e.allowed, "by": sorted(e.roles), "targets": e.targets, "reason": e.reason}
            for e in possible
        ]
        return shown

    shown = with_service(read)
    if as_json:
        show_json(shown)
    else:
        _print(shown)


def _read(connection: "Connection", machine: Machine, order: str) -> dict[str, Any]:
    """Read all there is to show of an order.

    Raises:
        Obstacle: there is no such order.
    """
    values = queries.get_entity(connection, machine, order)
    if values is None:
        raise Obstacle(f"there is no order '{order}'; `orderly orders list` shows the newest")
    return {
        "order": values,
        **queries.get_details(connection, machine, order),
        "children": queries.children_of(connection, queries.child_machines(MACHINES, machine), order),
        "history": list(queries.list_history(connection, machine, order, queries.PAGE_LIMIT, None).rows),
        "timers": queries.timers_of(connection, machine, order),
        "effects": queries.effects_of(connection, machine, order),
        "loaded": queries.load_for_explaining(connection, machine, hydrate(machine.entity, values)),
    }


def _print(shown: dict[str, Any]) -> None:
    order = shown["order"]
    say(f"{order['id']} is {order['state']} (version {order['version']}), {money(order['total'], order['currency'])}")
    for name, value in order.items():
        if name not in ("id", "state", "version") and value not in (None, "", 0, False):
            say(f"  {name}: {value}")
    _print_table("lines", shown["lines"], ["number", "sku", "quantity", "unit_price", "returned"])
    _print_table("belongs to it", shown["children"], ["machine", "id", "state", "state_since"])
    _print_table("history", shown["history"], ["version", "at", "event", "source", "target", "actor", "reason"])
    _print_table("will happen by itself", shown["timers"], ["due_at", "event"])
    _print_table("asked of the outside world", shown["effects"], ["name", "status", "attempts", "due_at", "error"])
    rows = [
        {
            "event": each["event"],
            "now": "yes" if each["allowed"] else f"no: {each['reason']}",
            "by": ", ".join(each["by"]) or "the system",
            "to": ", ".join(each["targets"]),
        }
        for each in shown["events"]
    ]
    _print_table("could happen", rows, ["event", "by", "to", "now"])


def _print_table(title: str, rows: Rows, columns: list[str]) -> None:
    if not rows:
        return
    say(f"\n{title}")
    show_rows(rows, columns)


@app.command()
def send(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="The order's id; `new` for the event `create`.")],
    event: Annotated[str, typer.Argument(metavar="EVENT", help="As `submit`; `orders show` lists what is possible.")],
    actor: Annotated[str, typer.Option("--as", metavar="ROLE:NAME", help="Who asks, as `merchant:shop`.")],
    payload: Annotated[
        str, typer.Option(metavar="JSON", help="The event's fields; `@file` reads a file, `@-` standard input.")
    ] = "{}",
    *,
    as_json: AsJson = False,
) -> None:
    """Raise an event on an order and say what became of it.

    Exit code 1 if it is refused. What it asks of the outside world is done by the running server.
    """
    machine = machine_named("order")
    who = actor_named(actor)
    asked = _event(machine, event, payload)
    entity = None if event == machine.creation.event_name else order

    outcome = with_service(lambda service: raise_event(service, machine.name, entity, asked, who))
    if isinstance(outcome, Committed):
        if as_json:
            show_json(dict(outcome.entity))
        else:
            say(f"{outcome.id}: {outcome.event} took it from {outcome.source} to {outcome.state} (v{outcome.version})")
        return
    if as_json and isinstance(outcome, Rejected):
        show_json(
            {"state": outcome.state, "guard": outcome.guard, "reason": outcome.reason, "allowed": outcome.allowed}
        )
    fail(why_not(outcome))


def _event(machine: Machine, name: str, payload: str) -> Event:
    """Return the event that was asked for; one that there is not, or whose payload does not hold, ends the command."""
    raised = {each.event_name: each for each in machine.events.values() if each.raised_by}
    if name not in raised:
        fail(f"a {machine.name} has no event '{name}'; there are {', '.join(raised)}", MISUSED)
    return event_of(raised[name], parse_json(payload, "--payload"))
