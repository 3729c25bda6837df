"""However people decide, change and withdraw: nothing goes ahead unapproved, and no approval outlives its subject."""

from collections.abc import Callable
from typing import Any

import pytest

from statemachines.approval import Approval, ApprovalPolicy
from statemachines.approval.events import Abstain, Approve, Reject, RequestChanges, Withdraw
from statemachines.declaration import Actor, Event, Role
from statemachines.exploration import Move, Violated, explore
from statemachines.order import Order
from statemachines.order.events import Clear, Submit
from statemachines.order.model import OrderPolicy
from statemachines.registry import MACHINES, Registry
from statemachines.world import World
from tests.deal import Ask, Cancel, Change, Offer, Seal, ask_no_longer, deal
from tests.statemachines.explored import CANCEL, EVE, MERCHANT, PUT_RIGHT, TEXTS, anna, explored, merchant, shop
from tests.statemachines.lamps import changed
from tests.statemachines.test_exploration_payments import NOW

VERA = Actor("vera", Role.APPROVER)
BOARD = ApprovalPolicy.model_validate({"levels": [{"name": "board", "quorum": 2}]})


def votes(actor: Actor) -> list[Move]:
    """Return how somebody may vote, on the round that is put."""
    said: list[Callable[[Any], Event]] = [
        lambda asked: Approve(round=asked.round),
        lambda asked: Reject(round=asked.round, reason="no"),
        lambda asked: Abstain(round=asked.round),
    ]
    return [Move("approval", each, actor, None) for each in said]


def waiting(*machines: Any) -> World:
    world = World(Registry([*MACHINES.with_policies({"approval": BOARD}), *(machines or [deal])]))
    offered = world.given("deal", None, Offer(customer="anna", total=5000), MERCHANT)
    world.given("deal", offered, Ask(), MERCHANT)
    return world


DEAL = [
    *votes(EVE),
    *votes(VERA),
    Move("approval", lambda asked: RequestChanges(round=asked.round, reason="why?"), EVE, 1),
    Move("approval", Withdraw(), MERCHANT, None),
    Move("deal", Change(total=6000), MERCHANT, 1),
    Move("deal", Cancel(), MERCHANT, None),
    Move("deal", Seal(), MERCHANT, None),
]


def a_deal_is_sealed_only_as_it_was_approved(world: World) -> str | None:
    (asked,), (offered,) = world.rows(Approval), world.rows(Order)
    if offered.state in ("approved", "sealed") and (asked.state, asked.amount) != ("approved", offered.total):
        return f"{offered.total} go ahead, but {asked.amount} are {asked.state}"
    return None


def no_approval_outlives_its_subject(world: World) -> str | None:
    (asked,), (offered,) = world.rows(Approval), world.rows(Order)
    if asked.state in ("pending", "escalated", "changes_requested") and offered.state != "waiting":
        return f"the deal is {offered.state}, and people still vote"
    return None


INVARIANTS = [a_deal_is_sealed_only_as_it_was_approved, no_approval_outlives_its_subject]


def test_a_deal_that_others_decide_on() -> None:
    seen = explore(waiting(), DEAL, {}, INVARIANTS, resting={}, ignoring=[*TEXTS, "fingerprint"])
    assert seen.reached["deal"] == {"waiting", "approved", "refused", "cancelled", "sealed"}
    assert seen.reached["approval"] == {
        "pending", "escalated", "changes_requested", "approved", "rejected", "expired", "withdrawn",
    }  # fmt: skip
    assert seen.idle == ()


def test_an_approval_that_is_forgotten_is_found() -> None:
    forgetful = changed(deal, ask_no_longer)
    with pytest.raises(Violated, match="the deal is cancelled, and people still vote"):
        explore(waiting(forgetful), DEAL, {}, INVARIANTS)


def test_an_order_that_is_approved_before_and_looked_at_after_it_is_paid() -> None:
    large = OrderPolicy(approval_above=500, review_above=500)
    seen = explored(
        shop(submitted=False, order=large),
        anna("order", Submit()),
        *votes(EVE),
        anna("approval", Withdraw()),
        Move("approval", lambda asked: RequestChanges(round=asked.round, reason="why?"), EVE, 1),
        anna("order", NOW, 1),
        merchant("order", Clear()),
        *CANCEL,
        *PUT_RIGHT[:-1],
    )
    assert seen.reached["order"] >= {"awaiting_approval", "fraud_hold", "processing", "cancelled"}
    assert seen.reached["approval"] >= {"changes_requested", "approved", "rejected", "withdrawn", "expired"}
