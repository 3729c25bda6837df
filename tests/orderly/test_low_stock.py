"""The low-stock check: of each product that runs out the shop is told once, until there is enough of it again."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from engine.clock import VirtualClock
from statemachines.product import Create, Discontinue, OpenLocation
from statemachines.stock import Receive, SetReorderLevel
from tests.conftest import OpenService
from tests.engine.shop import Shop, committed

HOUR = timedelta(hours=1)


class Office(Shop):
    """A shop that hears of low stocks by mail and in the chat."""

    async def stocks(self, sku: str, on_hand: int, level: int = 5) -> None:
        created = Create(sku=sku, name=sku.title(), price=1000, currency="EUR", on_hand=on_hand, reorder_level=level)
        committed(await self.tell("product", None, created))

    def posts(self) -> list[str]:
        """Return what was posted in the chat."""
        return [post.text for post in self.service.outside.chat.sent]

    def subjects(self) -> list[str]:
        """Return the subjects of the mails that were sent."""
        return [str(mail["Subject"]) for mail in self.service.outside.mail.sent]


@pytest.fixture
async def office(open_service: OpenService, database_url: str, clock: VirtualClock) -> AsyncIterator[Office]:
    """A shop in which low stocks are looked for at every hour."""
    others = {name: {"enabled": False} for name in ("daily_sales_report", "weekly_summary", "retention")}
    async with open_service(database_url, jobs=others, report_recipients="ann@shop.example") as service:
        await service.jobs.declare()
        yield Office(service)


async def test_the_shop_is_told_of_a_low_stock_by_mail_and_in_the_chat(office: Office) -> None:
    await office.stocks("MUG", 5)
    await office.stocks("POT", 6)
    await office.service.advance(HOUR)

    assert office.posts() == ["Running out:\n• Mug (MUG): 5 left, reorder level 5"]
    assert office.subjects() == ["MUG running out"]
    assert (await office.row("job", "low-stock-check"))["last_summary"] == "low: MUG"


async def test_the_shop_is_told_once_until_there_is_enough_again(office: Office) -> None:
    await office.stocks("MUG", 5)
    await office.service.advance(3 * HOUR)
    assert len(office.posts()) == 1

    committed(await office.tell("stock", "MUG", Receive(quantity=3)))
    await office.service.advance(HOUR)
    assert len(office.posts()) == 1

    await office.paid(MUG=3)
    await office.service.advance(3 * HOUR)
    assert office.posts()[1:] == ["Running out:\n• Mug (MUG): 5 left, reorder level 5"]


async def test_each_location_is_told_of_by_itself(office: Office) -> None:
    await office.stocks("MUG", 50)
    opened = OpenLocation(location="berlin", on_hand=3, reorder_level=4)
    committed(await office.tell("product", "MUG", opened))
    await office.service.advance(2 * HOUR)

    assert office.posts() == ["Running out:\n• Mug (MUG@berlin): 3 left, reorder level 4"]
    assert (await office.row("stock", "MUG@berlin"))["alerted_at"] is not None
    assert (await office.row("stock", "MUG"))["alerted_at"] is None


async def test_of_what_is_no_longer_sold_nobody_is_told(office: Office) -> None:
    await office.stocks("MUG", 0)
    committed(await office.tell("product", "MUG", Discontinue()))
    await office.service.advance(HOUR)

    assert office.posts() == []


async def test_a_raised_reorder_level_makes_a_stock_low(office: Office) -> None:
    await office.stocks("MUG", 10)
    await office.service.advance(HOUR)
    committed(await office.tell("stock", "MUG", SetReorderLevel(reorder_level=10)))
    await office.service.advance(HOUR)

    assert office.posts() == ["Running out:\n• Mug (MUG): 10 left, reorder level 10"]


async def test_many_low_stocks_are_all_told_of_at_once(office: Office) -> None:
    skus = [f"SKU-{number:03}" for number in range(120)]
    for sku in skus:
        await office.stocks(sku, 1)
    await office.service.advance(HOUR)

    told = [line.partition("(")[2].partition(")")[0] for post in office.posts() for line in post.splitlines()[1:]]
    assert sorted(told) == skus
    assert [subject.partition(" ")[0] for subject in office.subjects()] == ["SKU-000", "SKU-050", "SKU-100"]
    assert (await office.row("job", "low-stock-check"))["runs"] == 3
    await office.service.advance(HOUR)
    assert len(office.subjects()) == 3


async def test_long_names_fill_several_posts(office: Office) -> None:
    for number in range(40):
        created = Create(sku=f"SKU-{number:02}", name="Mug " * 49, price=1, currency="EUR")
        committed(await office.tell("product", None, created))
    await office.service.advance(HOUR)

    assert len(office.posts()) > 2
    assert sum(post.count("•") for post in office.posts()) == 40
