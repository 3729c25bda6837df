"""The one entrance: every event, wherever it comes from, is dispatched here.

Batches form by themselves: whatever arrives while a commit is in flight shares the next one; a lone event never waits.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

import structlog
from sqlalchemy.exc import SQLAlchemyError

from engine.batch import Batch, Result
from engine.clock import Clock
from engine.envelope import (
    DecisionFailed,
    DispatchError,
    Envelope,
    KeyInFlight,
    Outcome,
    OutcomeUnknown,
    Overloaded,
    Unavailable,
)
from persistence.database import (
    LOCK_TIMEOUT,
    UNIQUE_VIOLATION,
    CommitUnknown,
    Database,
    is_transient,
    is_unavailable,
    sqlstate,
)
from persistence.store import Changes
from statemachines.ids import new_id
from statemachines.registry import Registry

log = structlog.get_logger("orderly.dispatcher")

TRANSIENT_TRIES = 5
"""How often a batch is run in the face of deadlocks and conflicts before its events fail."""

UNKNOWN_COMMIT_PATIENCE = timedelta(seconds=2)
"""How long to look for the events of a batch whose commit is unknown before saying so."""


@dataclass(frozen=True, slots=True)
class CommittedBatch:
    """What listeners are told after a commit."""

    changes: Changes
    results: Sequence[Result]
    seconds: float
    now: datetime


Listener = Callable[[CommittedBatch], None]


class Dispatcher:
    """Takes events in, commits them in batches, hands outcomes back.

    Args:
        database: where entities live.
        registry: the machines.
        clock: tells the moment of each batch.
        random: for new ids.
        queue_limit: how many events may wait; one more is refused at once as `Overloaded`.
        batch_limit: how many events may share a commit.
    """

    def __init__(
        self,
        database: Database,
        registry: Registry,
        clock: Clock,
        random: Random,
        *,
        queue_limit: int = 10_000,
        batch_limit: int = 200,
    ) -> None:
        self._database = database
        self._registry = registry
        self._clock = clock
        self._random = random
        self._queue_limit = queue_limit
        self._batch_limit = batch_limit
        self._queue: deque[tuple[Envelope, asyncio.Future[Outcome]]] = deque()
        self._arrived = asyncio.Event()
        self._listeners: list[Listener] = []
        self._worker: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def waiting(self) -> int:
        """How many events wait for a batch."""
        return len(self._queue)

    def listen(self, listener: Listener) -> None:
        """Call `listener` after each commit."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Begin to work."""
        self._worker = asyncio.create_task(self._work(), name="dispatcher")

    async def stop(self) -> None:
        """Take no more events, finish those that wait, and end."""
        self._closing = True
        self._arrived.set()
        if self._worker:
            await self._worker

    async def dispatch(self, envelope: Envelope) -> Outcome:
        """Have an event decided and, if it is accepted, committed.

        Raises:
            Overloaded: too many events wait already.
            Unavailable: the database can't be reached; nothing happened.
            OutcomeUnknown: the database was lost while committing.
            DispatchError: see its other subclasses.
        """
        if self._closing or len(self._queue) >= self._queue_limit:
            raise Overloaded
        if not envelope.event_id:
            envelope.event_id = new_id("evt", self._clock.now(), self._random)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._queue.append((envelope, future))
        self._arrived.set()
        return await future

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._queue:
                size = min(len(self._queue), self._batch_limit)
                await self._handle([self._queue.popleft() for _ in range(size)])
            if self._closing:
                return

    async def _handle(self, entries: list[tuple[Envelope, asyncio.Future[Outcome]]]) -> None:
        try:
            results = await self._commit([envelope for envelope, _ in entries])
        except Exception:
            log.exception("batch_lost", events=len(entries))
            results = [DecisionFailed("the event could not be handled") for _ in entries]
        for (_, future), result in zip(entries, results, strict=True):
            if future.done():  # its caller has gone; what was committed stays committed
                continue
            if isinstance(result, DispatchError):
                future.set_exception(result)
            else:
                future.set_result(result)

    async def _commit(self, envelopes: Sequence[Envelope], earlier: dict[str, Result] | None = None) -> list[Result]:
        """Commit a batch; if saving it fails, halve it until only the culprits fail."""
        earlier = {} if earlier is None else earlier
        try:
            return await self._attempt(envelopes, earlier)
        except SQLAlchemyError as error:
            if len(envelopes) > 1 and not is_unavailable(error):
                middle = len(envelopes) // 2
                halves = envelopes[:middle], envelopes[middle:]
                return [result for half in halves for result in await self._commit(half, earlier)]
            return [_as_dispatch_error(error, envelope) for envelope in envelopes]
        except (OSError, TimeoutError) as error:
            return [_as_dispatch_error(error, envelope) for envelope in envelopes]

    async def _attempt(self, envelopes: Sequence[Envelope], earlier: dict[str, Result]) -> list[Result]:
        """Run a batch, again if others were in its way, and look again if its commit is unknown.

        What it computed before an unknown commit is kept in `earlier`, by event id.
        """
        tries, lost_at = 0, None
        while True:
            tries += 1
            batch = Batch(self._registry, envelopes, self._clock.now(), self._random, earlier)
            started = time.perf_counter()
            try:
                results = await self._database.write(batch.run)
            except CommitUnknown:
                lost_at = lost_at or time.monotonic()
                earlier.update({e.event_id: r for e, r in zip(envelopes, batch.results, strict=True)})
                log.warning("commit_unknown", events=len(envelopes))
                if time.monotonic() - lost_at > UNKNOWN_COMMIT_PATIENCE.total_seconds():
                    return [OutcomeUnknown() for _ in envelopes]
                await asyncio.sleep(0.02)
                continue
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                if lost_at is not None and is_unavailable(error):
                    if time.monotonic() - lost_at > UNKNOWN_COMMIT_PATIENCE.total_seconds():
                        return [OutcomeUnknown() for _ in envelopes]
                    await asyncio.sleep(0.1)
                    continue
                if sqlstate(error) == UNIQUE_VIOLATION and tries == 1:
                    continue  # another process took the name or key meanwhile; the next look finds it
                if not is_transient(error) or tries >= TRANSIENT_TRIES:
                    raise
                await asyncio.sleep(self._random.random() * 0.02 * 2**tries)
                continue
            self._tell(batch, results, time.perf_counter() - started)
            return results

    def _tell(self, batch: Batch, results: Sequence[Result], seconds: float) -> None:
        committed = CommittedBatch(batch.changes, results, seconds, batch.now)
        for listener in self._listeners:
            try:
                listener(committed)
            except Exception:
                log.exception("listener_failed")


def _as_dispatch_error(error: Exception, envelope: Envelope) -> DispatchError:
    """Say what a database error means for the one event that it hit."""
    failure: DispatchError
    if sqlstate(error) == LOCK_TIMEOUT:
        failure = KeyInFlight() if envelope.key else Unavailable("the entity is locked by another transaction")
    elif is_transient(error) or is_unavailable(error):
        log.error("database_unavailable", error=type(error).__name__)
        failure = Unavailable("the database is not available")
    else:
        log.error("save_failed", machine=envelope.machine, id=envelope.id, exc_info=error)
        failure = DecisionFailed(f"the database refused what '{envelope.event.event_name}' led to")
    failure.__cause__ = error
    return failure
