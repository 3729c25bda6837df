"""A request's body: read whole within its limits, and known to be JSON before anyone interprets it.

Parsers disagree about duplicate keys, NaN, depth and half surrogate pairs, and a database refuses NUL. Whatever they
disagree about is refused here, once, so that what is decided on is what the caller meant.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

from api.problems import ProblemError, malformed

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

JSON_DEPTH_LIMIT = 32


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How large a body may be and how long it may take to arrive."""

    size: int
    time: timedelta

    def too_large(self) -> ProblemError:
        """Return the problem of a body beyond the limit."""
        return ProblemError(413, "too-large", "The body is too large", f"a body holds at most {self.size} bytes")


async def read(headers: Mapping[bytes, bytes], receive: Receive, limits: BodyLimits) -> bytes:
    """Return the whole body.

    Raises:
        ProblemError: it is too large, too slow or broken off.
    """
    announced = headers.get(b"content-length")
    if announced == b"0":
        return b""
    if announced is not None:
        if not announced.isdigit():
            raise malformed("Content-Length is not a number")
        if len(announced) > 18 or int(announced) > limits.size:
            raise limits.too_large()
    try:
        async with asyncio.timeout(limits.time.total_seconds()):
            body = await _collect(receive, limits)
    except TimeoutError:
        detail = f"the body has to arrive within {limits.time.total_seconds():g} seconds"
        raise ProblemError(408, "body-too-slow", "The body took too long", detail) from None
    if announced is not None and len(body) != int(announced):
        raise malformed(f"Content-Length says {int(announced)} bytes, but {len(body)} came")
    return body


def check(headers: Mapping[bytes, bytes], body: bytes) -> None:
    """Make sure that a body, if there is one, is JSON and says so.

    Raises:
        ProblemError: it is not; see `parse`.
    """
    if body:
        media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if media_type != b"application/json":
            raise ProblemError(415, "unsupported-media-type", "Send JSON", "the body must be application/json")
        parse(body)


async def _collect(receive: Receive, limits: BodyLimits) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False) and len(body) <= limits.size and message["type"] == "http.request":
        return body
    parts, size = [body], len(body)
    while True:
        if message["type"] == "http.disconnect":
            raise malformed("the connection was closed before the body was complete")
        if size > limits.size:
            raise limits.too_large()
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])


def parse(body: bytes) -> object:
    """Return what a body says, if it is JSON without the traps that parsers disagree about.

    Raises:
        ProblemError: it is not UTF-8 or not JSON, holds NaN, NUL, half a surrogate pair or a key twice, or is too deep.
    """
    try:
        value: object = _decoder.decode(body.decode())
    except UnicodeDecodeError as error:
        raise malformed(f"the body is not UTF-8: byte {error.start}") from None
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        raise malformed(f"the body is not JSON: {error.msg}, line {error.lineno}, column {error.colno}") from None
    except ValueError:  # the interpreter refuses to read an integer of thousands of digits
        raise malformed("the body holds a number of too many digits") from None
    _check_depth(value, JSON_DEPTH_LIMIT)
    if b"\\u" in body:
        _check_texts(value)
    return value


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise malformed("an object of the body names a key twice")
    return value


def _no_constant(name: str) -> NoReturn:
    raise malformed(f"{name} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant)


def _too_deep() -> ProblemError:
    return malformed(f"the JSON is deeper than {JSON_DEPTH_LIMIT} levels")


def _check_depth(value: object, left: int) -> None:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if parts is None:
        return
    if left == 0:
        raise _too_deep()
    for part in parts:
        if isinstance(part, dict | list):
            _check_depth(part, left - 1)


def _check_texts(value: object) -> None:
    """Only an escape can bring NUL or a lone surrogate into a text."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise malformed("a text holds NUL or half a surrogate pair")
    elif isinstance(value, dict):
        for key, part in value.items():
            _check_texts(key)
            _check_texts(part)
    elif isinstance(value, list):
        for part in value:
            _check_texts(part)


def replay(body: bytes) -> Receive:
    """Return a `receive` that hands out a body that was read already."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive
