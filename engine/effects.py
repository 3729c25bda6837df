"""The effect runner: claims due effects, has them attempted as far as their destinations allow, and keeps its claims.

An effect's completion and the transition that it causes are committed together. A runner that dies loses its lease, and
another makes the same attempt again under the same key.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random

import structlog
from sqlalchemy import Connection, ScalarSelect

from engine import telemetry
from engine.attempts import Attempts
from engine.chore import Chore
from engine.clock import Clock
from engine.destinations import Circuit, Destination, DestinationLimits
from engine.dispatcher import CommittedBatch, Dispatcher
from engine.endings import Endings
from gateways.port import Handlers
from persistence import queue
from persistence.bulk import Values
from persistence.database import Database
from persistence.tables import EffectRow
from statemachines.declaration import Effect

log = structlog.get_logger("orderly.effects")

LEASE = timedelta(seconds=60)
"""How long a claim holds without a heartbeat."""

HEARTBEAT = timedelta(seconds=10)
"""How often the leases of calls that take their time are extended."""

OVERTIME = timedelta(seconds=30)
"""How much longer than its timeout a call may take before its lease is no longer extended."""

SUSPICIOUS = 2
"""How many runners may be lost with an effect before it is run beside no other such: it may be what kills them."""

LOST_LIMIT = 5
"""How many runners may be lost with an effect before it is parked."""

SUSPECT_PAUSE = timedelta(seconds=2)
"""How long a suspicious effect waits while another is tried."""

UNKNOWN_PAUSE = timedelta(minutes=1)
"""How long an effect that this program does not know is left for one that does."""


@dataclass(slots=True)
class _Claimed:
    """An effect that this process holds."""

    row: Values
    destination: Destination
    began_at: datetime | None = None


class EffectRunner(Chore):
    """Runs the effects of one process.

    Args:
        database: where effects wait.
        dispatcher: where outcomes go.
        clock: tells what is due.
        random: for the jitter of delays.
        effects: every effect that machines may ask for.
        handlers: the gateways that carry them out, by the effects' names.
        limits: what destinations may be burdened with, by their names.

    Raises:
        ValueError: no gateway carries out some of the effects.
    """

    name = "effects"

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        clock: Clock,
        random: Random,
        effects: Iterable[Effect],
        handlers: Handlers,
        limits: Mapping[str, DestinationLimits],
    ) -> None:
        self._database = database
        self._clock = clock
        self._effects: Mapping[str, Effect] = {effect.name: effect for effect in effects}
        if missing := sorted(self._effects.keys() - handlers.keys()):
            raise ValueError(f"no gateway carries out {', '.join(missing)}")
        self.destinations = {
            name: Destination(name, limits.get(name, DestinationLimits()), clock, random)
            for name in sorted({effect.destination for effect in self._effects.values()})
        }
        for name in self.destinations:
            telemetry.on_circuit(name, is_open=False)
        self._endings = Endings(database)
        self._attempts = Attempts(dispatcher, self._endings, clock, random, handlers)
        self._due = queue.next_effect(dict.fromkeys(self.destinations))
        self._expected: set[str] = set()
        self._look = True
        self._waiting: defaultdict[str, deque[_Claimed]] = defaultdict(deque)
        self._running: dict[asyncio.Task[None], _Claimed] = {}
        self._suspect: str | None = None
        self._beat_at = clock.now()

    @property
    def due(self) -> ScalarSelect[datetime]:
        """When the next effect can be run: not while its destination is left alone, or has all its places taken."""
        moments = {each.name: each.ready_at for each in self.destinations.values() if each.places}
        if len(moments) == len(self.destinations) and not any(moments.values()):
            return self._due
        return queue.next_effect(moments)

    def wakes_at(self, batch: CommittedBatch) -> datetime | None:
        """Effects that were just asked for, or are to be tried again, are due at once."""
        if batch.changes.effects:
            self._expected.update(row["destination"] for row in batch.changes.effects)
        elif any(row is EffectRow and "due_at" in columns for row, columns in batch.changes.changed):
            self._look = True
        else:
            return None
        return batch.now

    # -- claiming --------------------------------------------------------------------------------------------------

    async def run(self) -> int:
        """Claim what is due, as far as there is room, and begin to run it; return how many were claimed."""
        total = 0
        while self.destinations and not self.stopping and (wanted := await self._wanted()):
            rows = await self._database.write(partial(_claim, wanted=wanted, now=self._clock.now()))
            total += len(rows)
            for row in rows:
                self._hold(_Claimed(row, self.destinations[row["destination"]]))
            counts = Counter(row["destination"] for row in rows)
            self._expected |= {name for name, most in wanted.items() if counts[name] >= most}
            if not any(self.destinations[name].room for name in self._expected):
                break
        return total

    async def _wanted(self) -> dict[str, int]:
        """Return which destinations are likely to have effects due, and how many more calls each may get."""
        self._expected &= self.destinations.keys()
        expected = {name for name in self._expected if self.destinations[name].room}
        if self._look or not expected:
            self._look = False
            names, now = list(self.destinations), self._clock.now()
            expected |= set(await self._database.look(partial(queue.due_destinations, destinations=names, now=now)))
        wanted = {name: room for name in sorted(expected) if (room := self.destinations[name].room)}
        self._expected |= expected
        self._expected -= wanted.keys()
        return wanted

    def _hold(self, claimed: _Claimed) -> None:
        claimed.destination.begin()
        self._waiting[claimed.destination.name].append(claimed)
        self._begin(claimed.destination)

    def _begin(self, destination: Destination) -> None:
        """Begin the calls of a destination that wait, as many as may be made at a time."""
        waiting = self._waiting[destination.name]
        while waiting and destination.calls - len(waiting) < destination.limits.concurrency:
            claimed = waiting.popleft()
            claimed.began_at = self._clock.now()
            task = asyncio.create_task(self._run(claimed), name=claimed.row["id"])
            self._running[task] = claimed
            task.add_done_callback(self._ended)

    async def _run(self, claimed: _Claimed) -> None:
        row, destination, now = claimed.row, claimed.destination, self._clock.now()
        effect = self._effects.get(row["name"])
        if effect is None:
            log.warning("effect_unknown", effect=row["name"], id=row["id"])
            await self._attempts.hand_back(row, now + UNKNOWN_PAUSE)
        elif destination.breaker.circuit is Circuit.OPEN:
            await self._attempts.hand_back(row, destination.breaker.reopens_at or now)
        elif row["lost"] >= LOST_LIMIT:
            await self._attempts.park(row, f"its runner was lost {row['lost']} times")
        elif row["lost"] >= SUSPICIOUS and self._suspect:
            await self._attempts.hand_back(row, now + SUSPECT_PAUSE)
        else:
            if row["lost"] >= SUSPICIOUS:
                self._suspect = row["id"]
            await self._attempts.make(row, effect, destination)

    def _ended(self, task: asyncio.Task[None]) -> None:
        claimed = self._running.pop(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("effect_lost", effect=claimed.row["name"], id=claimed.row["id"], exc_info=error)
        if claimed.row["id"] == self._suspect:
            self._suspect = None
        claimed.destination.end()
        self._begin(claimed.destination)
        if claimed.destination.name in self._expected and claimed.destination.wants_more:
            self.wake()

    # -- holding and letting go ------------------------------------------------------------------------------------

    async def tend(self) -> None:
        """Extend the leases of what is held, except for calls that take far longer than they may."""
        self._look = True
        now = self._clock.now()
        if now - self._beat_at < HEARTBEAT:
            return
        waiting = [claimed for each in self._waiting.values() for claimed in each]
        held = [*waiting, *(each for each in self._running.values() if not self._hangs(each, now))]
        if held:
            rows = [claimed.row for claimed in held]
            await self._database.write(partial(queue.extend_leases, rows=rows, until=now + LEASE))
        self._beat_at = now

    def _hangs(self, claimed: _Claimed, now: datetime) -> bool:
        effect = self._effects.get(claimed.row["name"])
        if effect is None or claimed.began_at is None or now - claimed.began_at < effect.timeout + OVERTIME:
            return False
        log.error("effect_hangs", effect=effect.name, id=claimed.row["id"])
        return True

    async def finish(self) -> None:
        """Wait until every effect that was claimed has ended."""
        while self._running:
            await asyncio.wait(self._running)

    async def stop(self, grace: timedelta) -> None:
        """Claim nothing more, finish calls that were begun as far as `grace` allows, and hand the others back."""
        self.stopping = True
        now = self._clock.now()
        waiting = [claimed for each in self._waiting.values() for claimed in each]
        self._waiting.clear()
        backs = [asyncio.create_task(_tried(self._attempts.hand_back(each.row, now), each.row)) for each in waiting]
        if begun := {*self._running, *backs}:
            await asyncio.wait(begun, timeout=grace.total_seconds())
        self._attempts.stopping = self._endings.closing = True
        if cut_off := [claimed.row for claimed in self._running.values()]:
            log.warning("effects_cut_off", effects=len(cut_off))
            await asyncio.gather(*(_tried(self._attempts.cut_off(row), row) for row in cut_off))


async def _tried(work: Awaitable[None], row: Values) -> None:
    """Do something for an effect; if it fails, its lease will lapse."""
    try:
        await work
    except Exception as error:  # noqa: BLE001
        log.warning("effect_not_handed_back", effect=row["name"], id=row["id"], error=type(error).__name__)


def _claim(connection: Connection, wanted: Mapping[str, int], now: datetime) -> Sequence[Values]:
    return [
        row for name, most in wanted.items() for row in queue.claim_effects(connection, name, now, now + LEASE, most)
    ]
