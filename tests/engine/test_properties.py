"""Whatever people, gateways and clocks do in whatever order, the books stay right, and both databases agree."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from persistence.tables import EffectRow, History, TimerRow, rows_of
from statemachines.registry import MACHINES
from tests.conftest import _administer, _fresh_postgresql
from tests.engine.any_day import any_day
from tests.engine.books import audit, rows

STEPS = 60
SEEDED = settings(
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # a smaller seed is no simpler day
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


async def a_day_on_sqlite(path: Path, seed: int) -> int:
    async with any_day(f"sqlite:///{path}", seed) as day:
        for _ in range(STEPS):
            await day.step()
            transitions = await day.service.database.read(audit)
        return transitions


@given(seed=st.integers(0, 2**32))
@settings(SEEDED, max_examples=10)
def test_whatever_happens_the_books_are_right(tmp_path: Path, seed: int) -> None:
    for leftover in tmp_path.iterdir():
        leftover.unlink()
    assert asyncio.run(a_day_on_sqlite(tmp_path / f"{seed}.db", seed)) > 10


@pytest.fixture
def new_postgresql(postgresql: str) -> Iterator[Any]:
    """Make empty databases, as many as a test asks for."""
    made = []

    async def make() -> str:
        name, url = await _fresh_postgresql(postgresql)
        made.append(name)
        return url

    yield make
    for name in made:
        asyncio.run(_administer(postgresql, f'DROP DATABASE "{name}" WITH (FORCE)'))


@given(seed=st.integers(0, 2**32))
@settings(SEEDED, max_examples=4)
def test_the_same_day_is_the_same_on_both_databases(tmp_path: Path, new_postgresql: Any, seed: int) -> None:
    """What answers share a commit is a matter of milliseconds; so a day that differs has to differ again and again."""
    for _ in range(3):
        for leftover in tmp_path.iterdir():
            leftover.unlink()
        here, there = asyncio.run(the_same_day_twice(tmp_path / f"{seed}.db", new_postgresql, seed))
        if here == there:
            break
    assert here == there


async def the_same_day_twice(path: Path, new_postgresql: Any, seed: int) -> tuple[object, object]:
    """Return what came of a day on SQLite and on PostgreSQL."""
    async with any_day(f"sqlite:///{path}", seed) as here, any_day(await new_postgresql(), seed) as there:
        told = [(await here.step(), await there.step()) for _ in range(STEPS)]
        ours, theirs = [await day.service.database.read(everything) for day in (here, there)]
        await there.service.database.read(audit)
    return ([one for one, _ in told], ours), ([other for _, other in told], theirs)


def everything(connection: Any) -> dict[str, list[dict[str, Any]]]:
    """Return all that the tables hold, but for numbers of which PostgreSQL leaves some out."""
    kinds = [*rows_of(MACHINES), History, EffectRow, TimerRow]
    return {kind.__name__: [_unnumbered(row) for row in rows(connection, kind)] for kind in kinds}


def _unnumbered(row: dict[str, Any]) -> dict[str, Any]:
    cause = str(row.get("cause"))
    return {**row, "seq": 0, "commit_order": 0, "cause": "inbox" if cause.startswith("inbox/") else cause}
