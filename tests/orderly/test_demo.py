"""`make demo` does what it says."""

import subprocess
import sys


def test_the_demo_walks_one_order_through_its_life() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orderly.demo"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    for words in ("409: ", "403: ", "as answered before", "is completed", "1250 were given back", "is gone"):
        assert words in done.stdout
    for words in ("Traceback", '"level":"error"'):  # a server on a busy machine may be warned that it ends late
        assert words not in done.stderr
