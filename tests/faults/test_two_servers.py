"""Two server processes on one PostgreSQL move the same orders and the same stock."""

import asyncio

import httpx

from tests.faults.server import Customers, Server, prepare, settled_books

ORDERS = 40


async def test_two_servers_lose_and_double_nothing(postgresql_url, capsys) -> None:
    key = await prepare(postgresql_url, "MUG", "POT", on_hand=1000)
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        Server(postgresql_url) as one,
        Server(postgresql_url) as other,
        httpx.AsyncClient(headers=headers, timeout=10) as client,
    ):
        customers = Customers(key, one, other)
        people = [asyncio.create_task(customers.order(f"customer-{number}", orders=8)) for number in range(6)]
        contests = [contested(client, [one, other], number) for number in range(ORDERS)]
        winners = [event for won in await asyncio.gather(*contests) for event in won]
        await asyncio.gather(*people)
    await settled_books(postgresql_url, [*customers.acknowledged, *winners])
    with capsys.disabled():
        print(f"\n{len(winners)} events raised on both servers at once, each won once")  # noqa: T201
    assert len(winners) == 2 * ORDERS


async def contested(client: httpx.AsyncClient, servers: list[Server], number: int) -> list[tuple[str, str, int, str]]:
    """Raise the same events on both servers at once; return those that were acknowledged."""
    basket = {"customer": "anna", "lines": [{"sku": "MUG", "quantity": 1}]}
    placed = (await client.post(servers[number % 2].url + "/orders", json=basket)).json()["id"]
    won = []
    for event in ("submit", "cancel"):
        asked = [client.post(f"{server.url}/orders/{placed}/{event}") for server in servers]
        answers = await asyncio.gather(*asked)
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        row = next(answer.json() for answer in answers if answer.status_code == 200)
        won.append((event, placed, row["version"], row["state"]))
    return won
