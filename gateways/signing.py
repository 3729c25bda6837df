"""Signing messages by Standard Webhooks 1.0.0 (https://github.com/standard-webhooks/standard-webhooks).

Secrets are not kept: each follows from a key that stands outside the database, from whom it is for and from a number
that counts the secrets that one had. So a copy of the database lets nobody forge a message.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime

from gateways.signatures import standard_key
from statemachines.subscription import OVERLAP


class SigningSecrets:
    """Makes the secrets that messages are signed with.

    Args:
        master: the key from which all of them follow.
    """

    def __init__(self, master: str) -> None:
        self._master = hmac.digest(master.encode(), b"webhooks out", hashlib.sha256)

    def secret(self, receiver: str, generation: int) -> str:
        """Return a receiver's secret, as ``whsec_`` and the base64 of 32 bytes."""
        key = hmac.digest(self._master, f"{receiver}:{generation}".encode(), hashlib.sha256)
        return f"whsec_{base64.b64encode(key).decode()}"

    def valid(self, receiver: str, generation: int, rotated_at: datetime | None, now: datetime) -> list[str]:
        """Return the secrets that messages are signed with: the newest, and for a while the one before."""
        generations = [generation]
        if rotated_at is not None and now < rotated_at + OVERLAP:
            generations.append(generation - 1)
        return [self.secret(receiver, each) for each in generations]


def sign(message_id: str, at: datetime, body: bytes, secrets: Iterable[str]) -> dict[str, str]:
    """Return the headers that sign a message, once with each of the secrets."""
    seconds = str(int(at.timestamp()))
    content = f"{message_id}.{seconds}.".encode() + body
    signed = [hmac.digest(standard_key(secret), content, hashlib.sha256) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(each).decode()}" for each in signed),
    }
