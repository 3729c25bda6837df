"""A works, in the table of products: jobs that ask for all sorts of things, and a peer that does as it is told."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from random import Random
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from engine.chore import Chore
from engine.clock import Clock
from engine.destinations import DestinationLimits
from engine.dispatcher import CommittedBatch, Dispatcher
from engine.effects import EffectRunner
from engine.envelope import Committed, Envelope, Outcome
from engine.stepper import Stepper
from engine.timers import TimerSweep
from gateways.port import ActionRequired, Answer, Attempt, Done, Handlers, NoAnswer, Refused
from persistence import queries
from persistence.bulk import Values
from persistence.database import Database
from persistence.tables import TABLES, EffectAttemptRow, EffectRow, TimerRow
from statemachines.commands import Call, Command, Set, Withdraw
from statemachines.declaration import NEW, Actor, Cache, Effect, Event, Retry, Role, State, Transition, asks
from statemachines.machine import Machine
from statemachines.product import Product
from statemachines.registry import Registry
from statemachines.values import Name

FOREMAN = Actor("foreman", Role.MERCHANT)
ADMIN = Actor("ada", Role.ADMIN)


class Task(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: Name
    urgent: bool = False


class Begin(Event, by=[Role.MERCHANT]):
    """Begin a job."""

    sku: str


class Ask(Event, by=[Role.MERCHANT]):
    """Ask for some things by one of the effects."""

    by: str
    tasks: tuple[str, ...]


class Forget(Event, by=[Role.MERCHANT]):
    """Ask no more for what nobody has attempted yet; ask for other things instead."""

    by: str
    instead: tuple[str, ...] = ()


class AskInVain(Event, by=[Role.MERCHANT]):
    """Ask for something, and think better of it at once."""

    what: str


class End(Event, by=[Role.MERCHANT]):
    """End the job."""


class Answered(Event):
    """The peer answered."""

    text: Name


class Denied(Event):
    """The peer refused."""

    reason: Name


class Confirm(Event):
    """The peer wants a word first."""

    url: Name


QUICKLY = Retry(attempts=3, first_delay=timedelta(seconds=1))

FETCH = Effect("depot.fetch", Task, ok=Answered, failed=Denied, action=Confirm, editable=("what",))
DROP = Effect("depot.drop", Task, timeout=timedelta(minutes=2), retry=QUICKLY)
WALK = Effect("road.walk", Task, ok=Answered, failed=Denied, timeout=timedelta(seconds=10), retry=Retry(attempts=300))
GUESS = Effect("oracle.guess", Task, ok=Answered, retry=QUICKLY, fallback=MappingProxyType({"text": "who knows"}))
LOOK = Effect("oracle.look", Task, ok=Answered, cache=Cache(("what",), timedelta(hours=1)))
EFFECTS = {effect.name: effect for effect in (FETCH, DROP, WALK, GUESS, LOOK)}


@asks(*EFFECTS.values())
def ask(event: Ask) -> Iterator[Command]:
    yield from (Call(EFFECTS[event.by], Task(what=what)) for what in event.tasks)


@asks(*EFFECTS.values())
def forget(event: Forget) -> Iterator[Command]:
    yield Withdraw(EFFECTS[event.by])
    yield from (Call(EFFECTS[event.by], Task(what=what)) for what in event.instead)


@asks(FETCH)
def ask_in_vain(event: AskInVain) -> Iterator[Command]:
    yield Call(FETCH, Task(what=event.what))
    yield Withdraw(FETCH)


def note(event: Answered) -> Iterator[Command]:
    yield Set(name=event.text)


job = Machine(
    Product,
    name="job",
    plural="jobs",
    key=lambda event: event.sku,
    states=[State("open"), State("ended", final=True)],
    transitions=[
        Transition(Begin, NEW, "open"),
        Transition(Ask, "open", None, [], [ask]),
        Transition(Forget, "open", None, [], [forget]),
        Transition(AskInVain, "open", None, [], [ask_in_vain]),
        Transition(Answered, "open", None, [], [note]),
        Transition(Denied, "open", None),
        Transition(Confirm, "open", None),
        Transition(End, "open", "ended"),
    ],
)

Step = Answer | BaseException | asyncio.Event
"""What the peer does: answer, fail, or first wait for an event."""


class Peer:
    """The other side of every effect. It does what it is asked for once for each key, unless it is told otherwise."""

    def __init__(self) -> None:
        self.calls: list[Attempt] = []
        self.done: Counter[str] = Counter()
        """How often it did what, by key."""
        self.does: defaultdict[str, deque[Step]] = defaultdict(deque)
        """What it does next, by task; without it, it answers."""
        self.down: set[str] = set()
        """The destinations that do not answer."""
        self.most_at_once: Counter[str] = Counter()
        self._at_once: Counter[str] = Counter()

    @property
    def handlers(self) -> Handlers:
        return {name: partial(self._called, effect.destination) for name, effect in EFFECTS.items()}

    def tasks(self) -> list[str]:
        """Return what it was asked for, in order."""
        return [attempt.arguments.what for attempt in self.calls]

    async def _called(self, destination: str, attempt: Attempt) -> Answer:
        self.calls.append(attempt)
        self._at_once[destination] += 1
        self.most_at_once[destination] = max(self.most_at_once[destination], self._at_once[destination])
        try:
            if destination in self.down:
                raise NoAnswer("nobody is there")
            return await self._answer(attempt)
        finally:
            self._at_once[destination] -= 1

    async def _answer(self, attempt: Attempt) -> Answer:
        what = attempt.arguments.what
        while self.does[what]:
            match self.does[what].popleft():
                case asyncio.Event() as until:
                    await until.wait()
                case Done() | Refused() | ActionRequired() as answer:
                    return answer
                case error:
                    raise error
        if not self.done[attempt.key]:
            self.done[attempt.key] += 1
        return Done({"text": f"{what} is done"})


class Works:
    """Dispatcher, effects and timers on one database, moved by hand."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        peer: Peer,
        *,
        machines: Registry,
        seed: int = 1,
        limits: Mapping[str, DestinationLimits],
    ) -> None:
        self.database, self.clock, self.peer = database, clock, peer
        self.machines = machines
        random = Random(seed)
        self.dispatcher = Dispatcher(database, machines, clock, random)
        self.batches: list[CommittedBatch] = []
        self.dispatcher.listen(self.batches.append)
        effects = [effect for machine in machines for effect in machine.effects]
        self.runner = EffectRunner(database, self.dispatcher, clock, random, effects, peer.handlers, limits)
        self.timers = TimerSweep(database, self.dispatcher, machines, clock)
        self.chores: list[Chore] = [self.runner, self.timers]
        for chore in self.chores:
            self.dispatcher.listen(chore.wakes_at)
        self._stepper = Stepper(database, clock, self.chores, timedelta(seconds=1))
        self.settle, self.next_due = self._stepper.settle, self._stepper.next_due
        self.advance, self.advance_to = self._stepper.advance, self._stepper.advance_to

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database: Database,
        clock: Clock,
        peer: Peer | None = None,
        *,
        machines: Registry | None = None,
        seed: int = 1,
        **limits: DestinationLimits,
    ) -> AsyncIterator["Works"]:
        """Open a works; several may stand on one database and share a clock and a peer."""
        opened = cls(database, clock, peer or Peer(), machines=machines or Registry([job]), seed=seed, limits=limits)
        await opened.dispatcher.start()
        yield opened
        await opened.dispatcher.stop()

    # -- given

    async def begin(self, *skus: str) -> None:
        for sku in skus:
            await self.tell(None, Begin(sku=sku))

    async def ask(self, *tasks: str, by: Effect = FETCH, job: str = "J") -> None:
        """Have a job ask for things; it begins if need be."""
        if await self.database.read(lambda c: queries.get_entity(c, self.machines["job"], job)) is None:
            await self.begin(job)
        await self.tell(job, Ask(by=by.name, tasks=tasks))

    # -- when

    async def tell(self, id: str | None, event: Event, by: Actor = FOREMAN, machine: str = "job") -> Outcome:  # noqa: A002
        return await self.dispatcher.dispatch(Envelope(machine=machine, id=id, event=event, actor=by))

    async def admin(self, event: Event, id: str = "J", machine: str = "job") -> Outcome:  # noqa: A002
        return await self.tell(id, event, ADMIN, machine)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Run effects whenever the runner asks for it."""
        woken = asyncio.Event()
        self.runner.wake = woken.set

        async def run() -> None:
            while True:
                await self.runner.run()
                await woken.wait()
                woken.clear()

        task = asyncio.create_task(run())
        yield
        task.cancel()

    async def beat(self, **span: float) -> None:
        """Let some time pass for those who tend what was begun."""
        self.clock.advance(timedelta(**span))
        for chore in self.chores:
            await chore.tend()

    # -- then

    async def effects(self) -> list[Values]:
        """Return every effect, the oldest first."""
        return await self._all(EffectRow)

    async def effect(self) -> Values:
        """Return the only effect."""
        (effect,) = await self.effects()
        return effect

    async def find(self, what: str) -> Values:
        """Return the effect that asks for something."""
        (effect,) = [row for row in await self.effects() if row["arguments"]["what"] == what]
        return effect

    async def statuses(self) -> dict[str, str]:
        """Return how everything stands that was asked for, by task."""
        return {effect["arguments"]["what"]: effect["status"] for effect in await self.effects()}

    async def attempts(self) -> list[Values]:
        """Return the attempts that failed."""
        return await self._all(EffectAttemptRow)

    async def timer_rows(self) -> list[Values]:
        return await self._all(TimerRow)

    async def _all(self, row: type) -> list[Values]:
        table = TABLES[row]
        statement = select(table).order_by(*table.primary_key.columns)
        return await self.database.read(lambda c: [dict(r) for r in c.execute(statement).mappings()])

    async def row(self, id: str = "J", machine: str = "job") -> Values:  # noqa: A002
        row = await self.database.read(lambda c: queries.get_entity(c, self.machines[machine], id))
        assert row is not None
        return row

    async def history(self, id: str = "J", machine: str = "job") -> list[Values]:  # noqa: A002
        page = await self.database.read(lambda c: queries.list_history(c, self.machines[machine], id, 500, None))
        return list(page.rows)

    async def story(self, id: str = "J", machine: str = "job") -> list[str]:  # noqa: A002
        return [record["event"] for record in await self.history(id, machine)]


def committed(outcome: Outcome) -> Committed:
    assert isinstance(outcome, Committed), outcome
    return outcome
