"""`orderly worker`."""

from orderly import logs
from orderly.commands.opening import MISUSED, explained, fail, require_database, say, settings_of
from orderly.commands.serve import shared_metrics


def worker() -> None:
    """Do what falls due, apart from `serve`: effects, timers, schedules, deliveries, the inbox.

    Any number of workers share the work on PostgreSQL. SIGTERM and Ctrl-C let it finish what it has begun.
    """
    settings = settings_of()
    with shared_metrics(processes=1), explained():
        from orderly import server
        from orderly.worker import work

        logs.configure(settings, cache=True)
        try:
            require_database(settings)
            with server.sole(settings):
                say("working on what falls due; Ctrl-C ends it")
                work(settings)
        except server.Obstructed as error:
            fail(str(error), MISUSED)
