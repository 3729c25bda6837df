"""What only a real server shows: slow and broken bodies, lies about their length, raw bytes in addresses."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from granian.constants import Interfaces
from granian.server.embed import Server

from statemachines.declaration import Role
from tests.api.conftest import OpenShop
from tests.api.shop import PROBLEM_MEMBERS


class Line:
    """A connection to the server on which bytes are sent as they are."""

    def __init__(self, port: int, key: str) -> None:
        self.port, self.key = port, key

    async def send(self, start: str, headers: str = "", body: bytes = b"", *, ends: bool = False) -> tuple[int, Any]:
        """Send a request; return the status and the body of the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"{start} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.key}\r\n{headers}\r\n"
        writer.write(head.encode("latin-1") + body)
        if ends:
            writer.write_eof()
        async with asyncio.timeout(10):
            answer = await reader.readuntil(b"\r\n\r\n")
            lengths = [line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length")]
            content = await reader.readexactly(int(lengths[0].split(b":")[1])) if lengths else b""
        writer.close()
        return int(answer.split()[1]), json.loads(content) if content.startswith((b"{", b"[")) else content


@pytest.fixture
async def line(open_shop: OpenShop, unused_tcp_port: int) -> AsyncIterator[Line]:
    """A connection to a server that waits for a body for half a second."""
    async with open_shop(body_timeout="PT0.5S", body_limit=4096) as shop:
        server = Server(
            shop.app, address="127.0.0.1", port=unused_tcp_port, interface=Interfaces.ASGI, log_enabled=False
        )
        serving = asyncio.ensure_future(server.serve())
        key = await shop.key("carl", Role.CUSTOMER)
        await _listening(unused_tcp_port)
        yield Line(unused_tcp_port, key)
        server.stop()
        await serving


async def _listening(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return


JSON = "Content-Type: application/json\r\n"


def assert_problem(answer: tuple[int, Any], status: int, code: str) -> None:
    assert answer[0] == status, answer
    assert answer[1].keys() >= PROBLEM_MEMBERS
    assert (answer[1]["status"], answer[1]["code"]) == (status, code)


async def test_a_body_that_does_not_arrive_is_not_waited_for(line: Line) -> None:
    for announced in (f"{JSON}Content-Length: 100\r\n", f"{JSON}Transfer-Encoding: chunked\r\n"):
        began = asyncio.get_running_loop().time()
        assert_problem(await line.send("POST /orders", announced, b""), 408, "body-too-slow")
        assert asyncio.get_running_loop().time() - began < 5


async def test_a_body_shorter_than_announced_is_not_acted_on(line: Line) -> None:
    answer = await line.send("POST /orders", f"{JSON}Content-Length: 100\r\n", b'{"lines": []}')
    assert_problem(answer, 408, "body-too-slow")
    assert (await line.send("GET /orders"))[1]["items"] == []


async def test_what_follows_the_announced_body_is_no_part_of_it(line: Line) -> None:
    answer = await line.send("POST /orders", f"{JSON}Content-Length: 13\r\n", b'{"lines": []}{"lines": []}')
    assert answer[0] == 201


async def test_chunks_are_one_body_and_counted_together(line: Line) -> None:
    chunked = f"{JSON}Transfer-Encoding: chunked\r\n"
    good = b"".join(b"1\r\n%c\r\n" % byte for byte in b'{"lines": []}') + b"0\r\n\r\n"
    assert (await line.send("POST /orders", chunked, good))[0] == 201
    long = b"400\r\n" + b" " * 1024 + b"\r\n"
    assert_problem(await line.send("POST /orders", chunked, long * 5 + b"0\r\n\r\n"), 413, "too-large")


async def test_a_body_announced_as_too_large_is_refused_before_it_is_sent(line: Line) -> None:
    assert_problem(await line.send("POST /orders", f"{JSON}Content-Length: 4097\r\n"), 413, "too-large")


async def test_no_body_is_needed_where_none_is_asked_for(line: Line) -> None:
    status, order = await line.send("POST /orders")
    assert (status, order["state"]) == (201, "draft")


async def test_odd_addresses_do_no_harm(line: Line) -> None:
    for address in ("/orders/%FF%FE", "/orders/%ED%A0%80", "/orders/\xff", "/%", "/orders/%zz", "//", "/orders//x"):
        status, problem = await line.send(f"GET {address}")
        assert status in (400, 404), address
        assert not problem or problem["code"] in ("not-found", "malformed")
    assert_problem(await line.send("GET /orders/a%00b"), 400, "malformed")


async def test_head_and_options_end_where_they_should(line: Line) -> None:
    for start, status in (("OPTIONS /orders", 204), ("PUT /orders", 405), ("GET /orders", 200)):
        assert (await line.send(start))[0] == status


async def test_a_broken_off_body_leaves_the_server_well(line: Line) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", line.port)
    head = f"POST /orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {line.key}\r\n{JSON}Content-Length: 50\r\n\r\n{{"
    writer.write(head.encode())
    writer.close()
    assert (await line.send("GET /orders"))[1]["items"] == []
