"""A schedule: a cron line in a time zone, and the moments that it names.

Clocks are put forward and back, so a time of day may come twice or not at all. A line that names its hours, such as
``30 2 * * *``, runs once on every day that it names: the first time if its time comes twice, at the moment of the
change if its time does not come. A line for every so many hours, such as ``*/15 * * * *``, follows the clock on the
wall as it runs, through the repeated hour too.
"""

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger
from pydantic import AfterValidator, Field

_INSTANT = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A cron line of five fields (minute, hour, day, month, weekday) in a named time zone.

    Weekdays are named (``mon``, ``tue-fri``): numbers mean different days in different crons. Where both a day and a
    weekday are given, both must hold.

    Raises:
        ValueError: the line or the zone can't be read, or the line names no day that ever comes.
    """

    cron: str
    timezone: str
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)
    _trigger: CronTrigger = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_zone", zone_of(self.timezone))
        object.__setattr__(self, "_trigger", _trigger(self.cron))
        if self._trigger.get_next_fire_time(None, datetime(2000, 1, 1, tzinfo=UTC)) is None:
            raise ValueError(f"the cron line '{self.cron}' names a day that never comes")

    def next_after(self, moment: datetime) -> datetime:
        """Return the first occurrence after `moment`, in UTC."""
        if self.cron.split()[1].startswith("*"):
            return self._next_by_the_clock(moment)
        wall = moment.astimezone(self._zone).replace(tzinfo=None)
        while True:
            wall = self._next_on_the_wall(wall + _INSTANT)
            found = first_moment(wall, self._zone)
            if found > moment:
                return found

    def _next_by_the_clock(self, moment: datetime) -> datetime:
        """Return the first moment after `moment` at which the clock shows a time of the line, whichever time around."""
        at = moment.astimezone(UTC) + _INSTANT
        while True:
            offset = _offset(at, self._zone)
            found = self._next_on_the_wall((at + offset).replace(tzinfo=None)).replace(tzinfo=UTC) - offset
            change = _first_change(at, found, self._zone)
            if change is None:
                return found
            at = change

    def _next_on_the_wall(self, wall: datetime) -> datetime:
        """Return the first time of the line, `wall` or later, on a clock that is never put forward or back.

        Of APScheduler's trigger only this is asked: in a zone whose clocks change it fires twice, or seeks for ever.
        """
        found: datetime = self._trigger.get_next_fire_time(None, wall.replace(tzinfo=UTC))
        return found.replace(tzinfo=None)

    def latest(self, since: datetime, until: datetime) -> datetime:
        """Return the last occurrence up to `until`; `since` is an earlier one, returned if there is no later."""
        span = timedelta(minutes=1)
        while until - span > since and self.next_after(until - span) > until:
            span *= 2
        latest = since
        while (later := self.next_after(max(latest, until - span))) <= until:
            latest = later
        return latest


@cache
def schedule(cron: str, timezone: str) -> Schedule:
    """Return a schedule, read once however often it is asked for.

    Raises:
        ValueError: see `Schedule`.
    """
    return Schedule(cron, timezone)


@cache
def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its name in the IANA database, as ``Europe/Berlin``.

    Raises:
        ValueError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone '{name}'; say one such as Europe/Berlin, or UTC") from error


def first_moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first moment, in UTC, at which the clocks of a zone show at least this time of this day.

    Args:
        wall: without a time zone.
        zone: where the clock hangs.
    """
    moment = wall.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    # The clock was put forward over it, between what the time would be by the later offset and by the earlier one.
    change = _first_change(wall.replace(tzinfo=zone, fold=1).astimezone(UTC), moment, zone)
    assert change is not None
    return change


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _first_change(begin: datetime, end: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the first moment up to `end` at which the clocks of a zone are no longer set as at `begin`."""
    offset, at = _offset(begin, zone), begin.astimezone(UTC).replace(microsecond=0)
    while at < end:
        ahead = min(at + _DAY, end)
        if _offset(ahead, zone) != offset:
            seconds = range((ahead - at) // _SECOND)
            return at + bisect_left(seconds, 1, key=lambda n: _offset(at + n * _SECOND, zone) != offset) * _SECOND
        at = ahead
    return None


def _trigger(cron: str) -> CronTrigger:
    fields = cron.split()
    if len(fields) != 5:
        raise ValueError(f"a cron line has five fields (minute hour day month weekday), but '{cron}' has {len(fields)}")
    if any(character.isdigit() for character in fields[4]):
        raise ValueError(
            f"name the weekdays in '{cron}' (mon, tue-fri): numbers mean different days in different crons"
        )
    try:
        return CronTrigger.from_crontab(cron, timezone=UTC)
    except ValueError as error:
        raise ValueError(f"the cron line '{cron}' can't be read: {error}") from error


def _readable(cron: str) -> str:
    Schedule(cron, "UTC")
    return cron


CronLine = Annotated[str, Field(max_length=100, examples=["0 6 * * mon-fri"]), AfterValidator(_readable)]
"""A cron line as `Schedule` reads it."""


def _known(name: str) -> str:
    zone_of(name)
    return name


TimeZone = Annotated[str, Field(max_length=64, examples=["Europe/Berlin"]), AfterValidator(_known)]
"""A time zone's name in the IANA database."""
