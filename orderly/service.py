"""The composition: one service made of a database, machines, gateways and the engine between them."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from random import Random, SystemRandom

from sqlalchemy import Connection

from api.app import create_app
from api.context import Context
from api.gate import Gate, Limits
from api.keys import Keys
from engine import telemetry
from engine.background import Background
from engine.chore import Chore
from engine.clock import Clock, SteadyClock
from engine.deliveries import Deliveries
from engine.dispatcher import Dispatcher
from engine.effects import EffectRunner
from engine.inbox import Inbox
from engine.jobs import Jobs, ScheduledJob
from engine.stepper import Stepper
from engine.timers import TimerSweep
from engine.watchers import Watchers
from gateways.deliveries import Messenger
from gateways.signing import SigningSecrets
from orderly.jobs import scheduled
from orderly.outside import Outside
from orderly.settings import Settings
from orderly.sources import SOURCES
from persistence import feed, queries, schema
from persistence.database import Database
from statemachines.registry import MACHINES, Registry


class NotReady(Exception):
    """The database does not fit this program; the message says what to do."""


class Service:
    """Everything that serves orders, wired together. Use `Service.open`."""

    def __init__(
        self, settings: Settings, clock: Clock, random: Random, machines: Registry, jobs: Iterable[ScheduledJob] = ()
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.random = random
        self.registry = machines.with_policies(settings.policies)
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
        self.outside = Outside(settings)
        self.jobs = Jobs(self.database, self.dispatcher, clock, [*scheduled(settings), *jobs])
        self.effects = EffectRunner(
            self.database,
            self.dispatcher,
            clock,
            random,
            [effect for machine in self.registry for effect in machine.effects],
            {**self.outside.handlers, **self.jobs.handlers},
            settings.destinations,
        )
        self.keys = Keys(self.database, clock, settings.pepper())
        self.timers = TimerSweep(self.database, self.dispatcher, self.registry, clock)
        self.inbox = Inbox(self.database, self.dispatcher, self.registry, clock, SOURCES, settings.inbox)
        self.signing_secrets = SigningSecrets(settings.pepper())
        self.deliveries = Deliveries(
            self.database,
            self.dispatcher,
            self.registry,
            clock,
            random,
            settings.subscription,
            self.signing_secrets,
            Messenger(allow_private=settings.subscription.allow_private, connections=settings.subscription.concurrency),
        )
        self.chores: list[Chore] = [self.effects, self.timers, self.inbox, self.deliveries]
        self._stepper = Stepper(self.database, clock, self.chores, settings.poll_interval)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        machines: Registry = MACHINES,
        jobs: Iterable[ScheduledJob] = (),
        migrate: bool = False,
        background: bool | None = None,
    ) -> AsyncIterator["Service"]:
        """Open the service, and close it in order at the end.

        Args:
            settings: how it is set up.
            clock: the machine's clock by default.
            random: for ids and jitter; the machine's by default.
            machines: the shop's by default.
            jobs: more jobs beside the shop's own.
            migrate: whether to bring the database up to date first.
            background: whether to do by itself what falls due; if false, other processes are told of it. By default
                nothing goes by itself: `settle` and `advance` do what falls due.

        Raises:
            NotReady: the database is not up to date, or holds entities in states that no machine declares.
        """
        chance = random or Random(SystemRandom().getrandbits(256))  # noqa: S311  (ids and jitter; no secret)
        service = cls(settings, clock or SteadyClock(), chance, machines, jobs)
        try:
            if migrate:
                await schema.migrate(service.database)
            await service.check()
            await service.dispatcher.start()
            try:
                if background:
                    await service.jobs.declare()
                async with service._background(work=background) if background is not None else _nothing():
                    yield service
            finally:
                await service.dispatcher.stop()
        finally:
            await service.outside.aclose()
            await service.deliveries.aclose()
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
        if await self.database.read(feed.is_out_of_step):
            raise NotReady("the database was restored into another PostgreSQL cluster: run `orderly migrate`")
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

    def _background(self, *, work: bool) -> AbstractAsyncContextManager[None]:
        """Run what falls due, or only tell other processes of it."""
        background = Background(
            self.database,
            self.dispatcher,
            self.registry,
            self.clock,
            self.watchers,
            poll=self.settings.poll_interval,
            grace=self.settings.shutdown_grace * 0.8,
        )
        return background.running(self.chores, work=work)

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
            inbox=self.inbox,
            webhooks=settings.webhooks.verifiers(),
            signing_secrets=self.signing_secrets,
            destinations=self.effects.destinations,
            does_work=settings.run_background_work,
            require_idempotency_key=settings.require_idempotency_key,
            longest_wait=settings.longest_wait,
        )
        limits = Limits(
            body_bytes=settings.body_limit,
            body_time=settings.body_timeout,
            requests_per_second=settings.requests_per_second,
            failed_logins_per_minute=settings.failed_logins_per_minute,
            webhooks_per_second=settings.webhooks_per_second,
        )
        return create_app(context, self.random, limits)

    # -- moving by hand, for tests and replays ---------------------------------------------------------------------

    async def settle(self) -> None:
        """Do everything that is due, and what comes of it, until nothing more can be done now."""
        await self._stepper.settle()

    async def next_due(self) -> datetime | None:
        """Return when something falls due next."""
        return await self._stepper.next_due()

    async def advance_to(self, moment: datetime) -> None:
        """Move the virtual clock to `moment`, stopping wherever something falls due on the way.

        Raises:
            TypeError: the service has no virtual clock.
        """
        await self._stepper.advance_to(moment)

    async def advance(self, span: timedelta) -> None:
        """Move the virtual clock by `span`; see `advance_to`."""
        await self._stepper.advance(span)


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield
