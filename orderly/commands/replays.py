"""`orderly replay`: years of real invoices in minutes, under a clock that is moved."""

from pathlib import Path
from typing import Annotated

import typer

from engine.envelope import DispatchError
from orderly import logs
from orderly.commands.opening import MISUSED, AsJson, explained, fail, settings_of


def replay(
    file: Annotated[Path, typer.Argument(help="Invoices as CSV, plain or gzipped.")],
    database: Annotated[
        str, typer.Option(metavar="URL", help="The replay's own database; it is made if there is none.")
    ] = "sqlite:///replay.db",
    *,
    as_json: AsJson = False,
) -> None:
    """Run real invoices through the service and account for every line. Started again, it goes on where it stood.

    Exit code 1 if the report does not add up.
    """
    from orderly.replay.lines import CannotReplay
    from orderly.replay.run import replay as run

    settings = settings_of(database_url=database)
    logs.configure(settings.model_copy(update={"log_level": "warning", "log_format": "console"}))
    with explained():
        try:
            adds_up = run(file, settings, json=as_json)
        except CannotReplay as error:
            fail(str(error), MISUSED)
        except DispatchError as error:
            fail(f"the service failed at a step: {error}\nrun the same command again: it goes on there")
    if not adds_up:
        raise typer.Exit(1)
