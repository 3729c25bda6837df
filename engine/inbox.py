"""The inbox: messages are kept as they come, many in one commit, and worked on in order when they are.

A message may come twice, late, out of order, or before the call that caused it has returned. It is kept once by its
name; an effect has one end, whoever tells it first; an event that its machine does not take yet is tried again for a
while, until it is clear that nothing will come of it. What became of every row stands in it, for a person to see.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy import Connection, ScalarSelect
from sqlalchemy.exc import SQLAlchemyError

from engine import telemetry
from engine.chore import Chore
from engine.clock import Clock
from engine.dispatcher import Dispatcher
from engine.envelope import (
    Committed,
    DispatchError,
    Envelope,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    Rejected,
    Superseded,
    Unavailable,
)
from engine.meanings import Found, Meanings, Verdict
from engine.natural import NaturalBatcher
from gateways.incoming import Known, Reply, Request, Source
from persistence import inbox as rows
from persistence.bulk import Values
from persistence.database import CommitUnknown, Database, is_transient
from persistence.store import Store
from persistence.tables import EffectRow
from statemachines.declaration import Actor
from statemachines.registry import Registry

log = structlog.get_logger("orderly.inbox")

PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800))
"""How long a row waits before it is tried again that may only have come too early; then nothing comes of it."""

WORK_LIMIT: Final = 200
"""How many rows are worked on at a time."""

KEEP_LIMIT: Final = 200
"""How many messages one commit keeps."""

WAITING_LIMIT: Final = 1000
"""How many messages may wait to be kept; more are turned away, and sent again by whoever sends them."""

KEEP_TRIES: Final = 3
"""How often a batch of messages is kept again whose commit is unknown, or that others were in the way of."""


@dataclass(frozen=True, slots=True)
class Message:
    """A webhook's message whose sender is known for sure."""

    source: str
    external_id: str
    """The source's own name for it."""
    body: Mapping[str, Any]


