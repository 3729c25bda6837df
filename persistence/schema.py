"""Bringing a database's schema up to date, and telling whether it is."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from persistence import feed
from persistence.database import Database

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

    Of several processes that start at once one migrates and the others wait for it.
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

    return await database.write(upgrade)
