"""The fan-out: reads the history behind its cursor, and notes who has yet to get which stretch of it.

What happens to subscriptions themselves stands in the same stream. So whatever is asked of one, a replay for example,
is done in its place among all that happened, once, whatever process comes to it first.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import Connection

from engine.again import write
from engine.clock import Clock
from persistence import feed, lanes, readers
from persistence.database import Database
from persistence.feed import Entry, Place
from persistence.lanes import LaneKey, Subscriber
from statemachines.patterns import matches
from statemachines.subscription import Ping, Redeliver, RedeliverSince, Resume, Update, subscription

SCAN_LIMIT: Final = 1000
"""How many transitions are read at a time."""

_NOW_HEARS: Final = {Update.event_name, Resume.event_name}
_ASKS: Final = {Redeliver.event_name, RedeliverSince.event_name}

PING: Final = subscription.name, Ping.event_name
"""What a subscription hears of whatever its patterns are: that somebody wants to see whether its address works."""


def hears_of(receiver: Subscriber, machine: str, event: str, entity_id: str) -> bool:
    """Tell whether a subscription wants to hear of an event."""
    return matches(receiver.patterns, machine, event) or ((machine, event) == PING and receiver.id == entity_id)


class FanOut:
    """Turns transitions into lanes. Any number of processes may: the cursor's lock lets one at a time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def run(self) -> int:
        """Read what is there to be read, and a part of what is to be read again; return how many transitions that were.

        It ends however fast new ones come, and however long a replay is: in between, what was read is sent.
        """
        total, read = 0, SCAN_LIMIT
        while read == SCAN_LIMIT:
            read = await write(self._database, partial(_go_on, now=self._clock.now(), most=SCAN_LIMIT))
            total += read
        for event_id in await self._database.read(readers.replays):
            total += await write(
                self._database, partial(_replay, event_id=event_id, now=self._clock.now(), most=SCAN_LIMIT)
            )
        return total


def _go_on(connection: Connection, now: datetime, most: int) -> int:
    """Read what happened; return how many transitions that were."""
    cursor = readers.lock_cursor(connection)
    assert cursor is not None
    known = lanes.subscribers(connection)
    while known:
        start = _start(cursor, known)
        entries = feed.scan(connection, start, most)
        # Once more, behind the transitions: whoever began before they were there to be read is in sight by now.
        known = lanes.subscribers(connection)
        if known and _start(cursor, known) >= start:
            break
    else:
        return 0
    for entry in entries:
        if entry.machine == subscription.name:
            _heed(connection, entry, known, now)
    stretches = _stretches(entries, known)
    lanes.add_lanes(connection, stretches, now)
    for failing in (each.id for each in known if each.failures):
        if key := next((key for key in stretches if key.subscription_id == failing), None):
            lanes.hurry_one(connection, key, now)  # as good as any to see whether the address answers again
    if entries:
        readers.move_cursor(connection, entries[-1].place)
    return len(entries)


def _start(cursor: Place, known: Sequence[Subscriber]) -> Place:
    """Return where to read on: nobody cares for what was before the first of them began."""
    return max(cursor, min(each.after for each in known))


def _stretches(
    entries: Sequence[Entry], known: Sequence[Subscriber], asked_by: str = ""
) -> dict[LaneKey, tuple[int, int]]:
    """Return which stretches of which entities' histories the entries add up to, for each who wants them."""
    stretches: dict[LaneKey, tuple[int, int]] = {}
    wanting: dict[tuple[str, str], list[Subscriber]] = {}
    for entry in entries:
        kind = entry.machine, entry.event
        if kind not in wanting:
            wanting[kind] = [each for each in known if matches(each.patterns, *kind)]
        receivers = wanting[kind]
        if kind == PING:
            receivers = [each for each in known if hears_of(each, *kind, entry.entity_id)]
        for receiver in receivers:
            if asked_by or entry.place > receiver.after:
                key = LaneKey(receiver.id, entry.machine, entry.entity_id, asked_by)
                first, last = stretches.get(key, (entry.version, entry.version))
                stretches[key] = min(first, entry.version), max(last, entry.version)
    return stretches


def _heed(connection: Connection, entry: Entry, known: Sequence[Subscriber], now: datetime) -> None:
    """Do what follows for deliveries from what happened to a subscription."""
    if entry.event in _NOW_HEARS:
        lanes.renew(connection, entry.entity_id, now)
    elif entry.event in _ASKS and any(each.id == entry.entity_id for each in known):
        (row,) = feed.rows_at(connection, [entry.place])
        if entry.event == RedeliverSince.event_name:
            since = RedeliverSince.model_validate(row["payload"]).since
            readers.begin_replay(connection, row["event_id"], readers.place_before(connection, since))
        elif asked := readers.event(connection, row["payload"]["event_id"]):
            key = LaneKey(entry.entity_id, asked["machine"], asked["entity_id"], row["event_id"])
            lanes.add_lanes(connection, {key: (asked["version"], asked["version"])}, now)


def _replay(connection: Connection, event_id: str, now: datetime, most: int) -> int:
    """Read a part of what somebody asked for again; return how many transitions that were, 0 at the end."""
    cursor, asked = readers.lock_cursor(connection, event_id), readers.event(connection, event_id)
    if cursor is None or asked is None:
        return 0
    receiver = lanes.subscriber(connection, asked["entity_id"])
    end = Place(asked["commit_order"], asked["seq"])
    entries = feed.scan(connection, cursor, most)
    wanted = [entry for entry in entries if entry.place < end]
    if receiver is None or not wanted:
        readers.end_replay(connection, event_id)
        return 0
    since = RedeliverSince.model_validate(asked["payload"]).since
    lanes.add_lanes(
        connection, _stretches([entry for entry in wanted if entry.at >= since], [receiver], asked_by=event_id), now
    )
    readers.move_cursor(connection, wanted[-1].place, event_id)
    return len(wanted)
