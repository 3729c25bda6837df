"""One database, SQLite or PostgreSQL: how it is opened, and what a transaction is.

Work on the database is a plain function of a SQLAlchemy `Connection`; it runs inside one transaction, with the driver's
waiting hidden in a greenlet, so that the same code serves both databases.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

T = TypeVar("T")

SERIALIZATION_FAILURE: Final = "40001"
DEADLOCK: Final = "40P01"
LOCK_TIMEOUT: Final = "55P03"
UNIQUE_VIOLATION: Final = "23505"

POSTGRESQL_SETTINGS: Final = {
    "application_name": "orderly",
    "statement_timeout": "30s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
    "jit": "off",  # compiling a plan costs more than any of our statements takes
}


class CommitUnknown(Exception):
    """The connection failed at COMMIT: the transaction may or may not have been committed."""


class Database:
    """Connections to one database.

    SQLite has one writing connection, which begins every transaction IMMEDIATE (a deferred one silently loses
    updates or fails at once as "locked"), and several reading ones. PostgreSQL has one pool for both.

    Args:
        url: ``sqlite:///file`` or ``postgresql://…``; the driver may be named (``+aiosqlite``, ``+asyncpg``).
        pool_size: connections to PostgreSQL, or reading connections to SQLite.
        synchronous: SQLite's durability; NORMAL may lose the last commits when power fails.
    """

    def __init__(self, url: str, *, pool_size: int = 10, synchronous: str = "FULL") -> None:
        self.url = _with_driver(make_url(url))
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        options: dict[str, Any] = {"json_serializer": _to_json, "json_deserializer": msgspec.json.decode}
        if self.is_sqlite:
            options["connect_args"] = {"isolation_level": None, "timeout": 30}
            self._writer = create_async_engine(self.url, pool_size=1, max_overflow=0, pool_timeout=30, **options)
            self._reader = create_async_engine(self.url, pool_size=pool_size, max_overflow=0, **options)
            _configure_sqlite(self._writer, begin="BEGIN IMMEDIATE", synchronous=synchronous)
            _configure_sqlite(self._reader, begin="BEGIN", synchronous=synchronous)
        else:
            self._writer = self._reader = create_async_engine(
                self.url,
                pool_size=pool_size,
                max_overflow=0,
                pool_pre_ping=False,
                pool_recycle=1800,
                connect_args={"server_settings": POSTGRESQL_SETTINGS, "timeout": 5},
                **options,
            )

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction and commit it.

        Raises:
            CommitUnknown: the connection failed at COMMIT.
        """
        async with self._writer.connect() as connection:
            transaction = await connection.begin()
            try:
                result = await connection.run_sync(work)
            except BaseException:
                await asyncio.shield(_rolled_back(transaction.rollback()))
                raise
            try:
                await transaction.commit()
            except (DBAPIError, OSError) as error:
                if not self.is_sqlite and sqlstate(error) in (SERIALIZATION_FAILURE, DEADLOCK):
                    raise
                await connection.invalidate()
                raise CommitUnknown from error
            return result

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work`, which only reads, on a connection of its own."""
        async with self._reader.connect() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        """Close every connection."""
        await self._writer.dispose()
        await self._reader.dispose()


async def _rolled_back(rollback: Any) -> None:
    """Roll back as far as the connection still allows; a broken one has rolled back by itself."""
    try:
        await rollback
    except (DBAPIError, OSError):
        return


def _with_driver(url: URL) -> URL:
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
    return url.set(drivername=drivers.get(url.drivername, url.drivername))


def _configure_sqlite(engine: AsyncEngine, *, begin: str, synchronous: str) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in (
            "busy_timeout = 5000",
            "journal_mode = WAL",
            f"synchronous = {synchronous}",
            "foreign_keys = ON",
            "temp_store = MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin_explicitly(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def _to_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of a PostgreSQL error, or None."""
    return getattr(getattr(error, "orig", error), "sqlstate", None)


def is_transient(error: BaseException) -> bool:
    """Tell whether the same transaction may succeed when run again: a deadlock, a conflict, a busy or lost database."""
    if sqlstate(error) in (SERIALIZATION_FAILURE, DEADLOCK):
        return True
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_unavailable(error: BaseException) -> bool:
    """Tell whether the database cannot be reached or cannot write (full disk), as opposed to refusing the data."""
    if isinstance(error, IntegrityError):
        return False
    if isinstance(error, OSError | TimeoutError | PoolTimeout | InterfaceError | OperationalError):
        return True
    return isinstance(error, DBAPIError) and (
        error.connection_invalidated or (sqlstate(error) or "")[:2] in {"08", "53", "57", "58"}
    )
