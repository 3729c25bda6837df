"""What can be asked, who decides, and what their votes come to."""

import pytest
from pydantic import ValidationError

from statemachines.approval import ApprovalSeat, Approve, Level, Reject, Request, approval
from statemachines.approval.guards import has_a_vote
from statemachines.declaration import Actor, Role
from statemachines.machine import SYSTEM
from statemachines.verification import verify
from tests.statemachines.office import Office, approver
from tests.statemachines.shop import ANNA, BEN, MERCHANT, accepted

EVE_AND_OSCAR = [{"name": "board", "quorum": 2, "approvers": ["eve", "oscar", "vera"]}]


def test_the_declaration_has_nothing_suspicious():
    assert verify(approval) == []


# -- asking ---------------------------------------------------------------------------------------------------------


def test_a_small_sum_is_approved_by_one_manager():
    office = Office()
    office.asked(100_000)
    office.approve("eve")
    assert office.state == "approved"


def test_above_the_limit_a_second_person_has_to_approve():
    office = Office()
    office.asked(100_001)
    office.approve("eve")
    assert (office.state, office.approval.level) == ("pending", 2)
    assert office.refusal("eve") == "'eve' has voted already: approve"
    office.approve("vera")
    assert office.state == "approved"


def test_a_sum_in_a_currency_without_a_limit_is_above_it():
    office = Office()
    office.asked(1, "JPY")
    office.approve("eve")
    assert (office.state, office.approval.level) == ("pending", 2)


def test_what_has_no_amount_is_decided_by_those_who_decide_on_everything():
    office = Office()
    office.asked(None, None)
    office.approve("eve")
    assert office.state == "approved"


def test_each_kind_may_have_levels_of_its_own():
    office = Office(kinds={"expense": EVE_AND_OSCAR})
    office.asked()
    assert office.refusal("adam") == "'adam' has no vote on level 'board'; asked are: eve, oscar, vera"


def test_a_request_may_ask_for_more_people_than_the_policy():
    office = Office()
    levels = [*EVE_AND_OSCAR, {"name": "manager"}, {"name": "vp", "above": {"EUR": 100}}]
    office.asked(101, levels=levels)
    office.approve("eve", "oscar", "adam", "olga")
    assert office.state == "approved"


@pytest.mark.parametrize(
    ("levels", "reason"),
    [
        ([{"name": "friends"}], "level 'manager' is missing"),
        ([{"name": "manager", "quorum": 1}], "level 'manager' has a quorum of 1, not 2"),
        ([{"name": "manager", "quorum": 2, "rejections": 2}], "level 'manager' needs 2 rejections, not 1"),
        ([{"name": "manager", "quorum": 2, "above": {"USD": 0}}], "level 'manager' leaves amounts out"),
        ([{"name": "manager", "quorum": 2, "above": {"EUR": 11}}], "level 'manager' leaves amounts out"),
        ([{"name": "manager", "quorum": 2}], "level 'manager' asks everybody"),
        ([{"name": "manager", "quorum": 2, "approvers": ["eve", "friend"]}], "level 'manager' asks friend"),
        ([{"name": "manager", "quorum": 2, "approvers": ["eve", "vera"]}], "level 'manager' asks vera"),
        (
            [{"name": "manager", "quorum": 2, "approvers": ["eve", "oscar"], "escalate_to": ["friend"]}],
            "level 'manager' asks friend",
        ),
    ],
)
def test_a_request_may_not_ask_for_less_than_the_policy(levels, reason):
    manager = {"name": "manager", "quorum": 2, "above": {"EUR": 10}, "approvers": ["eve", "oscar"]}
    office = Office(levels=[manager], escalate_to=["vera"])
    assert office.why(office.ask(levels=levels)) == f"{reason}: this is less than the shop's policy asks for"


def test_an_entity_may_ask_whom_its_machine_says():
    office = Office()
    levels = [{"name": "friends", "approvers": ["eve"]}]
    accepted(office.ask(by=SYSTEM, levels=levels, requested_by="anna"))
    office.approve("eve")
    assert office.state == "approved"


