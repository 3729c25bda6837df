"""Webhooks out: delivers transitions to subscriptions, each entity's in order, each at least once.

The fan-out notes in lanes which stretches of whose history a subscription has yet to get. A runner claims a lane for a
while, sends what it holds one after the other, and notes after each how far it got; if it dies, another sends the last
message again under the same id. Lanes do not wait for each other, nor does one address for another.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Final

import structlog
from sqlalchemy import Connection, ScalarSelect
from sqlalchemy.exc import SQLAlchemyError

from engine import telemetry
from engine.again import write
from engine.chore import Chore
from engine.clock import Clock
from engine.cloudevent import message
from engine.dispatcher import CommittedBatch, Dispatcher
from engine.envelope import DispatchError, Envelope, Stale
from engine.fanout import FanOut, hears_of
from engine.reports import LEASE, TROUBLED, Report, Reports, Verdict
from gateways.deliveries import Messenger
from gateways.port import NoAnswer
from gateways.signing import SigningSecrets, sign
from persistence import lanes
from persistence.bulk import Values
from persistence.database import CommitUnknown, Database
from persistence.lanes import LaneKey, Subscriber
from statemachines.declaration import Actor, Role
from statemachines.ids import new_id
from statemachines.registry import Registry
from statemachines.subscription import Disable, SubscriptionPolicy, subscription

log = structlog.get_logger("orderly.deliveries")

ACTOR: Final = Actor("deliveries", Role.SYSTEM)

TIMEOUT: Final = timedelta(seconds=15)
"""How long an attempt may take, once it is known where the host is."""

STRETCH_LIMIT: Final = 20
"""How many transitions of an entity are delivered before others have their turn."""


HANDFUL: Final = 5
"""How many times as many lanes are claimed as may be on their way at a time, so that none is waited for."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """A lane that this process holds, and what is to be sent along it."""

    receiver: Subscriber
    lane: Values
    rows: Sequence[Values]


class Deliveries(Chore):
    """Delivers for one process.

    Args:
        database: where histories and lanes stand.
        dispatcher: where a subscription is disabled.
        registry: the machines.
        clock: tells the time.
        random: for ids, and for pauses that are not all the same.
        policy: how much may be sent at a time, and what events name as their source.
        secrets: what messages are signed with.
        messenger: sends them.
    """

    name = "deliveries"

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        registry: Registry,
        clock: Clock,
        random: Random,
        policy: SubscriptionPolicy,
        secrets: SigningSecrets,
        messenger: Messenger,
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._registry = registry
        self._clock = clock
        self._random = random
        self._policy = policy
        self._secrets = secrets
        self._messenger = messenger
        self._fan_out = FanOut(database, clock)
        self._reports = Reports(database, clock, random)
        self._held: dict[asyncio.Task[None], str] = {}
        self._places: dict[str, asyncio.Semaphore] = {}
        self._all_places = asyncio.Semaphore(policy.concurrency)
        self._spared: set[str] = set()
        self._may_have_more: set[str] = set()
        self._listening = True
        self._stopping = False
        self._due = lanes.next_due(sqlite=database.is_sqlite)
        self._news = lanes.news(sqlite=database.is_sqlite)

    @property
    def due(self) -> ScalarSelect[Any]:
        """When something is to be read or sent next."""
        return self._due

    def wakes_at(self, batch: CommittedBatch) -> datetime | None:
        """What was just committed is due at once, if anybody wants to hear of it."""
        history = batch.changes.history
        self._listening |= any(row["machine"] == subscription.name for row in history)
        return batch.now if history and self._listening else None

    # -- claiming --------------------------------------------------------------------------------------------------

    async def run(self) -> int:
        """Read what happened, and begin to send what is due; return how much that was."""
        news = lanes.News(*await self._database.look(lambda connection: connection.execute(self._news).one()))
        self._listening = news.somebody
        swept = await write(self._database, lanes.sweep) if news.lost else 0
        read = await self._fan_out.run() if news.unread else 0
        return swept + read + await self._claim()

    async def _claim(self) -> int:
        """Claim lanes by the handful, and begin with as many as may be on their way at a time."""
        now = self._clock.now()
        due = [] if self._stopping else await self._database.look(partial(lanes.due_subscribers, now=now))
        wanted = self._share_out(due)
        if not wanted:
            return 0
        claims = await write(self._database, partial(_claim, wanted=wanted, now=now))
        for claim in claims:
            self._spared.discard(claim.receiver.id)
            task = asyncio.create_task(self._deliver(claim), name=f"{claim.receiver.id} {claim.lane['entity_id']}")
            self._held[task] = claim.receiver.id
            task.add_done_callback(self._ended)
        counts = Counter(claim.receiver.id for claim in claims)
        self._may_have_more |= {receiver.id for receiver, most in wanted if counts[receiver.id] >= most}
        return len(claims)

    def _share_out(self, due: Sequence[Subscriber]) -> list[tuple[Subscriber, int]]:
        """Return how many lanes may be claimed for whom; whoever has the fewest comes first."""
        held, left = Counter(self._held.values()), self._policy.concurrency * HANDFUL - len(self._held)
        self._may_have_more = {receiver.id for receiver in due}
        wanted = []
        for receiver in sorted(due, key=lambda each: held[each.id]):
            most = 1 if receiver.failures >= TROUBLED else self._policy.concurrency_per_address * HANDFUL
            room = min(left, most - held[receiver.id])
            if room > 0:
                self._may_have_more.discard(receiver.id)
                wanted.append((receiver, room))
                left -= room
        return wanted

    def _ended(self, task: asyncio.Task[None]) -> None:
        receiver = self._held.pop(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("delivery_lost", lane=task.get_name(), exc_info=error)
        still = sum(each == receiver for each in self._held.values())
        if not still:
            self._places.pop(receiver, None)
        if self._may_have_more and still <= self._policy.concurrency_per_address:  # before the handful is empty
            self.wake()

    async def finish(self) -> None:
        """Wait until everything that was begun has ended."""
        while self._held:
            await asyncio.wait(self._held)

    async def stop(self, grace: timedelta) -> None:
        """Begin nothing more, and finish what was begun as far as `grace` allows; other processes do the rest later."""
        self._stopping = True
        if self._held:
            await asyncio.wait(self._held, timeout=grace.total_seconds())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._messenger.aclose()

    # -- one lane --------------------------------------------------------------------------------------------------

    async def _deliver(self, claim: _Claim) -> None:
        """Send a stretch of one entity's history, as far as it is taken, once there is a place for it."""
        places = self._places.setdefault(claim.receiver.id, asyncio.Semaphore(self._policy.concurrency_per_address))
        try:
            async with places, self._all_places:
                await self._go_along(claim.receiver, claim.lane, claim.rows)
        except (SQLAlchemyError, CommitUnknown, OSError) as error:
            # The lease will lapse, and the last message be sent again under the same id.
            log.warning("delivery_not_noted", subscription=claim.receiver.id, reason=type(error).__name__)

    async def _go_along(self, receiver: Subscriber, lane: Values, rows: Sequence[Values]) -> None:
        asked_for = bool(lane["asked_by"]) and lane["next_version"] == lane["last_version"]
        for row in rows:
            if self._clock.now() + TIMEOUT >= lane["due_at"]:
                return  # the lease may be over before an attempt is; somebody else will take it up
            if self._stopping or receiver.id in self._spared:
                await self._reports.submit(Report(lane, next_version=row["version"], release=True))
                return
            if asked_for or hears_of(receiver, row["machine"], row["event"], row["entity_id"]):
                verdict = await self._send(receiver, lane, row)
                if verdict.spared:
                    self._spared.add(receiver.id)
                if verdict.give_up:
                    await self._disable(receiver, verdict.give_up, verdict.failing_since, row["event_id"])
                if verdict.lane is None:
                    return
                lane = verdict.lane
        await self._reports.submit(Report(lane, next_version=rows[-1]["version"] + 1, release=True))

    async def _send(self, receiver: Subscriber, lane: Values, row: Values) -> Verdict:
        """Make an attempt to deliver one event, and note what came of it."""
        began, started = self._clock.now(), time.perf_counter()
        number = lane["attempts"] + 1
        status, error, retry_after = None, None, None
        try:
            body = message(row, self._registry, self._policy.source)
            secrets = self._secrets.valid(receiver.id, receiver.secret_generation, receiver.secret_rotated_at, began)
            headers = sign(row["event_id"], began, body, secrets)
            answer = await self._messenger.post(receiver.url, headers, body, timeout=TIMEOUT, attempt=number)
            status = answer.status
            if not 200 <= status < 300:
                error, retry_after = f"answered {status}", answer.retry_after
        except NoAnswer as unanswered:
            error = str(unanswered)
        except Exception as mistake:
            log.exception("delivery_failed", subscription=receiver.id, event_id=row["event_id"])
            error = f"{type(mistake).__name__} before it was sent"
        outcome = "delivered" if error is None else "failed"
        telemetry.on_delivery(outcome)
        delivery = {
            "id": new_id("dlv", began, self._random),
            "subscription_id": receiver.id,
            **{name: row[name] for name in ("event_id", "machine", "entity_id", "version", "event")},
            "attempt": number,
            "at": began,
            "duration_ms": round((time.perf_counter() - started) * 1000),
            "status": status,
            "error": error,
            "outcome": outcome,
        }
        report = Report(lane, next_version=row["version"] + 1, delivery=delivery, retry_after=retry_after)
        return await self._reports.submit(report)

    async def _disable(self, receiver: Subscriber, reason: str, failing_since: datetime | None, cause: str) -> None:
        """Have nothing more sent to an address that takes nothing, and say so."""
        log.error("subscription_given_up", subscription=receiver.id, reason=reason)
        envelope = Envelope(
            machine=subscription.name,
            id=receiver.id,
            event=Disable(reason=reason[:200], failing_since=failing_since or self._clock.now()),
            actor=ACTOR,
            cause=cause,
            expected_version=receiver.version,
        )
        try:
            await self._dispatcher.dispatch(envelope)
        except Stale:
            log.info("subscription_changed", subscription=receiver.id)  # it may be another address by now
        except DispatchError as error:
            log.warning("subscription_not_disabled", subscription=receiver.id, reason=str(error))


def _claim(connection: Connection, wanted: Sequence[tuple[Subscriber, int]], now: datetime) -> list[_Claim]:
    """Claim lanes; of an address that is spared only if nobody else finds out how it is."""
    claimed: list[tuple[Subscriber, Values]] = []
    for receiver, most in wanted:
        if receiver.failures < TROUBLED or lanes.hold(connection, receiver, now + LEASE):
            claimed += [(receiver, lane) for lane in lanes.claim(connection, receiver.id, now, now + LEASE, most)]
    rows = lanes.stretches(connection, [LaneKey.of(lane) for _, lane in claimed], STRETCH_LIMIT) if claimed else {}
    return [_Claim(receiver, lane, rows[LaneKey.of(lane)]) for receiver, lane in claimed]
