"""What one destination suffers from stays with it: bulkheads, rate limits, circuit breakers."""

import asyncio
from datetime import timedelta
from random import Random

import pytest

from engine.clock import VirtualClock
from engine.destinations import ENOUGH_CALLS, OPEN_FOR, PROBES, WINDOW, Breaker, Circuit, Destination, DestinationLimits
from tests.conftest import NOON
from tests.engine.works import GUESS, WALK, Works
from tests.waiting import until

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def names(count: int, of: str = "thing") -> list[str]:
    return [f"{of} {number}" for number in range(count)]


# -- bulkheads -----------------------------------------------------------------------------------------------------


async def test_a_destination_that_hangs_takes_only_its_own_places(works: Works) -> None:
    leave = asyncio.Event()
    for what in names(30, "walk"):
        works.peer.does[what].append(leave)
    await works.ask(*names(30, "walk"), by=WALK)
    await works.ask(*names(30))
    async with works.at_work():
        await until(lambda: sum(works.peer.done.values()) == 30)
    assert works.runner.destinations["road"].calls == 10
    assert works.runner.destinations["road"].room == 0
    statuses = [effect["status"] for effect in await works.effects() if effect["destination"] == "road"]
    assert sorted(statuses) == ["pending"] * 20 + ["running"] * 10
    leave.set()
    await works.settle()
    assert set((await works.statuses()).values()) == {"done"}
    assert works.peer.most_at_once["road"] == 10


async def test_a_destination_has_as_many_calls_at_a_time_as_it_may(sqlite_works_with) -> None:
    async with sqlite_works_with(depot=DestinationLimits(concurrency=3)) as works:
        leave = asyncio.Event()
        for what in names(10):
            works.peer.does[what].append(leave)
        await works.ask(*names(10))
        await works.runner.run()
        await until(lambda: len(works.peer.calls) == 3)
        leave.set()
        await works.settle()
        assert works.peer.most_at_once["depot"] == 3
        assert set((await works.statuses()).values()) == {"done"}


async def test_when_places_become_free_the_next_are_called_without_anybody_looking(small_works: Works) -> None:
    await small_works.ask(*names(100))
    async with small_works.at_work():
        await until(lambda: sum(small_works.peer.done.values()) == 100)


# -- rates ---------------------------------------------------------------------------------------------------------


async def test_a_destination_is_called_no_more_often_than_it_may(sqlite_works_with) -> None:
    async with sqlite_works_with(depot=DestinationLimits(per_second=2)) as works:
        await works.ask(*names(9))
        await works.ask("a walk", by=WALK)
        calls = []
        await works.settle()
        assert works.peer.tasks().count("a walk") == 1
        while len(works.peer.calls) < 10:
            calls.append((works.clock.now() - NOON, len(works.peer.calls) - 1))
            due = await works.next_due()
            assert due is not None
            assert due > works.clock.now()
            await works.advance_to(due)
        assert calls[0] == (timedelta(), 2)
        for after, made in calls:
            assert made <= 2 + 2 * after.total_seconds()
        assert works.clock.now() - NOON < 5 * SECOND


# -- circuit breakers ----------------------------------------------------------------------------------------------


def breaker() -> tuple[Breaker, VirtualClock]:
    clock = VirtualClock(NOON)
    return Breaker("depot", clock, Random(1)), clock


def note(circuit: Breaker, *, answered: int = 0, failed: int = 0) -> None:
    for _ in range(answered):
        circuit.note(answered=True)
    for _ in range(failed):
        circuit.note(answered=False)


