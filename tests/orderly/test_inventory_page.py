"""What the page on inventory shows is true: its requests are answered, its programs run, its questions have answers."""

import json
import re
from datetime import timedelta
from pathlib import Path

import httpx
from sqlalchemy import text

from engine.clock import VirtualClock
from orderly.service import Service
from statemachines.commands import Send, Spawn
from statemachines.declaration import Role
from statemachines.order import Order
from statemachines.reservation import PiecesOf, Reservation
from statemachines.reservation import reservation as machine
from tests.basket import Fill, Pay
from tests.conftest import NOON
from tests.engine.shop import Shop, committed
from tests.engine.test_reservations import storerooms

PAGE = (Path(__file__).parents[2] / "docs" / "inventory.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


async def walk(service: Service) -> None:
    """Send the page's requests."""
    key = (await service.keys.create("shop", Role.MERCHANT, "test")).text
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app()), base_url="http://orderly") as client:
        for line in blocks("http")[0].splitlines():
            _, _, path, body = line.split(maxsplit=3)
            sent = await client.post(path, json=json.loads(body), headers={"Authorization": f"Bearer {key}"})
            assert sent.is_success, sent.text


async def asked(service: Service, question: str) -> list[tuple[object, ...]]:
    return await service.database.read(lambda c: [tuple(row) for row in c.execute(text(question))])


async def test_the_requests_of_the_page_open_a_location(service: Service) -> None:
    await walk(service)
    low, *_ = blocks("sql")

    assert await asked(service, low) == [("MUG@berlin", "berlin", 6, 10)]
    assert (await Shop(service).row("stock", "MUG@berlin"))["priority"] == 1


def test_the_rule_of_the_page_is_the_rule() -> None:
    exec(compile(blocks("python")[0], "docs/inventory.md", "exec"), {"__name__": "rule"})


def test_the_actions_of_the_page_ask_what_reservations_take() -> None:
    names: dict[str, object] = {"__name__": "holder"}
    exec(compile(blocks("python")[1], "docs/inventory.md", "exec"), names)
    order, kept = Order(id="ord_1", customer="ann"), [Reservation(id="rsv_1")]

    (spawned,) = names["reserve"](order, NOON)  # type: ignore[operator]
    assert isinstance(spawned, Spawn)
    assert spawned.event.until == NOON + timedelta(minutes=30)
    for action, state in (("take", "held"), ("give_back", "taken"), ("put_back", "taken")):
        (sent,) = names[action](kept)  # type: ignore[operator]
        assert isinstance(sent, Send)
        assert machine.rows_for(state, sent.event.event_name)


async def test_the_questions_of_the_page_have_answers(database_url: str, clock: VirtualClock) -> None:
    async with storerooms(database_url, clock, 1) as (shop,):
        await shop.sells("MUG", on_hand=3)
        first = committed(await shop.tell("order", None, wants(2))).id
        paid = committed(await shop.tell("order", None, wants(5))).id
        late = committed(await shop.tell("order", None, wants(1))).id
        committed(await shop.tell("order", paid, Pay()))
        _, short, queue, kept = blocks("sql")

        assert [row[:3] for row in await asked(shop.service, short)] == [("MUG", 5, 2)]
        waiting = [(row[0], row[1], row[2], bool(row[4])) for row in await asked(shop.service, queue)]
        assert waiting == [("MUG", paid, 4, True), ("MUG", late, 1, False)]
        assert [row[:4] for row in await asked(shop.service, kept)] == [(first, "MUG", "MUG", 2)]


def wants(mugs: int) -> Fill:
    return Fill(pieces=(PiecesOf(sku="MUG", quantity=mugs),), patient=True)


def test_the_states_of_the_page_are_those_of_the_machine() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(machine.states)
