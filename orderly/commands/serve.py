"""`orderly serve` and `orderly migrate`."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from orderly import logs
from orderly.commands.opening import MISUSED, explained, fail, require_database, say, settings_of
from orderly.settings import Settings
from persistence import schema
from persistence.database import Database

if TYPE_CHECKING:
    from orderly.seed import Seeded

METRICS_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"


def serve(
    host: Annotated[str | None, typer.Option(help="Address to serve on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to serve on; 0 for any that is free.")] = None,
    workers: Annotated[int | None, typer.Option(help="Serving processes; more than one needs PostgreSQL.")] = None,
    *,
    work: Annotated[
        bool | None, typer.Option("--work/--no-work", help="Do what falls due, or leave it to `orderly worker`.")
    ] = None,
    migrate: Annotated[bool, typer.Option(help="Bring the database up to date first.")] = False,
    seed: Annotated[bool, typer.Option(help="Give a new shop a small catalogue and its first keys.")] = False,
) -> None:
    """Serve the API, and do what falls due: effects, timers, schedules. What is not given comes from the settings."""
    settings = settings_of(host=host, port=port, workers=workers, run_background_work=work)
    with shared_metrics(settings.workers), explained():
        from orderly import server

        logs.configure(settings.model_copy(update={"log_level": "warning"}))
        try:
            settings = server.settled(settings)
            if not migrate:
                require_database(settings)
            with server.sole(settings):
                asyncio.run(_prepare(settings, migrate=migrate, with_seed=seed))
                say(f"serving on {_url(settings)} (API documentation at /docs); Ctrl-C ends it")
                if not settings.run_background_work:
                    say("what falls due is left to `orderly worker`")
                logs.configure(settings)
                server.serve(settings)
        except server.Obstructed as error:
            fail(str(error), MISUSED)


def _url(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


async def _prepare(settings: Settings, *, migrate: bool, with_seed: bool) -> None:
    """Find out what stands in the way while there is somebody to tell, and bring the database to where it must be."""
    from orderly.seed import seed
    from orderly.service import Service

    async with Service.open(settings, migrate=migrate) as service:
        if with_seed:
            _introduce(await seed(service))


def _introduce(seeded: "Seeded") -> None:
    if seeded.products:
        say(f"the catalogue was empty: put {seeded.products} products into it")
    if seeded.keys:
        say("\nthe first keys, shown this once and never again:\n")
        for key in seeded.keys:
            say(f"  {key.role:9} {key.principal:6} {key.text}")
        say("\nan admin manages keys, and can neither approve nor move money; the others place and move orders\n")


@contextmanager
def shared_metrics(processes: int) -> Iterator[None]:
    """Give several processes a directory in which their figures add up: the operator's own, or one for now."""
    if given := os.environ.get(METRICS_DIRECTORY):
        Path(given).mkdir(parents=True, exist_ok=True)
        yield
        return
    if processes == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="orderly-metrics-", ignore_cleanup_errors=True) as directory:
        os.environ[METRICS_DIRECTORY] = directory
        yield


def migrate() -> None:
    """Bring the database up to date; an empty one is filled with tables."""
    settings = settings_of()
    logs.configure(settings.model_copy(update={"log_level": "warning", "log_format": "console"}))

    async def run() -> tuple[str | None, str | None]:
        database = Database(settings.database_url, synchronous=settings.sqlite_synchronous)
        try:
            return await schema.migrate(database)
        finally:
            await database.close()

    with explained():
        before, after = asyncio.run(run())
    say(f"already at revision {after}" if before == after else f"from {before or 'empty'} to revision {after}")
