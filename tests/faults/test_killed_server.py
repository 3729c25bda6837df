"""A server that is killed under load, again and again: what it acknowledged is there, and nothing is there by half."""

import asyncio

from tests.faults.server import Customers, Server, prepare, settled_books

KILLS = 3
CUSTOMERS = 8


async def test_a_killed_server_loses_nothing_that_it_acknowledged(database_url, capsys) -> None:
    key = await prepare(database_url, "MUG", "POT")
    async with Server(database_url) as server:
        customers = Customers(key, server)
        people = [asyncio.create_task(customers.order(f"customer-{number}")) for number in range(CUSTOMERS)]
        for kill in range(KILLS):
            await customers.have_answers(len(customers.acknowledged) + 60 + 7 * kill)
            await server.kill()
            if kill < KILLS - 1:
                await server.start()
        for person in people:
            person.cancel()
        await asyncio.gather(*people, return_exceptions=True)
    transitions = await settled_books(database_url, customers.acknowledged)
    with capsys.disabled():
        figures = f"{len(customers.acknowledged)} acknowledged, {customers.unanswered} unanswered, {transitions} told"
        print(f"\n{KILLS} kills: {figures}")  # noqa: T201
    assert customers.unanswered >= KILLS - 1, "no kill ever met a request"
    assert transitions > len(customers.acknowledged)
