"""What docs/webhooks-in.md shows works: a message that is signed by a shell, and a row by plain SQL."""

import re
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.orderly.programs import Server, running, until

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks-in.md").read_text()


def shown(language: str) -> str:
    (program,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(program)


@pytest.fixture
def server(tmp_path: Path) -> Any:
    settings = dict(re.findall(r"ORDERLY_(WEBHOOKS__CARRIER__\w+|INBOX__\w+)=\"?([a-zA-Z][\w.-]*(?: [\w.]+)*)", PAGE))
    assert settings["INBOX__LEGACY"] == "order.create order.fulfill"
    with running(tmp_path, **{**settings, "WEBHOOKS__CARRIER__SECRETS": "hush"}) as started:
        yield started


def processing(server: Server, client: httpx.Client) -> str:
    lines = {"lines": [{"sku": "MUG-BLUE", "quantity": 1}], "customer": "ann", "reference": "shop-10042"}
    order = str(client.post("/orders", json=lines).json()["id"])
    client.post(f"/orders/{order}/submit").raise_for_status()
    client.post(f"/orders/{order}/pay", json={"method": "tok_approve"}).raise_for_status()
    until(lambda: client.get(f"/orders/{order}").json()["state"] == "processing", "it is paid")
    return order


def is_fulfilled(client: httpx.Client, order: str) -> bool:
    return bool(client.get(f"/orders/{order}").json()["state"] == "fulfilled")


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="no curl or openssl on this machine")
def test_a_message_is_told_as_the_page_shows(server: Server) -> None:
    with server.client("merchant") as client:
        order = processing(server, client)
        script = shown("sh").replace("localhost:8000", server.url)
        told = subprocess.run(
            ["bash", "-euc", script], env={"ORDER": order, "PATH": "/usr/bin:/bin"}, capture_output=True, check=True
        )
        assert told.stdout == b'{"duplicate":false}'
        until(lambda: is_fulfilled(client, order), "the parcel is told of")


def test_a_row_is_inserted_as_the_page_shows(server: Server, tmp_path: Path) -> None:
    with server.client("merchant") as client:
        order = processing(server, client)
        connection = sqlite3.connect(tmp_path / "orderly.db")
        with connection:
            connection.executescript(shown("sql"))
        connection.close()
        until(lambda: is_fulfilled(client, order), "the row is found")
