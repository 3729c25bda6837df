"""`orderly inbox`: what came in, and what is decided about it."""

import asyncio

import pytest

from engine.inbox import Message
from orderly.seed import Seeded
from orderly.service import Service
from orderly.settings import Settings
from tests.engine.messages import parcel
from tests.orderly.conftest import Command, read


@pytest.fixture
def inbox(command: Command, shop: Seeded) -> None:
    """A message that nobody acts on, and one about an order that is not there."""

    async def arrive() -> None:
        async with Service.open(Settings()) as service:
            for number, kind in enumerate(("weighed", "shipped")):
                await service.inbox.receive(Message("carrier", f"msg_{number}", parcel(kind, "ord_1")))
            await service.inbox.run()

    asyncio.run(arrive())


def test_what_came_in_is_listed(command: Command, inbox: None) -> None:
    shown = command("inbox", "list").output
    assert shown.index("shipment.shipped") < shown.index("shipment.weighed")
    assert "there is no order 'ord_1'" in shown
    assert [row["seq"] for row in read(command("inbox", "list", "--status", "unknown", "--json"))] == [1]
    assert read(command("inbox", "list", "--source", "stripe", "--json")) == []
    assert "the first 1 are shown" in command("inbox", "list", "--limit", "1").output


def test_one_row_is_shown_with_what_was_said(command: Command, inbox: None) -> None:
    shown = command("inbox", "show", 1).output
    assert "status: unknown" in shown
    assert '"order": "ord_1"' in shown
    assert read(command("inbox", "show", 1, "--json"))["body"] == parcel("weighed", "ord_1")


def test_a_row_is_replayed_or_dismissed_with_a_reason(command: Command, inbox: None) -> None:
    done = command("inbox", "replay", 1, "--as", "admin:root", "--reason", "try again")
    assert done.output == "row 1 is pending\n"
    row = read(command("inbox", "dismiss", 1, "--as", "admin:root", "--reason", "of no use", "--json"))
    assert (row["status"], row["decided_by"], row["decision"]) == ("dismissed", "admin:root", "dismiss: of no use")
    again = command("inbox", "dismiss", 1, "--as", "admin:root", "--reason", "of no use")
    assert (again.exit_code, again.stderr) == (1, "error: row 1 is dismissed: nothing more can be decided about it\n")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", 9), 1, "there is no row 9"),
        (("replay", 9, "--as", "admin:root", "--reason", "x"), 1, "there is no row 9"),
        (("replay", 1, "--as", "root", "--reason", "x"), 2, "names no actor"),
        (("dismiss", 1, "--as", "merchant:shop", "--reason", "x"), 2, "an admin decides"),
        (("replay", 1, "--as", "admin:root", "--reason", "4111 1111 1111 1111"), 2, "must not hold a card number"),
        (("replay", 1, "--as", "admin:root"), 2, "--reason"),
        (("list", "--status", "lost"), 2, "lost"),
    ],
)
def test_what_can_not_be_done_is_said(
    command: Command, inbox: None, arguments: tuple[object, ...], code: int, said: str
) -> None:
    done = command("inbox", *arguments)
    assert done.exit_code == code
    assert said in done.stderr
