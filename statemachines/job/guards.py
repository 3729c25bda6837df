"""When something may happen to a job, and how long it waits."""

from datetime import datetime, timedelta

from statemachines.job.events import Failed, Finished
from statemachines.job.model import Job, JobPolicy
from statemachines.schedule import schedule


def occurrence(job: Job, now: datetime) -> datetime:
    """Return the time of the schedule for which a job is run: the latest that has come."""
    assert job.next_at is not None
    return schedule(job.cron, job.timezone).latest(job.next_at, now)


def until_next(job: Job, now: datetime) -> timedelta:
    """Wait until the next time of the schedule; it may have passed while the job was running."""
    assert job.next_at is not None
    return job.next_at - now


def no_hold_stands(job: Job) -> str | None:
    """Refuse to delete anything under a legal hold."""
    return None if job.legal_hold is None else f"a legal hold stands: {job.legal_hold}"


def hold_stands(job: Job) -> str | None:
    """Refuse if there is nothing to release."""
    return "no legal hold stands" if job.legal_hold is None else None


def deletes_records(job: Job) -> str | None:
    """Refuse to hold what deletes nothing."""
    return None if job.deletes else f"'{job.id}' deletes no records"


def is_in_time(job: Job, now: datetime, policy: JobPolicy) -> str | None:
    """Refuse what was missed, unless it is to be caught up."""
    late = now - occurrence(job, now)
    if job.missed == "once" or late <= policy.grace:
        return None
    return f"{late // timedelta(minutes=1)} minutes late; what is missed is skipped"


def is_paused(job: Job) -> str | None:
    """Refuse if its schedule goes on."""
    return None if job.paused else "its schedule goes on"


def is_not_paused(job: Job) -> str | None:
    """Refuse if its schedule stands still already."""
    return "its schedule stands still already" if job.paused else None


def is_of_this_run(job: Job, event: Finished | Failed) -> str | None:
    """Refuse news of a run that was given up before."""
    return None if event.run == job.runs else f"run {event.run} is over; this is run {job.runs}"


def leaves_more_to_do(event: Finished) -> str | None:
    """Hold if one run was not enough."""
    return None if event.result.more else "everything is done"


def wants_words(event: Finished) -> str | None:
    """Hold if the mails are to wait for their words."""
    return None if event.result.words else "the figures speak for themselves"
