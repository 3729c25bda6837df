"""The effect runner: claims due effects, makes the calls, reports how they ended as events.

An effect's completion and the transition that it causes are committed together. A runner that dies loses its lease, and
another makes the same attempt again under the same key.
"""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from random import Random

import structlog

from engine.clock import Clock
from engine.dispatcher import Dispatcher
from engine.envelope import Claim, DispatchError, Envelope, Superseded, Unavailable
from gateways.port import Attempt, Done, Handlers, NoAnswer
from persistence import queue
from persistence.bulk import Values
from persistence.database import Database
from statemachines.declaration import Actor, Effect, Role

log = structlog.get_logger("orderly.effects")

LEASE = timedelta(seconds=60)
"""How long a claim holds; longer than any attempt may take."""

CLAIM_LIMIT = 50
"""How many effects one runner works on at a time."""

FIRST_DELAY = timedelta(seconds=2)
LONGEST_DELAY = timedelta(minutes=10)


class EffectRunner:
    """Runs the effects of one process.

    Args:
        database: where effects wait.
        dispatcher: where outcomes go.
        clock: tells what is due.
        random: for the jitter of delays.
        effects: every effect that machines may ask for, by name.
        handlers: the gateways that carry them out, by the effects' names.
    """

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        clock: Clock,
        random: Random,
        effects: Iterable[Effect],
        handlers: Handlers,
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._clock = clock
        self._random = random
        self._effects: Mapping[str, Effect] = {effect.name: effect for effect in effects}
        self._handlers = handlers
        self._running: set[asyncio.Task[None]] = set()
        missing = sorted(self._effects.keys() - handlers.keys())
        if missing:
            raise ValueError(f"no gateway carries out {', '.join(missing)}")

    @property
    def has_room(self) -> bool:
        """Whether more effects may be claimed."""
        return len(self._running) < CLAIM_LIMIT

    async def claim(self) -> int:
        """Claim what is due, as far as there is room, and begin to run it; return how many."""
        room = CLAIM_LIMIT - len(self._running)
        if room <= 0:
            return 0
        now = self._clock.now()
        rows = await self._database.write(lambda connection: queue.claim_effects(connection, now, now + LEASE, room))
        for row in rows:
            task = asyncio.create_task(self._run(row), name=row["id"])
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(rows)

    async def finish(self) -> None:
        """Wait until every effect that was begun has ended."""
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)

    async def one_ended(self) -> None:
        """Wait until one of the effects that were begun has ended."""
        if self._running:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)

    async def _run(self, row: Values) -> None:
        effect = self._effects.get(row["name"])
        if effect is None:
            await self._park(row, f"no machine declares an effect '{row['name']}'")
            return
        if row["attempts"] > effect.attempts:
            await self._park(row, f"the runner of each of its {effect.attempts} attempts died")
            return
        try:
            attempt = Attempt(
                key=row["id"],
                arguments=effect.arguments.model_validate(row["arguments"]),
                number=row["attempts"],
                timeout=effect.timeout,
            )
            answer = await self._handlers[effect.name](attempt)
            event = (effect.ok if isinstance(answer, Done) else effect.failed).model_validate(dict(answer.values))
        except NoAnswer as error:
            await self._try_again(row, effect, str(error), error.retry_after)
            return
        except Exception as error:
            log.exception("effect_failed", effect=row["name"], id=row["id"], attempt=row["attempts"])
            await self._try_again(row, effect, f"{type(error).__name__} in the gateway", None)
            return
        await self._report(
            row,
            effect,
            Envelope(
                machine=row["machine"],
                id=row["entity_id"],
                event=event,
                actor=Actor(effect.name, Role.SYSTEM),
                cause=row["id"],
                completes=Claim(row["id"], row["token"]),
            ),
        )

    async def _report(self, row: Values, effect: Effect, envelope: Envelope) -> None:
        try:
            await self._dispatcher.dispatch(envelope)
        except Superseded:
            log.warning("effect_superseded", effect=row["name"], id=row["id"])
        except Unavailable as error:
            # The lease will lapse and the attempt be made again under the same key.
            log.warning("effect_outcome_delayed", effect=row["name"], id=row["id"], reason=str(error))
        except DispatchError as error:
            await self._try_again(row, effect, str(error), None)

    async def _try_again(self, row: Values, effect: Effect, reason: str, retry_after: timedelta | None) -> None:
        """Give the effect back for a later attempt, or park it after its last."""
        if row["attempts"] >= effect.attempts:
            await self._park(row, reason)
            return
        longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (row["attempts"] - 1))
        delay = retry_after or longest * self._random.random()
        await self._release(row, status="pending", due_at=self._clock.now() + delay, error=reason, finished_at=None)

    async def _park(self, row: Values, reason: str) -> None:
        log.error("effect_parked", effect=row["name"], id=row["id"], reason=reason)
        now = self._clock.now()
        await self._release(row, status="parked", due_at=now, error=reason, finished_at=now)

    async def _release(
        self, row: Values, *, status: str, due_at: datetime, error: str, finished_at: datetime | None
    ) -> None:
        released = {
            "key_id": row["id"],
            "key_token": row["token"],
            "status": status,
            "attempts": row["attempts"],
            "due_at": due_at,
            "error": error,
            "finished_at": finished_at,
        }
        await self._database.write(lambda connection: queue.release_effects(connection, [released]))

    async def next_due(self) -> datetime | None:
        """Return when the next effect falls due."""
        return await self._database.read(queue.next_effect)
