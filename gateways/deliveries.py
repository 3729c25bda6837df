"""Sending messages to addresses that others chose: nowhere but where anybody may be sent to.

The host's name is resolved once for each message, every address that it has is checked, and the connection is made to
one of just these: a name that leads elsewhere a moment later (DNS rebinding) changes nothing. The certificate must
still name the host. Redirects are not followed, and nothing but the status of an answer matters.
"""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from ipaddress import ip_address
from urllib.parse import urlsplit

from gateways.http import HttpAnswer, HttpPeer
from gateways.port import NoAnswer
from statemachines.hosts import Address, is_public, why_not_public

RESOLVE_TIMEOUT = timedelta(seconds=5)
"""How long a name may take to be resolved."""

RESOLVERS = 16
"""How many names are resolved at a time; those that take long hold up none of the program's other work."""

KEPT_PEERS = 200
"""To how many addresses connections are kept."""

MEDIA_TYPE = "application/cloudevents+json; charset=utf-8"

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Returns the addresses of a host. Raises OSError if there are none."""


class Resolver:
    """Asks the machine's resolver, in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="names")

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of a host, the likeliest to be reached first.

        Raises:
            OSError: there are none.
            TimeoutError: it took too long.
        """
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        asking = asyncio.get_running_loop().run_in_executor(self._threads, ask)
        async with asyncio.timeout(RESOLVE_TIMEOUT.total_seconds()):
            found = await asking
        return [ip_address(str(place[0])) for *_, place in found]


class Messenger:
    """Posts messages.

    Args:
        allow_private: whether to speak to private networks and this machine, too.
        connections: how many messages are on their way at a time, at most; all of them may be to one address.
        resolve: finds the addresses of hosts.
    """

    def __init__(self, *, allow_private: bool, connections: int, resolve: Resolve | None = None) -> None:
        self._allow_private = allow_private
        self._connections = connections
        self._resolve = resolve or Resolver()
        self._peers: OrderedDict[tuple[str, str, int, Address], HttpPeer] = OrderedDict()
        self._closing: set[asyncio.Future[None]] = set()

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeout: timedelta,  # noqa: ASYNC109  (kept by the sockets' own timeouts)
        attempt: int = 1,
    ) -> HttpAnswer:
        """Post a message and return the answer's status, whatever it is.

        Args:
            url: where to.
            headers: beside those that say what the message is.
            body: the message.
            timeout: for the call, once it is known where the host is.
            attempt: counts from 1; a host with several addresses is tried at another each time.

        Raises:
            NoAnswer: the host is none that may be sent to, was not reached or did not answer. The reason holds no more
                of the address than the host.
        """
        parts = urlsplit(url)
        scheme, host = parts.scheme, (parts.hostname or "").rstrip(".")
        port = parts.port or (443 if scheme == "https" else 80)
        addresses = await self._addresses(host, port)
        address = addresses[(attempt - 1) % len(addresses)]
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        peer = self._peer(scheme, host, port, address, parts.netloc)
        return await peer.request(
            "POST", path, timeout=timeout, headers={**headers, "Content-Type": MEDIA_TYPE}, content=body
        )

    async def _addresses(self, host: str, port: int) -> Sequence[Address]:
        """Return where a host is.

        Raises:
            NoAnswer: it is nowhere, or may not be sent to.
        """
        if not self._allow_private and (reason := why_not_public(host)):
            raise NoAnswer(f"{host} {reason}")
        try:
            addresses = await self._resolve(host, port)
        except TimeoutError:
            raise NoAnswer("the host name was not resolved in time") from None
        except (OSError, UnicodeError):
            raise NoAnswer("the host name does not resolve") from None
        if not addresses:
            raise NoAnswer("the host name does not resolve")
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise NoAnswer(f"{host} leads to an address that is not public")
        return addresses

    def _peer(self, scheme: str, host: str, port: int, address: Address, netloc: str) -> HttpPeer:
        """Return the connections to one address under one name; those not used for long are let go."""
        key = scheme, host, port, address
        if key in self._peers:
            self._peers.move_to_end(key)
            return self._peers[key]
        literal = f"[{address}]" if address.version == 6 else str(address)
        peer = self._peers[key] = HttpPeer(
            f"{scheme}://{literal}:{port}",
            headers={"Host": netloc, "User-Agent": "Orderly"},
            connections=self._connections,
            server_name=host,
            status_only=True,
        )
        if len(self._peers) > KEPT_PEERS:
            closing = asyncio.ensure_future(self._peers.popitem(last=False)[1].aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        return peer

    async def aclose(self) -> None:
        """Close the connections."""
        while self._peers:
            await self._peers.popitem()[1].aclose()
        await asyncio.gather(*self._closing)
