"""What may be asked of a job, what its work is asked for, and what the work may answer."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from statemachines.declaration import Effect, Event, Retry, Role
from statemachines.messages import PostMessage, SendMail
from statemachines.schedule import CronLine, TimeZone
from statemachines.texts import WriteText
from statemachines.values import Name, Paragraphs, StockName, Text

MAX_ALERTS = 50
"""For how many SKUs one run may raise the alarm: each is an event of its stock, in the same commit."""

JobName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$", examples=["daily-sales-report"])]
"""A job's name: small letters, digits and hyphens."""

Missed = Literal["once", "skip"]
"""What becomes of occurrences that were missed: the latest is caught up once, or all are skipped."""


class Result(BaseModel):
    """What a run found out, and who is to be told."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    summary: Paragraphs
    """For the job's record, in a line or two."""
    mails: tuple[SendMail, ...] = Field(default=(), max_length=100)
    posts: tuple[PostMessage, ...] = Field(default=(), max_length=10)
    """What is posted to the shop's chat channel."""
    words: WriteText | None = None
    """What the mails' reports are told by in words, if anybody is there to write them."""
    low: tuple[StockName, ...] = Field(default=(), max_length=MAX_ALERTS)
    """The stocks that the messages call low, so that they are not called so again."""
    more: bool = False
    """Whether there was more than one run may do, so that it runs again at once."""


class RunWork(BaseModel):
    """Do a job's work for one occurrence."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    job: JobName
    run: int
    at: datetime


class Declare(Event, by=[Role.SYSTEM]):
    """The program has such a job, by this schedule."""

    name: JobName
    description: Name
    cron: CronLine
    timezone: TimeZone
    missed: Missed
    deletes: bool = False


class Retire(Event, by=[Role.SYSTEM]):
    """The program no longer has such a job, or it was switched off."""


class Occur(Event):
    """Its time has come."""


class Run(Event, by=[Role.MERCHANT, Role.ADMIN]):
    """Run it now, whatever its schedule says."""


class Pause(Event, by=[Role.ADMIN]):
    """Let its schedule stand still; what is running is finished."""

    reason: Text | None = None


class Resume(Event, by=[Role.ADMIN]):
    """Let its schedule go on. What was missed in the meantime is not caught up."""


class Hold(Event, by=[Role.ADMIN]):
    """Let it delete nothing until the legal hold is released."""

    reason: Text


class Release(Event, by=[Role.ADMIN]):
    """Release the legal hold."""

    reason: Text


class Finished(Event):
    """The work is done."""

    run: int
    result: Result


class Failed(Event):
    """The work can't be done."""

    run: int
    reason: Name


class GiveUp(Event):
    """Nothing was heard of the run."""


class SendPlain(Event):
    """The mails have waited long enough for their words."""


RUN_WORK = Effect(
    "jobs.run",
    RunWork,
    ok=Finished,
    failed=Failed,
    timeout=timedelta(minutes=10),
    retry=Retry(attempts=3, first_delay=timedelta(seconds=30), within=timedelta(hours=1)),
)
