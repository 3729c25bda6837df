"""Those who subscribed: real HTTP servers, what they were told, and a shop that tells them."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from orderly.service import Service
from persistence import deliveries
from statemachines.declaration import Event
from statemachines.stock import Receive
from statemachines.subscription import Create
from tests.engine.shop import Shop, committed
from tests.gateways.peer import Asked, Peer, Says, playing

ALLOWING = {"allow_private": True, "allow_http": True}
"""Settings that let this machine be subscribed."""

OK = Says(200)
DOWN = Says(503)


@dataclass
class Receiver:
    """An address that was subscribed."""

    peer: Peer
    says: Callable[[dict[str, Any]], Any] = lambda event: OK
    """What it answers to an event."""
    took: list[dict[str, Any]] = field(default_factory=list)
    """The events to which it said yes."""

    @property
    def url(self) -> str:
        return self.peer.url

    def respond(self, asked: Asked) -> Any:
        event = asked.json
        said = self.says(event)
        if said is OK:
            self.took.append(event)
        return said

    @property
    def tried(self) -> int:
        """How many messages came, taken or not."""
        return len(self.peer.asked)

    async def has_tried(self, number: int) -> None:
        """Wait until so many messages came."""
        began = time.monotonic()
        while self.tried < number:
            assert time.monotonic() - began < 40, f"{self.tried} of {number} messages came"
            await asyncio.sleep(0.005)

    @property
    def heard(self) -> list[str]:
        """What it took, as ``MUG receive 2``."""
        return [f"{event['subject']} {event['data']['event']} {event['data']['version']}" for event in self.took]

    def versions(self) -> dict[str, list[int]]:
        """Return the versions that it took of each entity, in the order in which they came."""
        told = defaultdict(list)
        for event in self.took:
            told[event["subject"]].append(event["data"]["version"])
        return dict(told)


@asynccontextmanager
async def receiving(says: Callable[[dict[str, Any]], Any] = lambda event: OK) -> AsyncIterator[Receiver]:
    """Listen at a free port of this machine."""
    receiver: Receiver | None = None

    def respond(asked: Asked) -> Any:
        assert receiver is not None
        return receiver.respond(asked)

    async with playing(respond) as peer:
        receiver = Receiver(peer, says)
        yield receiver


class Told(Shop):
    """A shop that has shelves named A, B and C, and those who want to hear of them."""

    async def subscribe(self, receiver: Receiver | str, *patterns: str, path: str = "/hook") -> str:
        """Have events delivered; of stock, unless patterns say otherwise."""
        url = receiver if isinstance(receiver, str) else receiver.url + path
        asked = Create(url=url, patterns=patterns or ("stock.*",))
        return committed(await self.tell("subscription", None, asked)).id

    async def receive(self, *skus: str) -> None:
        """Have a piece arrive at each of the shelves, one after the other."""
        for sku in skus:
            committed(await self.tell("stock", sku, Receive(quantity=1)))

    async def ask(self, subscription: str, event: Event) -> None:
        """Raise an event on a subscription, and let happen what follows."""
        committed(await self.tell("subscription", subscription, event))
        await self.service.settle()

    async def log(self, subscription: str, outcome: str | None = None) -> list[dict[str, Any]]:
        """Return the log of deliveries, the oldest first."""
        found = await self.service.database.read(
            lambda c: deliveries.list_deliveries(c, subscription, outcome, 200, None)
        )
        return sorted(found.rows, key=lambda row: row["at"])

    async def subscription(self, subscription: str) -> dict[str, Any]:
        return dict(await self.row("subscription", subscription))


async def told(service: Service) -> Told:
    """Return a shop on a service."""
    shop = Told(service)
    await shop.sells("A", "B", "C")
    return shop
