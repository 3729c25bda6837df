"""What the engine's tests share: a shop on a service, and a yard of unruly machines."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import structlog

from engine.clock import VirtualClock
from engine.destinations import DestinationLimits
from orderly.service import Service
from persistence import schema
from persistence.database import Database
from tests.engine.shop import Shop
from tests.engine.works import Works
from tests.engine.yard import Yard

OpenWorks = Callable[..., AbstractAsyncContextManager[Works]]


@pytest.fixture(autouse=True, scope="session")
def few_words() -> None:
    """Keep what the engine logs of provoked failures short: drawing a traceback takes longer than the test."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.fixture
async def shop(service: Service) -> Shop:
    """A shop on a service, on each kind of database."""
    return Shop(service)


@pytest.fixture
async def yard(database: Database, clock: VirtualClock) -> AsyncIterator[Yard]:
    """A yard with the shelves A, B and C, each of them empty, on each kind of database."""
    opened = Yard(database, clock)
    await opened.dispatcher.start()
    await opened.build("A", "B", "C")
    opened.batches.clear()
    yield opened
    await opened.dispatcher.stop()


@pytest.fixture
async def works(database: Database, clock: VirtualClock) -> AsyncIterator[Works]:
    """A works with its peer, on each kind of database."""
    async with Works.open(database, clock) as opened:
        yield opened


@pytest.fixture
def sqlite_works_with(sqlite_url: str, clock: VirtualClock) -> OpenWorks:
    """Open a works on SQLite whose destinations have limits."""

    @asynccontextmanager
    async def opened(**limits: DestinationLimits) -> AsyncIterator[Works]:
        database = Database(sqlite_url, synchronous="OFF")
        await schema.migrate(database)
        async with Works.open(database, clock, **limits) as works:
            yield works
        await database.close()

    return opened


@pytest.fixture
async def small_works(sqlite_works_with: OpenWorks) -> AsyncIterator[Works]:
    """A works with its peer on SQLite, for what does not depend on the database."""
    async with sqlite_works_with() as opened:
        yield opened
