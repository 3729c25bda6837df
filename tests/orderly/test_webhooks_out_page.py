"""What docs/webhooks-out.md shows works: a subscription by a shell, a receiver that verifies, a feed to follow."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.reports import PAUSES
from tests.orderly.programs import Server, running, until

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks-out.md").read_text()
ALLOWED = dict(re.findall(r"^    ORDERLY_(SUBSCRIPTION__\w+)=(\w+)$", PAGE, re.MULTILINE))

needs_tools = pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="no curl or jq here")


def shown(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    assert ALLOWED.keys() == {"SUBSCRIPTION__ALLOW_HTTP", "SUBSCRIPTION__ALLOW_PRIVATE"}
    with running(tmp_path, **ALLOWED) as started:
        yield started


@contextmanager
def program(command: list[str], output: Path, **variables: str) -> Iterator[Any]:
    """Run a program until the test is over; return what reads what it printed."""
    with output.open("wb") as file:
        process = subprocess.Popen(command, env={**os.environ, **variables}, stdout=file, stderr=subprocess.DEVNULL)
        try:
            yield output.read_text
        finally:
            process.kill()
            process.wait()


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def order(server: Server) -> str:
    with server.client("merchant") as client:
        lines = {"lines": [{"sku": "MUG-BLUE", "quantity": 1}], "customer": "ann"}
        return str(client.post("/orders", json=lines).json()["id"])


@needs_tools
def test_a_receiver_is_told_as_the_page_shows(server: Server, tmp_path: Path) -> None:
    port, shop = free_port(), server.key("merchant")
    subscribe, receive = shown("sh")[0], shown("python")[0]
    script = subscribe.replace("localhost:8000", server.url).replace("9000", port)
    done = subprocess.run(
        ["bash", "-euc", script + "\necho; echo $SECRET"],
        env={**os.environ, "SHOP": shop},
        capture_output=True,
        text=True,
        check=True,
    )
    secret = done.stdout.split()[-1]
    assert secret.startswith("whsec_")
    receiver = [sys.executable, "-c", receive.replace("9000", port)]
    with program(receiver, tmp_path / "told", SECRET=secret) as told:
        placed = order(server)
        until(lambda: f"orderly.order.create {placed} draft" in told(), "it is told")
        until(lambda: "orderly.subscription.ping" in told(), "the ping that was sent too early is sent again")


@needs_tools
def test_the_feed_is_followed_as_the_page_shows(server: Server, tmp_path: Path) -> None:
    follow = shown("sh")[1].replace("localhost:8000", server.url)
    with program(["bash", "-uc", follow], tmp_path / "read", SHOP=server.key("merchant")) as read:
        orders = [order(server) for _ in range(3)]
        until(lambda: len(read().splitlines()) >= 3, "all are read")
    assert read().splitlines() == [f"orderly.order.create {each}" for each in orders]


def test_the_pauses_are_those_that_the_page_tells() -> None:
    units = {"s": 1, "min": 60, "h": 3600}
    (told,) = re.findall(r"^\| again after \| (.*?), each", PAGE, re.MULTILINE)
    assert [int(n) * units[unit] for n, unit in re.findall(r"(\d+) (\w+)", told)] == [p.total_seconds() for p in PAUSES]
