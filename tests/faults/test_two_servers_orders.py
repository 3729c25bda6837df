"""Two server processes on one PostgreSQL, and 64 clients who want something of the same orders at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from random import Random
from typing import Any

import httpx
import pytest

from tests.faults.server import Server, prepare, settled_books

CLIENTS = 64
PRICE = 1250
Row = dict[str, Any]


class TwoServers:
    """A shop on two servers, and a merchant who asks now the one and now the other."""

    def __init__(self, servers: list[Server], client: httpx.AsyncClient) -> None:
        self._servers = servers
        self._client = client
        self._asked = 0

    async def ask(self, path: str, **body: object) -> httpx.Response:
        """Ask the server whose turn it is."""
        self._asked += 1
        server = self._servers[self._asked % 2]
        return await self._client.post(server.url + path, json=body)

    async def at_once(self, *asked: tuple[str, Row]) -> list[httpx.Response]:
        """Ask for all of it at once, every other of the other server."""
        return await asyncio.gather(*(self.ask(path, **body) for path, body in asked))

    async def pending(self, quantity: int = 1) -> str:
        """Have an order submitted."""
        placed = await self.ask("/orders", customer="anna", lines=[{"sku": "MUG", "quantity": quantity}])
        order = str(placed.raise_for_status().json()["id"])
        (await self.ask(f"/orders/{order}/submit")).raise_for_status()
        return order

    async def paid(self, quantity: int = 1, **how: object) -> str:
        """Have an order paid."""
        order = await self.pending(quantity)
        (await self.ask(f"/orders/{order}/pay", method="tok_approve", **how)).raise_for_status()
        await self.until(order, lambda row: row["state"] == "processing")
        return order

    async def until(self, order: str, holds: Callable[[Row], bool]) -> Row:
        """Wait until something is true of an order; return it."""
        async with asyncio.timeout(20):
            while not holds(row := await self.seen(order)):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return row

    async def seen(self, order: str) -> Row:
        answer = await self._client.get(f"{self._servers[0].url}/orders/{order}")
        return dict(answer.raise_for_status().json())


@pytest.fixture
async def two(postgresql_url: str) -> AsyncIterator[TwoServers]:
    """Two servers; once they are gone, the books are audited."""
    key = await prepare(postgresql_url, "MUG")
    servers = [Server(postgresql_url), Server(postgresql_url)]
    await asyncio.gather(*(server.start() for server in servers))
    try:
        async with httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"}, timeout=30, limits=httpx.Limits(max_connections=None)
        ) as client:
            yield TwoServers(servers, client)
    finally:
        await asyncio.gather(*(server.kill() for server in servers))
    await settled_books(postgresql_url, [])


def told(answers: Iterable[httpx.Response]) -> set[str]:
    """Return what those were told who did not get what they asked for."""
    return {answer.json()["detail"] for answer in answers if answer.status_code == 409}


def codes(answers: Iterable[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


async def test_64_who_want_money_back_get_no_more_than_there_is(two: TwoServers) -> None:
    for amount, times in ((PRICE, 1), (400, 3)):
        order = await two.paid()
        answers = await two.at_once(*[(f"/orders/{order}/refund", {"amount": amount})] * CLIENTS)
        assert codes(answers) == {200: times, 409: CLIENTS - times}
        (reason,) = told(answers)
        taken, back = (
            "12.50 EUR were taken",
            f"{amount * times / 100:.2f} EUR of it are back, on their way back or lost",
        )
        assert reason == f"{amount / 100:.2f} EUR asked back, but {taken} and {back}"
        row = await two.until(order, lambda row: row["refunding"] == 0)
        assert (row["paid"], row["refunded"]) == (PRICE, amount * times)


async def test_who_pays_and_cancels_at_once_pays_once_and_has_it_back(two: TwoServers) -> None:
    for take in ("now", "later", "now", "later"):
        order = await two.pending()
        asked = [(f"/orders/{order}/pay", {"method": "tok_approve", "take": take}), (f"/orders/{order}/cancel", {})]
        answers = await two.at_once(*asked * (CLIENTS // 2))
        paid, cancelled = codes(answers[0::2]), codes(answers[1::2])
        assert paid[200] <= 1
        assert cancelled[200] == 1
        assert paid[200] + paid[409] == cancelled[200] + cancelled[409] == CLIENTS // 2
        assert all("takes no" in reason or "is paid" in reason for reason in told(answers))
        row = await two.until(order, lambda row: row["state"] == "cancelled")
        assert row["refunded"] == row["paid"] <= PRICE
        assert (row["asked"], row["authorized"], row["refunding"]) == (0, 0, 0)


async def test_whatever_64_do_while_the_gateway_answers_the_books_are_right(two: TwoServers) -> None:
    orders = [await two.pending(quantity=3) for _ in range(6)]
    random = Random(4)
    may_ask: list[tuple[str, Row]] = [
        ("pay", {"method": "tok_approve", "amount": 1000}),
        ("pay", {"method": "tok_approve", "take": "later"}),
        ("ship", {"lines": [{"number": 1, "quantity": 1}]}),
        ("fulfill", {}),
        ("refund", {"amount": 100}),
        ("refund", {"amount": 10}),
    ]

    async def person() -> None:
        for _ in range(5):
            event, body = ("cancel", {}) if random.random() < 0.05 else random.choice(may_ask)
            answer = await two.ask(f"/orders/{random.choice(orders)}/{event}", **body)
            assert answer.status_code == 200 or answer.json()["detail"], answer.text

    await asyncio.gather(*(person() for _ in range(CLIENTS)))
    for order in orders:
        await two.until(order, lambda row: row["asked"] == row["refunding"] == 0)