def test_a_circuit_opens_when_half_of_twenty_calls_within_thirty_seconds_failed() -> None:
    circuit, _ = breaker()
    note(circuit, answered=ENOUGH_CALLS // 2, failed=ENOUGH_CALLS // 2 - 1)
    assert circuit.circuit is Circuit.CLOSED
    note(circuit, failed=1)
    assert circuit.circuit is Circuit.OPEN


def test_a_few_calls_say_nothing() -> None:
    circuit, _ = breaker()
    note(circuit, failed=ENOUGH_CALLS - 1)
    assert circuit.circuit is Circuit.CLOSED


def test_fewer_than_half_are_no_reason_to_open() -> None:
    circuit, _ = breaker()
    for _ in range(50):
        note(circuit, answered=6, failed=5)
    assert circuit.circuit is Circuit.CLOSED


def test_what_was_long_ago_does_not_count() -> None:
    circuit, clock = breaker()
    note(circuit, failed=ENOUGH_CALLS - 1)
    clock.advance(WINDOW + SECOND)
    note(circuit, failed=ENOUGH_CALLS - 1)
    assert circuit.circuit is Circuit.CLOSED
    note(circuit, failed=1)
    assert circuit.circuit is Circuit.OPEN


def test_an_open_circuit_is_tried_after_about_thirty_seconds_and_closes_after_three_answers() -> None:
    circuit, clock = breaker()
    note(circuit, failed=ENOUGH_CALLS)
    assert circuit.reopens_at is not None
    assert 0.8 * OPEN_FOR <= circuit.reopens_at - NOON <= 1.2 * OPEN_FOR
    note(circuit, answered=10)
    assert circuit.circuit is Circuit.OPEN, "calls from before it opened closed it"
    clock.advance_to(circuit.reopens_at)
    assert circuit.circuit is Circuit.HALF_OPEN
    note(circuit, answered=PROBES - 1)
    assert circuit.circuit is Circuit.HALF_OPEN
    note(circuit, answered=1)
    assert circuit.circuit is Circuit.CLOSED
    note(circuit, failed=ENOUGH_CALLS - 1)
    assert circuit.circuit is Circuit.CLOSED, "calls from before it was down still count"


def test_one_failure_opens_a_half_open_circuit_again() -> None:
    circuit, clock = breaker()
    note(circuit, failed=ENOUGH_CALLS)
    assert circuit.reopens_at is not None
    clock.advance_to(circuit.reopens_at)
    note(circuit, answered=PROBES - 1, failed=1)
    assert circuit.circuit is Circuit.OPEN
    clock.advance_to(circuit.reopens_at)
    note(circuit, answered=PROBES - 1)
    assert circuit.circuit is Circuit.HALF_OPEN, "answers from before it failed again still count"


def test_a_half_open_circuit_lets_three_calls_through_at_a_time() -> None:
    clock = VirtualClock(NOON)
    depot = Destination("depot", DestinationLimits(), clock, Random(1))
    note(depot.breaker, failed=ENOUGH_CALLS)
    assert (depot.room, depot.ready_at) == (0, depot.breaker.reopens_at)
    assert depot.breaker.reopens_at is not None
    clock.advance_to(depot.breaker.reopens_at)
    assert (depot.room, depot.ready_at) == (PROBES, None)
    depot.begin()
    assert depot.room == PROBES - 1


async def test_an_open_circuit_costs_no_attempt_and_no_looking(works: Works) -> None:
    works.peer.down.add("depot")
    await works.ask(*names(40))
    await works.settle()
    depot = works.runner.destinations["depot"]
    assert depot.breaker.circuit is Circuit.OPEN
    attempted = len(works.peer.calls)
    assert ENOUGH_CALLS <= attempted < 40
    assert sum(effect["attempts"] for effect in await works.effects()) == attempted
    assert await works.next_due() == depot.breaker.reopens_at
    await works.ask(*names(3, "walk"), by=WALK)
    await works.settle()
    assert sum(works.peer.done.values()) == 3, "the other destination has to wait"


@pytest.mark.parametrize(("asked", "most"), [(40, 500), (3, 200)])
async def test_a_long_outage_ends_with_everything_done_once_and_few_calls_in_vain(
    small_works: Works, asked: int, most: int
) -> None:
    works = small_works
    works.peer.down.add("road")
    await works.ask(*names(asked), by=WALK)
    await works.advance(3 * HOUR)
    assert len(works.peer.calls) < most
    works.peer.down.clear()
    await works.advance(HOUR)
    assert list((await works.statuses()).values()) == ["done"] * asked
    assert list(works.peer.done.values()) == [1] * asked
    assert {effect["lost"] for effect in await works.effects()} == {0}


async def test_what_is_not_the_other_side_s_fault_does_not_open_its_circuit(small_works: Works) -> None:
    for what in names(30):
        small_works.peer.does[what].append(RuntimeError("a bug of ours"))
    await small_works.ask(*names(30))
    await small_works.settle()
    assert small_works.runner.destinations["depot"].breaker.circuit is Circuit.CLOSED


async def test_an_answer_from_memory_is_no_sign_of_life(small_works: Works) -> None:
    from tests.engine.works import LOOK

    works = small_works
    await works.ask("the weather", by=LOOK)
    await works.settle()
    works.peer.down.add("oracle")
    await works.ask(*names(25), by=GUESS)
    await works.settle()
    oracle = works.runner.destinations["oracle"]
    assert oracle.breaker.reopens_at is not None
    works.clock.advance_to(oracle.breaker.reopens_at)
    for _ in range(PROBES):
        await works.ask("the weather", by=LOOK)
    assert oracle.breaker.circuit is Circuit.HALF_OPEN
