"""What docs/testing.md shows is true: its tests pass, and its exploration finds what it says."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from statemachines.exploration import Violated, explore

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What the page's programs define."""
    names: dict[str, Any] = {"__name__": "locker"}
    for program in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(program, "docs/testing.md", "exec"), names)
    return names


@pytest.mark.parametrize("test", re.findall(r"def (test_\w+)", PAGE))
def test_the_tests_of_the_page_pass(names: dict[str, Any], test: str) -> None:
    run: Callable[[], None] = names[test]
    run()


def test_the_exploration_of_the_page_finds_what_it_says(names: dict[str, Any]) -> None:
    (told,) = re.findall(r"```text\n(.*?)\n```", PAGE, re.DOTALL)
    with pytest.raises(Violated) as found:
        explore(names["rented"](), names["MOVES"], names["ANSWERS"], ignoring=["opened"])
    assert str(found.value) == told


def test_the_sentence_of_the_page_does_not_hold(names: dict[str, Any]) -> None:
    rule = names["nobody_opens_it_for_the_next_one"]
    with pytest.raises(Violated, match="loc_0001 is returned and may still be opened"):
        explore(names["patiently_rented"](), names["MOVES"], names["ANSWERS"], [rule], ignoring=["opened"])
