"""What a shop chooses about its jobs, and what is said of what makes no sense."""

import os
from datetime import timedelta

import pytest

from engine.jobs import ScheduledJob
from orderly.jobs import scheduled
from orderly.settings import BadSettings, Settings


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start from nothing: what the tests themselves run under does not count."""
    for name in [name for name in os.environ if name.startswith("ORDERLY_")]:
        monkeypatch.delenv(name)


def jobs() -> dict[str, ScheduledJob]:
    return {job.name: job for job in scheduled(Settings.load())}


def test_the_shops_own_jobs_and_their_times() -> None:
    assert {name: (job.cron, job.timezone, job.missed) for name, job in jobs().items()} == {
        "daily-sales-report": ("0 6 * * *", "UTC", "once"),
        "weekly-summary": ("0 7 * * mon", "UTC", "once"),
        "low-stock-check": ("0 * * * *", "UTC", "once"),
        "retention": ("30 3 * * *", "UTC", "once"),
    }
    assert [name for name, job in jobs().items() if job.deletes] == ["retention"]


def test_a_job_has_a_schedule_of_its_own_or_the_shops_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERLY_TIMEZONE", "Europe/Berlin")
    monkeypatch.setenv("ORDERLY_JOBS__DAILY_SALES_REPORT__CRON", "30 7 * * mon-fri")
    monkeypatch.setenv("ORDERLY_JOBS__RETENTION__TIMEZONE", "Asia/Tokyo")
    monkeypatch.setenv("ORDERLY_JOBS__RETENTION__MISSED", "skip")

    report, retention = jobs()["daily-sales-report"], jobs()["retention"]
    assert (report.cron, report.timezone, report.missed) == ("30 7 * * mon-fri", "Europe/Berlin", "once")
    assert (retention.cron, retention.timezone, retention.missed) == ("30 3 * * *", "Asia/Tokyo", "skip")


def test_a_job_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERLY_JOBS__WEEKLY_SUMMARY__ENABLED", "false")

    assert "weekly-summary" not in jobs()


@pytest.mark.parametrize(
    ("given", "recipients"),
    [
        ("", ()),
        ("ann@shop.example", ("ann@shop.example",)),
        (" a@b.example  c@d.example ", ("a@b.example", "c@d.example")),
    ],
)
def test_recipients_stand_in_a_row(monkeypatch: pytest.MonkeyPatch, given: str, recipients: tuple[str, ...]) -> None:
    monkeypatch.setenv("ORDERLY_REPORT_RECIPIENTS", given)

    assert Settings.load().report_recipients == recipients


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ORDERLY_JOBS__RETENTION__CRON", "30 3 * *", "a cron line has five fields"),
        ("ORDERLY_JOBS__RETENTION__CRON", "0 6 * * 1", "name the weekdays in '0 6 * * 1'"),
        ("ORDERLY_JOBS__RETENTION__CRON", "0 25 * * *", "the cron line '0 25 * * *' can't be read"),
        ("ORDERLY_JOBS__RETENTION__CRON", "0 0 31 2 *", "names a day that never comes"),
        (
            "ORDERLY_JOBS__RETENTION__TIMEZONE",
            "Berlin",
            "there is no time zone 'Berlin'; say one such as Europe/Berlin",
        ),
        ("ORDERLY_JOBS__RETENTION__MISSED", "twice", "'once' or 'skip'"),
        (
            "ORDERLY_JOBS__RETENSION__CRON",
            "30 3 * * *",
            "there is no setting jobs.retension; did you mean jobs.retention",
        ),
        ("ORDERLY_TIMEZONE", "Mars/Base", "ORDERLY_TIMEZONE (in the settings file: timezone) there is no time zone"),
        ("ORDERLY_REPORT_RECIPIENTS", "ann at shop", "ORDERLY_REPORT_RECIPIENTS"),
        ("ORDERLY_KEEP__EFFECTS", "P1D", "greater than or equal to 7 days"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(BadSettings) as caught:
        Settings.load()

    assert said in str(caught.value)


def test_records_are_kept_as_long_as_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERLY_KEEP__EFFECTS", "P1000D")

    assert Settings.load().keep.effects == timedelta(days=1000)
