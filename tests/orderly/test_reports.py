"""The reports of sales, from orders that were really paid to mails that a real mail server took."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orderly.service import Service
from statemachines.order import Cancel
from statemachines.product import Create
from statemachines.texts import WRITE_TEXT
from tests.conftest import OpenService
from tests.engine.shop import MERCHANT, Shop, committed
from tests.gateways.peer import Says, playing
from tests.gateways.services import TOKEN, Mailbox, completions, mail_server

ONLY = {name: {"enabled": False} for name in ("daily_sales_report", "weekly_summary", "low_stock_check", "retention")}
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


class Office(Shop):
    """A shop in Berlin with prices in several currencies, and a mailbox that its reports go to."""

    def __init__(self, service: Service, mailbox: Mailbox) -> None:
        super().__init__(service)
        self.mailbox = mailbox

    async def offer(self, sku: str, price: int, currency: str) -> None:
        created = Create(sku=sku, name=sku.title(), price=price, currency=currency, on_hand=1000)
        committed(await self.tell("product", None, created))

    async def at(self, moment: str) -> None:
        """Let time pass until then, in Berlin's winter."""
        await self.service.advance_to(datetime.fromisoformat(f"{moment}+01:00").astimezone(UTC))

    def mails(self) -> list[tuple[str, str]]:
        """Return the subjects and texts of the mails that came."""
        return [
            (mail["Subject"], mail.get_body(("plain",)).get_content().replace("\r\n", "\n"))
            for mail in self.mailbox.mails
        ]

    async def job(self, name: str) -> dict[str, Any]:
        return await self.row("job", name)


OpenOffice = Callable[..., AbstractAsyncContextManager[Office]]


@pytest.fixture
def open_office(open_service: OpenService) -> OpenOffice:
    """Open an office at noon of a Monday in which one job runs; settings may be overridden."""

    @asynccontextmanager
    async def opened(url: str, job: str, to: str = "ann@shop.example", **settings: object) -> AsyncIterator[Office]:
        async with mail_server() as mailbox:
            server = {"gateway": "smtp", "host": "127.0.0.1", "port": mailbox.port, "security": "none"}
            chosen = {
                "mail": {**server, "sender": "orders@shop.example"},
                "report_recipients": to,
                "timezone": "Europe/Berlin",
                "jobs": {**ONLY, job: {"enabled": True}},
                **settings,
            }
            async with open_service(url, **chosen) as service:
                await service.jobs.declare()
                yield Office(service, mailbox)

    return opened


# -- the daily report


async def test_a_report_has_the_figures_of_the_day_before_in_each_currency(open_office, database_url) -> None:
    async with open_office(database_url, "daily_sales_report") as office:
        await office.offer("MUG", 1250, "EUR")
        await office.offer("BOWL", 500, "JPY")
        await office.offer("RUG", 1250, "KWD")
        await office.paid(MUG=1)
        await office.paid(MUG=2)
        await office.paid(BOWL=3)
        await office.paid(RUG=1)
        gone = await office.paid(MUG=1)
        committed(await office.tell("order", gone, Cancel(), MERCHANT))
        await office.draft(MUG=7)
        await office.at("2026-01-06 06:00")

        ((subject, text),) = office.mails()
        assert subject == "Sales of 5 January 2026"
        assert "EUR: orders 3, revenue 37.50 EUR, average 12.50 EUR\n" in text
        assert "JPY: orders 1, revenue 1500 JPY, average 1500 JPY\n" in text
        assert "KWD: orders 1, revenue 1.250 KWD, average 1.250 KWD\n" in text
        assert office.mailbox.recipients == [["ann@shop.example"]]
        job = await office.job("daily-sales-report")
        assert job["last_summary"] == (
            "2026-01-05: 3 orders over 37.50 EUR, 12.50 EUR on average; 1 orders over 1500 JPY, 1500 JPY on average; "
            "1 orders over 1.250 KWD, 1.250 KWD on average"
        )


async def test_a_day_ends_at_the_shops_own_midnight(open_office, sqlite_url) -> None:
    async with open_office(sqlite_url, "daily_sales_report") as office:
        await office.offer("MUG", 1000, "EUR")
        await office.at("2026-01-05 23:59")
        await office.paid(MUG=1)
        await office.at("2026-01-06 00:00")
        await office.paid(MUG=5)
        await office.at("2026-01-07 06:00")

        first, second = (text for _, text in office.mails())
        assert "orders 1, revenue 10.00 EUR" in first
        assert "orders 1, revenue 50.00 EUR" in second


async def test_thirty_days_bring_thirty_reports_in_order(open_office, database_url) -> None:
    async with open_office(database_url, "daily_sales_report") as office:
        await office.service.advance(30 * DAY)

        days = [datetime(2026, 1, 5, tzinfo=UTC) + DAY * number for number in range(30)]
        assert [subject for subject, _ in office.mails()] == [f"Sales of {day.day} {day:%B %Y}" for day in days]
        assert all("No orders." in text for _, text in office.mails())


