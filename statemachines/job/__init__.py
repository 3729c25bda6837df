"""Jobs: work that is done at the times of a schedule."""

from statemachines.job.events import (
    MAX_ALERTS,
    RUN_WORK,
    Declare,
    Failed,
    Finished,
    Hold,
    JobName,
    Missed,
    Pause,
    Release,
    Result,
    Resume,
    Retire,
    Run,
    RunWork,
)
from statemachines.job.machine import job
from statemachines.job.model import Job, JobPolicy

__all__ = [
    "MAX_ALERTS",
    "RUN_WORK",
    "Declare",
    "Failed",
    "Finished",
    "Hold",
    "Job",
    "JobName",
    "JobPolicy",
    "Missed",
    "Pause",
    "Release",
    "Result",
    "Resume",
    "Retire",
    "Run",
    "RunWork",
    "job",
]
