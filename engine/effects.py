"""The effect runner: claims due effects, makes the calls, reports how they ended as events.

An effect's completion and the transition that it causes are committed together. A runner that dies loses its lease, and
another makes the same attempt again under the same key.
"""

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy import ScalarSelect

from engine import telemetry
from engine.chore import Chore
from engine.clock import Clock
from engine.destinations import Circuit, Destination, DestinationLimits
from engine.dispatcher import CommittedBatch, Dispatcher
from engine.endings import Ending, Endings
from engine.envelope import Claim, DispatchError, Envelope, Superseded, Unavailable
from engine.results import Results
from gateways.port import ActionRequired, Answer, Attempt, Done, Handlers, NoAnswer, Refused
from persistence import queue
from persistence.bulk import Values
from persistence.database import Database
from statemachines.declaration import Actor, Effect, Event, Role

log = structlog.get_logger("orderly.effects")

LEASE = timedelta(seconds=60)
"""How long a claim holds without a heartbeat."""

HEARTBEAT = timedelta(seconds=10)
"""How often the leases of calls that take their time are extended."""

OVERTIME = timedelta(seconds=30)
"""How much longer than its timeout a call may take before its lease is no longer extended."""

LOST_LIMIT = 5
"""How many runners may be lost with an effect before it is parked: it may be what kills them."""

