"""Jobs on real databases: each occurrence is worked on once, whatever happens to the work or to the processes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from engine.clock import VirtualClock
from engine.envelope import Outcome, Rejected
from engine.jobs import MAX_JOBS, Jobs, Occasion, ScheduledJob, WorkFailed
from orderly.service import Service
from orderly.settings import Settings
from statemachines.declaration import Actor, Role
from statemachines.job import Pause, Result, Resume, Run
from statemachines.messages import PostMessage
from statemachines.order import Cancel
from tests.conftest import NOON
from tests.engine.shop import Shop, committed

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SIX = NOON + timedelta(hours=18)
ROOT = Actor("root", Role.ADMIN)
OFF = {name: {"enabled": False} for name in ("daily_sales_report", "weekly_summary", "low_stock_check", "retention")}


class Diary:
    """A work that writes down for which times it was done, and then does what it is told to."""

    def __init__(self, then: Callable[[Occasion], Awaitable[Result]] | None = None) -> None:
        self.times: list[datetime] = []
        self._then = then

    async def __call__(self, occasion: Occasion) -> Result:
        self.times.append(occasion.at)
        return await self._then(occasion) if self._then else Result(summary="done")


class Office(Shop):
    """A service with jobs of its own."""

    async def job(self, name: str = "diary") -> dict[str, Any]:
        return await self.row("job", name)

    async def tell_job(self, event: Any, name: str = "diary") -> Outcome:
        return await self.tell("job", name, event, ROOT)


@pytest.fixture
async def open_office(clock: VirtualClock) -> AsyncIterator[Callable[..., Awaitable[Office]]]:
    """Open services with given jobs, and none of the shop's own; they are declared unless said otherwise."""
    seeds = count()
    async with AsyncExitStack() as stack:

        async def opened(url: str, *jobs: ScheduledJob, declare: bool = True) -> Office:
            settings = Settings(database_url=url, key_pepper="pepper", jobs=OFF)
            opening = Service.open(settings, clock=clock, random=Random(next(seeds)), jobs=jobs, migrate=True)
            service = await stack.enter_async_context(opening)
            if declare:
                await service.jobs.declare()
            return Office(service)

        yield opened


def daily(work: Any, **other: Any) -> ScheduledJob:
    return ScheduledJob(**{"name": "diary", "work": work, "description": "Writes.", "cron": "0 6 * * *", **other})


# -- declaring


async def test_declared_jobs_become_known_once(open_office, database_url) -> None:
    office = await open_office(database_url, daily(Diary()))
    await office.service.jobs.declare()

    assert [(job["id"], job["state"], job["next_at"]) for job in await office.service.jobs.list()] == [
        ("diary", "waiting", SIX)
    ]
    assert await office.story("job", "diary") == ["declare"]


async def test_programs_that_start_at_once_declare_a_job_together(open_office, database_url) -> None:
    one = await open_office(database_url, daily(Diary()), declare=False)
    other = await open_office(database_url, daily(Diary()), declare=False)

    await asyncio.gather(one.service.jobs.declare(), other.service.jobs.declare())

    assert set(await one.story("job", "diary")) == {"declare"}
    assert (await one.job())["state"] == "waiting"


async def test_another_schedule_is_taken_over_and_what_is_gone_is_retired_until_it_is_back(
    open_office, database_url
) -> None:
    await open_office(database_url, daily(Diary()), daily(Diary(), name="other"))
    office = await open_office(database_url, daily(Diary(), cron="0 9 * * *", timezone="Asia/Tokyo"))

    assert (await office.job())["next_at"] == datetime(2026, 1, 6, 0, 0, tzinfo=UTC)
    assert ((await office.job("other"))["state"], (await office.job("other"))["next_at"]) == ("retired", None)

    office = await open_office(database_url, daily(Diary()), daily(Diary(), name="other"))
    assert (await office.job("other"))["state"] == "waiting"


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "Bad Name"), ("cron", "every day"), ("timezone", "Mars/Base"), ("description", ""), ("missed", "maybe")],
)
def test_a_job_that_makes_no_sense_is_refused_where_it_is_declared(field: str, value: str) -> None:
    with pytest.raises(ValidationError, match=field):
        daily(Diary(), **{field: value})


