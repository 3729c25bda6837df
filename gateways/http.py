"""The one place from which this program makes HTTP calls.

A gateway holds an `HttpPeer` for each address that it speaks to:

    peer = HttpPeer("https://api.example.com/v1", headers={"Authorization": "Bearer ..."})
    answer = await peer.request("POST", "/parcels", timeout=attempt.timeout, json={"order": "ord_1"})

Every call has a connection of its own, kept alive for the next one, and a connection on which anything went wrong is
thrown away. httpx's own pool is not used beyond that: a cancelled request never gives its slot back (httpcore issue
1093), and its search for a free connection grows with their number (measured, calls for each second of one core: 1,190
with 10 at a time and 750 with 50 through `httpx.AsyncClient`; 3,310 and 2,270 this way). A call is never cancelled when
its time is up: httpx's timeouts end it, and where the peer keeps saying a little, its connection is closed.
"""

import asyncio
import os
import socket
import ssl
import string
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from json import JSONDecodeError, loads
from time import monotonic
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from gateways.port import NoAnswer

CONNECT_TIMEOUT = timedelta(seconds=3)
READ_TIMEOUT = timedelta(seconds=10)
"""How long a peer may be silent, unless more is said."""

KEPT_ALIVE = timedelta(seconds=30)
"""How long an idle connection is used again."""

CONNECTIONS = 1000
"""How many calls may be made to a peer at a time: never fewer than the engine may let through to one destination."""

BODY_LIMIT = 1024 * 1024
"""The most bytes that an answer's body may have."""

LONGEST_RETRY_AFTER = timedelta(hours=1)

_TRY_AGAIN = frozenset({408, 425, 429})
_ADDRESS = "a peer's address is http(s)://host[:port][/path], without credentials or a query"
_HEADER_CHARACTERS = frozenset(string.printable) - frozenset("\r\n\v\f")

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a peer answered."""

    status: int
    headers: Mapping[str, str]
    """By their names, in upper or lower case."""
    body: bytes

    @property
    def retry_after(self) -> timedelta | None:
        """How long the peer asks to be left alone (RFC 9110, 10.2.3), at most `LONGEST_RETRY_AFTER`."""
        return _retry_after(self.headers)

    def json(self) -> Any:
        """Read the body as JSON.

        Raises:
            NoAnswer: it is none.
        """
        try:
            return loads(self.body)
        except (JSONDecodeError, UnicodeDecodeError, RecursionError):
            raise NoAnswer(f"answered {self.status} with a body that is not JSON") from None

    def read(self, model: type[M]) -> M:
        """Read the body as JSON of a given shape.

        Raises:
            NoAnswer: it has another; the reason names the fields, never what stood in them.
        """
        try:
            return model.model_validate_json(self.body)
        except ValidationError as error:
            wrong = [
                ": ".join(filter(None, [".".join(map(str, one["loc"])), one["type"]]))
                for one in error.errors(include_input=False, include_context=False, include_url=False)
            ]
            raise NoAnswer(f"answered {self.status} with an unexpected body ({', '.join(wrong[:3])})") from None


class Deadline:
    """The end of an attempt in which several requests are made."""

    def __init__(self, timeout: timedelta) -> None:
        self._end = monotonic() + timeout.total_seconds()

    @property
    def left(self) -> timedelta:
        """How much time is left.

        Raises:
            NoAnswer: none.
        """
        left = self._end - monotonic()
        if left <= 0:
            raise NoAnswer("no time left for the next request")
        return timedelta(seconds=left)


class HttpPeer:
    """One address on the other side, and the connections to it.

    Args:
        base_url: where its paths begin, for example ``https://api.example.com/v1``.
        headers: sent with every request.
        connections: how many calls may be made at a time.
        silence: how long the peer may be silent.
        server_name: whom the certificate has to name, if the address names nobody.
        status_only: whether the status is all that matters of an answer: it is returned whatever it is, and a body that
            may be long is not waited for.

    Raises:
        ValueError: the address or a header cannot be sent. The message never holds a header's value.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        connections: int = CONNECTIONS,
        silence: timedelta = READ_TIMEOUT,
        server_name: str | None = None,
        status_only: bool = False,
    ) -> None:
        try:
            url = httpx.URL(base_url)
        except httpx.InvalidURL:
            raise ValueError(_ADDRESS) from None
        if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
            raise ValueError(_ADDRESS)
        for name, value in (headers or {}).items():
            if not _HEADER_CHARACTERS.issuperset(value):
                raise ValueError(f"the header {name} holds characters that no header may hold")
        self._base = str(url).rstrip("/")
        self._headers = {"Accept-Encoding": "identity", **(headers or {})}
        self._connections = connections
        self._silence = silence.total_seconds()
        self._tls_extension = {"sni_hostname": server_name} if server_name else {}
        self._status_only = status_only
        self._busy = 0
        self._closed = False
        self._idle: list[httpx.AsyncHTTPTransport] = []
        self._hanging_up: set[asyncio.Task[None]] = set()

    async def request(
        self,
        method: str,
        path: str,
        *,
        timeout: timedelta,  # noqa: ASYNC109  (kept by the sockets' own timeouts: cancelling would lose the connection)
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: object = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> HttpAnswer:
        """Make one request and return the answer, whatever its status, unless that says to try again.

        Args:
            method: for example ``POST``.
            path: follows the peer's address; whatever comes from outside is quoted by the caller.
            timeout: the whole call ends within it.
            headers: beside those of the peer.
            params: the query.
            json: a body to send as JSON.
            form: a body to send as a form.
            content: a body to send as it is.

        Raises:
            NoAnswer: the peer was not reached, did not answer in time, answered beyond the limit or answered 408, 425,
                429 or 5xx. The reason holds neither address nor secret nor body.
        """
        seconds = timeout.total_seconds()
        reading = min(self._silence, seconds)
        # The connection and its TLS handshake have this time each: when the call's time is up, both are over.
        connecting = min(CONNECT_TIMEOUT.total_seconds(), seconds / 3)
        request = httpx.Request(
            method,
            self._base + path,
            headers={**self._headers, **(headers or {})},
            params=params,
            json=json,
            data=form,
            content=content,
            extensions={
                "timeout": {"connect": connecting, "read": reading, "write": reading, "pool": connecting},
                **self._tls_extension,
            },
        )
        async with self._line() as line:
            time_is_up = asyncio.Event()
            alarm = asyncio.get_running_loop().call_later(seconds, self._hang_up, line, time_is_up)
            try:
                answer = await _exchange(line, request, status_only=self._status_only)
            except (httpx.HTTPError, OSError) as error:
                if not time_is_up.is_set():
                    raise NoAnswer(_reason(error, reading, connecting)) from error
            finally:
                alarm.cancel()
            if time_is_up.is_set():
                raise NoAnswer(f"no answer within {seconds:.3g} s")
        if not self._status_only and (answer.status in _TRY_AGAIN or answer.status >= 500):
            raise NoAnswer(f"answered {answer.status}", answer.retry_after)
        return answer

    async def aclose(self) -> None:
        """Close the connections; those in use are closed when their calls end."""
        self._closed = True
        while self._idle:
            await self._idle.pop().aclose()
        await asyncio.gather(*self._hanging_up)

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[httpx.AsyncHTTPTransport]:
        """Take a connection, and keep it for the next call if this one goes well."""
        if self._closed:
            raise NoAnswer("the connections are closed")
        if self._busy >= self._connections:
            raise NoAnswer(f"all {self._connections} connections are in use")
        line = self._idle.pop() if self._idle else _new_line()
        self._busy += 1
        try:
            yield line
        except BaseException:
            await line.aclose()
            raise
        else:
            if self._closed:
                await line.aclose()
            else:
                self._idle.append(line)
        finally:
            self._busy -= 1

    def _hang_up(self, line: httpx.AsyncHTTPTransport, time_is_up: asyncio.Event) -> None:
        """End a call whose time is up: whatever waits on the connection fails as if the peer had closed it."""
        time_is_up.set()
        task = asyncio.ensure_future(line.aclose())
        self._hanging_up.add(task)
        task.add_done_callback(self._hanging_up.discard)


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def _new_line() -> httpx.AsyncHTTPTransport:
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEPT_ALIVE.total_seconds())
    return httpx.AsyncHTTPTransport(verify=_tls(), trust_env=False, limits=limits)


