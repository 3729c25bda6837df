"""Migrations bring about just the tables that the program declares, and lose nothing on the way."""

import asyncio
import os
import re
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from structlog.testing import capture_logs

import persistence.database
from persistence import schema
from persistence.database import Database
from persistence.tables import metadata
from tests.conftest import _administer, _fresh_postgresql
from tests.persistence.rows import BOOKKEEPING, contents, fill, tables_of
from tests.waiting import until

REVISIONS = [script.revision for script in ScriptDirectory.from_config(schema._config()).walk_revisions()][::-1]


@pytest.fixture
def migrated() -> bool:
    return False


@pytest.fixture
async def empty(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    yield opened
    await opened.close()


async def test_models_and_migrations_do_not_differ(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    await schema.migrate(database)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    assert await database.read(differences) == []
    await database.close()


async def described(url: str, *, migrated: bool) -> set[object]:
    """Return what a database says of its tables, made by the migrations or by the models."""
    database = Database(url)
    if migrated:
        await schema.migrate(database)
    else:
        await database.write(metadata.create_all)
    try:
        return await database.read(_describe_sqlite if database.is_sqlite else _describe_postgresql)
    finally:
        await database.close()


async def test_sqlite_has_the_same_tables_by_migration_as_by_the_models(tmp_path) -> None:
    migrated = await described(f"sqlite:///{tmp_path / 'migrated.db'}", migrated=True)
    created = await described(f"sqlite:///{tmp_path / 'created.db'}", migrated=False)
    assert migrated ^ created == set()
    assert sum("lower(" in str(fact) for fact in created) >= 3


async def test_postgresql_has_the_same_tables_by_migration_as_by_the_models(postgresql, postgresql_url) -> None:
    name, other_url = await _fresh_postgresql(postgresql)
    try:
        migrated = await described(postgresql_url, migrated=True)
        created = await described(other_url, migrated=False)
    finally:
        await _administer(postgresql, f'DROP DATABASE "{name}" WITH (FORCE)')
    assert migrated ^ created == set()
    assert sum("lower(" in str(fact) for fact in created) >= 3


def _describe_sqlite(connection: Connection) -> set[object]:
    facts: set[object] = set()
    tables = connection.execute(text("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'")).all()
    for name, strict in tables:
        if name == BOOKKEEPING or name.startswith("sqlite_"):
            continue
        facts.add((name, "strict", strict))
        for column in connection.execute(text(f"SELECT name, type, \"notnull\", pk FROM pragma_table_info('{name}')")):
            facts.add((name, *column))
        for key in connection.execute(text(f'SELECT "table", "from", "to" FROM pragma_foreign_key_list(\'{name}\')')):
            facts.add((name, "refers", *key))
        for index, unique, partial in connection.execute(
            text(f"SELECT name, \"unique\", partial FROM pragma_index_list('{name}') WHERE origin != 'c'")
        ):
            columns = connection.execute(text(f"SELECT name FROM pragma_index_info('{index}')")).scalars().all()
            facts.add((name, unique, partial, *columns))
        sql = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = :n"), {"n": name}).scalar_one()
        facts.update((name, *check) for check in _checks(sql))
    indexes = connection.execute(text("SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"))
    facts.update(sql.replace('"', "") for sql in indexes.scalars())
    return facts


def _checks(sql: str) -> Iterator[tuple[str, str]]:
    """Yield the names of a table's checks, and what they check."""
    for start in re.finditer(r"CONSTRAINT (\w+) CHECK \(", sql):
        depth, end = 1, start.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(sql[end], 0)
            end += 1
        yield start.group(1), sql[start.end() : end - 1]


def _describe_postgresql(connection: Connection) -> set[object]:
    columns = connection.execute(
        text(
            "SELECT table_name, column_name, data_type, character_maximum_length, collation_name, is_nullable, "
            "is_identity FROM information_schema.columns WHERE table_schema = 'public'"
        )
    )
    indexes = connection.execute(text("SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'"))
    checks = connection.execute(
        text(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'p', 'u')"
        )
    )
    return {tuple(row) for row in (*columns, *indexes, *checks) if row[0] != BOOKKEEPING}


@pytest.mark.parametrize("revision", REVISIONS[:-1])
async def test_an_older_database_keeps_its_rows_when_it_is_brought_up_to_date(empty, revision) -> None:
    await schema.migrate(empty, revision)
    await empty.write(fill)
    before = await empty.read(contents)
    assert await schema.migrate(empty) == (revision, schema.newest())
    after = await empty.read(contents)
    assert all(before.values())
    assert {name: [_shared(row, after[name]) for row in rows] for name, rows in before.items()} == {
        name: [_shared(row, before[name]) for row in after[name]] for name in before
    }


def _shared(row: dict[str, object], others: list[dict[str, object]]) -> dict[str, object]:
    """Return a row's columns as far as the other rows have them too."""
    return {name: value for name, value in row.items() if name in others[0]}


async def test_migrations_can_be_taken_back_one_by_one(empty) -> None:
    await schema.migrate(empty)
    for revision in [*REVISIONS[-2::-1], None]:
        await empty.write(lambda c, to=revision: command.downgrade(schema._config(c), to or "base"))
        assert await empty.read(schema.current) == revision
    assert await empty.read(tables_of) == []
    assert await schema.migrate(empty) == (None, schema.newest())


@pytest.mark.filterwarnings("ignore:.*expression-based index")
async def test_what_alembic_writes_for_a_new_table_makes_just_that_table(empty, tmp_path) -> None:
    await schema.migrate(empty)
    describe = _describe_sqlite if empty.is_sqlite else _describe_postgresql
    before = await empty.read(describe)

    def write_and_run(connection: Connection) -> str:
        connection.exec_driver_sql("DROP TABLE backorders")
        config = schema._config(connection)
        places = [str(schema._MIGRATIONS / "versions"), str(tmp_path)]
        config.set_main_option("version_locations", os.pathsep.join(places))
        config.set_main_option("path_separator", "os")
        command.revision(config, "Add what is lacking", autogenerate=True, version_path=str(tmp_path))
        command.upgrade(config, "head")
        (written,) = tmp_path.glob("*.py")
        return written.read_text()

    written = await empty.write(write_and_run)

    assert set(re.findall(r"\b(?:create_table|batch_alter_table)\('(\w+)'", written)) == {"backorders"}
    assert await empty.read(describe) == before


async def test_migrating_twice_changes_nothing(empty) -> None:
    await schema.migrate(empty)
    assert await schema.migrate(empty) == (schema.newest(), schema.newest())


async def test_of_several_tasks_that_migrate_at_once_one_does_and_the_others_wait(database_url) -> None:
    databases = [Database(database_url) for _ in range(4)]
    steps = await asyncio.gather(*(schema.migrate(database) for database in databases))
    for database in databases:
        await database.close()
    assert sorted(steps, key=str) == [(schema.newest(), schema.newest())] * 3 + [(None, schema.newest())]


async def test_migrating_waits_however_long_somebody_else_writes(sqlite_url, monkeypatch) -> None:
    monkeypatch.setattr(persistence.database, "BUSY_TIMEOUT", timedelta(milliseconds=1))
    somebody = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    somebody.executescript("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE")
    database = Database(sqlite_url)
    with capture_logs() as said:
        migrating = asyncio.create_task(schema.migrate(database))
        await until(lambda: said or migrating.done())
        somebody.rollback()
        assert await migrating == (None, schema.newest())
    somebody.close()
    await database.close()


MIGRATE = """
import asyncio, sys
from persistence import schema
from persistence.database import Database

async def main():
    database = Database(sys.argv[1])
    print(await schema.migrate(database))
    await database.close()

asyncio.run(main())
"""


async def test_of_several_processes_that_migrate_at_once_one_does_and_the_others_wait(database_url) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", MIGRATE, database_url, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    outputs = [(await process.communicate())[0].decode().strip() for process in processes]
    newest = schema.newest()
    assert sorted(outputs) == [f"('{newest}', '{newest}')"] * 2 + [f"(None, '{newest}')"]
