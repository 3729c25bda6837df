"""`make demo`: one order from the basket to the parcel and partly back, over HTTP, with a real server of its own.

Everything happens in a temporary directory and is gone at the end.
"""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import typer

from orderly import logs
from orderly.seed import seed
from orderly.service import Service
from orderly.settings import Settings

PATIENCE = 30.0
"""How long, in seconds, the server may take to start."""


class DemoFailed(Exception):
    """A step was answered otherwise than the demo expects."""


def main() -> None:
    """Walk through the demo.

    Raises:
        DemoFailed: the service did not do what the demo says it does.
    """
    with tempfile.TemporaryDirectory(prefix="orderly-demo-") as directory:
        settings = Settings(
            database_url=f"sqlite:///{directory}/orderly.db",
            key_pepper_file=f"{directory}/orderly.pepper",
            log_level="warning",
        )
        logs.configure(settings)
        keys = asyncio.run(_prepare(settings))
        with _server(settings, Path(directory)) as url:
            say(f"A service on {url}, with an empty order book and a small catalogue.\n")
            shop, ann = (Caller(url, name, keys[name]) for name in ("shop", "ann"))
            try:
                walk(shop, ann)
            finally:
                shop.close()
                ann.close()
        say("\nThe server has finished what it had begun and is gone.")


async def _prepare(settings: Settings) -> Mapping[str, str]:
    async with Service.open(settings, migrate=True) as service:
        return {key.principal: key.text for key in (await seed(service)).keys}


@contextmanager
def _server(settings: Settings, directory: Path) -> Iterator[str]:
    """Run a server as operators do, and end it as they do."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ORDERLY_")}
    given = {f"ORDERLY_{name.upper()}": str(getattr(settings, name)) for name in settings.model_fields_set}
    command = [sys.executable, "-m", "orderly", "serve", "--port", "0"]
    output = directory / "output"
    with output.open("wb") as file, subprocess.Popen(command, env=ours | given, stdout=file) as process:  # noqa: S603
        try:
            yield _address(process, output)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
    if process.returncode:
        raise DemoFailed(f"the server ended with exit code {process.returncode}")


def _address(process: subprocess.Popen[bytes], output: Path) -> str:
    """Return where the server serves, once it does."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        address = next((word for word in output.read_text().split() if word.startswith("http://")), None)
        if address is not None:
            try:
                httpx.get(f"{address}/health/ready").raise_for_status()
            except httpx.HTTPError:
                pass
            else:
                return address
        time.sleep(0.05)
    raise DemoFailed("the server did not start")


class Caller:
    """Somebody with a key."""

    def __init__(self, url: str, name: str, key: str) -> None:
        self._name = name
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE)

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def get(self, path: str) -> Any:
        """Return what is under a path."""
        return self._client.get(path).raise_for_status().json()

    def post(
        self, path: str, payload: Mapping[str, object] | None = None, *, expect: int = 200, **headers: str
    ) -> httpx.Response:
        """Raise an event, say so, and show what came of it.

        Raises:
            DemoFailed: the answer has another status than `expect`.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self._client.post(path, json=payload, headers=named)
        say(f"{self._name:>5}  POST {path}" + (f" {payload}" if payload else ""))
        for name, value in named.items():
            say(f"       {name}: {value}")
        if answer.status_code != expect:
            raise DemoFailed(f"POST {path}: {answer.status_code} instead of {expect}: {answer.text}")
        body = answer.json()
        told = body.get("detail") or f"{body['id']} is {body['state']} (version {body['version']})"
        again = ", as answered before" if "Idempotency-Replayed" in answer.headers else ""
        say(f"       {answer.status_code}: {told}{again}\n")
        return answer


def walk(shop: Caller, ann: Caller) -> None:
    """Take one order through its life.

    Args:
        shop: has a merchant's key.
        ann: has a customer's.
    """
    say("Ann fills a basket. The prices are the catalogue's. Her line is bad, so she sends it twice:\n")
    basket = {"lines": [{"sku": "MUG-BLUE", "quantity": 4}, {"sku": "TEAPOT", "quantity": 1}]}
    key = secrets.token_hex(8)
    first = ann.post("/orders", basket, expect=201, Idempotency_Key=key).json()
    again = ann.post("/orders", basket, expect=201, Idempotency_Key=key).json()
    if first != again:
        raise DemoFailed("the same request was answered in two ways")
    order = f"/orders/{first['id']}"

    say("She wants to pay, but nobody has promised her the goods yet:\n")
    ann.post(f"{order}/pay", {"method": "tok_approve"}, expect=409)

    say("So she submits it, which reserves the pieces, and then pays, waiting for the gateway's answer:\n")
    ann.post(f"{order}/submit")
    ann.post(f"{order}/pay", {"method": "tok_approve"}, Prefer="wait=10")

    say("Ann can't send the parcel; the shop can:\n")
    ann.post(f"{order}/fulfill", {"tracking": "PARCEL-1"}, expect=403)
    shop.post(f"{order}/fulfill", {"tracking": "PARCEL-1"})
    ann.post(f"{order}/complete")

    say("One mug came broken and goes back. Five can't, since she bought four:\n")
    shop.post(f"{order}/return", {"lines": [{"number": 1, "quantity": 5}]}, expect=409)
    shop.post(f"{order}/return", {"lines": [{"number": 1, "quantity": 1}], "reason": "broken"})
    shown = _refunded(ann, order)
    say(f"Of {shown['paid']} cents paid, {shown['refunded']} were given back. All of it is in the order's history:\n")
    for entry in ann.get(f"{order}/history")["items"]:
        say(
            f"  {entry['version']:2}  {entry['event']:9} {entry['source']:>11} -> {entry['target']:11} {entry['actor']}"
        )


def _refunded(caller: Caller, order: str) -> Any:
    """Return the order once the gateway has given the money back."""
    deadline = time.monotonic() + PATIENCE
    while True:
        shown = caller.get(order)
        if shown["refunded"] or time.monotonic() > deadline:
            return shown
        time.sleep(0.05)


def say(text: str) -> None:
    """Print a line."""
    typer.echo(text)


if __name__ == "__main__":
    main()
