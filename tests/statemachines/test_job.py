"""Jobs: when they run, what becomes of a run, and what people may do about it."""

from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import ValidationError

from statemachines.commands import Call
from statemachines.declaration import Actor, Role
from statemachines.job import (
    Failed,
    Finished,
    Hold,
    JobPolicy,
    Pause,
    Release,
    Result,
    Resume,
    Retire,
    Run,
    RunWork,
)
from statemachines.letters import DailyReport
from statemachines.machine import SYSTEM
from statemachines.messages import POST_MESSAGE, SEND_MAIL, PostMessage, SendMail
from statemachines.registry import MACHINES
from statemachines.texts import WRITE_TEXT, TextWritten, WriteText
from tests.statemachines.back_office import SIX, BackOffice, declaration
from tests.statemachines.shop import NOON, accepted, refused

ROOT = Actor("root", Role.ADMIN)
DAY = timedelta(days=1)


@pytest.fixture
def office() -> BackOffice:
    """At noon, a job is declared that is to run at six in the morning."""
    office = BackOffice()
    office.declare()
    return office


# -- the schedule


def test_a_job_waits_for_the_next_time_of_its_schedule(office: BackOffice) -> None:
    assert (office.job.id, office.job.state, office.job.next_at) == ("report", "waiting", SIX)


def test_each_occurrence_has_its_work_done_once(office: BackOffice) -> None:
    for day in range(3):
        office.come_round()
        assert office.job.state == "running"
        office.finish()
        assert office.work_asked()[day:] == [RunWork(job="report", run=day + 1, at=SIX + day * DAY)]

    assert (office.job.state, office.job.last_outcome, office.job.last_summary) == ("waiting", "succeeded", "2 orders")
    assert (office.job.last_for, office.job.next_at) == (SIX + 2 * DAY, SIX + 3 * DAY)


def test_after_a_downtime_the_latest_occurrence_is_caught_up_once(office: BackOffice) -> None:
    office.wake_up_at(SIX + 3 * DAY + timedelta(hours=5))
    office.finish()
    office.wait()

    assert [work.at for work in office.work_asked()] == [SIX + 3 * DAY]
    assert office.job.next_at == SIX + 4 * DAY


def test_what_is_to_be_skipped_is_skipped_and_said_to_be() -> None:
    office = BackOffice()
    office.declare(missed="skip")
    office.wake_up_at(SIX + 3 * DAY + timedelta(hours=5))

    assert office.work_asked() == []
    assert (office.job.state, office.job.next_at) == ("waiting", SIX + 4 * DAY)
    assert (office.job.last_outcome, office.job.last_for) == ("skipped", SIX + 3 * DAY)
    assert office.job.last_error == "it came too late"


def test_what_is_a_little_late_is_not_skipped() -> None:
    office = BackOffice()
    office.declare(missed="skip")
    office.wake_up_at(SIX + JobPolicy().grace)

    assert office.job.state == "running"


def test_what_falls_due_during_a_run_runs_after_it(office: BackOffice) -> None:
    office.come_round()
    office.sleep_until(SIX + DAY + timedelta(minutes=1))
    office.finish()
    office.wait()

    assert [work.at for work in office.work_asked()] == [SIX, SIX + DAY]


def test_another_schedule_moves_the_next_time(office: BackOffice) -> None:
    office.declare(cron="30 7 * * *", timezone="Europe/Berlin")

    assert office.job.next_at == datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
    office.come_round()
    assert [work.at for work in office.work_asked()] == [datetime(2026, 3, 2, 6, 30, tzinfo=UTC)]


def test_another_description_forgets_nothing_that_was_missed(office: BackOffice) -> None:
    office.sleep_until(SIX + timedelta(hours=2))
    office.declare(description="A better report.")
    office.wait()

    assert (office.job.description, office.job.last_for) == ("A better report.", SIX)


@pytest.mark.parametrize(
    ("field", "value"),
    [("cron", "0 6 * *"), ("cron", "0 6 * * 1"), ("timezone", "Mars/Base"), ("name", "Report"), ("missed", "twice")],
)
def test_a_declaration_that_makes_no_sense_is_refused(field: str, value: str) -> None:
    with pytest.raises(ValidationError, match=field):
        declaration(**{field: value})


# -- a run


def test_a_run_that_fails_says_why_and_the_next_one_comes(office: BackOffice) -> None:
    office.come_round()
    accepted(office.tell(office.job, Failed(run=1, reason="no figures"), SYSTEM))

    assert (office.job.state, office.job.last_outcome, office.job.last_error) == ("waiting", "failed", "no figures")
    office.come_round()
    assert office.job.state == "running"


