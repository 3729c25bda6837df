"""What follows from a job's events: each action yields what it asks for and changes nothing itself."""

from collections.abc import Iterator
from datetime import datetime

from statemachines.commands import Call, Command, Send, Set
from statemachines.declaration import asks
from statemachines.job.events import RUN_WORK, Declare, Failed, Finished, Hold, RunWork
from statemachines.job.guards import occurrence
from statemachines.job.model import Job
from statemachines.letters import DailyReport
from statemachines.messages import POST_MESSAGE, SEND_MAIL, SendMail
from statemachines.schedule import schedule
from statemachines.stock import Alert
from statemachines.texts import WRITE_TEXT, TextWritten


def take_declaration(job: Job, event: Declare, now: datetime) -> Iterator[Command]:
    """Take over what the program says; by another schedule its next time is another."""
    yield Set(**event.model_dump(exclude={"name"}))
    is_planned = job.next_at is not None and (job.cron, job.timezone) == (event.cron, event.timezone)
    if not is_planned and not job.paused:
        yield Set(next_at=schedule(event.cron, event.timezone).next_after(now))


def forget_next() -> Iterator[Command]:
    """Plan nothing."""
    yield Set(next_at=None)


def stop_schedule() -> Iterator[Command]:
    """Let the schedule stand still."""
    yield Set(paused=True, next_at=None)


def go_on(job: Job, now: datetime) -> Iterator[Command]:
    """Let the schedule go on from here."""
    yield Set(paused=False, next_at=schedule(job.cron, job.timezone).next_after(now))


def take_hold(event: Hold) -> Iterator[Command]:
    """Keep in sight why nothing may be deleted."""
    yield Set(legal_hold=event.reason)


def release_hold() -> Iterator[Command]:
    """Let records be deleted again."""
    yield Set(legal_hold=None)


def pass_over(job: Job, now: datetime) -> Iterator[Command]:
    """Note what was not run, and wait for the next time."""
    missed = occurrence(job, now)
    reason = "it came too late" if job.legal_hold is None else f"a legal hold stands: {job.legal_hold}"
    yield Set(next_at=schedule(job.cron, job.timezone).next_after(missed))
    yield Set(last_for=missed, last_at=now, last_outcome="skipped", last_summary=None, last_error=reason)


@asks(RUN_WORK)
def begin(job: Job, now: datetime) -> Iterator[Command]:
    """Have the work done for the latest time of the schedule, and plan the next."""
    due = occurrence(job, now)
    yield Set(next_at=schedule(job.cron, job.timezone).next_after(due))
    yield from _begin(job, due, now)


@asks(RUN_WORK)
def begin_now(job: Job, now: datetime) -> Iterator[Command]:
    """Have the work done as if its time were now; the schedule stays as it is."""
    yield from _begin(job, now, now)


@asks(RUN_WORK)
def begin_again(job: Job, now: datetime) -> Iterator[Command]:
    """Have the rest of the work done."""
    assert job.last_for is not None
    yield from _begin(job, job.last_for, now)


def _begin(job: Job, at: datetime, now: datetime) -> Iterator[Command]:
    run = job.runs + 1
    yield Set(runs=run, last_for=at, last_at=now, last_outcome=None, last_summary=None, last_error=None)
    yield Call(RUN_WORK, RunWork(job=job.id, run=run, at=at))


def note_success(event: Finished) -> Iterator[Command]:
    """Note what the run found out."""
    yield Set(last_outcome="succeeded", last_summary=event.result.summary)


def note_failure(event: Failed) -> Iterator[Command]:
    """Note why the run failed."""
    yield Set(last_outcome="failed", last_error=event.reason)


def note_silence() -> Iterator[Command]:
    """Note that nothing was heard of the run."""
    yield Set(last_outcome="failed", last_error="nothing was heard of it in time")


@asks(POST_MESSAGE)
def raise_alarm(event: Finished) -> Iterator[Command]:
    """Post what the chat should hear, and note of each SKU that it was called low."""
    yield from (Call(POST_MESSAGE, post) for post in event.result.posts)
    yield from (Send("stock", sku, Alert()) for sku in event.result.low)


@asks(SEND_MAIL)
def send_mails(event: Finished) -> Iterator[Command]:
    """Send the mails as they are."""
    yield from (Call(SEND_MAIL, each) for each in event.result.mails)


@asks(WRITE_TEXT)
def ask_for_words(event: Finished) -> Iterator[Command]:
    """Keep the mails until somebody has told their figures in words."""
    assert event.result.words is not None
    yield Set(letters=[each.model_dump(mode="json") for each in event.result.mails])
    yield Call(WRITE_TEXT, event.result.words)


@asks(SEND_MAIL)
def send_with_words(job: Job, event: TextWritten) -> Iterator[Command]:
    """Send the mails that waited, with the words in their reports."""
    yield from _send_kept(job, event.text)


@asks(SEND_MAIL)
def send_without_words(job: Job) -> Iterator[Command]:
    """Send the mails that waited as they are."""
    yield from _send_kept(job, "")


def _send_kept(job: Job, text: str) -> Iterator[Command]:
    for each in map(SendMail.model_validate, job.letters):
        message = each.message
        if isinstance(message, DailyReport):
            message = message.model_copy(update={"narrative": text})
        yield Call(SEND_MAIL, each.model_copy(update={"message": message}))
    yield Set(letters=[])
