"""A TCP proxy before PostgreSQL that cuts connections just where it hurts: at COMMIT."""

import asyncio
from collections import deque
from typing import Literal

from sqlalchemy.engine import make_url

Moment = Literal["before", "after"]
"""Before the server has heard of the COMMIT, or after it has carried it out and before the client hears of it."""


class Proxy:
    """Forwards everything to the server at `url` until it is told to cut."""

    def __init__(self, url: str) -> None:
        self._server = make_url(url)
        self.cuts: deque[Moment] = deque()
        """What to do with the next COMMITs that come along."""
        self.always: Moment | None = None
        self.fired = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Proxy":
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = self._listener.sockets[0].getsockname()[1]
        self.url = self._server.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        host, port = self._server.query.get("host") or self._server.host, self._server.port or 5432
        if str(host).startswith("/"):
            server, to_server = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            server, to_server = await asyncio.open_connection(str(host), port)
        task = asyncio.create_task(self._forward(client, to_client, server, to_server))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(
        self,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        answers = asyncio.create_task(_pump(server, to_client))
        try:
            while data := await client.read(65536):
                cut = self._cut_at(data)
                if cut == "before":
                    break
                if cut == "after":
                    answers.cancel()
                    await asyncio.wait([answers])  # two can't read at once
                    to_server.write(data)
                    await server.readuntil(b"COMMIT\0")
                    break
                to_server.write(data)
        finally:
            answers.cancel()
            to_client.transport.abort()
            to_server.close()

    def _cut_at(self, data: bytes) -> Moment | None:
        if b"COMMIT;" not in data or not (self.cuts or self.always):
            return None
        self.fired += 1
        return self.cuts.popleft() if self.cuts else self.always


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()
