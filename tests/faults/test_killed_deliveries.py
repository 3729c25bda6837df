"""A server that is killed while it delivers: everything arrives, each entity's in order, what is doubtful twice."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from engine.clock import VirtualClock
from engine.reports import LEASE
from orderly.service import Service
from tests.engine.receivers import OK, Told, receiving
from tests.faults.server import Server, settings

KILLS, SHELVES, EACH, AT_A_TIME = 4, 70, 3, 2
SETTINGS = {"ALLOW_PRIVATE": "true", "ALLOW_HTTP": "true", "CONCURRENCY": str(AT_A_TIME)}


@pytest.fixture
def allowing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine be subscribed, and few messages be on their way at a time."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(f"ORDERLY_SUBSCRIPTION__{name}", value)


async def test_a_killed_server_delivers_everything_in_order(database_url, allowing, capsys) -> None:
    names = [f"S{number}" for number in range(SHELVES)]
    came: dict[str, list[tuple[int, str]]] = defaultdict(list)
    server, died, kills = Server(database_url), asyncio.Event(), 0

    def note(event: dict[str, Any]) -> Any:
        came[event["subject"]].append((event["data"]["version"], event["id"]))
        return die if sum(map(len, came.values())) % 11 == 0 and kills < KILLS else OK

    async def die(writer: asyncio.StreamWriter) -> None:
        """Kill the server when a message has come and nothing is written of it yet."""
        nonlocal kills
        kills += 1
        await server.kill()
        died.set()

    async with receiving(note) as receiver:
        async with Service.open(settings(database_url), random=Random(1), migrate=True) as service:
            shop = Told(service)
            await shop.sells(*names)
            await shop.subscribe(receiver)
            await shop.receive(*(names * EACH))
        for _ in range(KILLS):
            died.clear()
            async with server, asyncio.timeout(30):
                await died.wait()
        later = VirtualClock(datetime.now(UTC) + 2 * LEASE)
        async with Service.open(settings(database_url), clock=later, random=Random(2)) as service:
            await service.settle()
    twice = sum(map(len, came.values())) - SHELVES * EACH
    with capsys.disabled():
        print(f"\n{kills} kills amid deliveries: of {SHELVES * EACH} messages {twice} came twice")  # noqa: T201
    for name in names:
        versions = [version for version, _ in came[name]]
        assert sorted(set(versions)) == list(range(2, EACH + 2)), name
        assert versions == sorted(versions), name
        assert len(set(came[name])) == EACH, name
    assert KILLS <= twice <= KILLS * AT_A_TIME
