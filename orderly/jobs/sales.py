"""The reports of sales: what a day brought, and a week. A day is the shop's own, by the clocks of its zone."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from engine.jobs import Occasion
from persistence import reports
from statemachines.job import Result
from statemachines.letters import AnyTemplate, Bestseller, DailyReport, Takings
from statemachines.letters import WeeklySummary as WeeklyMail
from statemachines.messages import SendMail
from statemachines.schedule import first_moment
from statemachines.texts import WriteText
from statemachines.values import money

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
BESTSELLERS: Final = 10
SUMMARY_LENGTH: Final = 1000

INSTRUCTIONS: Final = (
    "You write two or three plain sentences to a shopkeeper about the sales of one day. Use the facts that you are "
    "given and nothing else, and repeat figures as they stand. Compare the day with the day before if that says "
    "something. No greeting, no advice, no headings."
)


def _begin(day: date, zone: ZoneInfo) -> datetime:
    return first_moment(datetime.combine(day, time()), zone)


def _takings(connection: Connection, first: date, end: date, zone: ZoneInfo) -> tuple[Takings, ...]:
    """Return the takings of the days from `first` up to, and without, `end`."""
    rows = reports.takings(connection, _begin(first, zone), _begin(end, zone))
    return tuple(Takings(**row, average=_average(row["revenue"], row["orders"])) for row in rows)


def _average(revenue: int, orders: int) -> int:
    """Return the mean in whole minor units, halves rounded up."""
    return (2 * revenue + orders) // (2 * orders)


def _in_words(takings: Sequence[Takings]) -> str:
    each = [
        f"{entry.orders} orders over {money(entry.revenue, entry.currency)}, "
        f"{money(entry.average, entry.currency)} on average"
        for entry in takings
    ]
    return "; ".join(each) or "no orders"


def _letters(to: Iterable[str], message: AnyTemplate) -> tuple[SendMail, ...]:
    return tuple(SendMail(to=each, message=message) for each in to)


class DailySalesReport:
    """Reports the sales of the day before.

    Args:
        to: who gets the report.
        told: whether there is somebody to tell it in words.
    """

    def __init__(self, to: Sequence[str], *, told: bool) -> None:
        self._to = to
        self._told = told

    async def __call__(self, occasion: Occasion) -> Result:
        """Return the report."""
        zone = occasion.timezone
        today = occasion.at.astimezone(zone).date()
        day, read = today - DAY, occasion.database.read
        takings = await read(partial(_takings, first=day, end=today, zone=zone))
        words = None
        if self._told and self._to:
            before = await read(partial(_takings, first=day - DAY, end=day, zone=zone))
            facts = f"{day:%A}, {day}: {_in_words(takings)}.\nThe day before: {_in_words(before)}."
            words = WriteText(instructions=INSTRUCTIONS, facts=facts[:4000])
        return Result(
            summary=f"{day}: {_in_words(takings)}"[:SUMMARY_LENGTH],
            mails=_letters(self._to, DailyReport(day=day, takings=takings)),
            words=words,
        )


class WeeklySummary:
    """Sums up the last full week, from Monday to Sunday.

    Args:
        to: who gets the summary.
    """

    def __init__(self, to: Sequence[str]) -> None:
        self._to = to

    async def __call__(self, occasion: Occasion) -> Result:
        """Return the summary."""
        today = occasion.at.astimezone(occasion.timezone).date()
        monday = today - DAY * today.weekday() - WEEK
        message = await occasion.database.read(partial(_week, monday=monday, zone=occasion.timezone))
        return Result(
            summary=f"{message.first_day} to {message.last_day}: {_in_words(message.takings)}"[:SUMMARY_LENGTH],
            mails=_letters(self._to, message),
        )


def _week(connection: Connection, monday: date, zone: ZoneInfo) -> WeeklyMail:
    begin, end = _begin(monday, zone), _begin(monday + WEEK, zone)
    return WeeklyMail(
        first_day=monday,
        last_day=monday + WEEK - DAY,
        takings=_takings(connection, monday, monday + WEEK, zone),
        before=_takings(connection, monday - WEEK, monday, zone),
        bestsellers=tuple(Bestseller(**row) for row in reports.bestsellers(connection, begin, end, BESTSELLERS)),
        cancelled=reports.count_cancelled(connection, begin, end),
        waiting=reports.count_waiting(connection),
    )
