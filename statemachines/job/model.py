"""What a job is: its schedule, what became of its last run, and the figures of all jobs."""

from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

from sqlalchemy import JSON, CheckConstraint
from sqlmodel import Field

from statemachines.declaration import Entity, Policy
from statemachines.privacy import PRIVATE
from statemachines.values import Span

MISSED = ("once", "skip")
OUTCOMES = ("succeeded", "failed", "skipped")


class JobPolicy(Policy):
    """The figures of jobs."""

    patience: Span = timedelta(hours=2)
    """How long a run may take, with all its attempts, before it is given up."""
    narration_patience: Span = timedelta(minutes=5)
    """How long mails wait for their words before they are sent without."""
    grace: Span = timedelta(hours=1)
    """How late an occurrence may begin if missed ones are skipped."""


class Job(Entity):
    """Work that is done at the times of a schedule; its id is its name."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(f"missed IN {MISSED}", name="ck_jobs_missed"),
        CheckConstraint(f"last_outcome IN {OUTCOMES}", name="ck_jobs_last_outcome"),
        CheckConstraint("runs >= 0", name="ck_jobs_runs"),
    )
    search_columns: ClassVar[tuple[str, ...]] = ("id",)

    description: str = Field(default="", max_length=200)
    cron: str = Field(default="", max_length=100, description="minute, hour, day, month and weekday at which it runs")
    timezone: str = Field(default="", max_length=64, description="the zone whose clocks it goes by")
    missed: str = Field(default="once", description="whether what was missed is caught up `once`, or `skip`ped")
    deletes: bool = Field(default=False, description="whether it deletes records, which a legal hold can stop")
    legal_hold: str | None = Field(default=None, description="why nothing may be deleted now")
    paused: bool = Field(default=False, description="whether its schedule stands still")
    next_at: datetime | None = Field(default=None, description="when it is due next")
    runs: int = Field(default=0, description="how often it was begun")
    last_for: datetime | None = Field(default=None, description="the time of the schedule for which it last ran")
    last_at: datetime | None = Field(default=None, description="when it last began, or was skipped")
    last_outcome: str | None = Field(default=None, description="what became of the last run; empty while it goes on")
    last_summary: str | None = Field(default=None, description="what the last run found out")
    last_error: str | None = Field(default=None, description="why the last run failed or was skipped")
    letters: Annotated[list[dict[str, Any]], PRIVATE] = Field(
        default_factory=list, sa_type=JSON, description="mails that wait for their words"
    )
