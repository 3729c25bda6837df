"""The jobs of the shop. A job of your own is a line in `scheduled`."""

from engine.jobs import ScheduledJob
from orderly.settings import Settings


def scheduled(settings: Settings) -> list[ScheduledJob]:  # noqa: ARG001
    """Return the jobs that are switched on."""
    return []
