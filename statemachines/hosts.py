"""Which hosts are public: what this program may be made to call by somebody else's address."""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Annotated

from pydantic import Field

from statemachines.privacy import PRIVATE

EndpointUrl = Annotated[
    str,
    Field(
        pattern=r"^https?://(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?[.]?)(:[0-9]{1,5})?"
        r"([/?][A-Za-z0-9._~:/?@!$&'()*+,;=%-]*)?$",
        max_length=2000,
        examples=["https://shop.example/webhooks/orderly"],
    ),
    PRIVATE,
]
"""Where messages are sent: without credentials, a fragment, or anything that two programs might read differently."""

Address = IPv4Address | IPv6Address

_UNICAST = IPv6Network("2000::/3")
"""What is given out of IPv6 (RFC 4291, 2.4). Beyond it are, among others, the addresses of NAT64 (RFC 6052)."""

_SPECIAL = (
    IPv4Network("192.0.0.0/24"),  # for protocols (RFC 6890)
    IPv4Network("192.88.99.0/24"),  # once 6to4 relays (RFC 7526)
    IPv6Network("2001::/23"),  # for protocols, Teredo among them (RFC 2928, 4380)
    IPv6Network("2002::/16"),  # 6to4, behind which any IPv4 address may stand (RFC 3056)
    IPv6Network("3fff::/20"),  # for documentation (RFC 9637)
)
"""Addresses with a purpose of their own, as far as the library does not know of it."""

_LOCAL_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home.arpa")
"""Names that lead nowhere but into a network of one's own, and whatever ends in them (RFC 6761, 6762, 8375)."""

_NUMBER = re.compile(r"\d+|0[xX][0-9a-fA-F]*")


def is_public(address: Address) -> bool:
    """Tell whether an address is one that anybody on the internet may have: no private, local or special one."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address not in _UNICAST:
            return False
    is_special = any(address in network for network in _SPECIAL)
    return address.is_global and not (is_special or address.is_multicast or address.is_reserved)


def why_not_public(host: str) -> str | None:
    """Say why a host is plainly not a public one; None if it may be. Where a name leads is known only when it is asked.

    Numbers in other notations than the usual (``0x7f.1``, ``2130706433``) are taken for an address by some programs and
    for a name by others, so they are refused.
    """
    name = host.strip("[]").rstrip(".").lower()
    try:
        address = ip_address(name)
    except ValueError:
        if _NUMBER.fullmatch(name.rpartition(".")[2]):
            return "is no address in the usual notation"
        if "." not in name or name.endswith(tuple(f".{each}" for each in _LOCAL_NAMES)):
            return "is a name within a network"
        return None
    return None if is_public(address) else "is not a public address"
