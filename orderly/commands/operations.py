"""`orderly doctor` and `orderly settings`."""

import asyncio
from dataclasses import asdict

import typer

from orderly import doctor as doctors
from orderly.commands.opening import AsJson, explained, settings_of, show_json, show_table, table
from orderly.reference import rows_of

_COLOURS = {doctors.Health.OK: "green", doctors.Health.WARNING: "yellow", doctors.Health.FAILURE: "red"}


def doctor(*, as_json: AsJson = False) -> None:
    """Check this installation: settings, gateways, database, clock, states, backlog. Exit code 1 if something fails."""
    with explained():
        found = asyncio.run(doctors.examine(settings_of()))
    if as_json:
        show_json([asdict(each) for each in found])
    else:
        shown = table("check", "", "finding", "what to do")
        for each in found:
            colour = _COLOURS[each.health]
            shown.add_row(each.check, f"[{colour}]{each.health}[/{colour}]", each.finding, each.remedy)
        show_table(shown)
    if any(each.health is doctors.Health.FAILURE for each in found):
        raise typer.Exit(1)


def settings(*, as_json: AsJson = False) -> None:
    """Show every setting as it holds now, and what it means. Secrets are hidden."""
    rows = rows_of(settings_of())
    if as_json:
        show_json({row.variable: row.value for row in rows})
        return
    shown = table("variable", "value", "meaning")
    for row in rows:
        shown.add_row(row.variable, f"[bold]{row.value}[/bold]" if row.is_changed else row.value, row.meaning)
    show_table(shown)