def test_two_jobs_have_two_names_and_there_are_not_too_many() -> None:
    with pytest.raises(ValueError, match="same name"):
        Jobs(None, None, None, [daily(Diary()), daily(Diary())])
    with pytest.raises(ValueError, match=f"at most {MAX_JOBS}"):
        Jobs(None, None, None, [daily(Diary(), name=f"job-{number}") for number in range(MAX_JOBS + 1)])


# -- its time comes


async def test_thirty_days_pass_and_every_occurrence_was_worked_on_in_order(open_office, database_url) -> None:
    diary = Diary()
    office = await open_office(database_url, daily(diary))

    await office.service.advance(timedelta(days=30))

    assert diary.times == [SIX + DAY * day for day in range(30)]
    assert (await office.job())["runs"] == 30
    assert await office.story("job", "diary") == ["declare", *["occur", "finished"] * 30]


async def test_two_services_on_one_database_work_on_each_occurrence_once(open_office, postgresql_url, clock) -> None:
    diaries = [Diary(), Diary()]
    offices = [await open_office(postgresql_url, daily(diary)) for diary in diaries]

    for day in range(5):
        clock.advance_to(SIX + DAY * day)
        for _ in range(3):
            await asyncio.gather(*(office.service.settle() for office in offices))

    assert sorted(diaries[0].times + diaries[1].times) == [SIX + DAY * day for day in range(5)]


@pytest.mark.parametrize(("missed", "worked_on"), [("once", [SIX + 2 * DAY]), ("skip", [])])
async def test_after_three_days_of_downtime(open_office, database_url, clock, missed, worked_on) -> None:
    diary = Diary()
    office = await open_office(database_url, daily(diary, missed=missed))

    clock.advance(3 * DAY)
    await office.service.settle()

    job = await office.job()
    assert diary.times == worked_on
    assert (job["last_for"], job["next_at"]) == (SIX + 2 * DAY, SIX + 3 * DAY)
    assert job["last_outcome"] == ("succeeded" if worked_on else "skipped")


@pytest.mark.parametrize(
    ("cron", "zone", "start", "times"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]),
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["2026-03-29T01:00Z", "2026-03-30T00:30Z"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00Z", ["2026-04-04T14:45Z", "2026-04-05T15:15Z"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00Z", ["2026-10-03T15:30Z", "2026-10-04T15:15Z"]),
    ],
)
async def test_when_clocks_are_changed_a_daily_job_runs_once_a_day(
    open_office, sqlite_url, clock, cron, zone, start, times
) -> None:
    diary = Diary()
    clock.advance_to(datetime.fromisoformat(start))
    office = await open_office(sqlite_url, daily(diary, cron=cron, timezone=zone))

    await office.service.advance(2 * DAY)

    assert diary.times == [datetime.fromisoformat(time) for time in times]


# -- works that go wrong


async def fail(_: Occasion) -> Result:
    raise RuntimeError("the password is 5ecret")


async def fail_for_good(_: Occasion) -> Result:
    raise WorkFailed("there is nothing to count")


async def hang(_: Occasion) -> Result:
    await asyncio.Event().wait()
    raise AssertionError("never")


async def answer_nonsense(_: Occasion) -> Any:
    return "done"


@pytest.mark.parametrize(
    ("work", "attempts", "error"),
    [
        (fail, 3, "RuntimeError in its work; the log says more"),
        (fail_for_good, 1, "there is nothing to count"),
        (hang, 3, "it took longer than 0.05 seconds"),
        (answer_nonsense, 3, "ValidationError in its work; the log says more"),
    ],
)
async def test_a_work_that_goes_wrong_ends_as_failed_and_comes_round_again(
    open_office, database_url, work, attempts, error
) -> None:
    diary = Diary(work)
    office = await open_office(database_url, daily(diary, timeout=timedelta(seconds=0.05)))

    await office.service.advance(DAY)

    assert diary.times == [SIX] * attempts
    job = await office.job()
    assert (job["state"], job["last_outcome"], job["last_error"]) == ("waiting", "failed", error)
    assert "5ecret" not in str(await office.history("job", "diary")) + str(await office.effects())
    await office.service.advance(DAY)
    assert diary.times == [SIX] * attempts + [SIX + DAY] * attempts