SUSPECT_PAUSE = timedelta(seconds=5)
"""How long an effect with which a runner was lost waits while another such is tried."""

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
        self._dispatcher = dispatcher
        self._clock = clock
        self._random = random
        self._effects: Mapping[str, Effect] = {effect.name: effect for effect in effects}
        self._handlers = handlers
        if missing := sorted(self._effects.keys() - handlers.keys()):
            raise ValueError(f"no gateway carries out {', '.join(missing)}")
        self.destinations = {
            name: Destination(name, limits.get(name, DestinationLimits()), clock, random)
            for name in sorted({effect.destination for effect in self._effects.values()})
        }
        for name in self.destinations:
            telemetry.on_circuit(name, is_open=False)
        self._due = queue.next_effect(self.destinations)
        self._endings = Endings(database)
        self._results = Results(clock)
        self._expected: set[str] = set()
        self._look = True
        self._waiting: defaultdict[str, deque[_Claimed]] = defaultdict(deque)
        self._running: dict[asyncio.Task[None], _Claimed] = {}
        self._suspect: str | None = None
        self._beat_at = clock.now()

    @property
    def due(self) -> ScalarSelect[Any]:
        """When the next effect falls due."""
        return self._due

    def wakes_at(self, batch: CommittedBatch) -> datetime | None:
        """Effects that were just asked for are due at once."""
        if not batch.changes.effects:
            return None
        self._expected.update(row["destination"] for row in batch.changes.effects)
        return batch.now

    # -- claiming --------------------------------------------------------------------------------------------------

    async def run(self) -> int:
        """Claim what is due, as far as there is room, and begin to run it; return how many were claimed."""
        total = 0
        while self.destinations and not self.stopping and (wanted := await self._wanted()):
            claim = partial(_claim, wanted=wanted, now=self._clock.now())
            rows = await self._database.write(claim)
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
        expected = {name for name in self._expected if self.destinations[name].room}
        if self._look or not expected:
            self._look = False
            names, now = list(self.destinations), self._clock.now()
            expected |= set(await self._database.read(partial(queue.due_destinations, destinations=names, now=now)))
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

    def _ended(self, task: asyncio.Task[None]) -> None:
        claimed = self._running.pop(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("effect_lost", effect=claimed.row["name"], id=claimed.row["id"], exc_info=error)
        if claimed.row["id"] == self._suspect:
            self._suspect = None
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
        self._beat_at = now
        alive = [each for each in self._running.values() if not self._hangs(each, now)]
        held = [each.row["id"] for each in (*alive, *(each for row in self._waiting.values() for each in row))]
        if held:
            await self._database.write(partial(queue.extend_leases, ids=held, until=now + LEASE))

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
        waiting = [claimed for each in self._waiting.values() for claimed in each]
        self._waiting.clear()
        if waiting:
            await asyncio.gather(*(self._postpone(each, self._clock.now()) for each in waiting))
        if self._running:
            await asyncio.wait(self._running, timeout=grace.total_seconds())
        if cut_off := list(self._running.values()):
            log.warning("effects_handed_back", effects=len(cut_off))
            now = self._clock.now()
            await asyncio.gather(
                *(self._endings.submit(_back(each.row, due_at=now, error="handed back")) for each in cut_off)
            )

    async def _postpone(self, claimed: _Claimed, until: datetime) -> None:
        """Hand back an effect that was claimed and not attempted: it costs no attempt."""
        claimed.destination.end()
        row = {**claimed.row, "attempts": claimed.row["attempts"] - 1}
        await self._endings.submit(_back(row, due_at=until, error=row["error"]))

    # -- one call --------------------------------------------------------------------------------------------------

    async def _run(self, claimed: _Claimed) -> None:
        row, destination, now = claimed.row, claimed.destination, self._clock.now()
        effect = self._effects.get(row["name"])
        if effect is None:
            log.warning("effect_unknown", effect=row["name"], id=row["id"])
            await self._postpone(claimed, now + UNKNOWN_PAUSE)
            return
        if destination.breaker.circuit is Circuit.OPEN and destination.breaker.reopens_at:
            await self._postpone(claimed, destination.breaker.reopens_at)
            return
        if row["lost"] >= LOST_LIMIT:
            destination.end()
            await self._park(row, f"its runner was lost {row['lost']} times")
            return
        if row["lost"] and self._suspect:
            await self._postpone(claimed, now + SUSPECT_PAUSE)
            return
        if row["lost"]:
            self._suspect = row["id"]
        await self._attempt(claimed, effect)

    async def _attempt(self, claimed: _Claimed, effect: Effect) -> None:
        """Make the call, and see to whatever comes of it."""
        row, destination = claimed.row, claimed.destination
        try:
            arguments = effect.arguments.model_validate(row["arguments"])
        except ValidationError as error:
            destination.end()
            await self._park(row, f"its arguments are not understood: {error.error_count()} are wrong")
            return
        attempt = Attempt(key=row["id"], arguments=arguments, number=row["attempts"], timeout=effect.timeout)
        began, failure, retry_after = time.perf_counter(), "", None
        try:
            answer = await self._results.get(effect, arguments, partial(self._handlers[effect.name], attempt))
            event = _event_of(effect, answer)
        except NoAnswer as error:
            failure, retry_after = str(error), error.retry_after
        except ValidationError:
            failure = "the gateway's answer makes no sense"
        except Exception as error:
            log.exception("effect_failed", effect=row["name"], id=row["id"], attempt=row["attempts"])
            failure = f"{type(error).__name__} in the gateway"
        seconds = time.perf_counter() - began
        telemetry.on_attempt(effect.name, seconds, answered=not failure)
        try:
            if failure:
                await self._try_again(claimed, effect, failure, retry_after)
            else:
                await self._report(claimed, effect, answer, event)
        finally:
            destination.end(seconds, answered=not failure)
            telemetry.on_circuit(destination.name, is_open=destination.is_down)

    async def _report(
        self, claimed: _Claimed, effect: Effect, answer: Answer, event: Event | None, error: str | None = None
    ) -> None:
        row = claimed.row
        if isinstance(answer, Refused) and event is None and effect.fallback is not None:
            error, answer = str(answer.values.get("reason", "refused")), Done(effect.fallback)
            event = _event_of(effect, answer)
        if event is None:
            if isinstance(answer, Done):
                now, outcome = self._clock.now(), dict(answer.values)
                done = {**row, "status": "done", "due_at": now, "finished_at": now, "outcome": outcome, "error": error}
                await self._endings.submit(Ending(done))
            else:
                await self._park(row, str(answer.values.get("reason", "refused")))
            return
        envelope = Envelope(
            machine=row["machine"],
            id=row["entity_id"],
            event=event,
            actor=Actor(effect.name, Role.SYSTEM),
            cause=row["id"],
            completes=Claim(row["id"], row["token"]),
        )
        try:
            await self._dispatcher.dispatch(envelope)
        except Superseded:
            log.warning("effect_superseded", effect=row["name"], id=row["id"])
        except Unavailable as unavailable:
            # The lease will lapse and the attempt be made again under the same key.
            log.warning("effect_outcome_delayed", effect=row["name"], id=row["id"], reason=str(unavailable))
        except DispatchError as failure:
            await self._try_again(claimed, effect, str(failure), None)

    async def _try_again(self, claimed: _Claimed, effect: Effect, reason: str, retry_after: timedelta | None) -> None:
        """Give the effect back for a later attempt, or give it up after its last."""
        row, now, retry = claimed.row, self._clock.now(), effect.retry
        due_at = now + max(retry.pause(row["attempts"], self._random.random()), retry_after or timedelta())
        if row["attempts"] < retry.attempts and due_at <= row["retrying_since"] + retry.within:
            await self._endings.submit(_back(row, due_at=due_at, error=reason, attempt=self._failed(claimed, reason)))
        elif effect.fallback is not None:
            log.warning("effect_given_up", effect=row["name"], id=row["id"], reason=reason)
            answer = Done(effect.fallback)
            await self._report(claimed, effect, answer, _event_of(effect, answer), error=reason)
        else:
            await self._park(row, reason, self._failed(claimed, reason))

    def _failed(self, claimed: _Claimed, reason: str) -> Values:
        """Return the row that tells of an attempt that got no answer."""
        row, now = claimed.row, self._clock.now()
        began_at = claimed.began_at or now
        return {"effect_id": row["id"], "token": row["token"], "began_at": began_at, "ended_at": now, "error": reason}

    async def _park(self, row: Values, reason: str, attempt: Values | None = None) -> None:
        log.error("effect_parked", effect=row["name"], id=row["id"], reason=reason)
        now = self._clock.now()
        await self._endings.submit(
            Ending({**row, "status": "parked", "due_at": now, "finished_at": now, "error": reason}, attempt)
        )


def _claim(connection: Any, wanted: Mapping[str, int], now: datetime) -> Sequence[Values]:
    return [
        row for name, most in wanted.items() for row in queue.claim_effects(connection, name, now, now + LEASE, most)
    ]


def _back(row: Values, *, due_at: datetime, error: str | None, attempt: Values | None = None) -> Ending:
    return Ending({**row, "status": "pending", "due_at": due_at, "error": error}, attempt)


def _event_of(effect: Effect, answer: Answer) -> Event | None:
    """Return the event that reports an answer, if one is declared.

    Raises:
        ValidationError: the answer does not fill the event.
    """
    match answer:
        case Done():
            event = effect.ok
        case ActionRequired():
            event = effect.action
        case _:
            event = effect.failed
    return event.model_validate(dict(answer.values)) if event else None
