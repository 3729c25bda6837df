"""The `orderly` command: its commands, grouped by who uses them."""

import typer

from orderly.commands import effects, inbox, jobs, keys, machines, orders, timers
from orderly.commands.opening import BACKEND, OPERATIONS, OPERATORS
from orderly.commands.operations import doctor, settings
from orderly.commands.replays import replay
from orderly.commands.serve import migrate, serve
from orderly.commands.worker import worker

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="An order-processing service made of explicit state machines.",
    epilog="Settings are ORDERLY_… variables; `orderly settings` shows them. docs/operations.md says more.",
)

app.command(rich_help_panel=OPERATIONS)(serve)
app.command(rich_help_panel=OPERATIONS)(worker)
app.command(rich_help_panel=OPERATIONS)(migrate)
app.command(rich_help_panel=OPERATIONS)(doctor)
app.command(rich_help_panel=OPERATIONS)(settings)
app.add_typer(keys.app, name="keys", rich_help_panel=OPERATIONS)
app.add_typer(orders.app, name="orders", rich_help_panel=OPERATORS)
app.add_typer(effects.app, name="effects", rich_help_panel=OPERATORS)
app.add_typer(timers.app, name="timers", rich_help_panel=OPERATORS)
app.add_typer(inbox.app, name="inbox", rich_help_panel=OPERATORS)
app.add_typer(jobs.app, name="jobs", rich_help_panel=OPERATORS)
app.add_typer(machines.app, name="machines", rich_help_panel=BACKEND)
app.command(rich_help_panel=BACKEND)(replay)
