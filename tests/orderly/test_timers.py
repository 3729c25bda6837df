"""`orderly timers`: what will happen by itself, at the command line."""

import pytest

from orderly.seed import Seeded
from tests.orderly.conftest import Command, read

STEPPING_IN = ("--as", "admin:root", "--reason", "the customer called")


def timers(command: Command, *options: str) -> list[str]:
    return [each["name"] for each in read(command("timers", "list", *options, "--json")) if each["machine"] == "order"]


def test_they_are_listed(command: Command, order: str) -> None:
    listed = command("timers", "list", "--machine", "order", "--entity", order)
    assert listed.exit_code == 0
    assert all(word in listed.stdout for word in (order, "abandon", "due_at"))
    assert timers(command) == ["remind_of_basket", "remind_of_basket_again", "abandon"]
    assert timers(command, "--due-before", "2020-01-01") == []


def test_one_is_fired_in_the_running_server(command: Command, order: str) -> None:
    done = command("timers", "fire", "order", order, "abandon", *STEPPING_IN)
    assert done.exit_code == 0, done.output
    assert f"abandon fires now (order {order}, v2)" in done.stdout
    (entry,) = read(command("orders", "show", order, "--json"))["history"][1:]
    assert (entry["event"], entry["actor"], entry["reason"]) == ("fire_timer", "admin:root", "the customer called")


def test_one_is_postponed(command: Command, order: str) -> None:
    done = command(
        "timers", "postpone", "order", order, "abandon", *STEPPING_IN, "--until", "2090-01-01T01:00:00+01:00"
    )
    assert done.exit_code == 0, done.output
    assert "abandon fires at 2090-01-01 00:00:00 UTC" in done.stdout
    assert "2090-01-01 00:00:00" in command("timers", "list", "--machine", "order", "--entity", order).stdout


def test_one_is_cancelled(command: Command, order: str) -> None:
    done = command("timers", "cancel", "orders", order, "abandon", *STEPPING_IN)
    assert done.exit_code == 0, done.output
    assert "abandon" not in timers(command)
    again = command("timers", "cancel", "order", order, "abandon", *STEPPING_IN)
    assert again.exit_code == 1
    assert "there is no timer 'abandon'" in again.stderr


@pytest.mark.parametrize(
    ("asked", "exit_code", "said"),
    [
        (["fire", "parcel", "1", "x", *STEPPING_IN], 2, "there is no machine 'parcel'"),
        (["fire", "order", "ord_none", "x", *STEPPING_IN], 1, "there is no order 'ord_none'"),
        (["fire", "order", "ord_none", "x", "--as", "admin:root", "--reason", ""], 2, "reason: "),
        (["postpone", "order", "ord_none", "x", *STEPPING_IN, "--until", "tomorrow"], 2, "until: "),
        (["list", "--machine", "order"], 2, "'machine' needs 'entity'"),
    ],
)
def test_what_is_wrong_is_said(command: Command, shop: Seeded, asked: list[str], exit_code: int, said: str) -> None:
    done = command("timers", *asked)
    assert done.exit_code == exit_code
    assert said in done.stderr
