"""The API's description: valid, complete, offline, and true of the answers that are given."""

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from engine.envelope import Envelope
from engine.inbox import Message
from statemachines.declaration import NEW
from statemachines.machine import SYSTEM, Machine
from statemachines.reservation import Hold, PiecesOf
from tests.api.shop import Shop


@pytest.fixture
async def document(shop: Shop) -> dict[str, Any]:
    """The description as it is served."""
    answer = await shop.nobody.get("/docs/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.json())


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, each) for path, item in document["paths"].items() for method, each in item.items()]


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": document["components"]})


async def test_the_description_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    validate(document)


async def test_every_example_is_true_to_its_schema(document: dict[str, Any]) -> None:
    checked = 0
    for _, _, operation in operations(document):
        parts = [operation.get("requestBody", {}), *operation["responses"].values()]
        for media_type, content in ((m, c) for part in parts for m, c in part.get("content", {}).items()):
            if "json" in media_type and "vnd" not in media_type:
                validator(document, content["schema"]).validate(content["example"])
                checked += 1
    assert checked > 300


async def test_every_operation_documents_its_errors_as_problems(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        statuses = operation["responses"].keys()
        closed = {"400", "401", "403", "429", "500", "503"} if "x-roles" in operation else {"400"}
        body = {"408", "413"} if method in ("post", "delete") else set()
        if body and "x-roles" in operation:
            body.add("415")  # a message by webhook is what its signature says, whatever its type
        missing = {"404"} if "{" in path and "x-roles" in operation else set()
        assert statuses >= closed | body | missing, (method, path)
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                (content,) = answer["content"].items()
                assert content[0] == "application/problem+json"
                assert content[1]["schema"] == {"$ref": "#/components/schemas/Problem"}
                assert content[1]["example"]["status"] == int(status)


async def test_parameters_are_optional_unless_they_are_part_of_the_path(document: dict[str, Any]) -> None:
    for path, _, operation in operations(document):
        for parameter in operation["parameters"]:
            assert parameter["required"] == (parameter["in"] == "path"), (path, parameter)
            assert parameter["in"] != "path" or f"{{{parameter['name']}}}" in path
            assert "null" not in json.dumps(parameter["schema"])
    names = {parameter["name"] for parameter in document["paths"]["/orders"]["get"]["parameters"]}
    assert names == {"state", "customer", "q", "created_after", "created_before", "in_state_since", "limit", "cursor"}
    names = {parameter["name"] for parameter in document["paths"]["/orders/{entity_id}/pay"]["post"]["parameters"]}
    assert names == {"entity_id", "Idempotency-Key", "If-Match", "Prefer"}


async def test_an_operation_names_its_states_its_roles_and_what_refuses_it(
    shop: Shop, document: dict[str, Any]
) -> None:
    described = {operation["operationId"]: operation for _, _, operation in operations(document)}
    for machine in shop.service.registry:
        for row in machine.transitions:
            if row.event.raised_by:
                text = described[f"{row.event.event_name}_{machine.name}"]["description"]
                assert all(f"`{source}`" in text for source in row.sources if source != NEW)
                assert row.target is None or f"`{row.target}`" in text
                assert all(f"`{guard.__name__}`" in text for guard in row.guards)
                assert all(str(role) in text for role in row.event.raised_by)


async def test_no_text_is_shown_as_code_because_it_is_indented(document: dict[str, Any]) -> None:
    texts = [operation["description"] for _, _, operation in operations(document)]
    texts += [tag.get("description", "") for tag in document["tags"]]
    assert [text for text in texts if "\n    " in text] == []


async def test_a_body_refuses_what_it_does_not_know_and_its_example_is_accepted(
    shop: Shop, document: dict[str, Any]
) -> None:
    described = {operation["operationId"]: operation for _, _, operation in operations(document)}
    for machine in shop.service.registry:
        for event in _raised(machine):
            body = described[f"{event.event_name}_{machine.name}"]["requestBody"]
            content = body["content"]["application/json"]
            assert body["required"] == any(field.is_required() for field in event.model_fields.values())
            event.model_validate(content["example"])
            assert list(validator(document, content["schema"]).iter_errors({"no such field": 1}))


def _raised(machine: Machine) -> list[Any]:
    return [event for event in machine.events.values() if event.raised_by]


async def kept(shop: Shop, order: str) -> str:
    """Have a mug kept for an order; return the reservation's id."""
    hold = Hold(order=order, customer="ann", pieces=(PiecesOf(sku="MUG", quantity=1),), paid=True)
    asked = Envelope("reservation", hold, SYSTEM)
    await shop.service.dispatcher.dispatch(asked)
    return str(asked.id)


async def test_answers_are_as_described(shop: Shop, document: dict[str, Any]) -> None:
    order = await shop.pending()
    await shop.service.jobs.declare()
    made = {"orders": order, "approvals": await shop.request(), "jobs": "retention"}
    made["activities"] = await shop.tracked()
    await shop.settle_while(shop.pay(order, headers={"Prefer": "wait=5"}))
    made["subscriptions"] = await shop.subscribed()
    await shop.service.inbox.receive(Message("carrier", "msg_1", {"type": "parcel.weighed"}))
    made["reservations"] = await kept(shop, order)
    made |= {kind: await shop.child(kind) for kind in ("payments", "refunds", "shipments", "returns")}
    effect, seen = (await shop.admin.get(f"/payments/{made['payments']}/effects")).json()[0]["id"], 0
    for path, method, operation in operations(document):
        if method == "get" and operation["operationId"] != "metrics":
            found = {"entity_id": made.get(path.split("/")[1], "MUG"), "name": "order", "seq": 1}
            found["effect_id"] = effect
            caller = shop.admin if "admin" in operation.get("x-roles", ["admin"]) else shop.merchant
            answer = await caller.get(path.format(**found))
            content = operation["responses"]["200"]["content"]["application/json"]
            validator(document, content["schema"]).validate(answer.json())
            seen += 1
    assert seen > 20


async def test_errors_are_as_described(shop: Shop, document: dict[str, Any]) -> None:
    problem = validator(document, document["components"]["schemas"]["Problem"])
    order = await shop.draft()
    answers = [
        await shop.pay(order),
        await shop.pay("x"),
        await shop.nobody.get("/orders"),
        await shop.ann.put("/keys"),
    ]
    answers += [await shop.ann.post("/orders", json={"lines": 1}), await shop.ann.get("/keys")]
    assert [answer.status_code for answer in answers] == [409, 404, 401, 405, 422, 403]
    for answer in answers:
        problem.validate(answer.json())


async def test_the_page_and_all_that_it_loads_come_from_here(shop: Shop) -> None:
    page = await shop.nobody.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert set(re.findall(r"(?:script|connect|style|img)-src ([^;]+)", policy)) == {
        "'self'",
        "'self' 'unsafe-inline'",
        "'self' data:",
    }
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 4
    for address in loaded:
        assert address.startswith("/docs/")
        part = await shop.nobody.get(address)
        assert (part.status_code, len(part.content) > 0) == (200, True)
        if not address.endswith("bundle.js"):  # it names hosts in texts; the policy lets it speak to none
            assert not re.search(rb"https?://(?!www\.w3\.org)|url\(//", part.content), address
    assert not re.search(r"//", page.text)