async def test_a_report_goes_to_everyone_who_is_named(open_office, sqlite_url) -> None:
    async with open_office(sqlite_url, "daily_sales_report", "ann@shop.example ben@shop.example") as office:
        await office.service.advance(DAY)

        assert sorted(office.mailbox.recipients) == [["ann@shop.example"], ["ben@shop.example"]]


async def test_without_recipients_the_figures_still_stand_in_the_jobs_record(open_office, sqlite_url) -> None:
    async with open_office(sqlite_url, "daily_sales_report", "") as office:
        await office.service.advance(DAY)

        assert office.mails() == []
        assert (await office.job("daily-sales-report"))["last_summary"] == "2026-01-05: no orders"


async def test_after_three_days_of_downtime_one_report_comes(open_office, sqlite_url, clock) -> None:
    async with open_office(sqlite_url, "daily_sales_report") as office:
        clock.advance(3 * DAY)
        await office.service.settle()

        assert [subject for subject, _ in office.mails()] == ["Sales of 7 January 2026"]


async def test_a_report_at_another_hour_of_another_zone(open_office, sqlite_url) -> None:
    chosen = {**ONLY, "daily_sales_report": {"cron": "30 9 * * *", "timezone": "Asia/Tokyo"}}
    async with open_office(sqlite_url, "daily_sales_report", jobs=chosen) as office:
        await office.offer("MUG", 1000, "EUR")
        await office.paid(MUG=1)  # at noon in UTC it is nine in the evening in Tokyo
        await office.at("2026-01-05 17:00")
        await office.paid(MUG=1)  # an hour past midnight
        await office.at("2026-01-06 01:30")

        assert [("orders 1," in text, subject) for subject, text in office.mails()] == [
            (True, "Sales of 5 January 2026")
        ]


# -- the report in words


async def test_the_report_is_told_in_words_if_somebody_writes_them(open_office, sqlite_url) -> None:
    async with playing(completions) as peer:
        text = {"gateway": "openai", "url": peer.url, "token": TOKEN, "model": "small"}
        async with open_office(sqlite_url, "daily_sales_report", text=text) as office:
            await office.offer("MUG", 1000, "EUR")
            await office.paid(MUG=2)
            await office.service.advance(DAY)

            ((_, text),) = office.mails()
            assert "Monday, 2026-01-05: 1 orders over 20.00 EUR, 20.00 EUR on average." in text
            assert "The day before: no orders." in text
            assert "EUR: orders 1, revenue 20.00 EUR, average 20.00 EUR" in text
            assert await office.story("job", "daily-sales-report") == ["declare", "occur", "finished", "text_written"]


@pytest.mark.parametrize("answer", [Says(400, {"error": "no"}), Says(503), b"", Says(200, {"choices": []})])
async def test_a_report_whose_words_can_not_be_had_comes_without_them_and_soon(open_office, sqlite_url, answer) -> None:
    async with playing(lambda _: answer) as peer:
        text = {"gateway": "openai", "url": peer.url, "token": TOKEN, "model": "small"}
        async with open_office(sqlite_url, "daily_sales_report", text=text) as office:
            await office.at("2026-01-06 06:00")
            await office.service.advance(WRITE_TEXT.retry.within + MINUTE)

            ((_, text),) = office.mails()
            assert "No orders." in text
            assert len(peer.asked) <= WRITE_TEXT.retry.attempts


# -- the weekly summary


async def test_a_week_is_summed_up_beside_the_week_before(open_office, database_url) -> None:
    async with open_office(database_url, "weekly_summary") as office:
        await office.offer("MUG", 1000, "EUR")
        await office.offer("POT", 3000, "EUR")
        await office.paid(MUG=1)
        await office.at("2026-01-12 12:00")
        await office.paid(MUG=3)
        await office.paid(POT=2)
        cancelled = await office.draft(POT=9)
        committed(await office.tell("order", cancelled, Cancel()))
        await office.at("2026-01-19 06:59")
        await office.paid(POT=100)  # in the next week
        await office.at("2026-01-19 07:00")

        assert [subject for subject, _ in office.mails()] == [
            "Sales from 5 January 2026 to 11 January 2026",
            "Sales from 12 January 2026 to 18 January 2026",
        ]
        this_week, week_before = office.mails()[1][1].split("The week before:")
        assert "EUR: orders 2, revenue 90.00 EUR, average 45.00 EUR" in this_week
        assert "EUR: orders 1, revenue 10.00 EUR, average 10.00 EUR" in week_before
        assert week_before.index("3 x MUG") < week_before.index("2 x POT")
        assert "Cancelled orders: 1\n" in week_before
        assert "Orders that need a person: 0\n" in week_before
