"""Requests that are changed, sent back or withdrawn, and votes that are handed on."""

import pytest

from statemachines.approval import Approve, Withdraw
from statemachines.approval.guards import is_the_requesters
from tests.statemachines.office import Office, approver
from tests.statemachines.shop import ANNA, BEN, MERCHANT, accepted

BOARD = [{"name": "board", "quorum": 2, "approvers": ["eve", "oscar", "vera"]}]


def board(**more: object) -> Office:
    """An office in which two of three have to approve, and anna asked."""
    office = Office(levels=BOARD, **more)
    office.asked()
    return office


# -- changes --------------------------------------------------------------------------------------------------------


def test_what_is_sent_back_and_changed_is_voted_on_anew():
    office = board()
    office.approve("eve")
    office.send_back("oscar")
    assert office.state == "changes_requested"
    accepted(office.resubmit(amount=4000))
    assert (office.state, office.approval.round, office.approval.amount) == ("pending", 2, 4000)
    office.approve("eve")
    assert office.state == "pending"
    office.approve("oscar")
    assert office.state == "approved"
    assert [(vote.round, vote.person, vote.choice) for vote in office.votes] == [
        (1, "eve", "approve"),
        (1, "oscar", "request_changes"),
        (2, "eve", "approve"),
        (2, "oscar", "approve"),
    ]


def test_what_is_explained_without_a_change_is_voted_on_anew_too():
    office = board()
    office.send_back("oscar")
    accepted(office.resubmit(reason="the Ritz"))
    assert (office.state, office.approval.round) == ("pending", 2)


def test_a_change_while_others_decide_makes_them_decide_anew():
    office = board()
    office.approve("eve")
    accepted(office.resubmit(description="two trips"))
    office.approve("oscar")
    assert office.state == "pending"
    office.approve("eve")
    assert office.state == "approved"


def test_a_vote_never_counts_for_what_was_changed_since():
    office = board()
    accepted(office.resubmit(amount=10**6))
    late = office.vote("eve", Approve(round=1))
    assert office.why(late) == "the vote is on round 1, but the request was changed: this is round 2"


def test_votes_of_different_rounds_are_for_different_things():
    office = board()
    office.approve("eve")
    accepted(office.resubmit(amount=10**6))
    office.approve("eve")
    first, second = office.votes
    assert first.fingerprint != second.fingerprint == office.approval.fingerprint


def test_those_who_decide_are_not_asked_anew_for_nothing():
    office = board()
    assert office.why(office.resubmit(amount=5000, description="the trip")) == "nothing is changed"


def test_a_higher_sum_brings_the_next_level_in():
    office = Office()
    office.asked(100)
    office.send_back("eve")
    accepted(office.resubmit(amount=200_000))
    office.approve("eve")
    assert (office.state, office.approval.level) == ("pending", 2)


def test_a_change_on_a_higher_level_begins_with_the_first():
    office = Office()
    office.asked(200_000)
    office.approve("eve")
    office.send_back("vera")
    accepted(office.resubmit())
    assert (office.approval.level, office.approval.round) == (1, 2)


NOT_YOURS = "'anna' asked for this; nobody else changes or withdraws it"


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        (BEN, "there is no approval 'apr_0001'"),
        (MERCHANT, NOT_YOURS),
        (approver("eve"), "the role approver may not raise '{}'; it takes customer or merchant"),
    ],
)
def test_nobody_but_the_requester_changes_or_withdraws_a_request(by, reason):
    office = board()
    assert office.why(office.resubmit(by, amount=1)) == reason.format("resubmit")
    assert office.why(office.tell(office.approval, Withdraw(), by)) == reason.format("withdraw")
    assert is_the_requesters(office.approval.entity, by) == NOT_YOURS


def test_a_request_without_an_amount_gets_none_later():
    office = Office()
    office.asked(None, None)
    assert "withdraw it and ask anew" in office.why(office.resubmit(amount=5))


def test_a_change_to_what_nobody_decides_on_is_refused():
    office = Office(levels=[{"name": "vp", "above": {"EUR": 100}}])
    office.asked(101)
    assert office.why(office.resubmit(amount=100)) == "no level decides on 1.00 EUR"


def test_a_request_is_not_put_for_ever():
    office = Office(rounds=2)
    office.asked()
    accepted(office.resubmit(amount=1))
    assert office.why(office.resubmit(amount=2)) == "it was put 2 times; the limit is 2"


