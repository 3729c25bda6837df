"""Two runners, a peer, admins and second thoughts in any order: whatever happens, each effect ends once, as it says."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from contextlib import AsyncExitStack
from datetime import timedelta
from random import Random

from sqlalchemy import Connection

from engine.clock import VirtualClock
from engine.effects import LEASE
from engine.envelope import Superseded
from engine.interventions import CancelEffect, EffectIntervention, RetryEffect
from gateways.port import Answer, Attempt, Done, NoAnswer, Refused
from persistence import schema
from persistence.bulk import Values
from persistence.database import Database
from persistence.tables import EffectRow, History
from tests.conftest import NOON
from tests.engine.books import rows
from tests.engine.works import DROP, EFFECTS, FETCH, GUESS, Forget, Peer, Works
from tests.waiting import until

SEEDS, STEPS = range(25), 70
ASKED = [FETCH, FETCH, DROP, GUESS]


class Desk(Peer):
    """A peer whose clerk answers calls one by one, in any order, until everything is answered at once."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[tuple[Attempt, asyncio.Future[Answer]]] = []
        self.is_quick = False

    async def _answer(self, attempt: Attempt) -> Answer:
        if self.is_quick:
            return await super()._answer(attempt)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.waiting.append((attempt, future))
        return await future


class Bedlam:
    """One works after the other on one database; the seed says what happens."""

    def __init__(self, database: Database, seed: int, stack: AsyncExitStack) -> None:
        self.database, self.seed, self.stack = database, seed, stack
        self.random = Random(seed)
        self.clock = VirtualClock(NOON + timedelta(days=seed))
        self.job = f"J{seed}"
        self.works: list[Works] = []
        self.deaths = self.superseded = 0

    async def open(self) -> Works:
        works = Works.open(self.database, self.clock, Desk(), seed=self.random.randrange(2**32))
        return await self.stack.enter_async_context(works)

    async def begin(self) -> None:
        self.works = [await self.open(), await self.open()]
        await self.works[0].begin(self.job)

    def desk(self, works: Works) -> Desk:
        assert isinstance(works.peer, Desk)
        return works.peer

    async def quiet(self) -> None:
        """Let everything go on until only the clerks' answers are waited for."""
        for works in self.works:
            desk, running = self.desk(works), works.runner._running
            await until(lambda desk=desk, running=running: len(desk.waiting) >= len(running))

    async def step(self) -> None:
        works = self.random.choice(self.works)
        match self.random.randrange(12):
            case 0 | 1:
                tasks = [f"thing {self.random.randrange(10**9)}" for _ in range(self.random.randint(1, 3))]
                await works.ask(*tasks, by=self.random.choice(ASKED), job=self.job)
            case 2 | 3:
                await works.runner.run()
            case 4 | 5 | 6:
                self.answer(works)
            case 7:
                await works.beat(seconds=self.random.choice([0.5, 3, 11, 11, LEASE.total_seconds() + 1]))
            case 8:
                self.clock.advance(timedelta(seconds=self.random.choice([1, 5, 30, 61])))
            case 9:
                await self.die(works)
            case 10:
                await self.step_in(works)
            case _:
                await works.tell(self.job, Forget(by=self.random.choice(ASKED).name))
        await self.quiet()

    def answer(self, works: Works) -> None:
        """Have the clerk answer one of the calls."""
        desk = self.desk(works)
        if not desk.waiting:
            return
        attempt, future = desk.waiting.pop(self.random.randrange(len(desk.waiting)))
        match self.random.randrange(5):
            case 0:
                future.set_exception(NoAnswer("the line is bad"))
            case 1:
                future.set_result(Refused({"reason": "no"}))
            case _:
                desk.done[attempt.key] += 1
                future.set_result(Done({"text": "yes"}))

    async def die(self, works: Works) -> None:
        """End a runner with all that it holds, and put another in its place."""
        self.deaths += 1
        running = list(works.runner._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self.count(works)
        self.works[self.works.index(works)] = await self.open()

    def count(self, works: Works) -> None:
        self.superseded += sum(isinstance(each, Superseded) for batch in works.batches for each in batch.results)

    async def step_in(self, works: Works) -> None:
        effects = [row for row in await works.effects() if row["entity_id"] == self.job]
        if effects:
            effect = str(self.random.choice(effects)["id"])
            kinds: list[type[EffectIntervention]] = [RetryEffect, RetryEffect, CancelEffect]
            await works.admin(self.random.choice(kinds)(effect=effect, reason="why not"), self.job)

    async def end(self) -> None:
        """Answer whatever is asked, until nothing is left to do."""
        for works in self.works:
            desk = self.desk(works)
            desk.is_quick = True
            for _, future in desk.waiting:
                future.set_result(Done({"text": "yes"}))
        for works in self.works:
            await works.advance(timedelta(hours=1))
            self.count(works)


def check(connection: Connection, job: str) -> None:
    """What the tables say of a job fits together."""
    history = [row for row in rows(connection, History) if row["entity_id"] == job]
    effects = [row for row in rows(connection, EffectRow) if row["entity_id"] == job]
    assert {row["status"] for row in effects} <= {"done", "cancelled", "parked"}, "something is left undone"
    assert [row["version"] for row in history] == list(range(1, len(history) + 1))
    _check_asked(history, effects)
    told = Counter(row["cause"] for row in history)
    for row in effects:
        answered = row["status"] == "done" and "event" in (row["outcome"] or {})
        assert told[row["id"]] == answered, f"{row['id']} is {row['status']}, but told {told[row['id']]} times"
        if row["status"] == "cancelled" and "withdrawn" in row["error"]:
            assert (row["attempts"], row["lost"]) == (0, 0), "what was attempted was withdrawn"
        assert row["attempts"] <= EFFECTS[row["name"]].retry.attempts + row["lost"]


def _check_asked(history: Iterable[Values], effects: Iterable[Values]) -> None:
    """Each transition has just the effects that it asked for."""
    asked = {row["event_id"]: len(row["payload"]["tasks"]) for row in history if row["event"] == "ask"}
    assert Counter(row["cause"] for row in effects) == Counter(asked)


async def test_in_bedlam_each_effect_ends_once(sqlite_url: str, capsys) -> None:
    database = Database(sqlite_url, synchronous="OFF")
    await schema.migrate(database)
    deaths = superseded = 0
    for seed in SEEDS:
        async with AsyncExitStack() as stack:
            bedlam = Bedlam(database, seed, stack)
            await bedlam.begin()
            for _ in range(STEPS):
                await bedlam.step()
            await bedlam.end()
            try:
                await database.read(lambda connection, job=bedlam.job: check(connection, job))
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {error}") from error
            deaths, superseded = deaths + bedlam.deaths, superseded + bedlam.superseded
    await database.close()
    with capsys.disabled():
        print(f"\n{deaths} runners died, {superseded} late outcomes were turned away")  # noqa: T201
    assert deaths > len(SEEDS)
    assert superseded > 0, "no outcome ever came too late"