class Inbox(Chore):
    """Keeps messages and works on them; any number of processes may.

    Args:
        database: where they are kept.
        dispatcher: where the events go that they ask for.
        registry: the machines.
        clock: tells the time.
        sources: who sends messages by webhook, and what they mean.
        allowed: the events, as ``machine.event``, that other programs may ask for, by the source that they name.
    """

    name = "inbox"

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        registry: Registry,
        clock: Clock,
        sources: Mapping[str, Source],
        allowed: Mapping[str, Collection[str]],
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._registry = registry
        self._clock = clock
        self._sources = sources
        self._known = {*sources, *allowed}
        self._meanings = Meanings(registry, sources, allowed)
        self._arriving: NaturalBatcher[Message, bool] = NaturalBatcher(self._keep, KEEP_LIMIT)
        self._waiting = 0
        self._due = rows.next_due()

    # -- arrival ---------------------------------------------------------------------------------------------------

    async def receive(self, message: Message) -> bool:
        """Keep a message, durably; return False if it was kept before.

        Raises:
            Overloaded: too many messages wait already.
            OutcomeUnknown: the database was lost while committing.
            SQLAlchemyError: the database can't be used.
        """
        if self._waiting >= WAITING_LIMIT:
            raise Overloaded
        self._waiting += 1
        try:
            return await self._arriving.submit(message)
        finally:
            self._waiting -= 1

    async def _keep(self, messages: Sequence[Message]) -> Sequence[bool]:
        now = self._clock.now()
        values = [self._row(message, now) for message in messages]
        for left in reversed(range(KEEP_TRIES)):
            try:
                new = await self._database.write(partial(rows.keep, rows=values))
            except CommitUnknown:  # what was kept the first time is found to be
                if not left:
                    raise OutcomeUnknown from None
            except SQLAlchemyError as error:
                if not left or not is_transient(error):
                    raise
            else:
                break
        self.wake()
        return new

    def _row(self, message: Message, now: datetime) -> Values:
        kind = message.body.get("type")
        source = self._sources[message.source]
        return {
            "source": message.source,
            "external_id": message.external_id,
            "kind": kind if isinstance(kind, str) else None,
            "body": source.without_secrets(message.body),
            "received_at": now,
            "due_at": now,
        }

    # -- work ------------------------------------------------------------------------------------------------------

    @property
    def due(self) -> ScalarSelect[Any]:
        """When the next row is to be worked on."""
        return self._due

    async def run(self) -> int:
        """Work on every row that is due, in order; return how many were settled or told to wait."""
        settled, last, now = 0, None, self._clock.now()
        while not self.stopping and (found := await self._read(now, last)):
            settled += await self._work(found)
            last = rows.Place(found[-1]["due_at"], found[-1]["seq"])
        return settled

    async def _read(self, now: datetime, after: rows.Place | None) -> list[Values]:
        look = partial(rows.due, now=now, most=WORK_LIMIT, after=after)
        try:
            return await self._database.read(look)
        except Exception as error:
            if not rows.is_unreadable(error):
                raise
            log.warning("inbox_unreadable", error=type(error).__name__)
            places = await self._database.read(partial(rows.due_places, now=now, most=WORK_LIMIT, after=after))
            for place in places:
                await self._check_readable(place.seq, now)
            return await self._database.read(look)

    async def _check_readable(self, seq: int, now: datetime) -> None:
        """Set a row aside if it can't be read, so that it holds up none of the others."""
        try:
            await self._database.read(partial(rows.get, seq=seq))
        except Exception as error:
            if not rows.is_unreadable(error):
                raise
            reason = f"the row can't be read ({type(error).__name__})"
            await self._database.write(partial(rows.set_aside, seq=seq, now=now, reason=reason))

    async def _work(self, found: Sequence[Values]) -> int:
        meanings = [self._meanings.of(row) for row in found]
        about = await self._find(meanings)
        results = await asyncio.gather(
            *(self._settle(row, meaning, about) for row, meaning in zip(found, meanings, strict=True))
        )
        verdicts = [(row, result) for row, result in zip(found, results, strict=True) if isinstance(result, Verdict)]
        noted = [self._noted(row, verdict) for row, verdict in verdicts]
        if noted:
            await self._database.write(partial(rows.settle, rows=noted))
        statuses = [(row["source"], row["status"]) for row in noted if row["status"] != "pending"]
        applied = [row["source"] for row, result in zip(found, results, strict=True) if isinstance(result, Committed)]
        for source, status in [*statuses, *((source, "applied") for source in applied)]:
            telemetry.on_settled(source if source in self._known else "other", status)
        return len(noted) + len(applied)

    async def _find(self, meanings: Iterable[Reply | Request | Verdict]) -> Found:
        """Look for what a batch is about, with one statement for the effects and one for each column of names."""
        effects: set[str] = set()
        names: dict[tuple[str, str], set[str]] = defaultdict(set)
        for meaning in meanings:
            match meaning:
                case Reply(effect=effect):
                    effects.add(effect)
                case Request(machine=machine, entity_id=Known(column, value)):
                    names[machine, column].add(value)
        if not effects and not names:
            return Found({}, {})

        def look(connection: Connection) -> Found:
            store = Store(connection)
            found = store.rows(EffectRow, "id", effects, lock=False) if effects else []
            entities = {
                (machine, Known(column, row[column])): row["id"]
                for (machine, column), values in names.items()
                for row in store.rows(self._registry[machine].entity, column, values, lock=False)
            }
            return Found({row["id"]: row for row in found}, entities)

        return await self._database.read(look)

    async def _settle(
        self, row: Values, meaning: Reply | Request | Verdict, about: Found
    ) -> Committed | Verdict | None:
        """Raise the event that a row asks for; return None if nothing can be said of the row now."""
        if isinstance(meaning, Verdict):
            return meaning
        envelope = self._meanings.envelope(row, meaning, about)
        if isinstance(envelope, Verdict):
            return envelope
        try:
            outcome = await self._dispatcher.dispatch(envelope)
        except (Superseded, Unavailable):
            return None  # it was settled meanwhile, or it will be found due again
        except NotFound as error:
            return Verdict("unroutable", str(error), is_early=True)
        except DispatchError as error:
            return Verdict("refused", str(error), is_early=True)
        return outcome if isinstance(outcome, Committed) else self._refused(envelope, outcome)

    def _refused(self, envelope: Envelope, outcome: Rejected) -> Verdict:
        """Say whether a refusal is for good. That of an effect's answer is: the effect has it, refused or not."""
        machine = self._registry[outcome.machine]
        is_early = envelope.completes is None and machine.may_come_to_take(outcome.state, outcome.event)
        return Verdict("refused", outcome.reason, is_early=is_early)

    def _noted(self, row: Values, verdict: Verdict) -> Values:
        now, attempts = self._clock.now(), row["attempts"] + 1
        noted = {**row, "reason": verdict.reason, "attempts": attempts}
        if verdict.is_early and attempts <= len(PAUSES):
            return {**noted, "due_at": now + PAUSES[attempts - 1]}
        if verdict.status != "applied":
            log.warning(
                "inbox_not_applied",
                seq=row["seq"],
                source=row["source"],
                kind=row["kind"],
                status=verdict.status,
                reason=verdict.reason,
            )
        return {**noted, "status": verdict.status, "finished_at": now}

    # -- what admins decide ----------------------------------------------------------------------------------------

    async def replay(self, seq: int, by: Actor, reason: str) -> Values | None:
        """Have a row worked on again, from the start; return it, or None if its event was accepted before."""
        decide = partial(rows.replay, seq=seq, now=self._clock.now(), by=str(by), decision=f"replay: {reason}")
        row = await self._database.write(decide)
        if row is not None:
            log.info("inbox_replayed", seq=seq, by=str(by), reason=reason)
            self.wake()
        return row

    async def dismiss(self, seq: int, by: Actor, reason: str) -> Values | None:
        """Let nothing come of a row; return it, or None if it is settled for good already."""
        decide = partial(rows.dismiss, seq=seq, now=self._clock.now(), by=str(by), decision=f"dismiss: {reason}")
        row = await self._database.write(decide)
        if row is not None:
            log.info("inbox_dismissed", seq=seq, by=str(by), reason=reason)
        return row
