"""A world in memory does what the engine does: the same events lead to the same rows, timers and calls in both."""

import asyncio
import json
import re
import shutil
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select
from sqlmodel import SQLModel

from engine import records
from engine.clock import VirtualClock
from engine.envelope import Claim, Committed, DispatchError, DueTimer, Envelope
from orderly.service import Service
from orderly.settings import Settings
from persistence.tables import TABLES, EffectRow, History, TimerRow, rows_of
from statemachines.declaration import NEW, Actor, Event, Role
from statemachines.registry import MACHINES, Registry
from statemachines.transaction import Asked, Happened, Outcome, Timer
from statemachines.world import BEGINNING, World
from tests.deal import deal
from tests.statemachines.happenings import Happenings

STEPS = 120
REGISTRY = Registry([*MACHINES, deal])
SYSTEMS_ID = re.compile(r"\b[a-z]{3}_\d{4}\b")
DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
"""Of what ids are part of."""


class Twins:
    """A world and a service to which the same happens, in step; `ids` finds the ids of the one in the other."""

    def __init__(self, world: World, service: Service) -> None:
        self.world, self.service = world, service
        self.ids: dict[str, str] = {}
        self.transitions = 0

    async def raise_(self, machine: str, id: str | None, event: Event, actor: Actor) -> None:  # noqa: A002
        outcome = self.world.raise_(machine, id, event, actor)
        there = id and self.ids.get(id, id)
        await self._happens(outcome, Envelope(machine, self._there(event), actor, id=there))

    async def answer(self, asked: Asked, event: Event) -> None:
        effect = await self.service.database.read(lambda connection: self._effect(connection, asked))
        outcome = self.world.answer(asked, event)
        actor, claim = Actor(asked.call.effect.name, Role.SYSTEM), Claim(effect, None)
        there = self.ids[asked.id]
        await self._happens(outcome, Envelope(asked.machine, self._there(event), actor, id=there, completes=claim))

    async def fire(self, timer: Timer) -> None:
        outcome, clock = self.world.fire(timer), self.service.clock
        assert isinstance(clock, VirtualClock)
        clock.advance_to(self.world.now)
        event, actor = REGISTRY[timer.machine].events[timer.event](), Actor(f"timer.{timer.name}", Role.SYSTEM)
        due, there = DueTimer(timer.name, timer.due_at), self.ids[timer.id]
        await self._happens(outcome, Envelope(timer.machine, event, actor, id=there, fires=due))

    async def _happens(self, outcome: Outcome, envelope: Envelope) -> None:
        """Let the same happen to the service; compare what comes of it, and all that there is now."""
        theirs: object
        try:
            theirs = await self.service.dispatcher.dispatch(envelope)
        except DispatchError as error:
            theirs = error
        assert isinstance(theirs, Committed) == isinstance(outcome, Happened), (outcome, theirs)
        await self.service.database.read(lambda connection: self._compare(connection, outcome))

    def _compare(self, connection: Connection, outcome: Outcome) -> None:
        steps = outcome.steps if isinstance(outcome, Happened) else ()
        history = self._rows(connection, History)[self.transitions :]
        self.transitions += len(history)
        assert [(step.machine, step.event.event_name, step.target) for step in steps] == [
            (record["machine"], record["event"], record["target"]) for record in history
        ]
        for step, record in zip(steps, history, strict=True):
            if step.source == NEW:
                self.ids[step.id] = record["entity_id"]
        for kind in rows_of(REGISTRY):
            ours = [self._translated(vars(row)) for row in self.world.rows(kind)]
            assert sorted(ours) == sorted(_text(row) for row in self._rows(connection, kind)), kind
        timers = [
            self._translated(
                {"machine": t.machine, "entity_id": t.id, "name": t.name, "event": t.event, "due_at": t.due_at}
            )
            for t in self.world.timers
        ]
        theirs = self._rows(connection, TimerRow)
        assert sorted(timers) == sorted(
            _text({n: row[n] for n in row if n not in ("cause", "fired")}) for row in theirs
        )
        assert sorted(map(self._call, self.world.asked)) == sorted(
            _call(row) for row in self._rows(connection, EffectRow)
        )

    def _rows(self, connection: Connection, kind: type[SQLModel]) -> list[dict[str, Any]]:
        table = TABLES[kind]
        return [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()]

    def _effect(self, connection: Connection, asked: Asked) -> str:
        """Return the id of one of the service's calls that is like ours."""
        ours = self._call(asked)
        return next(row["id"] for row in self._rows(connection, EffectRow) if _call(row) == ours)

    def _call(self, asked: Asked) -> str:
        status = "answered" if asked.status == "open" and asked.answer else asked.status
        arguments = records.payload(asked.call.arguments)
        return self._translated([asked.machine, asked.id, asked.call.effect.name, arguments, status])

    def _translated(self, values: object) -> str:
        return SYSTEMS_ID.sub(lambda found: self.ids[found[0]], _text(values))

    def _there(self, event: Event) -> Event:
        return type(event).model_validate_json(SYSTEMS_ID.sub(lambda f: self.ids[f[0]], event.model_dump_json()))


def _call(row: dict[str, Any]) -> str:
    status = {"pending": "open", "done": "answered", "cancelled": "withdrawn"}[row["status"]]
    return _text([row["machine"], row["entity_id"], row["name"], row["arguments"], status])


def _text(values: object) -> str:
    return DIGEST.sub("…", json.dumps(values, sort_keys=True, default=str))


async def the_same_happens_to_both(path: Path, seed: int) -> int:
    chosen = Settings(database_url=f"sqlite:///{path}", key_pepper="pepper", sqlite_synchronous="NORMAL")
    clock = VirtualClock(BEGINNING)
    async with Service.open(chosen, clock=clock, random=Random(seed), machines=REGISTRY) as service:
        twins = Twins(World(service.registry), service)
        happenings = Happenings(twins.world, Random(seed))
        for _ in range(STEPS):
            match happenings.choose():
                case Timer() as timer:
                    await twins.fire(timer)
                case (Asked() as asked, answer):
                    await twins.answer(asked, answer)
                case (machine, name, event, actor):
                    await twins.raise_(machine, name, event, actor)
    return twins.transitions


@given(seed=st.integers(0, 2**32))
@settings(
    max_examples=4,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_world_does_what_the_engine_does(migrated_sqlite: Path, tmp_path: Path, seed: int) -> None:
    for leftover in tmp_path.iterdir():
        leftover.unlink()
    shutil.copyfile(migrated_sqlite, tmp_path / f"{seed}.db")
    assert asyncio.run(the_same_happens_to_both(tmp_path / f"{seed}.db", seed)) > 10
