"""Natural batching: whatever arrives while one batch is being worked on forms the next; a lone item never waits."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class NaturalBatcher(Generic[T, R]):
    """Hands items on in batches, one batch at a time.

    Args:
        work: does a batch and returns a result for each of its items, in order; if it raises, all of them failed.
        limit: how many items a batch may have.
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[Sequence[R]]], limit: int) -> None:
        self._work = work
        self._limit = limit
        self._queue: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: T) -> R:
        """Have an item done with others; return its result, or raise what its batch raised."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._queue.append((item, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._limit))]
            try:
                results = await self._work([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001  (each caller gets it)
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)
