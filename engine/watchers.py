"""Callers that wait for an entity to move on."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from itertools import chain

from engine.dispatcher import CommittedBatch

ANYTHING = "", ""
"""Stands for whatever changes here; of what other processes change nothing is heard under it."""


class Watchers:
    """Wakes those who wait for a change of an entity, as far as this process hears of it."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], set[asyncio.Future[None]]] = defaultdict(set)

    def on_commit(self, batch: CommittedBatch) -> None:
        """Wake those who wait for the entities that a batch changed."""
        changed = ((record["machine"], record["entity_id"]) for record in batch.changes.history)
        self.wake(chain(changed, [ANYTHING] if batch.changes.history else []))

    def wake(self, entities: Iterable[tuple[str, str]]) -> None:
        """Wake those who wait for any of the entities, each given by its machine and id."""
        if self._waiting:
            for entity in entities:
                for future in self._waiting.pop(entity, ()):
                    if not future.done():
                        future.set_result(None)

    async def changed(self, machine: str, id: str, seconds: float) -> None:  # noqa: A002
        """Return once the entity changes, or after `seconds`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        key = machine, id
        self._waiting[key].add(future)
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            pass
        finally:
            waiting = self._waiting.get(key)
            if waiting is not None:
                waiting.discard(future)
                if not waiting:
                    del self._waiting[key]