async def test_a_work_that_fails_once_is_done_at_its_second_attempt(open_office, database_url) -> None:
    async def fail_once(_: Occasion) -> Result:
        if len(diary.times) == 1:
            raise RuntimeError
        return Result(summary="at last")

    diary = Diary(fail_once)
    office = await open_office(database_url, daily(diary))

    await office.service.advance(DAY)

    assert diary.times == [SIX, SIX]
    assert ((await office.job())["last_summary"], (await office.job())["runs"]) == ("at last", 1)


async def test_a_job_that_this_program_does_not_have_fails_and_does_not_run_for_ever(
    open_office, database_url, clock
) -> None:
    office = await open_office(database_url, daily(Diary()))
    await office.tell_job(Run())
    newer = await open_office(database_url, declare=False)

    await newer.service.advance(HOUR)

    job = await newer.job()
    assert (job["state"], job["last_error"]) == ("waiting", "this program has no job 'diary'")


async def test_a_run_whose_work_nobody_does_is_given_up(open_office, database_url, clock) -> None:
    office = await open_office(database_url, daily(Diary()))
    await office.tell_job(Run())

    clock.advance(2 * HOUR)
    await office.service.timers.run()

    job = await office.job()
    assert (job["state"], job["last_error"]) == ("waiting", "nothing was heard of it in time")
    await office.service.settle()
    assert (await office.job())["last_error"] == "nothing was heard of it in time"


# -- what works ask for


async def test_what_a_run_wants_posted_is_posted_once(open_office, database_url) -> None:
    async def greet(_: Occasion) -> Result:
        return Result(summary="greeted", posts=(PostMessage(text="Good morning"),))

    office = await open_office(database_url, daily(greet))
    await office.service.advance(DAY)

    assert sorted(effect["name"] for effect in await office.effects()) == ["chat.post", "jobs.run"]
    assert [post.text for post in office.service.outside.chat.sent] == ["Good morning"]


async def test_an_event_that_a_work_raises_happens_once_however_often_the_work_is_tried(
    open_office, database_url
) -> None:
    async def tidy_up(occasion: Occasion) -> Result:
        outcome = await occasion.tell("order", order, Cancel(reason="tidying up"))
        told.append(outcome.replayed)
        if len(told) == 1:
            raise RuntimeError
        return Result(summary="tidy")

    told: list[bool] = []
    office = await open_office(database_url, daily(tidy_up))
    await office.sells("MUG")
    order = await office.draft(MUG=1)

    await office.service.advance(DAY)

    assert told == [False, True]
    assert (await office.story("order", order)).count("cancel") == 1
    assert (await office.history("order", order))[-1]["actor"] == "system:job.diary"


# -- what people do


async def test_a_job_is_run_by_hand(open_office, database_url) -> None:
    diary = Diary()
    office = await open_office(database_url, daily(diary))

    committed(await office.tell_job(Run()))
    await office.service.settle()

    assert diary.times == [NOON]
    assert (await office.job())["next_at"] == SIX
    assert (await office.history("job", "diary"))[1]["actor"] == "admin:root"


async def test_a_paused_job_stays_paused_over_a_restart(open_office, database_url) -> None:
    diary = Diary()
    office = await open_office(database_url, daily(diary))
    committed(await office.tell_job(Pause(reason="stocktaking")))
    await office.service.advance(3 * DAY)

    office = await open_office(database_url, daily(diary, description="Writes better."))
    await office.service.advance(DAY)
    assert diary.times == []

    committed(await office.tell_job(Resume()))
    await office.service.advance(DAY)
    assert diary.times == [SIX + 4 * DAY]


async def test_a_server_does_the_work_that_another_process_asks_for(open_office, database_url) -> None:
    done = asyncio.Event()

    async def note(_: Occasion) -> Result:
        done.set()
        return Result(summary="done")

    settings = Settings(database_url=database_url, key_pepper="pepper", jobs=OFF)
    async with Service.open(settings, jobs=[daily(note)], migrate=True, background=True):
        office = await open_office(database_url, declare=False)
        committed(await office.tell_job(Run()))
        async with asyncio.timeout(20):
            await done.wait()


async def test_a_running_job_is_not_run_twice(open_office, database_url) -> None:
    office = await open_office(database_url, daily(Diary()))
    committed(await office.tell_job(Run()))

    assert isinstance(await office.tell_job(Run()), Rejected)
