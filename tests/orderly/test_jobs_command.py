"""`orderly jobs`: what there is, and what an operator does about it."""

import asyncio
import json
from typing import Any

import pytest

from engine.envelope import Envelope
from orderly.seed import Seeded
from orderly.service import Service
from orderly.settings import Settings
from statemachines.job import Failed
from statemachines.machine import SYSTEM
from tests.orderly.conftest import Command, read


@pytest.fixture
def jobs(shop: Seeded, command: Command) -> Command:
    """The command, in a shop whose jobs are known."""

    async def declare() -> None:
        async with Service.open(Settings()) as service:
            await service.jobs.declare()

    asyncio.run(declare())
    return command


def job(command: Command, name: str) -> dict[str, Any]:
    return next(each for each in read(command("jobs", "list", "--json")) if each["id"] == name)


def test_jobs_are_listed_with_their_next_and_last_times(jobs: Command) -> None:
    listed = jobs("jobs", "list").output.splitlines()
    assert [line.split()[0] for line in listed[1:]] == [
        "daily-sales-report",
        "low-stock-check",
        "retention",
        "weekly-summary",
    ]
    assert "waiting  0 6 * * * UTC" in listed[1]
    next_at = job(jobs, "daily-sales-report")["next_at"]
    assert next_at[:16] in listed[1]
    assert next_at[11:16] == "06:00"


def test_before_a_server_ran_there_are_no_jobs(shop: Seeded, command: Command) -> None:
    assert "`orderly serve` makes them known" in command("jobs", "list").output
    assert read(command("jobs", "list", "--json")) == []


def test_a_job_is_run_paused_and_resumed(jobs: Command) -> None:
    assert jobs("jobs", "run", "retention").output.startswith("retention is running, next at ")
    paused = jobs("jobs", "pause", "weekly-summary", "--reason", "holidays", "--as", "admin:eve")
    assert paused.output == "weekly-summary is paused\n"
    assert job(jobs, "weekly-summary")["next_at"] is None
    assert jobs("jobs", "resume", "weekly-summary").output.startswith("weekly-summary is waiting, next at ")
    assert job(jobs, "weekly-summary")["next_at"][11:16] == "07:00"


def test_a_legal_hold_is_put_and_released(jobs: Command) -> None:
    assert jobs("jobs", "hold", "retention", "--reason", "case 7").exit_code == 0
    assert "legal hold: case 7" in jobs("jobs", "list").output
    refused = jobs("jobs", "run", "retention")
    assert (refused.exit_code, "a legal hold stands: case 7" in refused.output) == (1, True)
    assert jobs("jobs", "release", "retention", "--reason", "closed").exit_code == 0
    assert jobs("jobs", "run", "retention").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("run", "no-such-job"), 1, "there is no job 'no-such-job'"),
        (("resume", "retention"), 1, "takes no 'resume'"),
        (("hold", "daily-sales-report", "--reason", "case 7"), 1, "deletes no records"),
        (("pause", "retention", "--as", "merchant:shop"), 1, "the role merchant may not raise 'pause'"),
        (("run", "retention", "--as", "nobody"), 2, "names no actor"),
        (("pause", "retention", "--reason", "4111 1111 1111 1111"), 2, "must not hold a card number"),
    ],
)
def test_what_can_not_be_done_is_explained(jobs: Command, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = jobs("jobs", *arguments)
    assert (done.exit_code, said in done.output) == (code, True), done.output


def test_the_doctor_names_jobs_that_failed_and_what_is_held(jobs: Command, database_url: str) -> None:
    def diagnosis() -> tuple[str, str]:
        checks = {each["check"]: each for each in json.loads(jobs("doctor", "--json").stdout)}
        return checks["jobs"]["health"], checks["jobs"]["finding"]

    assert diagnosis() == ("ok", "4 known, none failed")
    jobs("jobs", "hold", "retention", "--reason", "case 7")
    assert diagnosis() == ("ok", "a legal hold stands on retention")

    async def fail() -> None:
        async with Service.open(Settings()) as service:
            envelope = Envelope("job", Failed(run=1, reason="no figures"), SYSTEM, "weekly-summary")
            await service.dispatcher.dispatch(envelope)

    jobs("jobs", "run", "weekly-summary")
    asyncio.run(fail())
    assert diagnosis() == ("warning", "failed: weekly-summary (no figures)")
