"""What every request passes before it reaches a route: the outermost ASGI layer.

In this order: an id for the request, authentication, rate limits, the body. It stands outside the framework because the
framework's own middleware never sees 404 and 405, and because the body's rules (time limit, duplicate keys, depth) are
not the framework's. HEAD and OPTIONS are answered here too: the one as GET without its body, the other with what a path
takes.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

import structlog

from api import body
from api.body import Message, Receive
from api.keys import Keys
from api.problems import MEDIA_TYPE, ProblemError, malformed, of_exception, retry_later, unauthorized
from engine.clock import Clock
from engine.rates import TokenBuckets
from statemachines.ids import new_id

log = structlog.get_logger("orderly.api")

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

WEBHOOKS = "/webhooks"

OPEN_PATHS = ("/health/live", "/health/ready", "/docs", WEBHOOKS)
"""Beginnings of the paths that need no key."""

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]
_API_HEADERS = [
    *_HEADERS,
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
_PAGE_HEADERS = [
    *_HEADERS,
    (b"cache-control", b"no-cache"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the gate lets through. A rate of 0 is no limit."""

    body_bytes: int
    body_time: timedelta
    requests_per_second: int
    failed_logins_per_minute: int
    webhooks_per_second: int


def is_open(path: str) -> bool:
    """Tell whether a path needs no key."""
    return any(_lies_below(path, open_path) for open_path in OPEN_PATHS)


def _lies_below(path: str, beginning: str) -> bool:
    return path == beginning or path.startswith(beginning + "/")


class Gate:
    """The outermost layer around the application."""

    def __init__(self, app: App, keys: Keys, clock: Clock, random: Random, limits: Limits) -> None:
        self.application = app
        self._keys = keys
        self._clock = clock
        self._random = random
        self._body_limits = body.BodyLimits(limits.body_bytes, limits.body_time)
        self._requests = TokenBuckets(limits.requests_per_second, limits.requests_per_second, clock)
        self._messages = TokenBuckets(limits.webhooks_per_second, limits.webhooks_per_second, clock)
        self._failures = TokenBuckets(limits.failed_logins_per_minute / 60, limits.failed_logins_per_minute, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        request_id = scope["request_id"] = new_id("req", self._clock.now(), self._random)
        headers: dict[bytes, bytes] = dict(scope["headers"])
        # Whoever logs a scope below must not log a key.
        scope["headers"] = [header for header in scope["headers"] if header[0] != b"authorization"]
        method: str = scope["method"]
        added = _PAGE_HEADERS if scope["path"].startswith("/docs") else _API_HEADERS
        answered, silent = False, method == "HEAD"

        async def send_with_headers(message: Message) -> None:
            nonlocal answered, silent
            if message["type"] == "http.response.start":
                answered = True
                if method == "OPTIONS" and message["status"] == 405:
                    silent = True
                    message["status"] = 204
                    message["headers"] = [header for header in message["headers"] if header[0] == b"allow"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode()), *added]
            elif silent:
                message["body"] = b""
            await send(message)

        try:
            _check_address(scope)
            await self._admit(scope, headers)
            if method in ("POST", "PUT", "PATCH", "DELETE"):
                sent = await body.read(headers, receive, self._body_limits)
                if not _lies_below(scope["path"], WEBHOOKS):  # those are verified before anyone interprets them
                    body.check(headers, sent)
                receive = body.replay(sent)
            elif method == "HEAD":
                scope["method"] = "GET"
            elif method == "OPTIONS":
                scope["method"] = "?"  # which no path takes, so that the refusal tells what it does take
            await self.application(scope, receive, send_with_headers)
        except Exception as error:
            if answered:
                raise
            await _answer(of_exception(error), scope, send_with_headers)

    async def _admit(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        """Find out who asks, and whether they ask too often."""
        address = scope["client"][0] if scope.get("client") else "unknown"
        if is_open(scope["path"]):
            if _lies_below(scope["path"], WEBHOOKS) and (wait := self._messages.wait(address)):
                raise retry_later(429, "too-many-requests", "Too many requests", "you are over your rate", wait)
            return
        wait = self._failures.wait(address, take=False)
        scheme, _, text = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        # One caller's failures must not lock out others behind the same address: keys that came in before still do.
        actor = await self._keys.recognise(text.strip(), only_seen=wait > 0) if scheme.lower() == "bearer" else None
        if actor is None:
            if wait:
                raise retry_later(429, "too-many-failures", "Too many failed logins", "try again later", wait)
            self._failures.wait(address)
            log.warning("login_failed", address=address, request_id=scope["request_id"])
            raise unauthorized("send a valid key as `Authorization: Bearer ord_live_…`")
        if wait := self._requests.wait(str(actor)):
            raise retry_later(429, "too-many-requests", "Too many requests", "you are over your rate", wait)
        scope["actor"] = actor


def _check_address(scope: Scope) -> None:
    """Refuse a path or query that holds what no text may hold."""
    path = scope["path"]
    if "\0" in path or b"%00" in scope["query_string"]:
        raise malformed("the address holds NUL")
    if not path.isascii() and any("\ud800" <= character <= "\udfff" for character in path):
        raise malformed("the address is not UTF-8")


async def _answer(problem: ProblemError, scope: Scope, send: Send) -> None:
    content = problem.body(scope["path"], scope["request_id"])
    headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    headers += [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
