"""What may go wrong on the way back: each makes of an honest answer what is really said."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from tests.gateways.peer import SILENCE, Says

Misbehave = Callable[[asyncio.StreamWriter], Awaitable[None]]


def resets(said: Says) -> Misbehave:
    """The connection is reset instead of an answer."""

    async def misbehave(writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    return misbehave


def hangs(said: Says) -> Any:
    """Nothing is said."""
    return SILENCE


def hangs_up(said: Says) -> bytes:
    """The connection is closed instead of an answer."""
    return b""


def speaks_garbage(said: Says) -> bytes:
    """What is said is not HTTP."""
    return b"\x16\x03\x01\x00garbage\r\n\r\n"


def breaks_off(said: Says) -> bytes:
    """Half of the answer is said."""
    whole = said.encoded()
    return whole[: len(whole) - len(whole) // 4]


def breaks_off_early(said: Says) -> bytes:
    """Half of the head is said."""
    return said.encoded()[:20]


def says_no_json(said: Says) -> Says:
    """The body of a gateway in between is said."""
    return Says(200, "<html><body>It works!</body></html>", {"Content-Type": "text/html"})


def drips(pause: float) -> Callable[[Says], Misbehave]:
    """One byte at a time is said, the head first."""

    def slowed(said: Says) -> Misbehave:
        async def misbehave(writer: asyncio.StreamWriter) -> None:
            for byte in said.encoded():
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(pause)

        return misbehave

    return slowed


def drips_its_body(pause: float) -> Callable[[Says], Misbehave]:
    """The head is said at once, then the body one byte at a time."""

    def slowed(said: Says) -> Misbehave:
        async def misbehave(writer: asyncio.StreamWriter) -> None:
            head, _, body = said.encoded().partition(b"\r\n\r\n")
            writer.write(head + b"\r\n\r\n")
            for byte in body:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(pause)

        return misbehave

    return slowed


def is_late(pause: float) -> Callable[[Says], Misbehave]:
    """The answer is said in the end."""

    def slowed(said: Says) -> Misbehave:
        async def misbehave(writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(pause)
            writer.write(said.encoded())
            await writer.drain()

        return misbehave

    return slowed


def says(status: int, body: object = None, **headers: str) -> Callable[[Says], Says]:
    """Something else is said."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda said: Says(status, {} if body is None else body, named)
