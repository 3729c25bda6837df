"""The inbox as it is kept: each message once, for as long as it may be repeated."""

from datetime import datetime, timedelta
from typing import Any

from persistence import inbox
from persistence.database import Database
from tests.conftest import NOON


def message(name: str, source: str = "stripe", at: datetime = NOON) -> dict[str, Any]:
    return {"source": source, "external_id": name, "kind": "k", "body": {"id": name}, "received_at": at, "due_at": at}


async def kept(database: Database, *messages: dict[str, Any]) -> list[bool]:
    return await database.write(lambda c: inbox.keep(c, messages))


async def names(database: Database) -> list[str]:
    page = await database.read(lambda c: inbox.list_rows(c, None, None, 50, None))
    return [row["external_id"] for row in reversed(page.rows)]


async def finished(database: Database, at: datetime) -> None:
    rows = await database.read(lambda c: inbox.due(c, at, 50))
    settled = [{**row, "status": "unknown", "reason": "no", "attempts": 1, "finished_at": at} for row in rows]
    await database.write(lambda c: inbox.settle(c, settled))


async def test_the_same_message_is_kept_once_also_within_one_commit(database: Database) -> None:
    assert await kept(database, message("a"), message("b"), message("a"), message("a", "carrier")) == [
        True,
        True,
        False,
        True,
    ]
    assert await kept(database, message("b"), message("c")) == [False, True]
    assert await names(database) == ["a", "b", "a", "c"]


async def test_rows_are_due_in_the_order_of_their_times_and_then_of_their_arrival(database: Database) -> None:
    late, soon = NOON + timedelta(seconds=2), NOON + timedelta(seconds=1)
    await kept(database, message("late", at=late), message("first"), message("second"), message("soon", at=soon))
    rows = await database.read(lambda c: inbox.due(c, soon, 2))
    assert [row["external_id"] for row in rows] == ["first", "second"]
    place = inbox.Place(rows[-1]["due_at"], rows[-1]["seq"])
    assert [row["external_id"] for row in await database.read(lambda c: inbox.due(c, soon, 2, place))] == ["soon"]
    assert [each.seq for each in await database.read(lambda c: inbox.due_places(c, late, 9))] == [2, 3, 4, 1]


async def test_what_is_settled_is_left_alone(database: Database) -> None:
    await kept(database, message("a"))
    (row,) = await database.read(lambda c: inbox.due(c, NOON, 9))
    by = {"seq": 1, "now": NOON, "by": "admin:root", "decision": "dismiss: no"}
    assert (await database.write(lambda c: inbox.dismiss(c, **by)))["status"] == "dismissed"
    await database.write(lambda c: inbox.settle(c, [{**row, "status": "applied", "reason": "late"}]))
    assert (await database.read(lambda c: inbox.get(c, 1)))["status"] == "dismissed"


async def test_settled_rows_are_deleted_after_a_while_and_others_never(database: Database) -> None:
    await kept(database, message("old 1"), message("old 2"), message("old 3"))
    await finished(database, NOON)
    await kept(database, message("new"))
    await finished(database, NOON + timedelta(days=1))
    await kept(database, message("pending"))
    before = NOON + timedelta(hours=1)
    assert await database.write(lambda c: inbox.delete_finished(c, before, 2)) == 2
    assert await database.write(lambda c: inbox.delete_finished(c, before, 2)) == 1
    assert await database.write(lambda c: inbox.delete_finished(c, before, 2)) == 0
    assert await names(database) == ["new", "pending"]
    assert await kept(database, message("new"), message("old 1")) == [False, True]
