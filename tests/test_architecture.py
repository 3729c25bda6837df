"""The shape of the house: imports run one way, and no file grows into everything."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_USE = {
    "statemachines": set(),
    "persistence": {"statemachines"},
    "gateways": {"statemachines"},
    "engine": {"statemachines", "persistence", "gateways"},
    "api": {"statemachines", "persistence", "gateways", "engine"},
    "orderly": {"statemachines", "persistence", "gateways", "engine", "api"},
    "benchmarks": {"statemachines", "persistence", "gateways", "engine", "api", "orderly", "tests"},
    "tests": {"statemachines", "persistence", "gateways", "engine", "api", "orderly", "benchmarks"},
}
"""The rooms, from the ground up, and those that each may look into."""

LONGEST = 400


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the first name of every import in a file, wherever it stands."""
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Import():
                yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
            case ast.ImportFrom(level=0, module=str(module)):
                yield node.lineno, module.split(".")[0]
            case ast.ImportFrom():
                yield node.lineno, file.relative_to(ROOT).parts[0]


@pytest.mark.parametrize("room", MAY_USE)
def test_a_room_looks_only_into_the_rooms_below(room: str) -> None:
    allowed = MAY_USE[room] | {room}
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {name}"
        for file in modules(room)
        for line, name in imports(file)
        if name in MAY_USE and name not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize("room", ["statemachines", "persistence", "gateways", "engine", "api", "orderly"])
def test_a_room_has_something_in_it(room: str) -> None:
    assert len(modules(room)) > 1


def test_machines_do_no_input_or_output() -> None:
    outside = {"asyncio", "httpx", "socket", "asyncpg", "litestar", "os", "subprocess", "time"}
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {name}"
        for file in modules("statemachines")
        for line, name in imports(file)
        if name in outside
    ]
    assert wrong == []


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    rooms = [room for room in MAY_USE if room != "tests"]
    files = [file for room in rooms for file in modules(room) if "migrations" not in file.parts]
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
