"""What a shop may choose about its jobs: when they run, who reads their reports, how long records are kept."""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import NoDecode

from statemachines.job import Missed
from statemachines.messages import MailAddress
from statemachines.schedule import CronLine, TimeZone


class JobSettings(BaseModel):
    """When a job runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(default=True, description="whether it runs at all")
    cron: CronLine = Field("0 0 * * *", description="minute, hour, day, month and weekday at which it runs")
    timezone: TimeZone | None = Field(None, description="the zone whose clocks it goes by; by default the shop's")
    missed: Missed = Field(
        "once", description="whether what was missed while nothing ran is caught up `once`, or `skip`ped"
    )


class DailySalesReport(JobSettings):
    """When yesterday's sales are reported."""

    cron: CronLine = Field("0 6 * * *", description="when yesterday's sales are reported")


class WeeklySummary(JobSettings):
    """When last week's sales are summed up."""

    cron: CronLine = Field("0 7 * * mon", description="when last week's sales are summed up")


class LowStockCheck(JobSettings):
    """When low stocks are looked for."""

    cron: CronLine = Field("0 * * * *", description="when low stocks are looked for")


class Retention(JobSettings):
    """When old records are deleted."""

    cron: CronLine = Field("30 3 * * *", description="when old records are deleted")


class Jobs(BaseModel):
    """The jobs of the shop."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    daily_sales_report: DailySalesReport = DailySalesReport()
    weekly_summary: WeeklySummary = WeeklySummary()
    low_stock_check: LowStockCheck = LowStockCheck()
    retention: Retention = Retention()


class Keeping(BaseModel):
    """How long records are kept once they are done with. The history is kept for ever."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    effects: timedelta = Field(
        timedelta(days=90), ge=timedelta(days=7), description="how long calls that were made are kept"
    )
    inbox: timedelta = Field(
        timedelta(days=30),
        ge=timedelta(days=30),
        description="how long messages that were settled are kept; a repetition is no longer known as one after that",
    )
    deliveries: timedelta = Field(
        timedelta(days=30), ge=timedelta(days=4), description="how long the log of webhooks that were sent is kept"
    )


def _words(value: object) -> object:
    return value.split() if isinstance(value, str) else value


Recipients = Annotated[tuple[MailAddress, ...], NoDecode, BeforeValidator(_words), Field(max_length=20)]
"""Mail addresses; in a variable with spaces between."""
