"""What the tests of the HTTP interface share."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from orderly.service import Service
from tests.api.shop import Shop
from tests.conftest import OpenService

OpenShop = Callable[..., AbstractAsyncContextManager[Shop]]


@asynccontextmanager
async def _opened(service: Service) -> AsyncIterator[Shop]:
    shop = Shop(service)
    await shop.open()
    await shop.sells()
    yield shop
    await shop.close()


@pytest.fixture
def open_shop(open_service: OpenService, sqlite_url: str) -> OpenShop:
    """Open a shop that sells mugs, with its own settings."""

    @asynccontextmanager
    async def opened(**settings: object) -> AsyncIterator[Shop]:
        async with open_service(sqlite_url, **settings) as service, _opened(service) as shop:
            yield shop

    return opened


@pytest.fixture
async def shop(open_shop: OpenShop) -> AsyncIterator[Shop]:
    """A shop that sells mugs."""
    async with open_shop() as opened:
        yield opened


@pytest.fixture
async def any_shop(service: Service) -> AsyncIterator[Shop]:
    """A shop that sells mugs, on each kind of database."""
    async with _opened(service) as opened:
        yield opened
