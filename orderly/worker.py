"""`worker`: does what falls due, effects and timers and all else, apart from the processes that serve."""

import asyncio
import os
import signal
import threading
from datetime import timedelta

import structlog
import uvloop
from sqlalchemy.engine import make_url

from orderly.server import spare_the_collector
from orderly.service import Service
from orderly.settings import Settings

log = structlog.get_logger("orderly.worker")


def work(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, then finish what was begun.

    Raises:
        NotReady: the database does not fit this program.
    """
    uvloop.run(_work(settings))


async def _work(settings: Settings) -> None:
    told_to_stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, told_to_stop.set)
    async with Service.open(settings, background=True):
        spare_the_collector()
        log.info("worker_ready", database=make_url(settings.database_url).render_as_string())
        await told_to_stop.wait()
        log.info("worker_stopping")
        _end_after(settings.shutdown_grace)
    log.info("worker_stopped")


def _end_after(grace: timedelta) -> None:
    """End this process if it has not ended by itself by then, as serving processes are ended, too."""
    end = threading.Timer(grace.total_seconds(), os._exit, [1])
    end.daemon = True
    end.start()
