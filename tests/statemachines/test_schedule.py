"""Schedules: when a cron line comes round, also on the days on which clocks are changed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statemachines.schedule import Schedule, first_moment, zone_of

MINUTE = timedelta(minutes=1)


def day_of(day: str, cron: str, zone: str) -> list[str]:
    """Return when a line runs on one day, as the clocks of the zone show it."""
    begin = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    end = (begin + timedelta(days=1)).astimezone(UTC)
    return [f"{at.astimezone(ZoneInfo(zone)):%H:%M%z}" for at in between(Schedule(cron, zone), begin, end)]


def between(schedule: Schedule, begin: datetime, end: datetime) -> list[datetime]:
    """Return the occurrences from `begin` on and before `end`."""
    found, at = [], begin - MINUTE / 2
    while (at := schedule.next_after(at)) < end:
        found.append(at)
    return found


@pytest.mark.parametrize(
    ("cron", "moments"),
    [
        ("0 6 * * *", ["2026-01-05T06:00", "2026-01-06T06:00", "2026-01-07T06:00"]),
        ("*/20 * * * *", ["2026-01-05T00:20", "2026-01-05T00:40", "2026-01-05T01:00"]),
        ("30 7 * * mon", ["2026-01-05T07:30", "2026-01-12T07:30", "2026-01-19T07:30"]),
        ("0 0 last * *", ["2026-01-31T00:00", "2026-02-28T00:00", "2026-03-31T00:00"]),
        ("0 12 29 2 *", ["2028-02-29T12:00", "2032-02-29T12:00", "2036-02-29T12:00"]),
        ("0 9 13 * fri", ["2026-02-13T09:00", "2026-03-13T09:00", "2026-11-13T09:00"]),
    ],
)
def test_a_line_comes_round(cron: str, moments: list[str]) -> None:
    at, found = datetime(2026, 1, 5, tzinfo=UTC), []
    for _ in moments:
        at = Schedule(cron, "UTC").next_after(at)
        found.append(at)

    assert found == [datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in moments]


def test_an_occurrence_lies_after_the_moment_that_is_asked_for() -> None:
    six = datetime(2026, 1, 5, 6, tzinfo=UTC)

    assert Schedule("0 6 * * *", "UTC").next_after(six) == six + timedelta(days=1)
    assert Schedule("0 6 * * *", "UTC").next_after(six - timedelta(microseconds=1)) == six


BACK, FORWARD = "2026-10-25", "2026-03-29"
HALF_BACK, HALF_FORWARD = "2026-04-05", "2026-10-04"


@pytest.mark.parametrize(
    ("day", "cron", "zone", "times"),
    [
        (BACK, "30 2 * * *", "Europe/Berlin", ["02:30+0200"]),
        (FORWARD, "30 2 * * *", "Europe/Berlin", ["03:00+0200"]),
        (FORWARD, "30 2,3 * * *", "Europe/Berlin", ["03:00+0200", "03:30+0200"]),
        (FORWARD, "15,45 2 * * *", "Europe/Berlin", ["03:00+0200"]),
        (BACK, "0 1-3 * * *", "Europe/Berlin", ["01:00+0200", "02:00+0200", "03:00+0100"]),
        (HALF_BACK, "10,45 1 * * *", "Australia/Lord_Howe", ["01:10+1100", "01:45+1100"]),
        (HALF_FORWARD, "10,35 2 * * *", "Australia/Lord_Howe", ["02:30+1100", "02:35+1100"]),
        ("2026-09-06", "15 0 * * *", "America/Santiago", ["01:00-0300"]),
    ],
)
def test_a_line_with_hours_runs_once_for_each_of_them(day: str, cron: str, zone: str, times: list[str]) -> None:
    assert day_of(day, cron, zone) == times


@pytest.mark.parametrize(
    ("day", "cron", "zone", "runs"),
    [
        (BACK, "0 * * * *", "Europe/Berlin", 25),
        (FORWARD, "0 * * * *", "Europe/Berlin", 23),
        (BACK, "*/5 * * * *", "Europe/Berlin", 25 * 12),
        (HALF_BACK, "*/10 * * * *", "Australia/Lord_Howe", 24 * 6 + 3),
        (HALF_FORWARD, "*/10 * * * *", "Australia/Lord_Howe", 24 * 6 - 3),
        ("2026-02-15", "*/30 * * * *", "Africa/Casablanca", 50),
    ],
)
def test_a_line_for_every_hour_runs_as_long_as_the_day_is(day: str, cron: str, zone: str, runs: int) -> None:
    assert len(day_of(day, cron, zone)) == runs


CHANGES = [
    ("Europe/Berlin", "2026-10-25T02:00"),
    ("Europe/Berlin", "2026-03-29T02:00"),
    ("Australia/Lord_Howe", "2026-04-05T02:00"),
    ("Australia/Lord_Howe", "2026-10-04T02:00"),
    ("America/Santiago", "2026-04-04T23:00"),
    ("America/Santiago", "2026-09-06T00:00"),
    ("Africa/Casablanca", "2026-02-15T02:00"),
    ("Africa/Casablanca", "2026-03-22T02:00"),
    ("Asia/Kathmandu", "2026-01-01T00:00"),
]


@st.composite
def fields(draw: st.DrawFn, last: int) -> str:
    low, high = sorted((draw(st.integers(0, last)), draw(st.integers(0, last))))
    return draw(st.sampled_from([f"{low}", f"{low},{high}", f"{low}-{high}"]))


def numbers(field: str) -> set[int]:
    parts = [int(part) for part in field.replace("-", ",").split(",")]
    return set(range(parts[0], parts[-1] + 1)) if "-" in field else set(parts)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CHANGES), fields(59), fields(4))
def test_it_agrees_with_watching_the_clock_minute_by_minute(change: tuple[str, str], minutes: str, hours: str) -> None:
    zone = ZoneInfo(change[0])
    begin = (datetime.fromisoformat(change[1]) - timedelta(hours=6)).replace(tzinfo=zone).astimezone(UTC)
    clock = [begin + MINUTE * passed for passed in range(12 * 60)]

    reached, once = begin.astimezone(zone).replace(tzinfo=None) - MINUTE, []
    for at in clock:
        while reached < at.astimezone(zone).replace(tzinfo=None):  # a time that is jumped over comes with the jump
            reached += MINUTE
            if reached.minute in numbers(minutes) and reached.hour in numbers(hours):
                once.append(at)
    every = [at for at in clock if at.astimezone(zone).minute in numbers(minutes)]

    end = begin + timedelta(hours=12)
    assert between(Schedule(f"{minutes} {hours} * * *", zone.key), begin, end) == list(dict.fromkeys(once))
    assert between(Schedule(f"{minutes} * * * *", zone.key), begin, end) == every


@pytest.mark.parametrize("cron", ["0 6 * * *", "*/7 * * * *", "0 7 * * mon"])
def test_the_latest_of_many_missed_occurrences_is_found(cron: str) -> None:
    schedule = Schedule(cron, "Europe/Berlin")
    since = schedule.next_after(datetime(2026, 1, 1, tzinfo=UTC))
    until = datetime(2026, 6, 10, 12, 30, tzinfo=UTC)

    assert schedule.latest(since, until) == between(schedule, since, until + MINUTE / 60)[-1]
    assert schedule.latest(since, since) == since


@pytest.mark.parametrize(
    ("cron", "reason"),
    [
        ("", "has 0"),
        ("@daily", "has 1"),
        ("* * * *", "has 4"),
        ("61 * * * *", "'61 \\* \\* \\* \\*' can't be read"),
        ("* noon * * *", "can't be read"),
        ("0 6 * * 1", "name the weekdays"),
        ("0 0 30 2 *", "never comes"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(cron: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Schedule(cron, "UTC")


@pytest.mark.parametrize("name", ["", "Berlin", "America", "../Berlin", "/etc/passwd", "Europe/Berlin\0", "X" * 5000])
def test_a_zone_that_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="there is no time zone"):
        zone_of(name)


@pytest.mark.parametrize(
    ("day", "zone", "begins"),
    [
        ("2026-01-05", "UTC", "2026-01-05T00:00Z"),
        ("2026-01-05", "Asia/Kathmandu", "2026-01-04T18:15Z"),
        ("2026-09-06", "America/Santiago", "2026-09-06T04:00Z"),
    ],
)
def test_a_day_begins_with_the_first_moment_of_its_date(day: str, zone: str, begins: str) -> None:
    assert first_moment(datetime.fromisoformat(day), zone_of(zone)) == datetime.fromisoformat(begins)
