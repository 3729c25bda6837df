"""Deleting what is old and done with, some rows at a time. The history is never among it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select

from persistence.statements import among, as_keys
from persistence.tables import TABLES, EffectAttemptRow, EffectRow
from statemachines.ids import first_id
from statemachines.job import Job

_effects = TABLES[EffectRow]
_attempts = TABLES[EffectAttemptRow]
_jobs = TABLES[Job]

ENDED = ("done", "cancelled")
"""The statuses of effects that may be forgotten. What is parked waits for a person, however old it is."""


def is_held(connection: Connection, job: str) -> bool:
    """Tell whether a legal hold stands on what a job deletes. None can be put on it before this transaction ends."""
    statement = select(_jobs.c.legal_hold).where(_jobs.c.id == job).with_for_update(read=True)
    return connection.execute(statement).scalar() is not None


def delete_effects(connection: Connection, before: datetime, most: int) -> int:
    """Delete up to `most` effects that ended before a moment, with their failed attempts; return how many."""
    sqlite, deleted = connection.dialect.name == "sqlite", 0
    for status in ENDED:
        ids = _old_effects(connection, status, before, most - deleted)
        if ids:
            keys = {"keys": as_keys(ids, sqlite=sqlite)}
            connection.execute(delete(_attempts).where(among(_attempts.c.effect_id, "keys", sqlite=sqlite)), keys)
            connection.execute(delete(_effects).where(among(_effects.c.id, "keys", sqlite=sqlite)), keys)
        deleted += len(ids)
    return deleted


def _old_effects(connection: Connection, status: str, before: datetime, most: int) -> Sequence[str]:
    """Find them by their ids, which tell when they were asked for: so no index over when they ended is needed."""
    statement = (
        select(_effects.c.id)
        .where(_effects.c.status == status, _effects.c.id < first_id("eff", before), _effects.c.finished_at < before)
        .order_by(_effects.c.id)
        .limit(most)
    )
    return connection.execute(statement).scalars().all()
