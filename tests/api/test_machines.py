"""The machines over HTTP: as they are declared, as diagrams, as statecharts, verified."""

import pytest

from statemachines.diagram import diagram
from statemachines.export import export, xstate
from tests.api.shop import Shop, assert_problem


async def test_every_machine_is_listed_with_its_states_and_events(shop: Shop) -> None:
    listed = {machine["name"]: machine for machine in (await shop.ann.get("/machines")).json()}
    for machine in shop.service.registry:
        assert listed[machine.name]["collection"] == f"/{machine.plural}"
        assert listed[machine.name]["states"] == list(machine.states)
        assert listed[machine.name]["events"] == list(machine.events)


@pytest.mark.parametrize("name", ["order", "product", "stock"])
async def test_a_machine_is_shown_in_each_form(shop: Shop, name: str) -> None:
    machine = shop.service.registry[name]
    assert (await shop.ann.get(f"/machines/{name}")).json() == export(machine)
    assert (await shop.ann.get(f"/machines/{name}?format=json")).json() == export(machine)
    assert (await shop.ann.get(f"/machines/{name}?format=xstate")).json() == xstate(machine)
    assert (await shop.ann.get(f"/machines/{name}?format=findings")).json() == {"findings": []}
    mermaid = await shop.ann.get(f"/machines/{name}?format=mermaid")
    assert (mermaid.text, mermaid.headers["content-type"]) == (diagram(machine), "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/vnd.mermaid", "text/vnd.mermaid; charset=utf-8"),
        ("application/vnd.xstate+json", "application/vnd.xstate+json"),
        ("application/vnd.xstate+json;q=0.1, text/plain", "text/plain; charset=utf-8"),
        ("image/png", "application/json"),
    ],
)
async def test_the_accept_header_chooses_a_form_too(shop: Shop, accept: str, given: str) -> None:
    answer = await shop.ann.get("/machines/order", headers={"Accept": accept})
    assert answer.headers["content-type"] == given


async def test_what_is_not_there_is_said(shop: Shop) -> None:
    assert_problem(await shop.ann.get("/machines/invoice"), 404, "not-found")
    for form in ("png", "null", ""):
        problem = assert_problem(await shop.ann.get(f"/machines/order?format={form}"), 422, "invalid")
        assert problem["errors"][0]["field"] == "format"
