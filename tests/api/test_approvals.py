"""Approvals as people meet them: over HTTP, by their keys."""

import httpx

from orderly.service import Service
from statemachines.approval import ApprovalPolicy
from statemachines.declaration import Role
from tests.api.conftest import OpenShop
from tests.api.shop import Shop, assert_problem

BOARD = ApprovalPolicy.model_validate(
    {"levels": [{"name": "board", "quorum": 2, "approvers": ["eve", "oscar", "ann"]}]}
)


async def vote(caller: httpx.AsyncClient, asked: str, event: str = "approve", **payload: object) -> httpx.Response:
    return await caller.post(f"/approvals/{asked}/{event}", json={"round": 1, **payload})


async def test_a_customer_asks_and_an_approver_approves(any_shop: Shop) -> None:
    asked = await any_shop.request()
    answer = await vote(any_shop.approver, asked, comment="well spent")
    assert (answer.status_code, answer.json()["state"]) == (200, "approved")
    seen = (await any_shop.ann.get(f"/approvals/{asked}")).json()
    assert (seen["requested_by"], seen["amount"], seen["decided_because"]) == ("ann", 4200, "well spent")
    assert [(each["person"], each["choice"], each["comment"]) for each in seen["votes"]] == [
        ("eve", "approve", "well spent")
    ]


async def test_the_requester_sees_it_and_other_customers_do_not(shop: Shop) -> None:
    asked = await shop.request()
    for caller in (shop.ann, shop.merchant, shop.approver, shop.admin):
        assert (await caller.get(f"/approvals/{asked}")).status_code == 200
    assert_problem(await shop.ben.get(f"/approvals/{asked}"), 404, "not-found")


async def test_nobody_approves_their_own_request_with_another_key(open_shop: OpenShop) -> None:
    async with open_shop(approval=ApprovalPolicy()) as shop:
        asked = await shop.request()
        second_key = await shop.caller(await shop.key("ann", Role.APPROVER))
        problem = assert_problem(await vote(second_key, asked), 409, "transition-refused")
        assert problem["detail"] == "'ann' asked for this; nobody decides on their own request"
        assert problem["guard"] == "is_not_the_requester"


async def test_only_approvers_vote(shop: Shop) -> None:
    asked = await shop.request()
    for caller in (shop.ann, shop.merchant, shop.admin):
        for event in ("approve", "reject", "abstain", "request_changes", "delegate"):
            answer = await vote(caller, asked, event, **({"reason": "no"} if event in ("reject",) else {}))
            assert answer.status_code == 403, (event, answer.text)


async def test_whoever_is_too_late_is_told_what_became_of_it(shop: Shop) -> None:
    asked = await shop.request()
    await vote(shop.approver, asked)
    problem = assert_problem(await vote(shop.approver, asked, "reject", reason="too dear"), 409, "transition-refused")
    assert problem["detail"] == "approval in state 'approved' takes no 'reject'; nothing can happen to it any more"


async def test_a_vote_names_the_round_that_was_seen(shop: Shop) -> None:
    asked = await shop.request()
    assert (await shop.approver.post(f"/approvals/{asked}/approve", json={})).status_code == 422
    assert (await shop.ann.post(f"/approvals/{asked}/resubmit", json={"amount": 9900})).json()["round"] == 2
    problem = assert_problem(await vote(shop.approver, asked), 409, "transition-refused")
    assert problem["detail"] == "the vote is on round 1, but the request was changed: this is round 2"


async def test_comments_stand_in_the_history(shop: Shop) -> None:
    asked = await shop.request()
    for caller, text in ((shop.approver, "which hotel?"), (shop.ann, "the Ritz")):
        assert (await caller.post(f"/approvals/{asked}/comment", json={"text": text})).status_code == 200
    history = (await shop.ann.get(f"/approvals/{asked}/history")).json()["items"]
    assert [(entry["actor"], entry["payload"]["text"]) for entry in history if entry["event"] == "comment"] == [
        ("approver:eve", "which hotel?"),
        ("customer:ann", "the Ritz"),
    ]


async def test_an_approver_is_told_what_can_be_done_and_why_not_the_rest(open_shop: OpenShop) -> None:
    async with open_shop(approval=BOARD) as shop:
        asked = await shop.request(by=shop.ben)
        mine = await explained(shop.approver, asked)
        assert (mine["approve"]["allowed"], mine["approve"]["depends_on_payload"]) == (True, ["has_seen_this_round"])
        theirs = await explained(await shop.caller(await shop.key("adam", Role.APPROVER)), asked)
        assert theirs["approve"]["reason"] == "'adam' has no vote on level 'board'; asked are: ann, eve, oscar"


async def explained(caller: httpx.AsyncClient, asked: str) -> dict[str, dict[str, object]]:
    events = (await caller.get(f"/approvals/{asked}/events")).json()["events"]
    return {each["event"]: each for each in events}


async def test_what_was_asked_makes_sense(shop: Shop) -> None:
    expense = {"kind": "expense", "reference": "E-14", "description": "the trip"}
    problem = assert_problem(await shop.ann.post("/approvals", json={**expense, "amount": 5}), 422, "invalid")
    assert "an amount needs its currency" in str(problem["errors"])
    twice = {"levels": [{"name": "a", "approvers": ["eve"]}, {"name": "b", "approvers": ["eve"]}]}
    problem = assert_problem(await shop.ann.post("/approvals", json={**expense, **twice}), 422, "invalid")
    assert "eve is named on two levels; a person has one vote" in str(problem["errors"])


async def test_the_example_of_the_description_can_be_sent(shop: Shop) -> None:
    document = (await shop.nobody.get("/docs/openapi.json")).json()
    body = document["paths"]["/approvals"]["post"]["requestBody"]["content"]["application/json"]["example"]
    answer = await shop.ann.post("/approvals", json=body)
    assert (answer.status_code, answer.json()["state"]) == (201, "pending")


async def test_people_do_not_ask_on_behalf_of_an_entity(shop: Shop) -> None:
    order = {"kind": "order", "machine": "order", "reference": await shop.draft(), "description": "let it pass"}
    problem = assert_problem(await shop.merchant.post("/approvals", json=order), 409, "transition-refused")
    assert problem["guard"] == "an_entity_asks_itself"


async def test_who_decides_is_told_to_nobody_who_need_not_know(open_shop: OpenShop) -> None:
    figures = {
        "levels": [{"name": "board", "approvers": ["wilhelmina"], "escalate_to": ["xaver"]}],
        "escalate_to": ["yolanda"],
        "addresses": {"wilhelmina": "w@board.example"},
        "announce_to": "all@board.example",
    }
    async with open_shop(approval=ApprovalPolicy.model_validate(figures)) as shop:
        described = (await shop.ben.get("/machines/approval")).text
        assert not [name for name in ("wilhelmina", "xaver", "yolanda", "board.example") if name in described]


async def test_a_shop_chooses_its_figures(open_service, sqlite_url, monkeypatch) -> None:
    monkeypatch.setenv("ORDERLY_APPROVAL__LEVELS", '[{"name": "vp", "approvers": ["vera"], "quorum": 1}]')
    monkeypatch.setenv("ORDERLY_APPROVAL__ESCALATE_AFTER", "PT5H")
    async with open_service(sqlite_url) as service:
        assert isinstance(service, Service)
        policy = service.registry["approval"].policy
        assert isinstance(policy, ApprovalPolicy)
        assert (policy.levels[0].approvers, policy.escalate_after.total_seconds()) == (("vera",), 5 * 3600)