async def _exchange(line: httpx.AsyncHTTPTransport, request: httpx.Request, *, status_only: bool = False) -> HttpAnswer:
    response = await line.handle_async_request(request)
    try:
        if status_only and not _is_short(response.headers):
            return HttpAnswer(response.status_code, response.headers, b"")
        assert isinstance(response.stream, httpx.AsyncByteStream)
        body = bytearray()
        async for chunk in response.stream:
            body += chunk
            if len(body) > BODY_LIMIT:
                raise NoAnswer(f"answered {response.status_code} with more than {BODY_LIMIT} bytes")
    finally:
        await response.aclose()
    return HttpAnswer(response.status_code, response.headers, bytes(body))


def _is_short(headers: Mapping[str, str]) -> bool:
    """Tell whether a body is read in no time, after which the connection can be used again."""
    length = headers.get("Content-Length", "")
    return length.isascii() and length.isdigit() and len(length) < 5


def _reason(error: Exception, reading: float, connecting: float) -> str:
    """Say what went wrong, in words that hold nothing of the request."""
    match error:
        case httpx.ConnectTimeout():
            return f"no connection within {connecting:.3g} s"
        case httpx.ReadTimeout() | httpx.WriteTimeout():
            return f"no answer within {reading:.3g} s"
        case httpx.RemoteProtocolError():
            return "the answer broke off or is not HTTP"
        case httpx.LocalProtocolError():
            return "the request cannot be sent as HTTP"
    for cause in _causes(error):
        match cause:
            case socket.gaierror():
                return "the host name does not resolve"
            case ssl.SSLCertVerificationError():
                return f"the certificate does not hold: {cause.verify_message}"
            case ssl.SSLError():
                return "no TLS connection"
            case OSError(errno=int(number)):
                return os.strerror(number).lower()
    return "the connection broke"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__ or error.__context__


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        delay = timedelta(seconds=min(int(value[:10]), LONGEST_RETRY_AFTER.total_seconds()))
    else:
        until, now = _date(value), _date(headers.get("Date", "")) or datetime.now(UTC)
        if until is None:
            return None
        delay = until - now
    return min(max(delay, timedelta()), LONGEST_RETRY_AFTER)


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