def test_what_nobody_decides_on_can_not_be_asked():
    office = Office(levels=[{"name": "vp", "above": {"EUR": 100}}])
    assert office.why(office.ask(100)) == "no level decides on 1.00 EUR"
    assert office.why(office.ask(None, None)) == "no level decides on what has no amount"


def test_people_ask_in_their_own_name_and_entities_in_somebodys():
    office = Office()
    assert office.why(office.ask(requested_by="ben")) == "everybody asks in their own name"
    assert office.why(office.ask(by=SYSTEM)) == "say who asks: 'requested_by' is missing"


@pytest.mark.parametrize("more", [{"machine": "order"}, {"subject_version": 1}])
def test_people_do_not_ask_on_behalf_of_an_entity(more):
    office = Office()
    assert office.why(office.ask(by=MERCHANT, **more)).startswith("an entity asks for approval by itself")


def test_a_level_that_the_requester_makes_too_small_is_refused():
    office = Office(levels=[{"name": "board", "quorum": 2, "approvers": ["anna", "eve"]}])
    reason = "level 'board' needs 2 approvals, but 1 of those named may vote: 'anna' asks"
    assert office.why(office.ask()) == reason
    accepted(office.ask(by=BEN))


@pytest.mark.parametrize(
    "payload",
    [
        {"amount": 5},
        {"currency": "EUR"},
        {"amount": -1, "currency": "EUR"},
        {"amount": 10**12 + 1, "currency": "EUR"},
        {"amount": 1.0, "currency": "EUR"},
        {"amount": True, "currency": "EUR"},
        {"amount": 1, "currency": "eur"},
        {"digest": "abc"},
        {"kind": "Expense"},
        {"description": "card 4000 0000 0000 0002"},
        {"levels": [{"name": "a", "approvers": ["eve"]}, {"name": "b", "approvers": ["eve"]}]},
        {"levels": [{"name": "a"}, {"name": "a"}]},
        {"levels": [{"name": "a", "approvers": ["eve", "eve"]}]},
        {"levels": [{"name": "a", "approvers": ["eve"], "quorum": 2}]},
        {"levels": [{"name": "a", "quorum": 0}]},
        {"levels": [{"name": f"level {number}"} for number in range(11)]},
    ],
)
def test_what_makes_no_sense_is_refused_at_once(payload):
    asked = {"kind": "expense", "reference": "E-14", "description": "the trip"}
    with pytest.raises(ValidationError):
        Request.model_validate({**asked, **payload})


# -- voting ---------------------------------------------------------------------------------------------------------


def test_nobody_decides_on_their_own_request_whatever_their_key_says():
    office = Office()
    office.asked(by=Actor("eve", Role.MERCHANT))
    assert office.refusal("eve") == "'eve' asked for this; nobody decides on their own request"


@pytest.mark.parametrize(
    ("actor", "reason"),
    [
        (BEN, "there is no approval 'apr_0001'"),
        (MERCHANT, "the role merchant may not raise 'approve'; it takes approver"),
        (Actor("root", Role.ADMIN), "the role admin may not raise 'approve'; it takes approver"),
        (SYSTEM, "approvers vote; the role of 'system' is system"),
    ],
)
def test_only_approvers_vote(actor, reason):
    office = Office()
    asked = office.asked()
    assert office.why(office.tell(asked, Approve(round=1), actor)) == reason
    guarded = has_a_vote(asked.entity, actor, office.world.rows(ApprovalSeat))
    assert guarded == f"approvers vote; the role of '{actor.id}' is {actor.role}"


def test_a_quorum_is_of_different_people():
    office = Office(levels=EVE_AND_OSCAR)
    office.asked()
    office.approve("eve")
    assert office.refusal("eve") == "'eve' has voted already: approve"
    assert office.state == "pending"
    office.approve("vera")
    assert office.state == "approved"


