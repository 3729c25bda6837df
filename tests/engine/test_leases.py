"""Claims on effects hold for as long as their runner lives, and pass to another when it dies."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import update

from engine.effects import HEARTBEAT, LEASE, LOST_LIMIT, OVERTIME, SUSPICIOUS, UNKNOWN_PAUSE
from persistence import queue
from persistence.bulk import Values
from persistence.database import Database
from persistence.tables import TABLES, EffectRow
from statemachines.declaration import Effect
from tests.conftest import NOON
from tests.engine.works import DROP, FETCH, Peer, Works
from tests.waiting import until


@pytest.fixture
async def both(database, database_url, clock) -> AsyncIterator[tuple[Works, Works]]:
    """Two works on one database, each with connections of its own, that share a clock; each has its own peer."""
    another = Database(database_url)
    async with Works.open(database, clock) as one, Works.open(another, clock, seed=2) as other:
        yield one, other
    await another.close()


async def begun(works: Works, *tasks: str, by: Effect = FETCH) -> asyncio.Event:
    """Have calls begun that go on until the event that is returned."""
    leave = asyncio.Event()
    for what in tasks:
        works.peer.does[what].append(leave)
    await works.ask(*tasks, by=by)
    await works.runner.run()
    await until(lambda: len(works.peer.calls) >= len(tasks))
    return leave


async def killed(works: Works) -> list[Values]:
    """Claim what is due as a runner does that dies right after; return what was claimed."""
    now = works.clock.now()
    return await works.database.write(lambda c: queue.claim_effects(c, "depot", now, now + LEASE, 50))


# -- heartbeats ----------------------------------------------------------------------------------------------------


async def test_a_call_that_takes_its_time_stays_with_its_runner(both) -> None:
    one, other = both
    leave = await begun(one, "bolts")
    for _ in range(4):
        await one.beat(seconds=HEARTBEAT.total_seconds())
        await other.settle()
    assert (await one.effect())["due_at"] == one.clock.now() + LEASE
    assert other.peer.calls == []
    leave.set()
    await one.settle()
    effect = await one.effect()
    assert (effect["status"], effect["attempts"], effect["lost"]) == ("done", 1, 0)


async def test_effects_that_wait_for_a_place_are_held_too(both) -> None:
    one, _ = both
    one.runner.destinations["depot"]._seconds = 0  # quick so far: more are claimed than can be called at a time
    leave = await begun(one, *(f"thing {number}" for number in range(10)))
    await one.ask("a straggler")
    await one.runner.run()
    for _ in range(4):
        await one.beat(seconds=HEARTBEAT.total_seconds())
    assert [effect["lost"] for effect in await one.effects()] == [0] * 11
    assert {effect["due_at"] for effect in await one.effects()} == {one.clock.now() + LEASE}
    leave.set()
    await one.settle()
    assert set((await one.statuses()).values()) == {"done"}


async def test_a_runner_that_stopped_beating_is_replaced_and_its_late_outcome_changes_nothing(both) -> None:
    one, other = both
    leave = await begun(one, "bolts")
    one.clock.advance(LEASE)
    await other.settle()
    effect = await one.effect()
    assert (effect["status"], effect["attempts"], effect["token"], effect["lost"]) == ("done", 2, 2, 1)
    leave.set()
    await one.settle()
    assert await one.effect() == effect
    assert await one.story() == ["begin", "ask", "answered"]
    assert [call.key for call in (*one.peer.calls, *other.peer.calls)] == [effect["id"]] * 2


async def test_a_heartbeat_does_not_hold_what_was_taken_over(both) -> None:
    one, other = both
    leave = await begun(one, "scrap", by=DROP)
    one.clock.advance(LEASE)
    (taken,) = await killed(other)
    await one.beat(seconds=HEARTBEAT.total_seconds())
    assert (await one.effect())["due_at"] == taken["due_at"] < one.clock.now() + LEASE
    leave.set()
    await one.runner.finish()
    assert (await one.effect())["status"] == "running"


async def test_a_call_that_hangs_far_over_its_timeout_is_let_go(both) -> None:
    one, other = both
    leave = await begun(one, "bolts")
    for _ in range(12):
        await one.beat(seconds=HEARTBEAT.total_seconds())
        await other.settle()
    effect = await one.effect()
    assert (effect["status"], effect["token"], effect["lost"]) == ("done", 2, 1)
    assert FETCH.timeout + OVERTIME + LEASE < timedelta(seconds=120)
    leave.set()
    await one.settle()
    assert await one.effect() == effect


# -- runners that die ----------------------------------------------------------------------------------------------


async def test_an_effect_with_which_five_runners_were_lost_is_parked(works: Works) -> None:
    await works.ask("bolts")
    for lost in range(LOST_LIMIT):
        (claimed,) = await killed(works)
        assert claimed["lost"] == lost
        works.clock.advance(LEASE)
    await works.settle()
    effect = await works.effect()
    assert (effect["status"], effect["error"]) == ("parked", "its runner was lost 5 times")
    assert works.peer.calls == []


async def test_what_a_killed_runner_held_is_done_at_once_after_the_lease(works: Works) -> None:
    await works.ask(*(f"thing {number}" for number in range(20)))
    await killed(works)
    await works.advance(LEASE)
    assert set((await works.statuses()).values()) == {"done"}
    assert works.clock.now() == NOON + LEASE


async def test_what_was_lost_twice_is_tried_one_at_a_time(works: Works) -> None:
    await works.ask(*(f"thing {number}" for number in range(6)))
    for _ in range(SUSPICIOUS):
        await killed(works)
        works.clock.advance(LEASE)
    await works.ask("a fresh thing")
    leave = asyncio.Event()
    for number in range(6):
        works.peer.does[f"thing {number}"].append(leave)
    await works.runner.run()
    await until(lambda: len(works.peer.calls) == 2)
    await until(lambda: sum(works.peer.done.values()) == 1)
    assert len([what for what in works.peer.tasks() if what != "a fresh thing"]) == 1
    leave.set()
    await works.advance(timedelta(minutes=1))
    assert set((await works.statuses()).values()) == {"done"}
    assert works.peer.most_at_once["depot"] == 2
    assert {effect["lost"] for effect in await works.effects()} == {0, SUSPICIOUS}


async def test_innocents_that_ran_beside_a_poison_are_done_and_the_poison_is_parked(database, clock) -> None:
    async def run_until_it_dies(seed: int) -> bool:
        """Run effects as a process does that dies, with all that it holds, when it calls for the poison."""
        peer = Peer()
        peer.does["poison"].append(leave := asyncio.Event())
        async with Works.open(database, clock, peer, seed=seed) as works:
            working = asyncio.create_task(works.advance(timedelta(minutes=20)))
            poisoned = asyncio.create_task(until(lambda: "poison" in peer.tasks(), 20))
            await asyncio.wait({working, poisoned}, return_when=asyncio.FIRST_COMPLETED)
            for task in (working, poisoned, *works.runner._running):
                task.cancel()
            await asyncio.gather(working, poisoned, return_exceptions=True)
            leave.set()
            return "poison" in peer.tasks()

    async with Works.open(database, clock) as works:
        await works.ask("poison", *(f"thing {number}" for number in range(15)))
    lives = 0
    while await run_until_it_dies(lives):
        lives += 1
    assert lives == LOST_LIMIT
    statuses = await works.statuses()
    assert statuses.pop("poison") == "parked"
    assert set(statuses.values()) == {"done"}
    assert max(effect["lost"] for effect in await works.effects() if effect["status"] == "done") <= SUSPICIOUS


async def test_a_gateway_that_cancels_itself_gives_its_place_back(small_works: Works) -> None:
    small_works.peer.does["bolts"].append(asyncio.CancelledError())
    await small_works.ask("bolts")
    await small_works.settle()
    assert small_works.runner.destinations["depot"].calls == 0
    await small_works.advance(LEASE)
    assert (await small_works.effect())["status"] == "done"


# -- what others know ----------------------------------------------------------------------------------------------


async def test_an_effect_that_this_program_does_not_know_is_left_for_one_that_does(works: Works) -> None:
    await works.ask("bolts", "nuts")
    effects = TABLES[EffectRow]
    bolts = (await works.find("bolts"))["id"]
    rename = update(effects).where(effects.c.id == bolts).values(name="depot.weigh")
    await works.database.write(lambda c: c.execute(rename))
    await works.settle()
    left = await works.find("bolts")
    assert (left["status"], left["attempts"], left["lost"], left["due_at"]) == ("pending", 0, 0, NOON + UNKNOWN_PAUSE)
    assert works.peer.tasks() == ["nuts"]


async def test_a_destination_that_this_program_does_not_know_is_left_alone(works: Works) -> None:
    await works.ask("bolts", "nuts")
    effects = TABLES[EffectRow]
    bolts = (await works.find("bolts"))["id"]
    move = update(effects).where(effects.c.id == bolts).values(name="crane.lift", destination="crane")
    await works.database.write(lambda c: c.execute(move))
    await works.settle()
    left = await works.find("bolts")
    assert (left["status"], left["token"]) == ("pending", 0)
    assert await works.next_due() is None


# -- shutdown ------------------------------------------------------------------------------------------------------


async def test_a_runner_that_stops_hands_back_at_once_what_it_has_not_begun(both) -> None:
    one, other = both
    one.runner.destinations["depot"]._seconds = 0
    things = [f"thing {number}" for number in range(15)]
    for what in things:
        one.peer.does[what].append(asyncio.Event())
    await one.ask(*things)
    await one.runner.run()
    await until(lambda: len(one.peer.calls) == 10)
    await one.runner.stop(timedelta(seconds=0.1))
    effects = await one.effects()
    assert [effect["status"] for effect in effects] == ["pending"] * 15
    assert sorted(effect["attempts"] for effect in effects) == [0] * 5 + [1] * 10
    assert {effect["due_at"] for effect in effects} == {NOON}
    assert {effect["lost"] for effect in effects} == {0}
    assert await one.runner.run() == 0
    await other.settle()
    assert set((await one.statuses()).values()) == {"done"}
    for task in list(one.runner._running):
        task.cancel()


async def test_a_runner_that_stops_waits_for_what_was_begun(small_works: Works) -> None:
    leave = await begun(small_works, "bolts")
    stopping = asyncio.create_task(small_works.runner.stop(timedelta(seconds=10)))
    await asyncio.sleep(0)
    leave.set()
    await asyncio.wait_for(stopping, 5)
    assert (await small_works.effect())["status"] == "done"


async def test_what_was_cut_off_and_answers_after_all_changes_nothing(small_works: Works) -> None:
    leave = await begun(small_works, "bolts")
    await small_works.runner.stop(timedelta())
    assert (await small_works.effect())["status"] == "pending"
    leave.set()
    await small_works.runner.finish()
    effect = await small_works.effect()
    assert (effect["status"], effect["outcome"]) == ("pending", None)
    assert await small_works.story() == ["begin", "ask"]
