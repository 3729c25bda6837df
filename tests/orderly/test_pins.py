"""What is installed is what was pinned, and pins name no place to get it from."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FILES = ["requirements.txt", "requirements-dev.txt"]


def pins(file: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+) \\$", (ROOT / file).read_text(), re.MULTILINE))


@pytest.mark.parametrize("file", FILES)
def test_every_pin_has_a_hash_and_no_place(file: str) -> None:
    text = (ROOT / file).read_text()
    assert "://" not in text
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert len(blocks) == len(pins(file))


def test_pins_are_what_the_project_asks_for() -> None:
    asked = [(text, "requirements.txt") for text in PROJECT["dependencies"]]
    asked += [(text, "requirements-dev.txt") for text in PROJECT["optional-dependencies"]["dev"]]
    for text, file in asked:
        wanted, pinned = Requirement(text), pins(file)
        assert wanted.specifier.contains(pinned[canonicalize_name(wanted.name)]), f"{text}: run `make pins`"


def test_both_files_agree() -> None:
    running, testing = (pins(file) for file in FILES)
    assert {name: testing.get(name) for name in running} == running
