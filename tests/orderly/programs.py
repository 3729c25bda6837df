"""Running Orderly as people do: as a program of its own, with real signals."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx

PATIENCE = 60.0
"""Seconds that a program may take to get somewhere; far more than it takes."""


def environment(directory: Path, **settings: object) -> dict[str, str]:
    """Return the variables of an installation of its own in a directory."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ORDERLY_")}
    given = {
        "database_url": f"sqlite:///{directory}/orderly.db",
        "key_pepper_file": str(directory / "orderly.pepper"),
        **settings,
    }
    return ours | {f"ORDERLY_{name.upper()}": str(value) for name, value in given.items()}


def orderly(directory: Path, *arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "orderly", *arguments]
    return subprocess.run(
        command,
        env=environment(directory, **settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def until(holds: Callable[[], Any], what: str) -> Any:
    """Wait until something holds, and return it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = holds()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE:g} s in vain: {what}")


class Program:
    """A server or worker that runs as a program of its own."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path, log: Path) -> None:
        self.process = process
        self._output = output
        self._log = log

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def log(self) -> str:
        return self._log.read_text()

    def terminate(self) -> int:
        """End it as an operator does; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End it without warning."""
        self.process.kill()
        self.process.wait(PATIENCE)


class Server(Program):
    """A program that serves."""

    @property
    def url(self) -> str:
        return next((word for word in self.output.split() if word.startswith("http://")), "")

    def key(self, role: str) -> str:
        """Return a first key, as it was printed."""
        return next(line.split()[2] for line in self.output.splitlines() if line.split()[:1] == [role])

    def client(self, role: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key(role)}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE)

    def answers(self) -> bool:
        try:
            return bool(self.url) and httpx.get(f"{self.url}/health/ready", timeout=2).is_success
        except httpx.HTTPError:
            return False

    def workers(self) -> list[int]:
        """Return the ids of the serving processes."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children]


P = TypeVar("P", bound=Program)


@contextlib.contextmanager
def _started(kind: type[P], name: str, directory: Path, *arguments: str, **settings: object) -> Iterator[P]:
    """Run a command until the test is over; what it prints and logs goes to files of this name."""
    command = [sys.executable, "-m", "orderly", *arguments]
    files = directory / f"{name}.output", directory / f"{name}.log"
    with files[0].open("wb") as output, files[1].open("wb") as log:
        process = subprocess.Popen(command, env=environment(directory, **settings), stdout=output, stderr=log)
        try:
            yield kind(process, *files)
        finally:
            process.terminate()
            process.wait(PATIENCE)


@contextlib.contextmanager
def running(directory: Path, *options: str, **settings: object) -> Iterator[Server]:
    """Run a server on a port of its own until the test is over."""
    arguments = ["serve", "--migrate", "--seed", "--port", "0", *options]
    with _started(Server, "server", directory, *arguments, **settings) as server:
        until(lambda: server.answers() or server.process.poll() is not None, "the server answers")
        assert server.process.poll() is None, server.log
        yield server


@contextlib.contextmanager
def working(directory: Path, name: str = "worker", **settings: object) -> Iterator[Program]:
    """Run a worker until the test is over."""
    with _started(Program, name, directory, "worker", **settings) as worker:
        until(lambda: "worker_ready" in worker.log or worker.process.poll() is not None, "the worker works")
        assert worker.process.poll() is None, worker.log
        yield worker
