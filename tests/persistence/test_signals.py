"""Words between processes, over a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from persistence.signals import CHANNEL, Signals, connect
from tests.waiting import until

KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orderly-signals' AND pid <> $1"


class Party:
    """One who hears and tells."""

    def __init__(self, url: str) -> None:
        self.words: set[str] = set()
        self.greetings: set[str] = set()
        self.signals = Signals(make_url(url), self.hear)
        self.tell = self.signals.tell

    def hear(self, words: set[str]) -> None:
        greetings = {word for word in words if word.startswith("hello-")}  # of which some come late
        self.greetings |= greetings
        self.words |= words - greetings

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str) -> AsyncIterator["Party"]:
        party = cls(url)
        party.signals.start()
        yield party
        await party.signals.stop()


@pytest.fixture
async def two(postgresql_url: str) -> AsyncIterator[tuple[Party, Party]]:
    """Two who hear each other."""
    async with Party.at(postgresql_url) as one, Party.at(postgresql_url) as other:
        await introduced(one, other)
        yield one, other


async def introduced(*parties: Party) -> None:
    """Have each of them heard by the others."""
    for each in parties:
        each.greetings.clear()
    async with asyncio.timeout(20):
        for each in parties:
            while not all(f"hello-{id(each)}" in other.greetings for other in parties if other is not each):
                each.tell([f"hello-{id(each)}"])
                await asyncio.sleep(0.02)


@pytest.fixture
async def listener(postgresql_url: str) -> AsyncIterator[tuple[asyncpg.Connection, list[str]]]:
    """A connection that hears every notification."""
    connection, heard = await connect(make_url(postgresql_url)), []
    await connection.add_listener(CHANNEL, lambda _connection, _pid, _channel, payload: heard.append(payload))
    yield connection, heard
    await connection.close()


async def test_words_reach_the_others_and_never_those_who_said_them(two) -> None:
    one, other = two
    one.tell(["timers", "order:ord_1"])
    other.tell(["effects"])
    await until(lambda: one.words and other.words)
    assert (one.words, other.words) == ({"effects"}, {"timers", "order:ord_1"})


async def test_words_are_gathered_and_sent_a_few_times_a_second(two, listener) -> None:
    one, other = two
    _, heard = listener
    started = asyncio.get_running_loop().time()
    said = set()
    while (passed := asyncio.get_running_loop().time() - started) < 0.6 or len(heard) < 2:
        said.add(f"order:ord_{len(said) % 50}")
        one.tell(said)
        await asyncio.sleep(0)
    await until(lambda: said <= other.words)
    assert len(heard) <= 10 * passed + 3


async def test_of_too_many_words_those_for_kinds_of_work_are_sent(two, listener) -> None:
    one, other = two
    _, heard = listener
    one.tell([*(f"order:ord_{number:026}" for number in range(5000)), "timers", "effects"])
    await until(lambda: {"timers", "effects"} <= other.words and heard)  # two listeners, told in any order
    assert 100 < len(other.words) < 5000
    assert max(len(payload.encode()) for payload in heard) < 8000
    one.tell(["inbox"])
    await until(lambda: "inbox" in other.words)


async def test_a_lost_connection_is_made_anew(two, listener, monkeypatch) -> None:
    monkeypatch.setattr("persistence.signals.RECONNECT_PAUSE", timedelta(seconds=0.05))
    one, other = two
    connection, _ = listener
    assert len(await connection.fetch(KILL, connection.get_server_pid())) == 2
    await introduced(one, other)
    one.tell(["timers"])
    await until(lambda: "timers" in other.words)


async def test_the_last_words_are_said_before_the_end(two, postgresql_url, monkeypatch) -> None:
    monkeypatch.setattr("persistence.signals.PARTING", timedelta(seconds=20))
    one, _ = two
    async with Party.at(postgresql_url) as leaving:
        await introduced(one, leaving)
        leaving.tell(["farewell"])
        await until(lambda: "farewell" in one.words)
        leaving.tell(["timers"])
    await until(lambda: "timers" in one.words)


async def test_without_a_database_there_are_no_words_and_no_harm(monkeypatch) -> None:
    monkeypatch.setattr("persistence.signals.RECONNECT_PAUSE", timedelta(seconds=0.01))
    async with Party.at("postgresql://nobody@127.0.0.1:1/nothing") as lonely:
        lonely.tell(["timers"])
        await asyncio.sleep(0.05)
        assert lonely.words == set()
