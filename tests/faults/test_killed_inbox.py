"""A server that takes messages is killed without warning, again and again: what it answered for is done, and once."""

import asyncio
import json
from datetime import UTC, datetime
from random import Random

import httpx
import standardwebhooks

from engine.clock import SteadyClock
from orderly.service import Service
from tests.engine.messages import parcel
from tests.engine.shop import Shop
from tests.engine.test_inbox import Post
from tests.faults.server import Server, prepare, settings

SECRET = "whsec_" + "k" * 44
ORDERS, KILLS = 40, 3


class Carrier:
    """Tells of parcels, each of them until it is answered for, and then once more."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.answered: set[str] = set()
        self.unanswered = 0

    async def tells(self, order: str) -> None:
        body = json.dumps(parcel("shipped", order, tracking="JD1"))
        async with httpx.AsyncClient(timeout=5) as client:
            for _ in range(2):
                while not await self._post(client, f"msg_{order}", body):  # noqa: ASYNC110  (it may be dead)
                    await asyncio.sleep(0.05)
                self.answered.add(f"msg_{order}")

    async def _post(self, client: httpx.AsyncClient, name: str, body: str) -> bool:
        now = datetime.now(UTC)
        headers = {
            "webhook-id": name,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": standardwebhooks.Webhook(SECRET).sign(name, now, body),
        }
        try:
            answer = await client.post(f"{self._server.url}/webhooks/carrier", content=body, headers=headers)
        except httpx.TransportError:
            self.unanswered += 1
            return False
        assert answer.status_code in (202, 503), answer.text
        return answer.status_code == 202


async def paid_orders(url: str) -> list[str]:
    async with Service.open(settings(url), clock=SteadyClock(), random=Random(3)) as service:
        shop = Shop(service)
        orders = [await shop.paying(MUG=1) for _ in range(ORDERS)]
        await service.settle()
    return orders


async def test_what_was_answered_for_is_done_once(database_url: str) -> None:
    await prepare(database_url, "MUG")
    orders = await paid_orders(database_url)
    async with Server(database_url, ORDERLY_WEBHOOKS__CARRIER__SECRETS=SECRET) as server:
        carrier = Carrier(server)
        telling = [asyncio.create_task(carrier.tells(order)) for order in orders[: ORDERS // 2]]
        for kill in range(KILLS):
            await asyncio.sleep(0.05 * kill)
            await server.kill()
            telling += [asyncio.create_task(carrier.tells(order)) for order in orders[ORDERS // 2 + kill :: KILLS]]
            await server.start()
        await asyncio.gather(*telling)
        await server.kill()
    assert carrier.unanswered > 0
    assert len(carrier.answered) == ORDERS
    async with Service.open(settings(database_url), clock=SteadyClock(), random=Random(2)) as service:
        await service.settle()
        shop = Shop(service)
        kept = await Post(shop).rows()
        assert {row["external_id"] for row in kept} == carrier.answered
        assert [row["status"] for row in kept] == ["applied"] * ORDERS
        for order in orders:
            assert (await shop.story("order", order)).count("fulfill") == 1


async def test_a_message_is_worked_on_by_another_process_than_the_one_that_took_it(database_url: str) -> None:
    await prepare(database_url, "MUG")
    order = (await paid_orders(database_url))[0]
    only_takes = {"ORDERLY_WEBHOOKS__CARRIER__SECRETS": SECRET, "ORDERLY_RUN_BACKGROUND_WORK": "false"}
    async with Server(database_url, **only_takes) as server:
        await Carrier(server).tells(order)
        await server.kill()
    async with Service.open(settings(database_url), clock=SteadyClock(), random=Random(2)) as service:
        assert (await Post(Shop(service)).row())["status"] == "pending"
        await service.settle()
        assert await Shop(service).state(order) == "fulfilled"
