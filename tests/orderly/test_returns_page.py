"""What the page on returns shows is true: its requests are answered, and its questions have answers."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter
from sqlalchemy import text

from orderly.service import Service
from statemachines.carrier import Address
from statemachines.declaration import Role
from statemachines.order import Complete
from statemachines.returns.machine import returns
from statemachines.returns.model import ReturnPolicy
from tests.engine.shop import ANNA, Shop, committed

PAGE = (Path(__file__).parents[2] / "docs" / "returns.md").read_text()
ROLES = {"ann": Role.CUSTOMER, "shop": Role.MERCHANT}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


async def sold(service: Service) -> str:
    """Sell three mugs and two jugs to anna; return the order."""
    shop = Shop(service)
    await shop.sells("MUG", "JUG")
    order = await shop.fulfilled(MUG=3, JUG=2)
    committed(await shop.tell("order", order, Complete(), ANNA))
    return order


async def walk(service: Service, lines: int | None = None) -> dict[str, Any]:
    """Send the page's requests, or the first of them; return the last answer."""
    order, case, answer = await sold(service), "", {}
    keys = {
        name: (await service.keys.create("anna" if name == "ann" else name, role, "test")).text
        for name, role in ROLES.items()
    }
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app()), base_url="http://orderly") as client:
        for line in blocks("http")[0].splitlines()[:lines]:
            who, method, path, *body = line.split(maxsplit=3)
            sent = await client.request(
                method,
                path.replace("$ORDER", order).replace("$ID", case),
                json=json.loads(body[0]) if body else None,
                headers={"Authorization": f"Bearer {keys[who]}"},
            )
            assert sent.is_success, sent.text
            answer = sent.json()
            if "items" in answer:
                (found,) = answer["items"]
                case = found["id"]
    return answer


async def asked(service: Service, question: str) -> list[tuple[Any, ...]]:
    return await service.database.read(lambda c: [tuple(row) for row in c.execute(text(question))])


async def test_the_requests_of_the_page_bring_the_pieces_and_the_money_back(service: Service) -> None:
    case = await walk(service)
    assert (case["state"], case["refund_amount"], case["inspected_by"]) == ("refunding", 1250 + 625 + 1250, "shop")
    await service.settle()
    assert (await Shop(service).row("return", case["id"]))["state"] == "refunded"
    assert await Shop(service).shelf("MUG") == (8, 0)


async def test_what_waits_to_be_inspected_is_found(service: Service) -> None:
    case = await walk(service, lines=5)
    assert [(row[0], int(row[3])) for row in await asked(service, blocks("sql")[0])] == [(case["id"], 3)]


async def test_the_questions_of_the_page_have_answers(service: Service) -> None:
    await walk(service)
    _, why, sound, owed = [await asked(service, question) for question in blocks("sql")]
    assert [(reason, cases, int(pieces)) for reason, cases, pieces in why] == [("too big", 1, 3)]
    assert [(sku, int(pieces), float(part)) for sku, pieces, part in sound] == [("JUG", 1, 100.0), ("MUG", 2, 50.0)]
    assert [(currency, cases, int(amount)) for currency, cases, amount, _ in owed] == [("EUR", 1, 3125)]


async def test_the_address_of_the_page_is_where_returns_go(open_service, sqlite_url, monkeypatch) -> None:
    (address,) = blocks("json")
    monkeypatch.setenv("ORDERLY_RETURNS__RETURN_TO", address)
    monkeypatch.setenv("ORDERLY_RETURNS__SEND_WITHIN", "P30D")
    async with open_service(sqlite_url) as service:
        policy = service.registry["return"].policy
        assert isinstance(policy, ReturnPolicy)
        assert policy.return_to == TypeAdapter(Address).validate_json(address)
        assert policy.send_within.days == 30


@pytest.mark.parametrize("state", returns.states)
def test_the_page_names_every_state(state: str) -> None:
    assert re.search(rf"^\| .*`{state}`.* \|", PAGE, re.MULTILINE)
