"""A replay that is killed in the middle: python -m tests.replay.victim FILE URL WHERE N.

It dies at the N-th payment that the gateway takes or gives back, of which nobody hears then, or after the N-th
transaction.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

from gateways.sandbox import SandboxPayments
from orderly.replay.run import replay
from orderly.settings import Settings
from persistence.database import Database


def dies(method: Callable[..., Awaitable[Any]], at: int) -> Callable[..., Awaitable[Any]]:
    calls = count(1)

    async def dying(*arguments: Any) -> Any:
        result = await method(*arguments)
        if next(calls) >= at:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return dying


if __name__ == "__main__":
    file, url, where, at = sys.argv[1:]
    match where:
        case "charge":
            SandboxPayments.charge = dies(SandboxPayments.charge, int(at))  # type: ignore[method-assign]
        case "refund":
            SandboxPayments.refund = dies(SandboxPayments.refund, int(at))  # type: ignore[method-assign]
        case _:
            Database.write = dies(Database.write, int(at))  # type: ignore[method-assign]
    replay(Path(file), Settings(database_url=url), progress=False)
