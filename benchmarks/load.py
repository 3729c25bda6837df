"""A load client: many keep-alive connections, each sending its next request when the last was answered.

It speaks just enough HTTP/1.1 to cost little beside the server that it measures.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    """What a run of the load client saw."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Requests answered per second."""
        return sum(self.statuses.values()) / self.seconds

    def percentile(self, share: float) -> float:
        """Return the latency in seconds that this share of the requests kept below."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class _Connection(asyncio.Protocol):
    def __init__(self, requests: deque[bytes], report: Report, done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._report = report
        self._done = done
        self._received = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        if not self._requests:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(self._requests.popleft())  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._received[:head_end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 : head.find(b"\r", at) if head.find(b"\r", at) > 0 else None]) if at >= 0 else 0
        if len(self._received) < head_end + 4 + length:
            return
        self._report.statuses[int(head[9:12])] += 1
        self._report.latencies.append(time.perf_counter() - self._sent_at)
        self._received = b""
        self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)


def post(path: str, key: str, body: bytes = b"", idempotency_key: str | None = None) -> bytes:
    """Return a POST as it goes over the wire."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {key}", f"Content-Length: {len(body)}"]
    if body:
        lines.append("Content-Type: application/json")
    if idempotency_key:
        lines.append(f"Idempotency-Key: {idempotency_key}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def get(path: str, key: str) -> bytes:
    """Return a GET as it goes over the wire."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n".encode()


async def run(port: int, requests: Iterable[bytes], connections: int) -> Report:
    """Send the requests over so many connections; return what was seen."""
    loop = asyncio.get_running_loop()
    waiting, report = deque(requests), Report()
    started = time.perf_counter()
    ends = []
    for _ in range(connections):
        done = loop.create_future()
        ends.append(done)
        await loop.create_connection(lambda done=done: _Connection(waiting, report, done), "127.0.0.1", port)
    await asyncio.gather(*ends)
    report.seconds = time.perf_counter() - started
    return report
