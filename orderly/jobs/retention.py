"""Retention: deletes what is old and done with, unless a legal hold stands. The history is never deleted."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from engine.jobs import Occasion, WorkFailed
from orderly.schedules import Keeping
from persistence import deliveries, inbox, queue, retention
from statemachines.job import Result

CHUNK = 1000
"""How many rows are deleted in one transaction, so that nobody waits long for it."""

CHUNKS = 500
"""How many transactions of one kind a run may make; the next run does the rest."""

Delete = Callable[[Connection, datetime, int], int]
"""Deletes up to so many rows that were done with before a moment; returns how many it deleted."""


class Retention:
    """Deletes old records.

    Args:
        keep: for how long records are kept.
    """

    def __init__(self, keep: Keeping) -> None:
        self._keep = keep

    async def __call__(self, occasion: Occasion) -> Result:
        """Return how much was deleted.

        Raises:
            WorkFailed: a legal hold was put on it.
        """
        now, keep = occasion.clock.now(), self._keep
        kinds: list[tuple[str, Delete, datetime]] = [
            ("idempotency keys", queue.delete_expired_keys, now),
            ("effects", retention.delete_effects, now - keep.effects),
            ("messages of the inbox", inbox.delete_finished, now - keep.inbox),
            ("deliveries", deliveries.delete_old, now - keep.deliveries),
        ]
        deleted, more = {}, False
        for what, delete, before in kinds:
            deleted[what] = await _delete_all(occasion, delete, before)
            more |= deleted[what] >= CHUNK * CHUNKS
        return Result(summary="deleted " + ", ".join(f"{count} {what}" for what, count in deleted.items()), more=more)


async def _delete_all(occasion: Occasion, delete: Delete, before: datetime) -> int:
    deleted = 0
    for _ in range(CHUNKS):
        count = await occasion.database.write(partial(_delete_some, job=occasion.job, delete=delete, before=before))
        deleted += count
        if count < CHUNK:
            break
    return deleted


def _delete_some(connection: Connection, job: str, delete: Delete, before: datetime) -> int:
    if retention.is_held(connection, job):
        raise WorkFailed("a legal hold was put on it")
    return delete(connection, before, CHUNK)
