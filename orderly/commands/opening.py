"""What every command does first: read the settings, open the service, and say plainly what stands in the way."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from orderly import logs
from orderly.settings import BadSettings, Settings
from persistence.database import Database, is_unavailable, sqlstate
from statemachines.declaration import Actor, Role
from statemachines.machine import Machine
from statemachines.registry import MACHINES

if TYPE_CHECKING:  # importing it takes a second that `--help` need not wait for
    from orderly.service import Service

T = TypeVar("T")

_NO_ENTRY = frozenset({"28", "3D", "42"})
"""Classes of SQLSTATE that a newcomer meets: no such role or a wrong password, no such database, no privilege."""

REFUSED = 1
"""Exit code of what was understood and could not be done."""

MISUSED = 2
"""Exit code of a command, settings or database that must be put right first."""

PIPE_WIDTH = 240
"""Columns of a table that no terminal shows."""

BACKEND, OPERATIONS, OPERATORS = "For backend engineers", "For operations", "For operators"
"""The panels under which `orderly --help` shows the commands."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
"""The option of every command whose answer a script may want."""


class Obstacle(Exception):
    """A command can't go on; the message says why and what to do."""


def say(text: str = "") -> None:
    """Print a line for a person."""
    typer.echo(text)


def table(*columns: str) -> Table:
    """Return a table to be filled with rows and printed by `show_table`."""
    return Table(*columns, box=None, pad_edge=False)


def show_table(filled: Table) -> None:
    """Print a table as wide as the terminal, or in a pipe as wide as it needs."""
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(filled)


def show_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print these columns of some rows as a table."""
    shown = table(*columns)
    for row in rows:
        shown.add_row(*(_cell(row[name]) for name in columns))
    show_table(shown)


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%F %T}"
    return "-" if value is None else escape(str(value))


def show_json(value: object) -> None:
    """Print a value for a script."""
    say(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def fail(text: str, code: int = REFUSED) -> NoReturn:
    """Print why a command ends here, and end it."""
    typer.echo(typer.style("error: ", fg="red", bold=True) + text, err=True)
    raise typer.Exit(code)


@contextmanager
def explained() -> Iterator[None]:
    """Say in one line what a person can put right, instead of a traceback."""
    from orderly.service import NotReady

    try:
        yield
    except (Obstacle, BadSettings, NotReady) as error:
        fail(str(error), MISUSED)
    except (SQLAlchemyError, OSError) as error:
        if not is_unavailable(error) and (sqlstate(error) or "")[:2] not in _NO_ENTRY:
            raise
        fail(f"the database can't be used: {_first_line(error)}\ncheck ORDERLY_DATABASE_URL and that it runs", MISUSED)


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return (str(cause) or type(cause).__name__).splitlines()[0].removeprefix("<class '").strip()


def settings_of(**given: object) -> Settings:
    """Return the settings; what is wrong with them is said and ends the command."""
    try:
        return Settings.load(**given)
    except BadSettings as error:
        fail(str(error), MISUSED)


def require_database(settings: Settings) -> None:
    """Make sure that an embedded database is there: opening SQLite would quietly make an empty one.

    Raises:
        Obstacle: it is not.
    """
    if not settings.is_sqlite:
        return
    file = Path(Database(settings.database_url).url.database or "")
    if not file.is_file():
        raise Obstacle(f"there is no database '{file}': run `orderly migrate`, or name another as ORDERLY_DATABASE_URL")


def with_service(work: Callable[["Service"], Awaitable[T]], settings: Settings | None = None) -> T:
    """Open the service for one command, without background work, and close it in order.

    Args:
        work: what the command does with it.
        settings: by default those of the environment.
    """
    from orderly.service import Service

    chosen = settings or settings_of()
    quiet = chosen.model_copy(update={"log_level": "warning", "log_format": "console"})
    logs.configure(quiet)

    async def opened() -> T:
        require_database(chosen)
        async with Service.open(chosen) as service:
            return await work(service)

    with explained():
        return asyncio.run(opened())


def machine_named(name: str) -> Machine:
    """Return a machine by its name or its collection's; an unknown one ends the command."""
    for machine in MACHINES:
        if name in (machine.name, machine.plural):
            return machine
    fail(f"there is no machine '{name}'; there are {', '.join(machine.name for machine in MACHINES)}", MISUSED)


def actor_named(text: str) -> Actor:
    """Return the actor that `role:name` stands for; anything else ends the command."""
    role, _, name = text.partition(":")
    roles = [role.value for role in Role if role is not Role.SYSTEM]
    if role not in roles or not name:
        fail(f"'{text}' names no actor: say role:name, as merchant:shop; the roles are {', '.join(roles)}", MISUSED)
    return Actor(name, Role(role))


def parse_json(text: str, what: str) -> dict[str, Any]:
    """Return the JSON object that an option holds, or that stands in the file of `@file`; else end the command."""
    if text.startswith("@"):
        try:
            text = sys.stdin.read() if text == "@-" else Path(text[1:]).read_text()
        except OSError as error:
            fail(f"{what}: '{text[1:]}' can't be read ({error.strerror})", MISUSED)
    try:
        value = json.loads(text)
    except ValueError as error:
        fail(f"{what} is not JSON: {error}", MISUSED)
    if not isinstance(value, dict):
        fail(f"{what} must be a JSON object, as '{{\"quantity\": 2}}'", MISUSED)
    return value
