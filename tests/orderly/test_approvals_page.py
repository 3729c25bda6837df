"""What the page on approvals shows is true: its requests are answered, its machine runs, its questions have answers."""

import json
import re
from pathlib import Path

import httpx
import pytest
from pydantic import TypeAdapter
from sqlalchemy import text

from orderly.service import Service
from statemachines.approval import ApprovalOpened, Approved, Request
from statemachines.approval.policy import Levels
from statemachines.commands import Spawn
from statemachines.decision import Accepted, Refused, decide
from statemachines.declaration import NEW, Actor, Role
from statemachines.machine import Machine
from statemachines.verification import verify
from tests.conftest import NOON

PAGE = (Path(__file__).parents[2] / "docs" / "approvals.md").read_text()
ROLES = {"ann": Role.CUSTOMER, "eve": Role.APPROVER, "oscar": Role.APPROVER}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


async def walk(service: Service) -> dict[str, object]:
    """Send the page's requests; return the last answer."""
    keys = {name: (await service.keys.create(name, role, "test")).text for name, role in ROLES.items()}
    transport, answer = httpx.ASGITransport(service.app()), {}
    async with httpx.AsyncClient(transport=transport, base_url="http://orderly") as client:
        for line in blocks("http")[0].splitlines():
            who, _, path, body = line.split(maxsplit=3)
            address = path.replace("$ID", str(answer.get("id")))
            headers = {"Authorization": f"Bearer {keys[who]}"}
            sent = await client.post(address, json=json.loads(body), headers=headers)
            assert sent.is_success, sent.text
            answer = sent.json()
    return answer


async def test_the_requests_of_the_page_lead_to_an_approval(service: Service) -> None:
    assert (await walk(service))["state"] == "approved"


async def test_the_questions_of_the_page_have_answers(service: Service) -> None:
    await walk(service)
    _, decided, ended = blocks("sql")
    assert await asked(service, decided) == [("eve", "request_changes", 1), ("oscar", "approve", 1)]
    assert [row[:3] for row in await asked(service, ended)] == [("expense", "approved", 1)]


async def test_what_waits_for_somebody_is_found(open_service, database_url) -> None:
    figures = {"levels": [{"name": "board", "approvers": ["eve", "oscar"], "quorum": 2}]}
    async with open_service(database_url, approval=figures) as service:
        key = (await service.keys.create("ann", Role.CUSTOMER, "test")).text
        async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app()), base_url="http://orderly") as client:
            expense = {"kind": "expense", "reference": "E-14", "description": "a phone"}
            answer = await client.post("/approvals", json=expense, headers={"Authorization": f"Bearer {key}"})
        waiting = blocks("sql")[0]
        assert [row[0] for row in await asked(service, waiting)] == [answer.json()["id"]]
        assert await asked(service, waiting.replace("'eve'", "'adam'")) == []


async def asked(service: Service, question: str) -> list[tuple[object, ...]]:
    return await service.database.read(lambda c: [tuple(row) for row in c.execute(text(question))])


@pytest.mark.parametrize("levels", blocks("json"))
def test_the_levels_of_the_page_are_levels(levels: str) -> None:
    assert TypeAdapter(Levels).validate_json(levels)


def test_the_machine_of_the_page_runs() -> None:
    (program,) = blocks("python")
    names: dict[str, object] = {"__name__": "discount"}
    exec(compile(program, "docs/approvals.md", "exec"), names)
    discount, grant = names["discount"], names["Grant"]
    assert isinstance(discount, Machine)
    assert verify(discount) == []

    entity = discount.entity(id="dis_1", state=NEW)
    merchant = Actor("shop", Role.MERCHANT)
    granted = decide(discount, entity, grant(customer="ann", off=500), NOON, actor=merchant)  # type: ignore[operator]
    assert isinstance(granted, Accepted)
    (spawned,) = granted.commands
    assert isinstance(spawned, Spawn)
    assert isinstance(spawned.event, Request)
    assert (spawned.event.requested_by, spawned.event.amount) == ("shop", 500)

    waiting = discount.entity(id="dis_1", state="waiting", off=500)
    opened = decide(discount, waiting, ApprovalOpened(approval="apr_1"), NOON)
    assert isinstance(opened, Accepted)
    assert opened.changes == {"approval": "apr_1"}
    told = waiting.model_copy(update=opened.changes)
    assert isinstance(decide(discount, told, Approved(approval="apr_1", amount=500, currency="EUR"), NOON), Accepted)
    other = decide(discount, told, Approved(approval="apr_1", amount=400, currency="EUR"), NOON)
    assert isinstance(other, Refused)
    assert other.reason == "4.00 EUR approved, 5.00 EUR wanted"
