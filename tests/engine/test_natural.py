"""Natural batches: whatever arrives while one is worked on forms the next."""

import asyncio
from collections.abc import Sequence

import pytest

from engine.natural import NaturalBatcher
from tests.waiting import until


class Press:
    """Prints what it is handed, a batch at a time, when the test says so."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = asyncio.Semaphore(0)
        self.batcher = NaturalBatcher(self.work, 3)

    async def work(self, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        await self.go.acquire()
        if 13 in items:
            raise ValueError("an unlucky number")
        return [item * 10 for item in items]

    def submit(self, *items: int) -> list[asyncio.Task[int]]:
        return [asyncio.create_task(self.batcher.submit(item)) for item in items]


async def test_what_arrives_meanwhile_forms_the_next_batch_up_to_the_limit() -> None:
    press = Press()
    first = press.submit(1)
    await until(lambda: press.batches == [[1]])
    others = press.submit(2, 3, 4, 5)
    for _ in range(3):
        press.go.release()
    assert await asyncio.gather(*first, *others) == [10, 20, 30, 40, 50]
    assert press.batches == [[1], [2, 3, 4], [5]]


async def test_a_batch_that_fails_is_told_to_those_who_were_in_it() -> None:
    press = Press()
    first, (unlucky, beside) = press.submit(1), press.submit(13, 2)
    for _ in range(3):
        press.go.release()
    results = await asyncio.gather(*first, unlucky, beside, return_exceptions=True)
    assert [str(result) for result in results] == ["an unlucky number"] * 3
    press.go.release()
    assert await asyncio.gather(*press.submit(7)) == [70]


async def test_whoever_stops_waiting_holds_up_nobody() -> None:
    press = Press()
    (gone, stays) = press.submit(1, 2)
    await until(lambda: press.batches == [[1, 2]])
    gone.cancel()
    press.go.release()
    assert await stays == 20
    with pytest.raises(asyncio.CancelledError):
        await gone
