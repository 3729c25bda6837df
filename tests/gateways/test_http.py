"""The HTTP calls of all gateways: over real sockets, on both event loops, against peers that behave and misbehave."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import Any

import pytest
import trustme
import uvloop
from pydantic import BaseModel

from gateways import http
from gateways.http import BODY_LIMIT, HttpAnswer, HttpPeer
from gateways.port import NoAnswer
from tests.gateways import faults
from tests.gateways.peer import Asked, Peer, Says, apart
from tests.test_architecture import ROOT, imports, modules
from tests.waiting import until

SECRET = "s3cr3t"
PATIENCE = timedelta(seconds=10)
IMPATIENCE = timedelta(seconds=0.9)


pytestmark = pytest.mark.filterwarnings('ignore:Overriding the "event_loop_policy" fixture is deprecated')


@pytest.fixture(params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    policy: asyncio.AbstractEventLoopPolicy = request.param()
    return policy


class Other(Peer):
    """The other side: it repeats what it was asked, until it is told what to say instead."""

    def __init__(self) -> None:
        super().__init__(self.repeat)
        self.next: list[Callable[[Says], Any]] = []

    def repeat(self, asked: Asked) -> Any:
        said = Says(200, {"method": asked.method, "path": asked.path, "body": asked.body.decode()})
        return self.next.pop(0)(said) if self.next else said


@pytest.fixture
def other() -> Iterator[Other]:
    with apart(Other()) as playing:
        yield playing


@pytest.fixture
async def peer(other: Other) -> AsyncIterator[HttpPeer]:
    opened = HttpPeer(f"{other.url}/v1", headers={"Authorization": f"Bearer {SECRET}"})
    yield opened
    await opened.aclose()


async def get(peer: HttpPeer, path: str = "/things", timeout: timedelta = PATIENCE) -> HttpAnswer:  # noqa: ASYNC109
    return await peer.request("GET", path, timeout=timeout)


async def unanswered(peer: HttpPeer, timeout: timedelta = PATIENCE) -> NoAnswer:  # noqa: ASYNC109
    started = time.monotonic()
    with pytest.raises(NoAnswer) as caught:
        await get(peer, timeout=timeout)
    assert time.monotonic() - started < timeout.total_seconds() + 3
    return caught.value


# What is asked and answered


@pytest.mark.parametrize(
    ("asked", "body", "kind"),
    [
        ({"json": {"a": 1}}, '{"a":1}', "application/json"),
        ({"form": {"a": "1&2"}}, "a=1%262", "application/x-www-form-urlencoded"),
        ({"content": b"raw"}, "raw", None),
        ({}, "", None),
    ],
)
async def test_sends_what_it_is_given(peer: HttpPeer, other: Other, asked, body, kind) -> None:
    answer = await peer.request(
        "POST", "/things", timeout=PATIENCE, headers={"Idempotency-Key": "eff_1"}, params={"q": "a b"}, **asked
    )
    assert answer.json() == {"method": "POST", "path": "/v1/things?q=a+b", "body": body}
    sent = other.asked[0].headers
    assert (sent["authorization"], sent["idempotency-key"]) == (f"Bearer {SECRET}", "eff_1")
    assert sent.get("content-type") == kind


@pytest.mark.parametrize("status", [200, 201, 204, 302, 400, 401, 404, 409, 410, 422])
async def test_returns_every_answer_that_is_one(peer: HttpPeer, other: Other, status: int) -> None:
    other.next = [faults.says(status, Location="/elsewhere", X_Name="value")]
    answer = await get(peer)
    assert (answer.status, answer.headers["x-name"]) == (status, "value")
    assert len(other.asked) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
async def test_takes_a_request_to_come_again_for_no_answer(peer: HttpPeer, other: Other, status: int) -> None:
    other.next = [faults.says(status, "something private")]
    assert str(await unanswered(peer)) == f"answered {status}"


SATURDAY = "Sat, 03 Jan 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("3601", 3600),
        ("9" * 400, 3600),
        ("Sat, 03 Jan 2026 10:00:30 GMT", 30),
        ("Saturday, 03-Jan-26 10:00:30 GMT", 30),
        ("Sat Jan  3 10:00:30 2026", 30),
        ("Sat, 03 Jan 2026 11:30:00 GMT", 3600),
        ("Sat, 03 Jan 2026 09:00:00 GMT", 0),
    ],
)
async def test_hears_how_long_to_leave_the_peer_alone(peer: HttpPeer, other: Other, value: str, seconds: int) -> None:
    other.next = [faults.says(429, Retry_After=value, Date=SATURDAY)]
    assert (await unanswered(peer)).retry_after == timedelta(seconds=seconds)


async def test_reckons_from_its_own_clock_if_the_peer_tells_no_time(peer: HttpPeer, other: Other) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=10)
    other.next = [faults.says(503, Retry_After=format_datetime(soon, usegmt=True))]
    retry_after = (await unanswered(peer)).retry_after
    assert retry_after is not None
    assert timedelta(minutes=9) < retry_after <= timedelta(minutes=10)


@pytest.mark.parametrize("value", ["soon", "-1", "1.5", "٣", "Sat, 99 Jan 2026 10:00:30 GMT", ""])
async def test_hears_nothing_where_nothing_is_said(peer: HttpPeer, other: Other, value: str) -> None:
    other.next = [faults.says(429, Retry_After=value.encode().decode("latin-1"), Date=SATURDAY)]
    assert (await unanswered(peer)).retry_after is None


@pytest.mark.parametrize(
    "body", ["", "<html>", "{", "[" * 100_000, '{"a": 1', "\udcff".encode("utf-8", "surrogateescape")]
)
def test_takes_no_garbage_for_json(body: str | bytes) -> None:
    answer = HttpAnswer(200, {}, body if isinstance(body, bytes) else body.encode())
    with pytest.raises(NoAnswer, match="answered 200 with a body that is not JSON"):
        answer.json()


class Thing(BaseModel):
    name: str
    size: int


def test_reads_a_body_of_the_shape_that_is_wanted() -> None:
    assert HttpAnswer(200, {}, b'{"name": "cup", "size": 1, "more": 2}').read(Thing) == Thing(name="cup", size=1)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"name": "cup", "size": "s3cr3t"}', "size: int_parsing"),
        (b'{"name": "cup"}', "size: missing"),
        (b"[]", "model_type"),
        (b"s3cr3t", "json_invalid"),
    ],
)
def test_says_what_is_wrong_with_a_body_and_not_what_it_holds(body: bytes, reason: str) -> None:
    with pytest.raises(NoAnswer) as caught:
        HttpAnswer(200, {}, body).read(Thing)
    assert str(caught.value) == f"answered 200 with an unexpected body ({reason})"


# What goes wrong on the way


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (faults.resets, "connection reset by peer"),
        (faults.hangs_up, "the answer broke off or is not HTTP"),
        (faults.speaks_garbage, "the answer broke off or is not HTTP"),
        (faults.breaks_off, "the answer broke off or is not HTTP"),
        (faults.breaks_off_early, "the answer broke off or is not HTTP"),
    ],
)
async def test_says_what_went_wrong(peer: HttpPeer, other: Other, fault, reason: str) -> None:
    other.next = [fault]
    assert str(await unanswered(peer)) == reason
    assert (await get(peer)).status == 200


@pytest.mark.parametrize("fault", [faults.hangs, faults.is_late(30), faults.drips(0.05), faults.drips_its_body(0.05)])
async def test_waits_no_longer_than_it_may(peer: HttpPeer, other: Other, fault) -> None:
    other.next = [fault]
    assert str(await unanswered(peer, IMPATIENCE)) == "no answer within 0.9 s"
    assert (await get(peer)).status == 200


async def test_waits_no_longer_for_a_word_than_it_may(other: Other) -> None:
    peer = HttpPeer(other.url, silence=timedelta(seconds=0.5))
    other.next = [faults.hangs]
    assert str(await unanswered(peer)) == "no answer within 0.5 s"
    await peer.aclose()


async def test_waits_no_longer_until_its_own_words_are_taken(peer: HttpPeer, other: Other) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        peer = HttpPeer(f"http://127.0.0.1:{deaf.getsockname()[1]}")
        with pytest.raises(NoAnswer, match=r"no answer within 0\.9 s"):
            await peer.request("POST", "/", content=b"x" * 30_000_000, timeout=IMPATIENCE)
        await peer.aclose()


async def test_waits_no_longer_for_a_connection_than_it_may() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        peer = HttpPeer(f"http://127.0.0.1:{full.getsockname()[1]}")
        waiting = [asyncio.create_task(get(peer, timeout=timedelta(seconds=3))) for _ in range(4)]
        await asyncio.sleep(0.2)
        assert str(await unanswered(peer, IMPATIENCE)) == "no connection within 0.3 s"
        await asyncio.gather(*waiting, return_exceptions=True)
        await peer.aclose()


def endless(said: Says) -> faults.Misbehave:
    async def misbehave(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()

    return misbehave


def long(said: Says) -> Says:
    return Says(200, "x" * (BODY_LIMIT + 1))


@pytest.mark.parametrize("fault", [endless, long])
async def test_reads_no_more_than_it_may(peer: HttpPeer, other: Other, fault) -> None:
    other.next = [fault]
    assert str(await unanswered(peer)) == "answered 200 with more than 1048576 bytes"
    assert (await get(peer)).status == 200


async def test_reads_as_much_as_it_may(peer: HttpPeer, other: Other) -> None:
    other.next = [lambda said: Says(200, "x" * BODY_LIMIT)]
    assert len((await get(peer)).body) == BODY_LIMIT


async def test_says_that_nobody_is_there() -> None:
    assert str(await unanswered(HttpPeer("http://127.0.0.1:9"))) == "connection refused"


async def test_says_that_a_name_is_nobodys() -> None:
    assert str(await unanswered(HttpPeer("http://nobody.invalid"))) == "the host name does not resolve"


# Connections


async def test_keeps_a_connection_for_the_next_call(peer: HttpPeer, other: Other) -> None:
    for _ in range(20):
        await get(peer)
    assert other.connections == 1


async def test_opens_another_where_the_peer_has_hung_up(peer: HttpPeer, other: Other) -> None:
    await get(peer)
    other.next = [lambda said: Says(200, said.body, {"Connection": "close"})]
    for _ in range(3):
        assert (await get(peer)).status == 200


async def test_uses_no_more_connections_than_it_may(other: Other) -> None:
    peer = HttpPeer(other.url, connections=3)
    other.next = [faults.is_late(0.5)] * 3
    answers = await asyncio.gather(*(get(peer) for _ in range(5)), return_exceptions=True)
    assert [str(answer) for answer in answers if isinstance(answer, NoAnswer)] == ["all 3 connections are in use"] * 2
    await until(lambda: not other.open)
    await asyncio.sleep(0.1)  # until the hang-ups have come through the socket, or a call meets one
    assert (await get(peer)).status == 200
    await peer.aclose()


async def test_recovers_from_a_storm_of_cancellations(other: Other) -> None:
    peer, random, cancelled = HttpPeer(other.url, connections=10), Random(7), 0
    for _ in range(300):
        calls = [asyncio.create_task(get(peer)) for _ in range(10)]
        await asyncio.sleep(random.random() * 0.006)
        for call in random.sample(calls, 8):
            call.cancel()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        cancelled += sum(isinstance(each, asyncio.CancelledError) for each in ended)
        assert not [each for each in ended if isinstance(each, NoAnswer)]
    assert cancelled > 300
    answers = await asyncio.gather(*(get(peer) for _ in range(10)))
    assert [answer.status for answer in answers] == [200] * 10
    await peer.aclose()
    await until(lambda: not other.open)


async def test_closes_its_connections_and_those_in_use_when_they_end(other: Other) -> None:
    peer = HttpPeer(other.url)
    await asyncio.gather(*(get(peer) for _ in range(5)))
    other.next = [faults.is_late(0.3)]
    last = asyncio.create_task(get(peer))
    await until(lambda: len(other.asked) == 6)
    await peer.aclose()
    assert (await last).status == 200
    assert str(await unanswered(peer)) == "the connections are closed"
    await until(lambda: not other.open)


async def test_heeds_no_proxy_of_the_environment(peer: HttpPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await get(peer)).status == 200


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def safe(authority: trustme.CA) -> Iterator[Other]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    with apart(Other(), context) as playing:
        yield playing


@pytest.fixture
def trusting(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    monkeypatch.setattr(http, "_tls", lambda: context)


async def test_refuses_a_certificate_that_nobody_vouches_for(safe: Other) -> None:
    assert str(await unanswered(HttpPeer(safe.url))).startswith("the certificate does not hold: ")
    assert safe.asked == []


async def test_refuses_a_certificate_of_another(safe: Other, trusting: None) -> None:
    peer = HttpPeer(safe.url.replace("localhost", "127.0.0.1"))
    assert str(await unanswered(peer)).startswith("the certificate does not hold: ")


async def test_speaks_no_tls_with_one_who_does_not(other: Other) -> None:
    assert str(await unanswered(HttpPeer(other.url.replace("http:", "https:")))) == "no TLS connection"


async def test_keeps_a_safe_connection_too(safe: Other, trusting: None) -> None:
    peer = HttpPeer(safe.url)
    for _ in range(3):
        assert (await get(peer)).status == 200
    assert safe.connections == 1
    await peer.aclose()


@pytest.mark.parametrize("fault", [faults.hangs, faults.drips(0.05), faults.drips_its_body(0.05)])
async def test_waits_no_longer_on_a_safe_connection_either(safe: Other, trusting: None, fault) -> None:
    peer = HttpPeer(safe.url)
    safe.next = [fault]
    assert str(await unanswered(peer, IMPATIENCE)) == "no answer within 0.9 s"
    assert (await get(peer)).status == 200
    await peer.aclose()


async def test_waits_no_longer_for_a_handshake_than_it_may() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        peer = HttpPeer(f"https://127.0.0.1:{silent.getsockname()[1]}")
        assert str(await unanswered(peer, IMPATIENCE)) == "no connection within 0.3 s"
        await peer.aclose()


# What cannot be sent


@pytest.mark.parametrize(
    "url",
    ["", "shop.example", "ftp://shop.example", "http://", "http://user:s3cr3t@shop.example", "http://shop.example?a=1"],
)
def test_wants_an_address_without_credentials(url: str) -> None:
    with pytest.raises(ValueError, match=r"a peer's address is http\(s\)://host") as caught:
        HttpPeer(url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("value", ["s3cr3t\n", "s3cr3t\r\nX-Role: admin", "s3cr3t\x00", "s3cr3té"])
def test_wants_headers_that_can_be_sent(value: str) -> None:
    with pytest.raises(ValueError, match="the header Authorization holds characters that no header may hold") as caught:
        HttpPeer("http://shop.example", headers={"Authorization": value})
    assert SECRET not in str(caught.value)


# The one place


def test_no_other_module_of_the_service_makes_calls() -> None:
    rooms = ["statemachines", "persistence", "gateways", "engine", "api"]
    users = {
        str(file.relative_to(ROOT))
        for room in rooms
        for file in modules(room)
        for _, name in imports(file)
        if name in {"httpx", "httpcore", "urllib3", "requests", "aiohttp"}
    }
    assert users == {"gateways/http.py"}
