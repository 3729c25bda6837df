"""How claimed effects end without an event: finished, given back for another attempt, or parked. Written in batches."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.natural import NaturalBatcher
from persistence import queue
from persistence.bulk import Values
from persistence.database import Database

LIMIT = 500
"""How many endings one commit writes."""

_KEPT = ("status", "attempts", "due_at", "outcome", "error", "finished_at")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a claim on an effect ended: its row as it is now, and the attempt if it failed."""

    row: Values
    attempt: Values | None = None


class Endings(NaturalBatcher[Ending, None]):
    """Writes endings, those together that come together. A claim that was taken over meanwhile is left alone."""

    def __init__(self, database: Database) -> None:
        self._database = database
        super().__init__(self._write, LIMIT)

    async def _write(self, endings: Sequence[Ending]) -> Sequence[None]:
        rows = [
            {"key_id": each.row["id"], "key_token": each.row["token"], **{name: each.row[name] for name in _KEPT}}
            for each in endings
        ]
        attempts = [each.attempt for each in endings if each.attempt]
        await self._database.write(lambda connection: queue.release_effects(connection, rows, attempts))
        return [None] * len(endings)
