"""A replay that is killed comes to the same report, however often."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orderly.replay.run import replay
from orderly.settings import Settings
from tests.replay.shop import INVOICES

ROOT = Path(__file__).parents[2]


def killed(url: str, where: str, at: int, file: Path = INVOICES) -> int:
    """Run a replay that dies at one point; return how it ended."""
    command = [sys.executable, "-m", "tests.replay.victim", str(file), url, where, str(at)]
    return subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL).returncode


def report(url: str, capsys: pytest.CaptureFixture[str], file: Path = INVOICES) -> Any:
    assert replay(file, Settings(database_url=url), json=True, progress=False)
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(("where", "points"), [("charge", [1, 2, 3]), ("refund", [1, 2]), ("commit", [3, 20, 45])])
def test_a_killed_replay_comes_to_the_same_report(
    tmp_path: Path, where: str, points: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    url, straight = f"sqlite:///{tmp_path / 'killed.db'}", f"sqlite:///{tmp_path / 'straight.db'}"
    for at in points:
        assert killed(url, where, at) == -9
    assert report(url, capsys) == report(straight, capsys)


def test_a_payment_that_died_with_its_replay_is_made_before_the_order_is_cancelled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, url = tmp_path / "invoices.csv", f"sqlite:///{tmp_path / 'killed.db'}"
    file.write_text(
        INVOICES.read_text().splitlines()[0]
        + "\n500001,10001,RED MUG,1,2010-01-04T09:00:00,2.5,17001,United Kingdom"
        + "\nC500002,10001,RED MUG,-1,2010-01-04T09:05:00,2.5,17001,United Kingdom\n"
    )
    assert killed(url, "charge", 1, file) == -9
    assert report(url, capsys, file)["states"]["orders"] == {"cancelled": 1}
