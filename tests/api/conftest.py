"""What the tests of the HTTP interface share."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import fields

import pytest
from litestar import Litestar

from api import app
from api.context import Context
from orderly.service import Service
from tests.api.shop import Shop
from tests.conftest import OpenService

OpenShop = Callable[..., AbstractAsyncContextManager[Shop]]

_made: list[tuple[object, Context, Litestar]] = []
"""Routes that no test uses: for which machines, what they work with, and they themselves."""


@pytest.fixture(autouse=True)
def shared_routes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hand a service's parts to routes that another test has made: making them takes longer than most tests."""
    make, used = app._routes, list[tuple[object, Context, Litestar]]()

    def routes(context: Context) -> Litestar:
        machines = [(machine.name, machine.policy, machine.transitions) for machine in context.registry]
        found = next((each for each in _made if each[0] == machines), None)
        if found is None:
            found = machines, context, make(context)
        else:
            _made.remove(found)
            for part in fields(Context):
                object.__setattr__(found[1], part.name, getattr(context, part.name))
        used.append(found)
        return found[2]

    monkeypatch.setattr(app, "_routes", routes)
    yield
    _made.extend(used)


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
