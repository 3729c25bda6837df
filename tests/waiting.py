"""How a test waits for what happens beside it, in tasks, threads and other processes: no longer than it takes."""

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], object], seconds: float = 10) -> None:
    """Let others go on until something holds.

    Raises:
        TimeoutError: it did not come about in so many seconds.
    """
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
