"""What is old and done with is deleted some rows at a time; what waits for anybody stays."""

from datetime import datetime, timedelta
from random import Random

import pytest
from sqlalchemy import Connection, insert, select, text

from persistence import retention
from persistence.database import Database
from persistence.tables import EFFECT_STATUSES, TABLES, EffectAttemptRow, EffectRow
from statemachines.ids import new_id
from statemachines.job import Job
from tests.conftest import NOON
from tests.persistence.plans import full_scans

DAY = timedelta(days=1)
EFFECTS, ATTEMPTS = TABLES[EffectRow], TABLES[EffectAttemptRow]


class Effects:
    """Effects with two failed attempts each."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []
        self._random = Random(1)

    def add(self, status: str, asked: datetime, ended: datetime | None) -> str:
        name = new_id("eff", asked, self._random)
        row = EffectRow(
            id=name,
            machine="order",
            entity_id="ord_1",
            name="payments.charge",
            destination="payments",
            arguments={},
            status=status,
            due_at=asked,
            cause="evt_1",
            created_at=asked,
            retrying_since=asked,
            finished_at=ended,
        )
        self.rows.append(row.model_dump())
        return name

    def store(self, connection: Connection) -> None:
        connection.execute(insert(EFFECTS), self.rows)
        told = {"began_at": NOON, "ended_at": NOON, "error": "none"}
        attempts = [{"effect_id": row["id"], "token": token, **told} for row in self.rows for token in (1, 2)]
        connection.execute(insert(ATTEMPTS), attempts)


async def left(database: Database) -> tuple[set[str], set[str]]:
    """Return the effects that there are, and those that there are attempts at."""
    return await database.read(
        lambda c: (
            set(c.execute(select(EFFECTS.c.id)).scalars()),
            set(c.execute(select(ATTEMPTS.c.effect_id)).scalars()),
        )
    )


async def test_of_old_effects_those_go_that_ended_well_or_were_cancelled(database: Database) -> None:
    effects = Effects()
    by_status = {status: effects.add(status, NOON - 2 * DAY, NOON - 2 * DAY) for status in EFFECT_STATUSES}
    await database.write(effects.store)

    assert await database.write(lambda c: retention.delete_effects(c, NOON - DAY, 100)) == 2

    kept = {by_status[status] for status in ("pending", "running", "parked")}
    assert await left(database) == (kept, kept)


@pytest.mark.parametrize(
    ("asked", "ended", "stays"),
    [
        (NOON - 2 * DAY, NOON - DAY - timedelta(seconds=1), False),
        (NOON - 2 * DAY, NOON - DAY, True),
        (NOON - 9 * DAY, NOON, True),
        (NOON, NOON, True),
    ],
)
async def test_age_counts_from_the_end(database: Database, asked: datetime, ended: datetime, stays: bool) -> None:
    effects = Effects()
    name = effects.add("done", asked, ended)
    await database.write(effects.store)

    await database.write(lambda c: retention.delete_effects(c, NOON - DAY, 100))

    assert await left(database) == (({name}, {name}) if stays else (set(), set()))


async def test_no_more_are_deleted_at_once_than_asked_for_and_the_oldest_go_first(database: Database) -> None:
    effects = Effects()
    names = [effects.add("done", NOON - DAY * age, NOON - DAY * age) for age in range(30, 10, -1)]
    cancelled = effects.add("cancelled", NOON - 20 * DAY, NOON - 20 * DAY)
    await database.write(effects.store)

    assert await database.write(lambda c: retention.delete_effects(c, NOON, 8)) == 8
    assert (await left(database))[0] == {*names[8:], cancelled}
    assert [await database.write(lambda c: retention.delete_effects(c, NOON, 8)) for _ in range(3)] == [8, 5, 0]


async def test_a_legal_hold_is_seen(database: Database) -> None:
    job = Job(id="retention", state="waiting", version=1, created_at=NOON, state_since=NOON, cron="0 3 * * *")
    await database.write(lambda c: c.execute(insert(TABLES[Job]), [job.model_dump()]))

    assert not await database.write(lambda c: retention.is_held(c, "retention"))
    await database.write(lambda c: c.execute(text("UPDATE jobs SET legal_hold = 'case 7'")))
    assert await database.write(lambda c: retention.is_held(c, "retention"))


async def test_an_index_finds_what_is_old(database: Database, database_url: str) -> None:
    effects = Effects()
    for number in range(5000):
        effects.add("parked" if number % 9 == 0 else "done", NOON + number * DAY, NOON + number * DAY)
    await database.write(effects.store)
    await database.write(lambda c: c.execute(text("ANALYZE")))

    def delete(connection: Connection) -> None:
        assert retention.delete_effects(connection, NOON + 9 * DAY, 100) == 8

    assert await full_scans(database_url, delete, "effects|effect_attempts") == []