def test_nobody_votes_on_a_level_before_it_is_asked():
    office = Office(levels=[{"name": "manager"}, {"name": "vp", "approvers": ["vera"]}])
    office.asked()
    assert office.refusal("vera") == "'vera' votes on level 'vp', which is not asked yet"
    office.approve("eve", "vera")
    assert office.state == "approved"


def test_one_rejection_is_enough_unless_the_level_says_otherwise():
    office = Office(levels=[{"name": "board", "quorum": 2, "rejections": 2}])
    office.asked()
    office.reject("eve")
    assert office.state == "pending"
    office.reject("oscar", "no hotel costs that much")
    assert (office.state, office.approval.decided_because) == ("rejected", "no hotel costs that much")


def test_a_rejection_that_puts_the_quorum_out_of_reach_rejects():
    office = Office(levels=[{"name": "board", "quorum": 2, "rejections": 3, "approvers": ["eve", "oscar", "vera"]}])
    office.asked()
    office.reject("eve")
    assert office.state == "pending"
    office.reject("oscar")
    assert office.state == "rejected"


def test_whoever_abstains_leaves_it_to_the_others():
    office = Office(levels=EVE_AND_OSCAR)
    office.asked()
    office.abstain("eve")
    assert office.refusal("eve") == "'eve' has voted already: abstain"
    office.approve("oscar", "vera")
    assert office.state == "approved"


def test_when_too_many_abstain_the_reserve_is_called():
    office = Office(levels=EVE_AND_OSCAR, escalate_to=["olga"])
    office.asked()
    office.abstain("eve")
    office.abstain("oscar")
    assert office.state == "escalated"
    office.approve("olga", "vera")
    assert office.state == "approved"


def test_when_too_many_abstain_and_there_is_no_reserve_it_is_rejected():
    office = Office(levels=EVE_AND_OSCAR, escalate_to=["anna", "eve"])
    office.asked()
    office.abstain("eve")
    office.abstain("oscar")
    assert (office.state, office.approval.decided_because) == ("rejected", "too few are left who could approve it")


def test_a_reserve_that_has_voted_before_is_none():
    levels = [{"name": "anybody"}, {"name": "board", "approvers": ["eve"], "escalate_to": ["olga"]}]
    office = Office(levels=levels)
    office.asked()
    office.approve("olga")
    office.abstain("eve")
    assert office.state == "rejected"


def test_where_everybody_may_vote_anybody_may_abstain():
    office = Office()
    office.asked()
    for name in ("eve", "oscar", "vera"):
        office.abstain(name)
    office.approve("olga")
    assert office.state == "approved"


def test_every_vote_is_kept_with_what_it_was_given_for():
    office = Office(levels=EVE_AND_OSCAR)
    office.asked()
    accepted(office.vote("eve", Approve(round=1, comment="well spent")))
    accepted(office.vote("oscar", Reject(round=1, reason="too dear")))
    assert [(vote.person, vote.choice, vote.comment) for vote in office.votes] == [
        ("eve", "approve", "well spent"),
        ("oscar", "reject", "too dear"),
    ]
    assert {vote.fingerprint for vote in office.votes} == {office.approval.fingerprint}


def test_the_late_are_told_that_it_is_decided():
    office = Office()
    office.asked()
    office.approve("eve")
    assert office.refusal("oscar") == (
        "approval in state 'approved' takes no 'approve'; nothing can happen to it any more"
    )


def test_comments_are_taken_while_nothing_is_settled():
    office = Office()
    asked = office.asked()
    comment = approval.events["comment"](text="which hotel?")
    accepted(office.tell(asked, comment, approver("eve")))
    office.approve("eve")
    assert "nothing can happen to it any more" in office.why(office.tell(asked, comment, ANNA))


def test_the_policy_names_nobody_on_two_levels():
    levels = [Level(name="a", approvers=("eve",)), Level(name="b", approvers=("eve",))]
    with pytest.raises(ValidationError, match="eve is named on two levels; a person has one vote"):
        Office(levels=levels)
