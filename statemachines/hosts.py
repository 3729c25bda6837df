"""Which hosts are public: what this program may be made to call by somebody else's address."""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
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

_TRANSLATED = (
    IPv6Network("64:ff9b::/96"),  # NAT64 (RFC 6052)
    IPv6Network("64:ff9b:1::/48"),  # NAT64 of one's own network (RFC 8215)
    IPv6Network("2002::/16"),  # 6to4 (RFC 3056)
    IPv6Network("2001::/32"),  # Teredo (RFC 4380)
    IPv6Network("::/96"),  # IPv4-compatible, out of use (RFC 4291, 2.5.5.1)
)
"""Addresses that hold an IPv4 address, behind which anything may stand."""

_LOCAL_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home.arpa")
"""Names that lead nowhere but into a network of one's own, and whatever ends in them (RFC 6761, 6762, 8375)."""

_NUMBER = re.compile(r"\d+|0[xX][0-9a-fA-F]*")


def is_public(address: Address) -> bool:
    """Tell whether an address is one that anybody on the internet may have: no private, local or special one."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.is_site_local or any(address in network for network in _TRANSLATED):
            return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_loopback or address.is_unspecified
    )


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