def test_a_run_of_which_nothing_is_heard_is_given_up(office: BackOffice) -> None:
    office.come_round()
    office.wait(hours=2)

    assert (office.job.state, office.job.last_outcome) == ("waiting", "failed")
    assert office.job.last_error == "nothing was heard of it in time"


@pytest.mark.parametrize(
    "late",
    [Finished(run=1, result=Result(summary="late", posts=(PostMessage(text="late"),))), Failed(run=1, reason="late")],
)
@pytest.mark.parametrize("meanwhile", ["waits", "runs again", "paused", "retired"])
def test_late_news_of_a_run_that_was_given_up_changes_nothing(office: BackOffice, late, meanwhile: str) -> None:
    office.wait(hours=20)
    match meanwhile:
        case "runs again":
            accepted(office.tell(office.job, Run(), ROOT))
        case "paused":
            accepted(office.tell(office.job, Pause(), ROOT))
        case "retired":
            accepted(office.tell(office.job, Retire(), SYSTEM))
    before = office.job.entity

    accepted(office.tell(office.job, late, SYSTEM))

    assert office.job.model_dump(exclude={"version"}) == before.model_dump(exclude={"version"})
    assert office.asked() == []


def test_a_run_that_leaves_more_to_do_is_followed_by_another_for_the_same_time(office: BackOffice) -> None:
    office.come_round()
    office.finish(more=True)

    assert office.job.state == "running"
    assert [(work.run, work.at) for work in office.work_asked()] == [(1, SIX), (2, SIX)]


# -- who is told


def letter(name: str = "ann") -> SendMail:
    return SendMail(to=f"{name}@shop.example", message=DailyReport(day=date(2026, 3, 1), takings=()))


WORDS = WriteText(instructions="Tell the day.", facts="2 orders")


def test_mails_and_posts_are_asked_for_with_the_end_of_the_run(office: BackOffice) -> None:
    office.come_round()
    office.finish(mails=[letter("ann"), letter("ben")], posts=[PostMessage(text="2 orders")])

    assert office.calls()[1:] == [
        Call(POST_MESSAGE, PostMessage(text="2 orders")),
        Call(SEND_MAIL, letter("ann")),
        Call(SEND_MAIL, letter("ben")),
    ]


def test_the_stocks_that_are_called_low_know_that_they_were(office: BackOffice) -> None:
    office.sells("MUG", on_hand=0)
    office.sells("POT", on_hand=5)
    office.come_round()
    office.finish(low=["MUG", "POT"])

    assert office.stock("MUG").alerted_at == office.now
    assert office.stock("POT").alerted_at is None  # pieces arrived in the meantime


def test_a_run_raises_the_alarm_for_a_limited_number_of_stocks() -> None:
    with pytest.raises(ValidationError, match="at most 50"):
        Result(summary="", low=[f"SKU-{number}" for number in range(51)])


@pytest.fixture
def narrating(office: BackOffice) -> BackOffice:
    """The report's mails wait for their words."""
    office.come_round()
    office.finish(mails=[letter("ann"), letter("ben")], words=WORDS)
    return office


def test_reports_wait_for_their_words(narrating: BackOffice) -> None:
    assert narrating.job.state == "narrating"
    assert narrating.calls()[1:] == [Call(WRITE_TEXT, WORDS)]

    accepted(narrating.tell(narrating.job, TextWritten(text="A good day."), SYSTEM))

    told = [call.arguments for call in narrating.calls()[2:]]
    assert [(mail.to, mail.message.narrative) for mail in told] == [
        ("ann@shop.example", "A good day."),
        ("ben@shop.example", "A good day."),
    ]
    assert (narrating.job.state, narrating.job.letters) == ("waiting", [])


@pytest.mark.parametrize("how", ["given up", "silence", "retired"])
def test_reports_go_without_words_if_there_are_none(narrating: BackOffice, how: str) -> None:
    match how:
        case "given up":
            accepted(narrating.tell(narrating.job, TextWritten(text=""), SYSTEM))
        case "silence":
            narrating.wait(minutes=5)
        case "retired":
            accepted(narrating.tell(narrating.job, Retire(), SYSTEM))

    assert [call.arguments for call in narrating.calls()[2:]] == [letter("ann"), letter("ben")]


def test_words_that_come_late_are_not_sent(narrating: BackOffice) -> None:
    narrating.wait(minutes=5)
    accepted(narrating.tell(narrating.job, TextWritten(text="late"), SYSTEM))

    assert narrating.asked() == ["text.write", "mail.send", "mail.send"]


# -- what people do


