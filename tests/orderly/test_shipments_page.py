"""What the page on shipments shows is true: its requests are answered, its questions have answers."""

import json
import re
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from orderly.service import Service
from statemachines.carrier import Address
from statemachines.declaration import Actor, Role
from statemachines.order import Create, LineAsked, Pay, Ship, Submit
from statemachines.shipment import Book, Dispatch, ShipmentPolicy, shipment
from tests.engine.shop import Shop, committed

PAGE = (Path(__file__).parents[2] / "docs" / "shipments.md").read_text()
ANN = Actor("ann", Role.CUSTOMER)
ROLES = {"ann": Role.CUSTOMER, "shop": Role.MERCHANT}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
async def shop(service: Service) -> Shop:
    opened = Shop(service)
    await opened.sells("MUG", "JUG")
    return opened


async def paid(shop: Shop, city: str | None = None) -> str:
    """Have an order of three mugs and a jug paid."""
    lines = (LineAsked(sku="MUG", quantity=3), LineAsked(sku="JUG", quantity=1))
    address = Address(name="Ann", lines=("Long Street 1",), city=city, country="DE") if city else None
    order = committed(await shop.tell("order", None, Create(lines=lines, address=address), ANN)).id
    for event in (Submit(), Pay(method="tok_approve")):
        committed(await shop.tell("order", order, event, ANN))
    await shop.service.settle()
    return order


async def shipments(shop: Shop, question: str = "SELECT id FROM shipments ORDER BY id") -> list[str]:
    return [str(row[0]) for row in await asked(shop, question)]


async def asked(shop: Shop, question: str) -> list[tuple[object, ...]]:
    return await shop.service.database.read(lambda c: [tuple(row) for row in c.execute(text(question))])


async def test_the_requests_of_the_page_send_an_order_in_two_parcels(shop: Shop) -> None:
    service, order = shop.service, await paid(shop)
    keys = {name: (await service.keys.create(name, role, "test")).text for name, role in ROLES.items()}
    answer: dict[str, object] = {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app()), base_url="http://orderly") as client:
        for line in blocks("http")[0].splitlines():
            who, _, path, body = line.split(maxsplit=3)
            named = dict(zip(("$FIRST", "$SECOND"), await shipments(shop), strict=False))
            for name, id_ in {**named, "$ORDER": order}.items():
                path = path.replace(name, id_)
            headers = {"Authorization": f"Bearer {keys[who]}"}
            sent = await client.post(path, json=json.loads(body), headers=headers)
            assert sent.is_success, sent.text
            answer = sent.json()
            await service.advance(timedelta(seconds=1))
    assert answer["state"] == "completed"
    assert await asked(shop, "SELECT state FROM shipments ORDER BY id") == [("in_transit",), ("delivered",)]


async def test_what_is_long_under_way_is_found(shop: Shop) -> None:
    order, under_way = await paid(shop), blocks("sql")[0]
    committed(await shop.tell("order", order, Ship()))
    (id_,) = await shipments(shop)
    committed(await shop.tell("shipment", id_, Dispatch(tracking="JD0146")))
    (row,) = await asked(shop, under_way)
    assert row[:4] == (id_, order, "ann", "JD0146")
    assert await asked(shop, under_way.replace("2026-01-12", "2026-01-05")) == []
    _, _, out, ended = blocks("sql")
    assert await asked(shop, out) == [("JUG", 1), ("MUG", 3)]
    assert await asked(shop, ended) == []


async def test_what_the_carrier_refused_is_found(shop: Shop) -> None:
    order = await paid(shop, "Nowhere")
    committed(await shop.tell("order", order, Ship()))
    (id_,) = await shipments(shop)
    committed(await shop.tell("shipment", id_, Book()))
    await shop.service.settle()
    (row,) = await asked(shop, blocks("sql")[1])
    assert row[:3] == (id_, order, "the carrier refused it: the address is not served")


def test_the_body_that_books_is_one() -> None:
    (body,) = re.findall(r"/book (\{.*\})", PAGE)
    assert Book.model_validate_json(body).address


def test_the_page_tells_of_every_state_and_every_figure() -> None:
    assert [name for name in shipment.states if f"\n| `{name}` |" not in PAGE] == []
    figures = {name.upper() for name in ShipmentPolicy.model_fields} - {"ASK_CARRIER"}
    assert [name for name in figures if f"`{name}`" not in PAGE] == []
    assert "ORDERLY_SHIPMENT__ASK_CARRIER" in PAGE
