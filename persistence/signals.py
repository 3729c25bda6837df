"""Words between processes: a PostgreSQL channel on which they tell each other of new work. SQLite has one process.

NOTIFY takes a lock of the whole server at COMMIT, so nothing that commits orders ever sends it: words are gathered and
sent a few times a second by a connection of their own. They only save time: whoever missed one finds out by looking.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Final

import asyncpg
import structlog
from sqlalchemy.engine import URL

log = structlog.get_logger("orderly.signals")

CHANNEL: Final = "orderly"

PAUSE: Final = timedelta(milliseconds=100)
"""How long words are gathered before they are sent."""

RECONNECT_PAUSE: Final = timedelta(seconds=5)

PARTING: Final = timedelta(seconds=1)
"""How long sending the last words may take."""

LIMIT: Final = 7900
"""How many bytes are sent at once; a notification holds not quite 8,000. What is left out is found by looking."""

Heard = Callable[[set[str]], None]


class Signals:
    """Hears and sends words on one connection.

    Args:
        url: the database's.
        heard: called with the words that another process sent.
    """

    def __init__(self, url: URL, heard: Heard) -> None:
        self._url = url
        self._heard = heard
        self._words: set[str] = set()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin to hear and send."""
        self._task = asyncio.create_task(self._run(), name="signals")

    async def stop(self) -> None:
        """Send the last words, if that goes quickly, and hear and send no more."""
        if self._task:
            self._stopping = True
            self._news.set()
            await asyncio.wait({self._task}, timeout=PARTING.total_seconds())
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def tell(self, words: Iterable[str]) -> None:
        """Send words to the other processes, soon."""
        self._words.update(words)
        self._news.set()

    async def _run(self) -> None:
        while True:
            try:
                await self._talk()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("signals_lost", error=type(error).__name__)
            if self._stopping:
                return
            await asyncio.sleep(RECONNECT_PAUSE.total_seconds())

    async def _talk(self) -> None:
        connection = await connect(self._url)
        try:
            connection.add_termination_listener(lambda _: self._news.set())
            await connection.add_listener(CHANNEL, self._hear)
            while not connection.is_closed():
                await self._news.wait()
                self._news.clear()
                words, self._words = _joined(self._words), set()
                if words and not connection.is_closed():
                    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, words)
                if self._stopping:
                    return
                if words:
                    await asyncio.sleep(PAUSE.total_seconds())
        finally:
            connection.terminate()

    def _hear(self, connection: asyncpg.Connection, pid: int, _channel: str, payload: str) -> None:
        if pid != connection.get_server_pid():
            self._heard(set(payload.split()))


def _joined(words: Iterable[str]) -> str:
    """Return as many words as can be sent, the short ones first: those name kinds of work, the others entities."""
    chosen, size = [], 0
    for word in sorted(words, key=len):
        size += len(word.encode()) + 1
        if size > LIMIT:
            break
        chosen.append(word)
    return " ".join(chosen)


async def connect(url: URL) -> asyncpg.Connection:
    """Return a connection of its own to a PostgreSQL database, outside the pool.

    Raises:
        OSError: the server can't be reached.
        asyncpg.PostgresError: it refuses.
    """
    return await asyncpg.connect(
        host=url.query.get("host") or url.host,
        port=url.port,
        user=url.username,
        password=url.password,
        database=url.database,
        timeout=5,
        server_settings={"application_name": "orderly-signals"},
    )
