"""How claimed effects end without an event: finished, given back for another attempt, or parked. Written in batches."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy.exc import SQLAlchemyError

from engine.natural import NaturalBatcher
from persistence import queue
from persistence.bulk import Values
from persistence.database import LOCK_TIMEOUT, CommitUnknown, Database, is_transient, is_unavailable, sqlstate

log = structlog.get_logger("orderly.effects")

LIMIT = 500
"""How many endings one commit writes."""

RETRY_PAUSE = timedelta(seconds=0.5)
"""How long to wait for a database that is away or busy."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a claim on an effect ended: its row as it is now, if it has ended, and the attempt if it failed."""

    row: Values | None
    attempt: Values | None = None


class Endings(NaturalBatcher[Ending, None]):
    """Writes endings, those together that come together. A claim that was taken over meanwhile is left alone."""

    def __init__(self, database: Database) -> None:
        super().__init__(self._write, LIMIT)
        self._database = database
        self.closing = False
        """Whether to give up at once if the database is away; the leases will lapse."""

    async def _write(self, endings: Sequence[Ending]) -> Sequence[None]:
        """Write endings; one that the database does not take is parked instead, and spoils no other's.

        Raises:
            SQLAlchemyError: the database is away, and there is no time to wait for it.
        """
        try:
            await self._persist(endings)
        except Exception as error:
            if self.closing and _may_pass(error):
                raise
            if len(endings) > 1:
                for each in endings:
                    await self._write([each])
            elif (row := endings[0].row) is not None:
                log.exception("effect_ending_refused", effect=row["name"], id=row["id"])
                reason = f"how it ended can't be kept: {type(error).__name__}"
                await self._persist([Ending({**row, "status": "parked", "outcome": None, "error": reason})])
        return [None] * len(endings)

    async def _persist(self, endings: Sequence[Ending]) -> None:
        rows = sorted((each.row for each in endings if each.row), key=lambda row: str(row["id"]))
        attempts = [each.attempt for each in endings if each.attempt]
        write = partial(queue.release_effects, rows=rows, attempts=attempts)
        while True:
            try:
                await self._database.write(write)
            except Exception as error:
                # Writing again what was written already changes nothing.
                if self.closing or not _may_pass(error):
                    raise
                await asyncio.sleep(RETRY_PAUSE.total_seconds())
                continue
            return


def _may_pass(error: Exception) -> bool:
    """Tell whether it is the database that failed, for the time being, and not what it was given."""
    if isinstance(error, CommitUnknown | OSError | TimeoutError):
        return True
    return isinstance(error, SQLAlchemyError) and (
        is_transient(error) or is_unavailable(error) or sqlstate(error) == LOCK_TIMEOUT
    )
