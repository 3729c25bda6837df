"""Where a secret may travel unencrypted: nowhere but within this machine."""

from urllib.parse import urlsplit

_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


def stays_here(host: str) -> bool:
    """Whether what is sent to a host does not leave this machine."""
    return host in _THIS_MACHINE


def is_private(url: str) -> bool:
    """Whether nobody on the way reads what is sent to an address."""
    parts = urlsplit(url)
    return parts.scheme == "https" or stays_here(parts.hostname or "")
