"""`orderly effects`: the calls that were given up, at the command line."""

import asyncio
import json

import pytest

from orderly.seed import Seeded
from orderly.service import Service
from orderly.settings import Settings
from tests.orderly.conftest import Command, read

BASKET = {"lines": [{"sku": "MUG-BLUE", "quantity": 1}], "email": "nobody@shop.example"}
STEPPING_IN = ("--as", "admin:root", "--reason", "a slip of the pen")


def settle() -> None:
    """Do what a running server would do."""

    async def run() -> None:
        async with Service.open(Settings()) as service:
            await service.settle()

    asyncio.run(run())


def send(command: Command, order: str, event: str, payload: object) -> str:
    done = command("orders", "send", order, event, "--as", "customer:ann", "--payload", json.dumps(payload), "--json")
    return str(read(done)["id"])


@pytest.fixture
def mail(command: Command, shop: Seeded) -> str:
    """The confirmation of Ann's order, which nobody takes."""
    order = send(command, "new", "create", BASKET)
    send(command, order, "submit", {})
    send(command, order, "pay", {"method": "tok_approve"})
    settle()
    (parked,) = read(command("effects", "list", "--status", "parked", "--json"))
    assert parked["entity_id"] == order
    return str(parked["id"])


def test_they_are_listed(command: Command, mail: str) -> None:
    listed = command("effects", "list", "--status", "parked", "--destination", "mail")
    assert listed.exit_code == 0
    assert all(word in listed.stdout for word in (mail, "mail.send", "550 no such mailbox"))
    assert len(read(command("effects", "list", "--json"))) == 2
    assert read(command("effects", "list", "--status", "parked", "--name", "payments.charge", "--json")) == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--name", "mail.send"], "'name' needs 'entity', or a 'status' of pending, running, parked, cancelled"),
        (["--machine", "order"], "'machine' needs 'entity'"),
    ],
)
def test_a_question_without_an_index_is_explained(command: Command, asked: list[str], said: str) -> None:
    done = command("effects", "list", *asked)
    assert done.exit_code == 2
    assert said in done.stderr


def test_one_is_shown_with_what_may_be_edited(command: Command, mail: str) -> None:
    shown = read(command("effects", "show", mail, "--json"))
    assert (shown["status"], shown["arguments"]["to"]) == ("parked", "nobody@shop.example")
    assert shown["editable"] == ["to", "reply_to"]
    assert f"{mail}: mail.send for order" in command("effects", "show", mail).stdout


def test_it_is_put_right_and_tried_again(command: Command, mail: str) -> None:
    done = command("effects", "retry", mail, *STEPPING_IN, "--arguments", '{"to": "ann@shop.example"}')
    assert done.exit_code == 0, done.output
    assert f"{mail} is tried again (order ord_" in done.stdout
    settle()
    shown = read(command("effects", "show", mail, "--json"))
    assert (shown["status"], shown["arguments"]["to"]) == ("done", "ann@shop.example")
    history = read(command("orders", "show", shown["entity_id"], "--json"))["history"]
    assert [(each["event"], each["actor"], each["reason"]) for each in history][-1] == (
        "retry_effect",
        "admin:root",
        "a slip of the pen",
    )


def test_several_are_cancelled_and_each_refusal_is_said(command: Command, mail: str) -> None:
    done = command("effects", "cancel", mail, "eff_none", *STEPPING_IN)
    assert done.exit_code == 1
    assert f"{mail} is cancelled" in done.stdout
    assert "there is no effect 'eff_none'" in done.stderr
    again = command("effects", "cancel", mail, *STEPPING_IN)
    assert again.exit_code == 1
    assert f"{mail}: 'cancel_effect' was refused: the effect is cancelled" in again.stderr


def test_only_an_admin_steps_in(command: Command, mail: str) -> None:
    done = command("effects", "cancel", mail, "--as", "merchant:shop", "--reason", "x")
    assert done.exit_code == 1
    assert "the role merchant may not raise 'cancel_effect'; it takes admin" in done.stderr


def test_one_that_is_not_there_is_named(command: Command, shop: Seeded) -> None:
    done = command("effects", "show", "eff_none")
    assert done.exit_code == 2
    assert "there is no effect 'eff_none'" in done.stderr
