"""Bringing a database's schema up to date, and telling whether it is."""

import asyncio
from functools import cache
from pathlib import Path
from typing import Final

import structlog
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from persistence import feed
from persistence.database import Database, is_transient

log = structlog.get_logger("orderly.schema")

PAUSE: Final = 0.1
"""How many seconds pass before the database is asked once more whether it can be migrated."""

_MIGRATIONS = Path(__file__).parent / "migrations"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


@cache
def newest() -> str:
    """Return the newest revision that this program knows; asked at every start and by every probe, read once."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def current(connection: Connection) -> str | None:
    """Return the revision that a database is at; None if it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


async def migrate(database: Database, revision: str = "head") -> tuple[str | None, str | None]:
    """Bring a database to a revision; return the revisions before and after.

    Of several processes that start at once one migrates and the others wait for it, however long it takes.
    """

    def upgrade(connection: Connection) -> tuple[str | None, str | None]:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(724839502)")
        before = current(connection)
        if before != newest():
            command.upgrade(_config(connection), revision)
        after = current(connection)
        if after == newest():
            feed.continue_order(connection)
        return before, after

    while True:
        try:
            return await database.write(upgrade)
        except SQLAlchemyError as error:
            if not is_transient(error):
                raise
            log.info("migration_waits", reason="somebody else writes")
            await asyncio.sleep(PAUSE)