def test_a_job_is_run_at_once_and_its_schedule_stays(office: BackOffice) -> None:
    accepted(office.tell(office.job, Run(), ROOT))
    assert office.work_asked() == [RunWork(job="report", run=1, at=NOON)]

    office.finish()

    assert (office.job.state, office.job.next_at) == ("waiting", SIX)


def test_a_job_runs_once_at_a_time(office: BackOffice) -> None:
    accepted(office.tell(office.job, Run(), ROOT))

    assert "takes no 'run'" in refused(office.tell(office.job, Run(), ROOT)).reason


def test_a_paused_job_lets_its_times_pass(office: BackOffice) -> None:
    accepted(office.tell(office.job, Pause(reason="stocktaking"), ROOT))
    assert (office.job.state, office.job.next_at) == ("paused", None)

    office.wait(days=3)
    accepted(office.tell(office.job, Resume(), ROOT))
    office.wait()

    assert office.work_asked() == []
    assert office.job.next_at == SIX + 3 * DAY


def test_a_paused_job_is_still_run_by_hand(office: BackOffice) -> None:
    accepted(office.tell(office.job, Pause(), ROOT))
    accepted(office.tell(office.job, Run(), ROOT))
    office.finish()

    assert (office.job.state, office.job.next_at) == ("paused", None)


@pytest.mark.parametrize("end", ["done", "failed", "silence", "told"])
def test_a_job_that_is_paused_while_it_runs_pauses_after_the_run(office: BackOffice, end: str) -> None:
    office.come_round()
    accepted(office.tell(office.job, Pause(), ROOT))
    assert office.job.state == "running"

    match end:
        case "done":
            office.finish()
        case "failed":
            accepted(office.tell(office.job, Failed(run=1, reason="no"), SYSTEM))
        case "silence":
            office.wait(hours=2)
        case "told":
            office.finish(words=WORDS)
            accepted(office.tell(office.job, TextWritten(text=""), SYSTEM))

    assert (office.job.state, office.job.next_at) == ("paused", None)


def test_a_pause_during_a_run_is_taken_back(office: BackOffice) -> None:
    office.come_round()
    accepted(office.tell(office.job, Pause(), ROOT))
    accepted(office.tell(office.job, Resume(), ROOT))
    office.finish()

    assert (office.job.state, office.job.next_at) == ("waiting", SIX + DAY)


@pytest.mark.parametrize("is_paused", [True, False])
def test_a_job_that_was_switched_off_comes_back_as_it_was(office: BackOffice, is_paused: bool) -> None:
    if is_paused:
        accepted(office.tell(office.job, Pause(), ROOT))
    accepted(office.tell(office.job, Retire(), SYSTEM))
    assert (office.job.state, office.job.next_at) == ("retired", None)
    office.wait(days=2)

    office.declare()

    assert office.job.state == ("paused" if is_paused else "waiting")
    assert office.job.next_at == (None if is_paused else SIX + 2 * DAY)
    assert office.work_asked() == []


# -- the legal hold


@pytest.fixture
def archive() -> BackOffice:
    """A job that deletes old records, under a legal hold."""
    office = BackOffice()
    office.declare(deletes=True)
    accepted(office.tell(office.job, Hold(reason="case 7"), ROOT))
    return office


def test_under_a_legal_hold_nothing_is_deleted(archive: BackOffice) -> None:
    refusal = refused(archive.tell(archive.job, Run(), ROOT))
    assert (refusal.guard, refusal.reason) == ("no_hold_stands", "a legal hold stands: case 7")

    archive.wait(days=2)

    assert archive.work_asked() == []
    assert (archive.job.last_outcome, archive.job.last_error) == ("skipped", "a legal hold stands: case 7")


def test_a_released_hold_lets_the_schedule_go_on(archive: BackOffice) -> None:
    accepted(archive.tell(archive.job, Release(reason="case closed"), ROOT))
    archive.come_round()

    assert archive.job.state == "running"


def test_only_what_deletes_can_be_held_and_only_once(office: BackOffice, archive: BackOffice) -> None:
    assert refused(office.tell(office.job, Hold(reason="case 7"), ROOT)).reason == "'report' deletes no records"
    assert refused(archive.tell(archive.job, Hold(reason="case 8"), ROOT)).reason == "a legal hold stands: case 7"
    assert refused(office.tell(office.job, Release(reason="?"), ROOT)).reason == "no legal hold stands"


def test_who_may_do_what() -> None:
    machine = MACHINES["job"]
    assert {name: event.raised_by for name, event in machine.events.items() if event.raised_by} == {
        "run": {Role.MERCHANT, Role.ADMIN},
        "pause": {Role.ADMIN},
        "resume": {Role.ADMIN},
        "hold": {Role.ADMIN},
        "release": {Role.ADMIN},
    }
    assert Role.CUSTOMER not in machine.readers
