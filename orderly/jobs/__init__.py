"""The jobs of the shop, as its settings have them. A job of your own is its work in a file here, and a line below."""

from engine.jobs import ScheduledJob, Work
from orderly.jobs.low_stock import LowStockCheck
from orderly.jobs.retention import Retention
from orderly.jobs.sales import DailySalesReport, WeeklySummary
from orderly.schedules import JobSettings
from orderly.settings import Settings


def scheduled(settings: Settings) -> list[ScheduledJob]:
    """Return the jobs that are switched on."""
    to, jobs = settings.report_recipients, settings.jobs
    told = settings.text.gateway != "sandbox"
    rows: list[tuple[str, JobSettings, Work, str]] = [
        ("daily-sales-report", jobs.daily_sales_report, DailySalesReport(to, told=told), "Reports yesterday's sales."),
        ("weekly-summary", jobs.weekly_summary, WeeklySummary(to), "Sums up last week's sales."),
        ("low-stock-check", jobs.low_stock_check, LowStockCheck(to), "Tells of products that run out."),
        ("retention", jobs.retention, Retention(settings.keep), "Deletes old records that are done with."),
    ]
    return [
        ScheduledJob(
            name,
            work,
            description,
            cron=chosen.cron,
            timezone=chosen.timezone or settings.timezone,
            missed=chosen.missed,
            deletes=isinstance(work, Retention),
        )
        for name, chosen, work, description in rows
        if chosen.enabled
    ]
