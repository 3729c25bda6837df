"""A real server process that can be killed without warning, and its shop's keys."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from random import Random

import httpx

from engine.clock import SteadyClock
from orderly.service import Service
from orderly.settings import Settings
from statemachines.declaration import Role
from tests.engine.books import audit
from tests.engine.shop import Shop

PEPPER = "pepper"


def settings(url: str) -> Settings:
    return Settings(database_url=url, key_pepper=PEPPER, requests_per_second=0)


async def prepare(url: str, *skus: str, on_hand: int = 10_000) -> str:
    """Make a shop with some products; return a merchant's key."""
    async with Service.open(settings(url), random=Random(1), migrate=True) as service:
        await Shop(service).sells(*skus, on_hand=on_hand)
        return (await service.keys.create("shop", Role.MERCHANT, "tests")).text


class Server:
    """`orderly serve` as a process group of its own."""

    def __init__(self, url: str, **variables: str) -> None:
        self._database_url = url
        self._variables = variables
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> "Server":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def start(self) -> None:
        """Start, and return once it answers."""
        variables = {
            "ORDERLY_DATABASE_URL": self._database_url,
            "ORDERLY_KEY_PEPPER": PEPPER,
            "ORDERLY_REQUESTS_PER_SECOND": "0",
            "ORDERLY_LOG_LEVEL": "error",
            **self._variables,
        }
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "orderly", "serve", "--port", str(self.port)),
            env={**os.environ, **variables},
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        started = time.monotonic()
        async with httpx.AsyncClient(base_url=self.url) as client:
            while not await _answers(client):
                assert self._process.returncode is None, "the server ended by itself"
                assert time.monotonic() - started < 60, "the server does not answer"
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """Kill it and all that it started, in the midst of whatever they do."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health/live")).status_code == 200
    except httpx.TransportError:
        return False


class Customers:
    """People who order over HTTP, and ask again under the same key until they have an answer."""

    def __init__(self, key: str, *servers: Server) -> None:
        self._servers = servers
        self._headers = {"Authorization": f"Bearer {key}"}
        self.acknowledged: list[tuple[str, str, int, str]] = []
        """The event, order, version and state of each answer that came."""
        self.unanswered = 0
        self.stopping = False

    async def order(self, name: str, *, orders: int = 10_000) -> None:
        """Place, submit and pay one order after the other until told to stop."""
        async with httpx.AsyncClient(headers=self._headers, timeout=5) as client:
            for number in range(orders):
                if self.stopping:
                    return
                basket = {"customer": name, "lines": [{"sku": "MUG", "quantity": 1}, {"sku": "POT", "quantity": 2}]}
                key = f"{name}-{number}"
                placed = await self._ask(client, number, "create", "/orders", basket, key)
                await self._ask(client, number, "submit", f"/orders/{placed}/submit", None, key)
                await self._ask(client, number, "pay", f"/orders/{placed}/pay", {"method": "tok_approve"}, key)

    async def have_answers(self, count: int) -> None:
        """Wait until so many answers came, and no longer."""
        started = time.monotonic()
        while len(self.acknowledged) < count:
            assert time.monotonic() - started < 30, "too few answers"
            await asyncio.sleep(0.005)

    async def _ask(self, client: httpx.AsyncClient, number: int, event: str, path: str, body: object, key: str) -> str:
        server = self._servers[number % len(self._servers)]
        while True:
            try:
                answer = await client.post(server.url + path, json=body, headers={"Idempotency-Key": f"{key}-{event}"})
            except httpx.TransportError:
                self.unanswered += 1
                await asyncio.sleep(0.05)
                continue
            if answer.status_code == 503:
                await asyncio.sleep(0.05)
                continue
            assert answer.status_code in (200, 201), answer.text
            row = answer.json()
            self.acknowledged.append((event, row["id"], row["version"], row["state"]))
            return str(row["id"])


async def settled_books(url: str, acknowledged: list[tuple[str, str, int, str]]) -> int:
    """Finish what was begun, audit the books, and find every acknowledged transition in them."""
    async with Service.open(settings(url), clock=SteadyClock(), random=Random(2)) as service:
        await service.settle()
        shop = Shop(service)
        transitions = await service.database.read(audit)
        told = {}
        for _, order, _, _ in acknowledged:
            if order not in told:
                told[order] = {
                    row["version"]: (row["event"], row["target"]) for row in await shop.history("order", order)
                }
        missing = [each for each in acknowledged if told[each[1]].get(each[2]) != (each[0], each[3])]
        assert missing == []
        for order, story in told.items():
            assert [event for event, _ in story.values()].count("pay") <= 1, order
    return transitions
