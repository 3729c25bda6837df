"""A back office in memory, where one job is done at the times of its schedule."""

from datetime import UTC, datetime

from statemachines.job import RUN_WORK, Declare, Finished, Result, RunWork
from statemachines.machine import SYSTEM
from tests.statemachines.shop import Seen, Shop, accepted

SIX = datetime(2026, 3, 2, 6, tzinfo=UTC)
"""The first morning after the tests' noon."""


def declaration(**other: object) -> Declare:
    values = {"name": "report", "description": "A report.", "cron": "0 6 * * *", "timezone": "UTC", "missed": "once"}
    return Declare.model_validate({**values, **other})


class BackOffice(Shop):
    """A shop with one job."""

    def declare(self, **other: object) -> None:
        accepted(self.create("job", declaration(**other), SYSTEM))

    @property
    def job(self) -> Seen:
        return self.last("job")

    def work_asked(self) -> list[RunWork]:
        return self.sent(RunWork)

    def asked(self) -> list[str]:
        """Return what was asked of the outside world, but for the work itself."""
        return [call.effect.name for call in self.calls() if call.effect is not RUN_WORK]

    def finish(self, **result: object) -> None:
        """Let the work of the present run be done."""
        done = Finished(run=self.job.runs, result=Result.model_validate({"summary": "2 orders", **result}))
        accepted(self.tell(self.job, done, SYSTEM))

    def come_round(self) -> None:
        """Wait for the next time of the schedule."""
        assert self.job.next_at is not None
        self.wait(seconds=(self.job.next_at - self.now).total_seconds())

    def sleep_until(self, moment: datetime) -> None:
        """Let time pass while nobody is there who sees what falls due."""
        self.world._held.now = moment

    def wake_up_at(self, moment: datetime) -> None:
        """Fire what fell due while nobody was there."""
        self.sleep_until(moment)
        self.wait()
