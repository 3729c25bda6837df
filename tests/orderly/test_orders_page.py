"""What the page on orders shows is true: its requests are answered, its table is whole, its questions are answered."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from orderly.service import Service
from statemachines.declaration import Role
from statemachines.order import Cancel, Fail, Fulfill, order
from statemachines.shipment import Lose
from tests.engine.shop import MERCHANT, Shop, committed

PAGE = (Path(__file__).parents[2] / "docs" / "orders.md").read_text()
ROLES = {"ann": Role.CUSTOMER, "shop": Role.MERCHANT}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


async def walk(service: Service) -> list[dict[str, Any]]:
    """Send the page's requests; return the answers."""
    names: dict[str, str] = {}
    answers: list[Any] = []
    keys = {name: (await service.keys.create(name, role, "test")).text for name, role in ROLES.items()}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app()), base_url="http://orderly") as client:
        for line in blocks("http")[0].splitlines():
            who, method, path, *body = line.split(maxsplit=3)
            for name, value in names.items():
                path = path.replace(name, value)
            content = json.loads(body[0]) if body else None
            sent = await client.request(method, path, json=content, headers={"Authorization": f"Bearer {keys[who]}"})
            assert sent.is_success, (line, sent.text)
            answers.append(sent.json())
            if method == "POST" and path == "/orders":
                names["$ORDER"] = answers[-1]["id"]
            if path.endswith("/children"):
                names["$PARCEL"] = next(each["id"] for each in answers[-1] if each["machine"] == "shipment")
            await service.settle()
    return answers


async def test_the_requests_of_the_page_bring_an_order_to_the_door(service: Service) -> None:
    shop = Shop(service)
    await shop.sells("MUG", price=1000)
    await shop.sells("POT", price=4000)
    answers = await walk(service)
    assert [each["state"] for each in answers if "customer" in each and "total" in each] == [
        *["draft", "draft", "pending", "paying", "paying", "processing", "processing"],
        *["fulfilled", "completed", "completed", "completed"],
    ]
    row = await shop.row("order", answers[0]["id"])
    assert (row["total"], row["paid"], row["refunded"], row["refunding"]) == (6000, 7000, 1000, 0)
    assert (await shop.shelf("MUG"), await shop.shelf("POT")) == ((8, 0), (9, 0))


def test_every_state_is_on_the_page() -> None:
    part = PAGE.partition("| state |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", part, re.MULTILINE) == list(order.states)


async def test_the_questions_of_the_page_have_answers(service: Service) -> None:
    shop = Shop(service)
    await shop.sells("MUG", price=1000)

    async def asked(question: str) -> list[tuple[Any, ...]]:
        return await service.database.read(lambda c: [tuple(row) for row in c.execute(text(question))])

    stuck, waiting, gone, sent = [await shop.paid(MUG=pieces) for pieces in (1, 2, 1, 1)]
    committed(await shop.tell("order", stuck, Fail(reason="out of boxes"), MERCHANT))
    committed(await shop.tell("order", gone, Cancel(), MERCHANT))
    committed(await shop.tell("order", sent, Fulfill(), MERCHANT))
    [(parcel,)] = await asked("SELECT id FROM shipments")
    committed(await shop.tell("shipment", parcel, Lose(), MERCHANT))
    await service.settle()

    people, warned, unpacked, money = [await asked(question) for question in blocks("sql")]
    assert [row[:3] for row in people] == [(stuck, "failed", "out of boxes")]
    assert warned == [(sent, "fulfilled", f"shipment '{parcel}' is lost: refund its pieces")]
    assert [(row[0], row[2]) for row in unpacked] == [(waiting, 2)]
    assert money == [("EUR", 0, 5000, 0, 1000, 0, 0)]
