"""What became of effects is written down, however the database stumbles."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from gateways.port import NoAnswer, Refused
from persistence import schema
from persistence.database import Database
from statemachines.declaration import Effect
from tests.engine.proxy import Proxy
from tests.engine.works import DROP, FETCH, Ask, Works
from tests.waiting import until


@pytest.fixture
async def proxy(postgresql_url: str) -> AsyncIterator[Proxy]:
    """A proxy before a migrated PostgreSQL."""
    direct = Database(postgresql_url)
    await schema.migrate(direct)
    await direct.close()
    async with Proxy(postgresql_url) as between:
        yield between


@pytest.fixture
async def far_works(proxy: Proxy, clock, monkeypatch) -> AsyncIterator[Works]:
    """A works beyond the proxy."""
    monkeypatch.setattr("engine.endings.RETRY_PAUSE", timedelta(seconds=0.02))
    database = Database(proxy.url)
    async with Works.open(database, clock) as opened:
        yield opened
    await database.close()


async def called(works: Works, by: Effect, *tasks: str) -> asyncio.Event:
    """Have calls begun that end when the event is set."""
    leave = asyncio.Event()
    for what in tasks:
        works.peer.does[what].appendleft(leave)
    await works.ask(*tasks, by=by)
    await works.runner.run()
    await until(lambda: len(works.peer.calls) == len(tasks))
    return leave


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_an_ending_whose_commit_was_cut_is_written_once(far_works: Works, proxy: Proxy, moment) -> None:
    far_works.peer.does["scrap"].append(NoAnswer("no room"))
    far_works.peer.does["waste"].append(Refused({"reason": "no waste"}))
    leave = await called(far_works, DROP, "scrap", "waste", "ash")
    proxy.cuts.append(moment)
    leave.set()
    await far_works.runner.finish()
    assert proxy.fired == 1
    assert await far_works.statuses() == {"scrap": "pending", "waste": "parked", "ash": "done"}
    assert [attempt["error"] for attempt in await far_works.attempts()] == ["no room"]
    assert [effect["lost"] for effect in await far_works.effects()] == [0, 0, 0]


async def test_endings_and_answers_wait_for_a_database_that_is_away(far_works: Works, proxy: Proxy) -> None:
    leave = await called(far_works, DROP, "ash")
    far_works.peer.does["bolts"].append(leave)
    await far_works.tell("J", Ask(by=FETCH.name, tasks=("bolts",)))
    await far_works.runner.run()
    proxy.always = "before"
    leave.set()
    await until(lambda: proxy.fired > 3)
    await asyncio.sleep(0.1)
    assert len(far_works.runner._running) == 2
    proxy.always = None
    await far_works.runner.finish()
    assert await far_works.statuses() == {"ash": "done", "bolts": "done"}
    assert [(effect["attempts"], effect["lost"]) for effect in await far_works.effects()] == [(1, 0), (1, 0)]
    assert list(far_works.peer.done.values()) == [1, 1]
    assert await far_works.story() == ["begin", "ask", "ask", "answered"]


async def test_a_runner_that_stops_waits_for_no_database(far_works: Works, proxy: Proxy) -> None:
    leave = await called(far_works, DROP, "ash")
    proxy.always = "before"
    leave.set()
    await until(lambda: proxy.fired > 1)
    await asyncio.wait_for(far_works.runner.stop(timedelta(seconds=0.1)), 5)
    proxy.always = None
    assert await far_works.statuses() == {"ash": "running"}, "the lease is to lapse"
