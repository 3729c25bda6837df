"""One database, SQLite or PostgreSQL: how it is opened, and what a transaction is.

Work on the database is a plain function of a SQLAlchemy `Connection`; it runs inside one transaction, in a greenlet or
in a thread, so that the same code serves both databases.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import create_async_engine

T = TypeVar("T")

SERIALIZATION_FAILURE: Final = "40001"
DEADLOCK: Final = "40P01"
LOCK_TIMEOUT: Final = "55P03"
UNIQUE_VIOLATION: Final = "23505"

AUTOCOMMIT: Final = "AUTOCOMMIT"

BUSY_TIMEOUT = timedelta(seconds=5)
"""How long a transaction on SQLite waits for another one that writes."""

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
        url: ``sqlite:///file`` or ``postgresql://…``; the driver may be named (``+pysqlite``, ``+asyncpg``).
        pool_size: connections to PostgreSQL, or reading connections to SQLite.
        synchronous: SQLite's durability; NORMAL may lose the last commits when power fails.
    """

    def __init__(self, url: str, *, pool_size: int = 10, synchronous: str = "FULL") -> None:
        self.url = _with_driver(make_url(url))
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        options: dict[str, Any] = {"json_serializer": _to_json, "json_deserializer": msgspec.json.decode}
        self._writer: _Connections
        self._reader: _Connections
        if self.is_sqlite:
            self._writer = _InThreads(self.url, 1, "BEGIN IMMEDIATE", synchronous, options)
            self._reader = _InThreads(self.url, pool_size, "BEGIN", synchronous, options)
        else:
            self._writer = self._reader = _InGreenlets(self.url, pool_size, options)

    @property
    def engines(self) -> tuple[Engine, ...]:
        """The engines beneath: one, or one to write and one to read."""
        return tuple(dict.fromkeys((self._writer.engine, self._reader.engine)))

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction and commit it.

        Raises:
            CommitUnknown: the connection failed at COMMIT.
        """
        return await self._writer.run(partial(_in_transaction, work))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work`, which only reads, on a connection of its own."""
        return await self._reader.run(work)

    async def look(self, work: Callable[[Connection], T]) -> T:
        """Run `work`, which executes one statement, without a transaction around it."""
        return await self._reader.run(lambda connection: work(connection.execution_options(isolation_level=AUTOCOMMIT)))

    async def close(self) -> None:
        """Close every connection."""
        await self._writer.close()
        await self._reader.close()


def _in_transaction(work: Callable[[Connection], T], connection: Connection) -> T:
    transaction = connection.begin()
    try:
        result = work(connection)
    except BaseException:
        with suppress(DBAPIError, OSError):  # a broken connection has rolled back by itself
            transaction.rollback()
        raise
    try:
        transaction.commit()
    except (DBAPIError, OSError) as error:
        if sqlstate(error) in (SERIALIZATION_FAILURE, DEADLOCK):
            raise
        connection.invalidate()
        raise CommitUnknown from error
    return result


class _Connections(Protocol):
    """A pool of connections, and how work on them leaves the event loop free."""

    engine: Engine

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a connection."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


class _InGreenlets:
    """PostgreSQL by an asynchronous driver, whose waiting is hidden in a greenlet."""

    def __init__(self, url: URL, pool_size: int, options: dict[str, Any]) -> None:
        self._engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_pre_ping=False,
            pool_recycle=1800,
            connect_args={"server_settings": POSTGRESQL_SETTINGS, "timeout": 5},
            **options,
        )
        self.engine = self._engine.sync_engine

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a connection; cancelled, it is rolled back."""
        async with self._engine.connect() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


class _InThreads:
    """SQLite in threads, one for each connection: a batch is one hop away and back, however many statements it has."""

    def __init__(self, url: URL, connections: int, begin: str, synchronous: str, options: dict[str, Any]) -> None:
        self.engine = create_engine(
            url,
            pool_size=connections,
            max_overflow=0,
            connect_args={"isolation_level": None, "timeout": 30},
            **options,
        )
        _configure_sqlite(self.engine, begin=begin, synchronous=synchronous)
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="sqlite")

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a connection; once begun it runs to its end, whether or not its caller waits for it."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, work)

    def _run(self, work: Callable[[Connection], T]) -> T:
        with self.engine.connect() as connection:
            return work(connection)

    async def close(self) -> None:
        """Finish what was begun, and close every connection."""
        await asyncio.to_thread(self._threads.shutdown)
        self.engine.dispose()


def _with_driver(url: URL) -> URL:
    drivers = {
        "sqlite": "sqlite+pysqlite",
        "postgresql": "postgresql+asyncpg",
        "postgres": "postgresql+asyncpg",
    }
    return url.set(drivername=drivers.get(url.drivername, url.drivername))


def _configure_sqlite(engine: Engine, *, begin: str, synchronous: str) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT // timedelta(milliseconds=1)}",
            "journal_mode = WAL",
            f"synchronous = {synchronous}",
            "foreign_keys = ON",
            "temp_store = MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin_explicitly(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != AUTOCOMMIT:
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