def test_a_requester_may_withdraw_what_is_not_decided():
    office = board()
    accepted(office.tell(office.approval, Withdraw(reason="the trip is off"), ANNA))
    assert (office.state, office.approval.decided_because) == ("withdrawn", "the trip is off")
    assert "nothing can happen to it any more" in office.refusal("eve")


# -- handing a vote on ----------------------------------------------------------------------------------------------


def test_a_vote_that_is_handed_on_is_given_by_somebody_else():
    office = board()
    office.hand_on("eve", "adam")
    assert office.refusal("eve") == "'eve' handed the vote on to 'adam'"
    office.approve("adam", "oscar")
    assert office.state == "approved"
    assert [(vote.person, vote.seat) for vote in office.votes] == [("adam", "eve"), ("oscar", "oscar")]


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("anna", "'anna' asked for this; nobody decides on their own request"),
        ("oscar", "'oscar' has a vote already; a person has one vote"),
        ("eve", "'eve' has a vote already; a person has one vote"),
    ],
)
def test_a_vote_goes_neither_to_the_requester_nor_to_somebody_who_has_one(to, reason):
    office = board()
    assert office.why(office.delegate("eve", to)) == reason


def test_nobody_holds_two_votes_by_way_of_others():
    office = board()
    office.hand_on("eve", "adam")
    assert office.why(office.delegate("oscar", "adam")) == "'adam' has a vote already; a person has one vote"


def test_whoever_handed_a_vote_on_takes_no_other():
    office = board()
    office.hand_on("eve", "adam")
    assert office.why(office.delegate("oscar", "eve")) == "'eve' has handed a vote on, and takes no other"


def test_a_chain_that_leads_back_leaves_everybody_their_own_vote():
    office = board()
    office.hand_on("eve", "adam")
    office.hand_on("adam", "olga")
    office.hand_on("olga", "eve")
    assert set(office.seats.values()) == {"eve", "oscar", "vera"}
    office.approve("eve", "oscar")
    assert office.state == "approved"


def test_a_vote_that_was_handed_on_can_be_taken_back_until_it_is_given():
    office = board()
    office.hand_on("eve", "adam")
    office.hand_on("eve", "eve")
    office.approve("eve")
    office.hand_on("vera", "adam")
    office.approve("adam")
    assert office.state == "approved"


def test_a_vote_that_was_given_is_handed_on_no_more():
    office = board()
    office.hand_on("vera", "adam")
    office.approve("adam")
    assert office.why(office.delegate("adam", "olga")) == "'adam' has voted already: approve"
    assert office.why(office.delegate("vera", "vera")) == "'adam' has voted for 'vera' already: approve"


def test_whoever_has_voted_takes_no_second_vote():
    office = Office(levels=[{"name": "manager"}, {"name": "vp", "approvers": ["vera"]}])
    office.asked()
    office.approve("adam")
    assert office.why(office.delegate("vera", "adam")) == "'adam' has voted already; a person has one vote"


def test_whoever_is_not_named_has_nothing_to_hand_on():
    office = Office()
    office.asked()
    reason = "'eve' is not named for this request and has no vote to hand on"
    assert office.why(office.delegate("eve", "adam")) == reason


def test_whoever_handed_a_vote_on_does_not_vote_where_everybody_may():
    office = Office(levels=[{"name": "vp", "approvers": ["vera"]}, {"name": "anybody"}])
    office.asked()
    office.hand_on("vera", "adam")
    office.approve("adam")
    assert office.refusal("vera") == "'adam' has voted for 'vera' already: approve"


def test_whoever_handed_a_vote_on_has_none_on_an_earlier_level_either():
    office = Office(levels=[{"name": "anybody"}, {"name": "vp", "approvers": ["vera"]}])
    office.asked()
    office.hand_on("vera", "adam")
    assert office.refusal("vera") == "'vera' handed the vote on to 'adam'"
    office.approve("eve", "adam")
    assert office.state == "approved"


def test_a_delegate_stays_one_after_a_change():
    office = board()
    office.hand_on("eve", "adam")
    office.approve("adam")
    accepted(office.resubmit(amount=1))
    office.approve("adam", "vera")
    assert office.state == "approved"
