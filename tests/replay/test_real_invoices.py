"""The real invoices, all 217,062 lines of them, through the service.

By far the longest of all tests: some minutes of one core. Ticks of an hour instead of a quarter make fewer commits.
"""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orderly.replay.run import replay
from orderly.settings import Settings
from tests.replay.shop import REAL

LINES = {
    ("sold", None): 209_302,
    ("returned", None): 1_988,
    ("cancelled", None): 95,
    ("stock adjusted", "found"): 699,
    ("stock adjusted", "sample given away"): 13,
    ("stock adjusted", "written off"): 989,
    ("refused", "takes_only_what_is_free"): 310,
    ("refused", "within_return_window"): 979,
    ("set apart", "adjustment of the books"): 67,
    ("set apart", "bad debt"): 1,
    ("set apart", "bank charge, fee or commission"): 29,
    ("set apart", "credit at a price never paid"): 149,
    ("set apart", "credit for something never bought"): 1_136,
    ("set apart", "credit without a customer"): 87,
    ("set apart", "discount"): 29,
    ("set apart", "gift voucher"): 33,
    ("set apart", "manual entry"): 369,
    ("set apart", "more returned than bought"): 19,
    ("set apart", "postage or carriage"): 721,
    ("set apart", "price below a penny"): 11,
    ("set apart", "samples, invoiced as such"): 23,
    ("set apart", "test product"): 13,
}

STATES = {
    "orders": {"cancelled": 20, "completed": 8_432, "returned": 18},
    "payments": {"captured": 8_470},
    "shipments": {"cancelled": 4, "delivered": 8_450},
    "returns": {"refunded": 1_097},
    "refunds": {"succeeded": 1_117},
}
MONEY = {
    "sold = taken, in the payments table, GBP": "4013671.52",
    "returned = given back for returns, in the refunds table, GBP": "46089.32",
    "cancelled = given back otherwise, in the refunds table, GBP": "4395.85",
    "sold, returned and cancelled = payments less refunds, GBP": "3963186.35",
}


def test_every_line_of_half_a_year_is_accounted_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not REAL.exists():
        missing = f"the file of real invoices is not at ../shared/data/{REAL.name} beside the repository"
        assert "CI" not in os.environ, missing
        pytest.skip(missing)
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'replay.db'}")

    def report() -> dict[str, Any]:
        adds_up = replay(REAL, settings, json=True, progress=False, tick=timedelta(hours=1))
        printed: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert adds_up, printed["checks"]
        return printed

    first = report()
    landed = {(each["outcome"], (each["reason"] or "").partition(":")[0] or None): each for each in first["outcomes"]}
    assert {place: each["lines"] for place, each in landed.items()} == LINES
    assert first["total"] == {"lines": 217_062, "parts": 217_233, "pieces": 2_369_289, "amount": "3928723.451"}
    assert first["states"] == STATES
    assert {check["name"]: check["found"] for check in first["checks"]}.items() >= MONEY.items()
    assert report() == first
