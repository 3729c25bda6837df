"""The application's life within one serving process."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from orderly.server import Application
from orderly.service import Service
from orderly.settings import Settings


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=sqlite_url, key_pepper_file=str(tmp_path / "orderly.pepper"))


class Life:
    """Speaks ASGI's lifespan protocol with an application, as a server does."""

    def __init__(self, application: Application) -> None:
        self._asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._told: asyncio.Queue[Any] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self.task = asyncio.create_task(application(scope, self._asked.get, self._told.put))

    async def ask(self, what: str) -> dict[str, Any]:
        await self._asked.put({"type": f"lifespan.{what}"})
        async with asyncio.timeout(30):
            return await self._told.get()


async def ask_live(application: Application) -> int:
    """Return the status of one request."""
    told: list[Any] = []
    scope = {"type": "http", "method": "GET", "path": "/health/live", "raw_path": b"/health/live", "headers": []}
    scope |= {"query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1", "server": ("a", 1)}
    scope |= {"client": ("127.0.0.1", 1), "asgi": {"version": "3.0"}, "state": {}}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    await application(scope, receive, send)
    return int(told[0]["status"])


async def test_the_service_is_open_from_startup_to_shutdown(settings: Settings) -> None:
    async with Service.open(settings, migrate=True):
        pass
    application = Application(settings)
    life = Life(application)
    assert (await life.ask("startup"))["type"] == "lifespan.startup.complete"
    assert await ask_live(application) == 200
    assert (await life.ask("shutdown"))["type"] == "lifespan.shutdown.complete"
    await life.task


@pytest.mark.parametrize("migrated", [False])
async def test_a_startup_that_fails_says_why(settings: Settings) -> None:
    life = Life(Application(settings))
    told = await life.ask("startup")
    assert told["type"] == "lifespan.startup.failed"
    assert "run `orderly migrate`" in told["message"]
    await life.task
