"""What the page on payments shows is true: its requests are answered, its tables are whole, its questions answered."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from engine.inbox import Message
from gateways import sandbox
from orderly.service import Service
from statemachines.declaration import Role
from statemachines.order import Pay
from statemachines.payment import PaymentPolicy, payment
from tests.engine.messages import dispute
from tests.engine.shop import ANNA, Shop, committed

PAGE = (Path(__file__).parents[2] / "docs" / "payments.md").read_text()
ROLES = {"ann": ("anna", Role.CUSTOMER), "shop": ("shop", Role.MERCHANT)}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def table(heading: str) -> list[str]:
    """Return the first cells of the table under a heading."""
    part = PAGE.partition(heading)[2].split("\n\n")
    rows = next(each for each in part if each.startswith("| "))
    return [line.split("|")[1].strip() for line in rows.splitlines()[2:]]


async def ordered(service: Service, **pay: Any) -> str:
    """Order two mugs and begin to pay, if it is said how; return the order."""
    shop = Shop(service)
    if await service.database.read(lambda c: c.execute(text("SELECT count(*) FROM products")).scalar()) == 0:
        await shop.sells("MUG", price=1000)
    order = await shop.pending(MUG=2)
    if pay:
        committed(await shop.tell("order", order, Pay(**pay), ANNA))
        await service.settle()
    return order


async def walk(service: Service) -> list[dict[str, Any]]:
    """Send the page's requests; return the answers."""
    names, answers = {"$ORDER": await ordered(service)}, []
    keys = {who: (await service.keys.create(name, role, "test")).text for who, (name, role) in ROLES.items()}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app()), base_url="http://orderly") as client:
        for line in blocks("http")[0].splitlines():
            who, method, path, *body = line.split(maxsplit=3)
            for name, value in names.items():
                path = path.replace(name, value)
            content = json.loads(body[0]) if body else None
            sent = await client.request(method, path, json=content, headers={"Authorization": f"Bearer {keys[who]}"})
            assert sent.is_success, sent.text
            answers.append(sent.json())
            if "items" in answers[-1]:
                (found,) = answers[-1]["items"]
                names["$PAYMENT" if "captured" in found else "$PARCEL"] = found["id"]
            await service.settle()
    return answers


async def asked(service: Service, question: str) -> list[tuple[Any, ...]]:
    return await service.database.read(lambda c: [tuple(row) for row in c.execute(text(question))])


async def test_the_requests_of_the_page_take_the_money_parcel_by_parcel(service: Service) -> None:
    *_, first, _, last = await walk(service)
    assert (first["state"], first["captured"], first["held"]) == ("partially_captured", 1000, 1000)
    assert (last["state"], last["captured"], last["held"]) == ("captured", 2000, 0)


async def test_the_questions_of_the_page_have_answers(service: Service) -> None:
    held, stuck = (
        await ordered(service, method="tok_approve", take="later"),
        await ordered(service, method="tok_timeout"),
    )
    taken = await ordered(service, method="tok_approve")
    ((name,),) = await asked(service, f"SELECT payment FROM payments WHERE order_id = '{taken}'")
    await service.inbox.receive(Message("stripe", "evt_1", dispute("created", name, amount=500)))
    await service.advance(timedelta(hours=24))
    lapsing, failed, kept, claimed, wrong = blocks("sql")
    assert [row[1:4] for row in await asked(service, lapsing)] == [(held, 2000, "EUR")]
    assert [row[1:6] for row in await asked(service, failed)] == [
        (stuck, 2000, 0, "EUR", "no answer from the payment gateway")
    ]
    assert [tuple(map(str, row)) for row in await asked(service, kept)] == [("EUR", "1500", "2000")]
    assert [row[1:4] for row in await asked(service, claimed)] == [(taken, "anna", 500)]
    assert await asked(service, wrong) == []


def test_every_state_stands_in_the_table() -> None:
    assert [state.strip("`") for state in table("diagram payment")] == list(payment.states)


def test_every_token_stands_in_the_table() -> None:
    told = re.findall(r"^\| ``(tok_\w+)`` \|", sandbox.__doc__ or "", re.MULTILINE)
    assert [token.strip("`") for token in table("## Trying it")] == told


def test_every_figure_stands_in_the_table() -> None:
    figures = re.findall(r"\| `([A-Z_]+)` \|$", PAGE, re.MULTILINE)
    assert sorted(figures) == sorted(name.upper() for name in PaymentPolicy.model_fields)
