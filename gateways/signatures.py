"""Whether a webhook's message comes from whom it says: signatures over the very bytes that came.

Three schemes: Stripe's (https://docs.stripe.com/webhooks#verify-manually), Standard Webhooks 1.0.0
(https://github.com/standard-webhooks/standard-webhooks), and a plain HMAC in a header of any name. Each knows one or
several secrets, so that a new one can be put into use before the old one is withdrawn.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

TOLERANCE = timedelta(minutes=5)
"""How far a signature's time may be from ours, either way; beyond that it may be an old message sent again."""


class NotVerified(Exception):
    """A message has no signature, or one that does not hold. The text is for the log; the sender is not told."""


class Scheme(Protocol):
    """One way of signing messages."""

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str | None:
        """Return the message's id if a signed header tells it.

        Args:
            headers: by their names in any case.
            body: the bytes as they came.
            now: the present moment.

        Raises:
            NotVerified: the message is not from whom it says, or is too old or too new.
        """
        ...


@dataclass(frozen=True, slots=True)
class StripeScheme:
    """``Stripe-Signature: t=<seconds>,v1=<hex>``, an HMAC-SHA256 of ``<seconds>.<body>`` under the whole secret."""

    secrets: Sequence[str] = field(repr=False)

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """Verify a message; its id stands in its body.

        Raises:
            NotVerified: see `Scheme.verify`.
        """
        parts = [part.strip().partition("=") for part in _header(headers, "stripe-signature").split(",")]
        seconds = next((value for name, _, value in parts if name == "t"), "")
        _check_time(seconds, now)
        signed = [_hex(value) for name, _, value in parts if name == "v1"]
        content = seconds.encode() + b"." + body
        _check([_hmac(secret.encode(), content, "sha256") for secret in self.secrets], signed)


@dataclass(frozen=True, slots=True)
class StandardScheme:
    """``webhook-signature: v1,<base64>``, an HMAC-SHA256 of ``<id>.<seconds>.<body>`` under ``whsec_<base64>``.

    Raises:
        ValueError: a secret is not base64 of 24 to 64 bytes.
    """

    secrets: Sequence[str] = field(repr=False)

    def __post_init__(self) -> None:
        for secret in self.secrets:
            standard_key(secret)

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
        """Return the id of a message.

        Raises:
            NotVerified: see `Scheme.verify`.
        """
        name, seconds = _header(headers, "webhook-id"), _header(headers, "webhook-timestamp")
        _check_time(seconds, now)
        parts = [part.partition(",") for part in _header(headers, "webhook-signature").split(" ")]
        signed = [_base64(value) for version, _, value in parts if version == "v1"]
        content = f"{name}.{seconds}.".encode() + body
        _check([_hmac(standard_key(secret), content, "sha256") for secret in self.secrets], signed)
        return name


@dataclass(frozen=True, slots=True)
class HmacScheme:
    """An HMAC of the body in a header, as many services send it.

    With `timestamp_header` that header's seconds and a dot are signed before the body, and the time is checked. Without
    it nothing but the body itself tells an old message that is sent again from a new one.
    """

    secrets: Sequence[str] = field(repr=False)
    header: str
    algorithm: Literal["sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    timestamp_header: str = ""

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """Verify a message; no header that may name it is signed.

        Raises:
            NotVerified: see `Scheme.verify`.
        """
        content = body
        if self.timestamp_header:
            seconds = _header(headers, self.timestamp_header)
            _check_time(seconds, now)
            content = seconds.encode() + b"." + body
        given = _header(headers, self.header)
        if not given.startswith(self.prefix):
            raise NotVerified(f"{self.header} does not begin as it should")
        given = given[len(self.prefix) :]
        signed = [_hex(given) if self.encoding == "hex" else _base64(given)]
        _check([_hmac(secret.encode(), content, self.algorithm) for secret in self.secrets], signed)


def standard_key(secret: str) -> bytes:
    """Return the key that a secret of Standard Webhooks stands for.

    Raises:
        ValueError: it is not base64 of 24 to 64 bytes, with or without ``whsec_`` before it.
    """
    text = secret.removeprefix("whsec_")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        key = b""
    if not 24 <= len(key) <= 64:
        raise ValueError("a secret of Standard Webhooks is `whsec_` and the base64 of 24 to 64 bytes")
    return key


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not value or not value.isascii():
        raise NotVerified(f"{name} is missing or not ASCII")
    return value


def _check_time(seconds: str, now: datetime) -> None:
    if not seconds.isdigit() or len(seconds) > 12:
        raise NotVerified("the time is not in seconds")
    age = timedelta(seconds=int(now.timestamp()) - int(seconds))
    if abs(age) > TOLERANCE:
        raise NotVerified(f"signed {age.total_seconds():.0f} s ago" if age > TOLERANCE else "signed in the future")


def _check(expected: Iterable[bytes], signed: Sequence[bytes]) -> None:
    """Compare every signature with every one that would hold, in a time that tells nothing."""
    held = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in signed]
    if not any(held):
        raise NotVerified("the signature does not hold")


def _hmac(key: bytes, content: bytes, algorithm: str) -> bytes:
    return hmac.new(key, content, getattr(hashlib, algorithm)).digest()


def _hex(text: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except ValueError:
        return b""


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
