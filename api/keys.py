"""API keys: how they are made, shown once, kept as a keyed hash, and recognised.

A key reads ``ord_live_<id>_<secret>_<checksum>``: 12 characters that name it, 43 that are 256 random bits, and 6 that
let a mistyped or leaked string be told from a key without asking the database. Since the secret has full entropy, a
fast keyed hash (HMAC-SHA256 with a pepper kept outside the database) is the right one.
"""

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from engine.clock import Clock
from persistence import keys as rows
from persistence.database import Database
from statemachines.declaration import Actor, Role

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FORM = re.compile(r"ord_live_([0-9A-Za-z]{12})_([0-9A-Za-z]{43})_([0-9A-Za-z]{6})")

CACHED_FOR = timedelta(seconds=5)
"""How long a key that was looked up is trusted; a revocation is seen at the latest after this."""

CACHE_LIMIT = 10_000
KEY_LIFETIME = timedelta(days=90)
ACTIVE_KEYS_LIMIT = 2
"""How many active keys a principal may have: the one in use and the one that is to replace it."""

KEYS_PAGE = 200


class TooManyKeys(Exception):
    """The principal has as many active keys as it may have."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. The text is shown to its owner now and never again."""

    id: str
    text: str
    principal: str
    role: Role
    expires_at: datetime | None


@dataclass(slots=True)
class _Known:
    digest: str
    actor: Actor
    expires_at: datetime | None
    looked_up: datetime


class Keys:
    """Makes, recognises and revokes keys.

    Args:
        database: where they are kept.
        clock: tells whether they have expired.
        pepper: the secret that hashes are keyed with.
    """

    def __init__(self, database: Database, clock: Clock, pepper: str) -> None:
        self._database = database
        self._clock = clock
        self._pepper = pepper.encode()
        self._known: dict[str, _Known] = {}

    async def create(
        self, principal: str, role: Role, created_by: str, lifetime: timedelta | None = KEY_LIFETIME
    ) -> NewKey:
        """Make a key.

        Raises:
            TooManyKeys: revoke one first.
            ValueError: nobody is the system over HTTP.
        """
        if role is Role.SYSTEM:
            raise ValueError("the system has no key")
        now = self._clock.now()
        key_id, secret = _random_text(12), _random_text(43)
        body = f"ord_live_{key_id}_{secret}"
        key = NewKey(key_id, f"{body}_{_checksum(body)}", principal, role, now + lifetime if lifetime else None)
        row = {
            "id": key_id,
            "digest": self._digest(secret),
            "principal": principal,
            "role": role.value,
            "created_at": now,
            "created_by": created_by,
            "expires_at": key.expires_at,
            "revoked_at": None,
            "revoked_by": None,
        }

        def add(connection: Connection) -> None:
            if rows.count_active(connection, principal, now) >= ACTIVE_KEYS_LIMIT:
                raise TooManyKeys(f"'{principal}' has {ACTIVE_KEYS_LIMIT} active keys; revoke one first")
            rows.add(connection, row)

        await self._database.write(add)
        return key

    async def recognise(self, text: str, *, only_seen: bool = False) -> Actor | None:
        """Return whose key this is; None if it is no key, unknown, expired or revoked.

        Args:
            text: what came in.
            only_seen: whether to spare the database a look for a key that did not come in before.
        """
        match = _FORM.fullmatch(text)
        if match is None or match[3] != _checksum(text[:-7]):
            return None
        key_id, now = match[1], self._clock.now()
        known = self._known.get(key_id)
        if known is None and only_seen:
            return None
        if known is None or not timedelta(0) <= now - known.looked_up < CACHED_FOR:
            known = await self._look_up(key_id, now)
        if known is None or not hmac.compare_digest(known.digest, self._digest(match[2])):
            return None
        if known.expires_at is not None and known.expires_at <= now:
            return None
        return known.actor

    async def _look_up(self, key_id: str, now: datetime) -> _Known | None:
        row = await self._database.read(lambda connection: rows.find(connection, key_id))
        if row is None or row["revoked_at"] is not None:
            self._known.pop(key_id, None)
            return None
        if len(self._known) >= CACHE_LIMIT:
            self._known.clear()
        actor = Actor(row["principal"], Role(row["role"]))
        known = self._known[key_id] = _Known(row["digest"], actor, row["expires_at"], now)
        return known

    async def revoke(self, key_id: str, by: str) -> bool:
        """Revoke a key; return whether there was one to revoke."""
        self._known.pop(key_id, None)
        now = self._clock.now()
        return await self._database.write(lambda connection: rows.revoke(connection, key_id, now, by))

    async def list_keys(self) -> list[dict[str, object]]:
        """Return the newest keys, without their hashes."""
        found = await self._database.read(lambda connection: rows.list_keys(connection, KEYS_PAGE))
        return [{name: value for name, value in row.items() if name != "digest"} for row in found]

    def _digest(self, secret: str) -> str:
        return hmac.new(self._pepper, secret.encode(), hashlib.sha256).hexdigest()


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(length))


def _checksum(body: str) -> str:
    number, text = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        text = _BASE62[digit] + text
    return text
