"""A replay that is killed comes to the same report, however often."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orderly.replay.run import replay
from orderly.settings import Settings
from tests.replay.shop import INVOICES

ROOT = Path(__file__).parents[2]


def killed(url: str, where: str, at: int) -> int:
    """Run a replay that dies at one point; return how it ended."""
    command = [sys.executable, "-m", "tests.replay.victim", str(INVOICES), url, where, str(at)]
    return subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL).returncode


def report(url: str, capsys: pytest.CaptureFixture[str]) -> object:
    assert replay(INVOICES, Settings(database_url=url), json=True, progress=False)
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(("where", "points"), [("charge", [1, 2, 2, 3]), ("commit", [3, 9, 20, 33])])
def test_a_killed_replay_comes_to_the_same_report(
    tmp_path: Path, where: str, points: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    url, straight = f"sqlite:///{tmp_path / 'killed.db'}", f"sqlite:///{tmp_path / 'straight.db'}"
    for at in points:
        assert killed(url, where, at) == -9
    assert report(url, capsys) == report(straight, capsys)
