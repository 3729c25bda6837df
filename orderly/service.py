"""The composition: one service made of a database, machines, gateways and the engine between them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from random import Random, SystemRandom

from sqlalchemy import Connection

from api.app import create_app
from api.context import Context
from api.gate import Gate, Limits
from api.keys import Keys
from engine import telemetry
from engine.clock import Clock, SystemClock, VirtualClock
from engine.dispatcher import CommittedBatch, Dispatcher
from engine.effects import EffectRunner
from engine.keeper import Keeper, alarm_clock
from engine.timers import TimerSweep
from engine.watchers import Watchers
from gateways.sandbox import SandboxPayments
from orderly.settings import Settings
from persistence import queries, queue, schema
from persistence.database import Database
from statemachines.registry import MACHINES, Registry

KEY_SWEEP = timedelta(hours=1)
KEY_SWEEP_LIMIT = 10_000


class NotReady(Exception):
    """The database does not fit this program; the message says what to do."""


class Service:
    """Everything that serves orders, wired together. Use `Service.open`."""

    def __init__(self, settings: Settings, clock: Clock, random: Random, machines: Registry) -> None:
        self.settings = settings
        self.clock = clock
        self.random = random
        self.registry = machines.with_policies({"order": settings.order})
        self.database = Database(
            settings.database_url, pool_size=settings.database_pool, synchronous=settings.sqlite_synchronous
        )
        self.dispatcher = Dispatcher(
            self.database,
            self.registry,
            clock,
            random,
            queue_limit=settings.queue_limit,
            batch_limit=settings.batch_limit,
        )
        self.watchers = Watchers()
        self.dispatcher.listen(self.watchers.on_commit)
        self.dispatcher.listen(telemetry.on_commit)
        self.effects = EffectRunner(
            self.database,
            self.dispatcher,
            clock,
            random,
            [effect for machine in self.registry for effect in machine.effects],
            SandboxPayments(settings.sandbox_slowness).handlers,
        )
        self.keys = Keys(self.database, clock, settings.pepper())
        self.timers = TimerSweep(self.database, self.dispatcher, self.registry, clock)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        machines: Registry = MACHINES,
        migrate: bool = False,
        background: bool = False,
    ) -> AsyncIterator["Service"]:
        """Open the service, and close it in order at the end.

        Args:
            settings: how it is set up.
            clock: the machine's clock by default.
            random: for ids and jitter; the machine's by default.
            machines: the shop's by default.
            migrate: whether to bring the database up to date first.
            background: whether to run effects and timers as they fall due. Without it, `settle` runs them.

        Raises:
            NotReady: the database is not up to date, or holds entities in states that no machine declares.
        """
        chance = random or Random(SystemRandom().getrandbits(256))  # noqa: S311  (ids and jitter; no secret)
        service = cls(settings, clock or SystemClock(), chance, machines)
        try:
            if migrate:
                await schema.migrate(service.database)
            await service.check()
            await service.dispatcher.start()
            try:
                async with service._background() if background else _nothing():
                    yield service
            finally:
                await service.dispatcher.stop()
        finally:
            await service.database.close()

    async def check(self) -> None:
        """Check that the database fits this program.

        Raises:
            NotReady: it does not; the message says why and what to do.
        """
        revision = await self.database.read(schema.current)
        if revision != schema.newest():
            found = f"at revision {revision}" if revision else "empty"
            raise NotReady(f"the database is {found}, this program needs {schema.newest()}: run `orderly migrate`")
        stranded = await self.database.read(self._stranded)
        if stranded:
            raise NotReady(f"entities stand in states that no machine declares: {', '.join(stranded)}")

    def _stranded(self, connection: Connection) -> list[str]:
        return [
            f"{count} of {machine.plural} in '{state}'"
            for machine in self.registry
            for state, count in queries.count_states(connection, machine).items()
            if state not in machine.states
        ]

    @asynccontextmanager
    async def _background(self) -> AsyncIterator[None]:
        """Run effects and timers as they fall due."""
        alarms = alarm_clock()
        poll = self.settings.poll_interval
        effects = Keeper("effects", self._run_effects, self.clock, alarms, poll)
        timers = Keeper("timers", self._fire_timers, self.clock, alarms, poll)
        keys = Keeper("idempotency-keys", self._sweep_keys, self.clock, alarms, KEY_SWEEP)

        def on_commit(batch: CommittedBatch) -> None:
            if batch.changes.effects:
                effects.wake()
            if batch.changes.timers_set:
                timers.wake_at(min(timer["due_at"] for timer in batch.changes.timers_set))

        self.dispatcher.listen(on_commit)
        alarms.start()
        keepers = [effects, timers, keys]
        for keeper in keepers:
            keeper.start()
        try:
            yield
        finally:
            alarms.shutdown(wait=False)
            for keeper in keepers:
                await keeper.stop()
            await self.effects.finish()

    async def _run_effects(self) -> datetime | None:
        while await self.effects.claim() or not self.effects.has_room:
            if not self.effects.has_room:
                await self.effects.one_ended()
        return await self.effects.next_due()

    async def _fire_timers(self) -> datetime | None:
        await self.timers.fire_due()
        return await self.timers.next_due()

    async def _sweep_keys(self) -> datetime | None:
        now = self.clock.now()
        while (
            await self.database.write(lambda c: queue.delete_expired_keys(c, now, KEY_SWEEP_LIMIT)) == KEY_SWEEP_LIMIT
        ):
            pass
        return None

    def app(self) -> Gate:
        """Return the HTTP interface to this service."""
        settings = self.settings
        context = Context(
            database=self.database,
            dispatcher=self.dispatcher,
            registry=self.registry,
            clock=self.clock,
            watchers=self.watchers,
            keys=self.keys,
            require_idempotency_key=settings.require_idempotency_key,
            longest_wait=settings.longest_wait,
        )
        limits = Limits(
            body_bytes=settings.body_limit,
            body_time=settings.body_timeout,
            requests_per_second=settings.requests_per_second,
            failed_logins_per_minute=settings.failed_logins_per_minute,
        )
        return create_app(context, self.random, limits, multiprocess_metrics=settings.workers > 1)

    # -- moving by hand, for tests and replays ---------------------------------------------------------------------

    async def settle(self) -> None:
        """Run every effect and timer that is due, and what comes of them, until nothing is due."""
        while True:
            claimed = await self.effects.claim()
            await self.effects.finish()
            if not claimed and not await self.timers.fire_due():
                return

    async def advance_to(self, moment: datetime) -> None:
        """Move the virtual clock to `moment`, stopping wherever something falls due on the way.

        Raises:
            TypeError: the service has no virtual clock.
        """
        if not isinstance(self.clock, VirtualClock):
            raise TypeError("only a virtual clock can be moved")
        await self.settle()
        while True:
            dues = [due for due in (await self.effects.next_due(), await self.timers.next_due()) if due]
            due = min(dues, default=None)
            if due is None or due > moment:
                break
            self.clock.advance_to(max(due, self.clock.now()))
            await self.settle()
        self.clock.advance_to(moment)

    async def advance(self, span: timedelta) -> None:
        """Move the virtual clock by `span`; see `advance_to`."""
        await self.advance_to(self.clock.now() + span)


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield
