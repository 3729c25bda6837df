"""`make demo` does what it says."""

import pytest

from orderly import demo


def test_the_demo_walks_one_order_through_its_life(capsys: pytest.CaptureFixture[str]) -> None:
    demo.main()
    told = capsys.readouterr().out
    for words in ("409: ", "403: ", "as answered before", "is completed", "1250 were given back", "is gone"):
        assert words in told
