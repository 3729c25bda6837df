"""Two server processes on one PostgreSQL, and 64 people who decide on the same request at once."""

import asyncio
from collections import Counter
from random import Random

import httpx

from orderly.service import Service
from statemachines.declaration import Role
from tests.faults.server import Server, prepare, settings

PEOPLE = [f"p{number}" for number in range(64)]
EXPENSE = {"kind": "expense", "reference": "E-14", "description": "the trip", "amount": 5000, "currency": "EUR"}


async def test_64_people_at_two_servers_come_to_one_decision(postgresql_url: str) -> None:
    merchant = await prepare(postgresql_url)
    async with Service.open(settings(postgresql_url), random=Random(2)) as service:
        keys = [(await service.keys.create(person, Role.APPROVER, "tests")).text for person in PEOPLE]
    async with (
        Server(postgresql_url) as one,
        Server(postgresql_url) as other,
        httpx.AsyncClient(timeout=30, headers={"Authorization": f"Bearer {merchant}"}) as client,
    ):
        for _ in range(3):
            asked = (await client.post(f"{one.url}/approvals", json=EXPENSE)).json()["id"]
            decide = [
                client.post(
                    f"{(one, other)[number % 2].url}/approvals/{asked}/{('approve', 'reject')[number // 2 % 2]}",
                    json={"round": 1, **({"reason": "too dear"} if number // 2 % 2 else {})},
                    headers={"Authorization": f"Bearer {key}"},
                )
                for number, key in enumerate(keys)
            ]
            answers = await asyncio.gather(*decide)
            assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 63}
            (won,) = [answer.json()["state"] for answer in answers if answer.status_code == 200]
            told = {answer.json()["detail"] for answer in answers if answer.status_code == 409}
            assert told == {
                f"approval in state '{won}' takes no '{event}'; nothing can happen to it any more"
                for event in ("approve", "reject")
            }
            seen = (await client.get(f"{other.url}/approvals/{asked}")).json()
            assert (seen["state"], seen["version"], len(seen["votes"])) == (won, 2, 1)
