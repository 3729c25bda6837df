"""What every request passes before it reaches a route: the outermost ASGI layer.

In this order: an id for the request, authentication, rate limits, the body (size, time, encoding, well-formed JSON). It
stands outside the framework because the framework's own middleware never sees 404 and 405, and because the body's rules
(time limit, duplicate keys, depth) are not the framework's.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from api.keys import Keys
from api.problems import MEDIA_TYPE, ProblemError, malformed, of_exception, retry_later, unauthorized
from engine.clock import Clock
from statemachines.ids import new_id

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_PATHS = ("/health/live", "/health/ready", "/docs", "/openapi.json")
"""Beginnings of the paths that need no key."""

JSON_DEPTH_LIMIT = 32
BUCKETS_LIMIT = 100_000

_SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the gate lets through. A rate of 0 is no limit."""

    body_bytes: int
    body_time: timedelta
    requests_per_second: int
    failed_logins_per_minute: int


class TokenBuckets:
    """How often each of many callers may do something: `burst` at once, refilled at `rate` a second."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, caller: str, *, take: bool = True) -> float:
        """Take a token if there is one; return 0 if so, else in how many seconds there will be."""
        if self._rate <= 0:
            return 0
        now = time.monotonic()
        tokens, at = self._buckets.get(caller, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._rate)
        if tokens < 1:
            return (1 - tokens) / self._rate
        if take:
            if len(self._buckets) >= BUCKETS_LIMIT:
                self._buckets.clear()
            self._buckets[caller] = tokens - 1, now
        return 0


class Gate:
    """The outermost layer around the application."""

    def __init__(self, app: App, keys: Keys, clock: Clock, random: Random, limits: Limits) -> None:
        self._app = app
        self._keys = keys
        self._clock = clock
        self._random = random
        self._limits = limits
        self._requests = TokenBuckets(limits.requests_per_second, limits.requests_per_second)
        self._failures = TokenBuckets(limits.failed_logins_per_minute / 60, limits.failed_logins_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["request_id"] = new_id("req", self._clock.now(), self._random)
        headers = dict(scope["headers"])
        answered = False

        async def send_with_headers(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    *_SECURITY_HEADERS,
                ]
            await send(message)

        try:
            await self._admit(scope, headers)
            if scope["method"] in ("POST", "PUT", "PATCH", "DELETE"):
                receive = _replay(await self._body(headers, receive))
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            if answered:
                raise
            await _answer(of_exception(error), scope, send_with_headers)

    async def _admit(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        """Find out who asks, and whether they ask too often."""
        path = scope["path"]
        if any(path == open_path or path.startswith(open_path + "/") for open_path in OPEN_PATHS):
            return
        address = scope["client"][0] if scope.get("client") else "unknown"
        if wait := self._failures.wait(address, take=False):
            raise retry_later(429, "too-many-failures", "Too many failed logins", "try again later", wait)
        scheme, _, text = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        actor = await self._keys.recognise(text.strip()) if scheme.lower() == "bearer" else None
        if actor is None:
            self._failures.wait(address)
            raise unauthorized("send a valid key as `Authorization: Bearer ord_live_…`")
        if wait := self._requests.wait(str(actor)):
            raise retry_later(429, "too-many-requests", "Too many requests", "you are over your rate", wait)
        scope["actor"] = actor

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """Read the whole body within its limits, and make sure that it is JSON."""
        length = headers.get(b"content-length", b"0")
        if not length.isdigit():
            raise malformed("Content-Length is not a number")
        if int(length) > self._limits.body_bytes:
            raise self._too_large()
        body, more = b"", True
        try:
            async with asyncio.timeout(self._limits.body_time.total_seconds()):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise malformed("the connection was closed before the body was complete")
                    body += message.get("body", b"")
                    if len(body) > self._limits.body_bytes:
                        raise self._too_large()
                    more = message.get("more_body", False)
        except TimeoutError:
            raise ProblemError(408, "body-too-slow", "The body took too long", "send it within the limit") from None
        if body:
            media_type = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
            if media_type != b"application/json":
                raise ProblemError(415, "unsupported-media-type", "Send JSON", "the body must be application/json")
            check_json(body)
        return body

    def _too_large(self) -> ProblemError:
        limit = self._limits.body_bytes
        return ProblemError(413, "too-large", "The body is too large", f"a body holds at most {limit} bytes")


def check_json(body: bytes) -> None:
    """Make sure that a body is JSON without the traps that parsers disagree about.

    Raises:
        ProblemError: it is not UTF-8 or not JSON, holds NaN, NUL, half a surrogate pair or a key twice, or is too deep.
    """
    try:
        value = json.loads(body.decode(), object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except RecursionError:
        raise malformed(f"the JSON is deeper than {JSON_DEPTH_LIMIT} levels") from None
    except ValueError as error:
        raise malformed(f"the body is not JSON: {error}") from None
    _check_depth(value, JSON_DEPTH_LIMIT)
    if b"\\u" in body:
        _check_texts(value)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("an object names a key twice")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _check_depth(value: object, left: int) -> None:
    if left < 0:
        raise malformed(f"the JSON is deeper than {JSON_DEPTH_LIMIT} levels")
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
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


def _replay(body: bytes) -> Receive:
    """Return a `receive` that hands out a body that was read already."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


async def _answer(problem: ProblemError, scope: Scope, send: Send) -> None:
    body = problem.body(scope["path"], scope["request_id"])
    headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    headers += [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
