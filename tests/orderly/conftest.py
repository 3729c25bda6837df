"""The command, run in process, and a shop to run it on."""

import asyncio
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import Result
from typer.testing import CliRunner

from orderly.cli import app
from orderly.seed import Seeded, seed
from orderly.service import Service
from orderly.settings import Settings

Command = Callable[..., Result]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Run `orderly` with some arguments, in an installation of its own; whatever it sets up for logs is undone."""
    for name in list(os.environ):
        if name.startswith("ORDERLY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Result:
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        try:
            return CliRunner().invoke(app, [str(each) for each in arguments])
        finally:
            structlog.reset_defaults()
            logging.captureWarnings(capture=False)
            root.handlers[:], root.level = handlers, level

    return run


@pytest.fixture
def shop(command: Command, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Seeded:
    """A migrated and seeded shop on each kind of database, which the command finds."""
    monkeypatch.setenv("ORDERLY_DATABASE_URL", database_url)

    async def opened() -> Seeded:
        async with Service.open(Settings(), migrate=True) as service:
            return await seed(service)

    return asyncio.run(opened())


@pytest.fixture
def order(command: Command, shop: Seeded) -> str:
    """A draft of Ann's over two blue mugs."""
    lines = {"lines": [{"sku": "MUG-BLUE", "quantity": 2}]}
    done = command("orders", "send", "new", "create", "--as", "customer:ann", "--payload", json.dumps(lines), "--json")
    return str(read(done)["id"])


def read(done: Result) -> Any:
    """Return the JSON that a command printed."""
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)
