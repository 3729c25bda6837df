"""A payment gateway that says yes to everything at once: ``python -m benchmarks.quick_peer PORT``.

It speaks as much of Stripe's API as a charge needs, and little HTTP, so that what is measured is its caller.
"""

import asyncio
import itertools
import sys
import time
from urllib.parse import parse_qs

import msgspec
import uvloop

_numbers = itertools.count(time.time_ns())  # a peer that is started anew gives other names


class QuickPeer(asyncio.Protocol):
    """One connection: answers each request as soon as it is whole."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        if len(body) < length:
            return
        self._received = b""
        self._transport.write(_answer(body))  # type: ignore[attr-defined]


def _answer(body: bytes) -> bytes:
    asked = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    amount, number = int(asked.get("amount", 0)), next(_numbers)
    intent = {
        "id": f"pi_{number}",
        "object": "payment_intent",
        "status": "succeeded",
        "amount": amount,
        "amount_received": amount,
        "amount_capturable": 0,
        "currency": asked.get("currency", "eur"),
        "latest_charge": f"ch_{number}",
    }
    answer = msgspec.json.encode(intent)
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer)


async def main(port: int) -> None:
    """Serve for ever."""
    server = await asyncio.get_running_loop().create_server(QuickPeer, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
