"""A small real HTTP server that plays the other side: it keeps what it was asked and misbehaves when told to."""

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Says:
    """An answer: JSON unless the body is text."""

    status: int
    body: object = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        is_text = isinstance(self.body, str)
        body = self.body.encode() if is_text else json.dumps(self.body).encode()
        headers = {
            "Content-Type": "text/plain" if is_text else "application/json",
            "Content-Length": str(len(body)),
            **self.headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {self.status} Answer\r\n{head}\r\n".encode() + body


SILENCE = object()
"""In the place of an answer: never say anything."""

Respond = Callable[[Asked], Any]
"""Returns what to say: an answer, raw bytes after which the connection is cut, `SILENCE`, or a coroutine function that
does to the connection what it likes."""


@dataclass
class Peer:
    """The other side. It carries out what comes under one idempotency key once, and repeats its answer."""

    respond: Respond
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    """Every request that came."""
    done: list[Asked] = field(default_factory=list)
    """Those that were carried out."""
    answers: dict[str, Says] = field(default_factory=dict)
    connections: int = 0
    """How many were ever made."""
    open: int = 0
    """How many are still open."""

    def answer(self, asked: Asked) -> Any:
        self.asked.append(asked)
        key = asked.headers.get("idempotency-key")
        if key in self.answers:
            return self.answers[key]
        said = self.respond(asked)
        if isinstance(said, Says) and said.status < 300:
            self.done.append(asked)
            if key:
                self.answers[key] = said
        return said

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while line := await reader.readline():
                method, path, _ = line.decode().split()
                headers = {}
                while (header := (await reader.readline()).decode().strip()) != "":
                    name, _, value = header.partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                said = self.answer(Asked(method, path, headers, body))
                if said is SILENCE:
                    await reader.read()
                    break
                if callable(said):
                    await said(writer)
                    break
                writer.write(said if isinstance(said, bytes) else said.encoded())
                await writer.drain()
                if isinstance(said, bytes):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # at the end of a test, asyncio would log each connection that is cancelled
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def playing(respond: Respond) -> AsyncIterator[Peer]:
    """Play the other side at a free port of this machine."""
    peer = Peer(respond)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
    finally:
        server.close()


P = TypeVar("P", bound=Peer)


@contextmanager
def apart(peer: P, tls: ssl.SSLContext | None = None) -> Iterator[P]:
    """Play the other side in a thread of its own, at a free port of this machine."""
    loop, started = asyncio.new_event_loop(), threading.Event()

    async def serve() -> None:
        server = await asyncio.start_server(peer.serve, "127.0.0.1", 0, ssl=tls)
        scheme, port = "https" if tls else "http", server.sockets[0].getsockname()[1]
        peer.url = f"{scheme}://localhost:{port}" if tls else f"{scheme}://127.0.0.1:{port}"
        started.set()
        await server.serve_forever()

    def run() -> None:
        asyncio.set_event_loop(loop)
        serving = loop.create_task(serve())
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(loop), serving, return_exceptions=True))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield peer
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
