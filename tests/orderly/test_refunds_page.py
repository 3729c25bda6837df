"""What the page on refunds shows is true: its requests are answered, and its questions have answers."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from orderly.service import Service
from statemachines.declaration import Role
from statemachines.order import Pay
from statemachines.order.events import Refund
from statemachines.refund import RefundPolicy, refund
from tests.engine.shop import ANNA, MERCHANT, Shop, committed

PAGE = (Path(__file__).parents[2] / "docs" / "refunds.md").read_text()
ROLES = {"ann": ("anna", Role.CUSTOMER), "shop": ("shop", Role.MERCHANT), "eve": ("eve", Role.APPROVER)}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


async def sold(service: Service, method: str = "tok_approve") -> str:
    """Sell something for 800 euro to anna; return the order."""
    shop = Shop(service)
    if await service.database.read(lambda c: c.execute(text("SELECT count(*) FROM products")).scalar()) == 0:
        await shop.sells("MUG", price=20_000)
    order = await shop.pending(MUG=4)
    committed(await shop.tell("order", order, Pay(method=method), ANNA))
    await service.settle()
    return order


async def walk(service: Service, lines: int | None = None) -> dict[str, Any]:
    """Send the page's requests, or the first of them; return the last answer."""
    names, answer = {"$ORDER": await sold(service)}, {}
    keys = {who: (await service.keys.create(name, role, "test")).text for who, (name, role) in ROLES.items()}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app()), base_url="http://orderly") as client:
        for line in blocks("http")[0].splitlines()[:lines]:
            who, method, path, *body = line.split(maxsplit=3)
            for name, value in names.items():
                path = path.replace(name, value)
            content = json.loads(body[0]) if body else None
            sent = await client.request(method, path, json=content, headers={"Authorization": f"Bearer {keys[who]}"})
            assert sent.is_success, sent.text
            answer = sent.json()
            if "items" in answer:
                (found,) = answer["items"]
                names["$ID"] = found["id"]
            elif answer.get("approval") and answer.get("order_id"):
                names["$APPROVAL"] = answer["approval"]
    return answer


async def asked(service: Service, question: str) -> list[tuple[Any, ...]]:
    return await service.database.read(lambda c: [tuple(row) for row in c.execute(text(question))])


async def test_the_requests_of_the_page_give_the_money_back(service: Service) -> None:
    shown = await walk(service)
    assert (shown["state"], shown["accepted_by"]) == ("processing", "shop")
    await service.settle()
    assert (await Shop(service).row("refund", shown["id"]))["state"] == "succeeded"


@pytest.mark.parametrize(("lines", "waits_for"), [(1, "the shop"), (3, "approvers")])
async def test_what_waits_for_people_is_found(service: Service, lines: int, waits_for: str) -> None:
    await walk(service, lines)
    assert [row[-1] for row in await asked(service, blocks("sql")[0])] == [waits_for]


async def test_the_questions_of_the_page_have_answers(service: Service) -> None:
    await walk(service)
    await service.settle()
    committed(await Shop(service).tell("order", await sold(service, "tok_no_refund"), Refund(amount=700), MERCHANT))
    await service.settle()
    waits, failed, reasons, months = [await asked(service, question) for question in blocks("sql")]
    assert waits == []
    assert [(row[2], row[5], bool(row[6])) for row in failed] == [(700, "the payment cannot be refunded", False)]
    assert [(why, count, int(given)) for why, _, count, given in reasons] == [("it came too late", 1, 60_000)]
    assert [(month, int(taken), int(back)) for month, _, taken, back in months] == [("2026-01", 160_000, 60_000)]


@pytest.mark.parametrize("state", refund.states)
def test_the_page_names_every_state(state: str) -> None:
    assert re.search(rf"^\| .*`{state}`.* \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("figure", RefundPolicy.model_fields)
def test_the_page_names_every_figure(figure: str) -> None:
    assert f"`{figure.upper()}`" in PAGE
