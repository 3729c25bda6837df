"""What happens by itself while nobody decides, and who is told by mail."""

from datetime import timedelta

from statemachines.approval import Approve
from statemachines.letters import ApprovalRequested
from tests.statemachines.office import Office
from tests.statemachines.shop import NOON, accepted

ADDRESSES = {name: f"{name}@shop.example" for name in ("eve", "oscar", "vera", "olga", "adam")}
EVE, OSCAR, VERA, OLGA, ADAM = ADDRESSES.values()
BOARD = [
    {"name": "board", "approvers": ["eve", "oscar"], "escalate_to": ["olga"]},
    {"name": "vp", "approvers": ["vera"]},
]
ANNA_AT_HOME = "anna@home.example"


def board(**more: object) -> Office:
    """An office that knows where to reach everybody, with a request that olga may decide in case of need."""
    office = Office(levels=BOARD, addresses=ADDRESSES, **more)
    office.asked(mail=ANNA_AT_HOME)
    return office


# -- time -----------------------------------------------------------------------------------------------------------


def test_what_nobody_decides_is_escalated_after_two_days_and_rejected_after_a_third():
    office = board()
    office.wait(hours=48)
    assert office.state == "escalated"
    office.wait(hours=23.9)
    assert office.state == "escalated"
    office.wait(hours=0.1)
    assert (office.state, office.approval.decided_because) == ("rejected", "nobody decided in time")
    assert (office.approval.decided_at, office.timers(office.approval)) == (NOON + timedelta(hours=72), {})


def test_the_reserve_votes_only_once_it_is_called():
    office = board()
    assert office.refusal("olga") == "'olga' has no vote on level 'board'; asked are: eve, oscar"
    office.wait(hours=48)
    office.approve("olga")
    assert (office.state, office.approval.level) == ("pending", 2)
    assert office.refusal("olga") == "'olga' has voted already: approve"


def test_those_who_were_asked_first_may_still_decide_when_it_is_escalated():
    office = board()
    office.wait(hours=48)
    office.approve("eve")
    assert office.approval.level == 2


def test_each_level_has_its_own_two_days():
    office = board()
    office.wait(hours=47)
    office.approve("eve")
    office.wait(hours=47)
    assert office.state == "pending"
    office.wait(hours=1)
    assert office.state == "escalated"


def test_without_a_reserve_nobody_else_gets_a_vote():
    office = Office(levels=[{"name": "vp", "approvers": ["vera"]}])
    office.asked()
    office.wait(hours=48)
    assert office.refusal("eve") == "'eve' has no vote on level 'vp'; asked are: vera"
    office.approve("vera")
    assert office.state == "approved"


def test_a_change_gives_those_who_decide_new_time():
    office = board()
    office.wait(hours=50)
    accepted(office.resubmit(amount=1))
    office.wait(hours=47)
    assert office.state == "pending"


def test_changes_that_never_come_end_the_request():
    office = board()
    office.send_back("eve")
    office.wait(days=6.9)
    assert office.state == "changes_requested"
    office.wait(days=0.1)
    assert office.state == "expired"


def test_a_shop_chooses_how_long_it_waits():
    office = Office(escalate_after="PT2H", reject_after="PT1H")
    office.asked()
    office.wait(hours=2)
    assert office.state == "escalated"
    office.wait(hours=1)
    assert office.state == "rejected"


# -- mail -----------------------------------------------------------------------------------------------------------


def test_the_level_that_decides_is_told_and_nobody_else():
    office = board(announce_to="approvals@shop.example")
    assert office.mails() == [(EVE, "request"), (OSCAR, "request")]


def test_a_mail_says_what_is_asked_by_whom_and_until_when():
    office = board()
    (asked, _) = office.letters()
    assert asked == ApprovalRequested(
        approval=office.approval.id,
        kind="expense",
        subject="E-14",
        amount=5000,
        currency="EUR",
        requested_by="anna",
        reason="the trip",
        expires_at=NOON + timedelta(hours=48),
    )


def test_the_next_level_is_told_when_its_turn_comes():
    office = board()
    office.approve("eve")
    assert office.mails()[2:] == [(VERA, "request")]


def test_those_who_have_not_voted_are_reminded_after_a_day_and_then_twice_a_day():
    office = Office(levels=[{"name": "board", "quorum": 2, "approvers": ["eve", "oscar"]}], addresses=ADDRESSES)
    office.asked()
    office.approve("eve")
    office.wait(hours=23.9)
    assert office.mails()[2:] == []
    office.wait(hours=0.1)
    assert office.mails()[2:] == [(OSCAR, "reminder")]
    office.wait(hours=12)
    assert office.mails()[3:] == [(OSCAR, "reminder")]


def test_the_reserve_is_told_that_it_may_decide_and_the_others_that_it_is_late():
    office = board(remind_after="P5D")
    office.wait(hours=48)
    assert office.mails()[2:] == [(EVE, "escalation"), (OLGA, "escalation"), (OSCAR, "escalation")]
    office.wait(hours=12)
    assert office.mails()[5:] == [(EVE, "reminder"), (OLGA, "reminder"), (OSCAR, "reminder")]


def test_whoever_abstains_is_asked_no_more():
    office = board()
    office.abstain("eve")
    office.abstain("oscar")
    assert office.mails()[2:] == [(OLGA, "escalation")]


def test_a_delegate_is_told_and_reminded():
    office = board()
    office.hand_on("eve", "adam")
    office.wait(hours=24)
    assert office.mails()[2:] == [(ADAM, "delegation"), (ADAM, "reminder"), (OSCAR, "reminder")]


def test_what_everybody_may_decide_is_announced_at_one_address():
    office = Office(announce_to="approvals@shop.example", addresses=ADDRESSES)
    office.asked()
    office.wait(hours=24)
    assert office.mails() == [("approvals@shop.example", "request"), ("approvals@shop.example", "reminder")]


def test_without_addresses_no_mail_is_sent():
    office = Office(levels=BOARD)
    office.asked()
    office.wait(hours=71)
    assert (office.state, office.calls()) == ("escalated", [])


def test_once_it_is_decided_only_the_requester_is_told():
    office = board()
    office.approve("eve")
    accepted(office.vote("vera", Approve(round=1, comment="well spent")))
    assert office.mails() == [(ANNA_AT_HOME, "approved")]


def test_a_requester_is_told_of_a_rejection_and_of_silence():
    office = board()
    office.reject("eve")
    assert office.mails() == [(ANNA_AT_HOME, "rejected")]
    office = board()
    office.wait(hours=72)
    assert office.mails() == [(ANNA_AT_HOME, "rejected")]


def test_a_requester_is_told_what_to_change_and_reminded_of_it():
    office = board()
    office.send_back("eve")
    assert office.mails() == [(ANNA_AT_HOME, "changes_requested")]
    office.wait(hours=36)
    assert office.mails() == [(ANNA_AT_HOME, "changes_requested")] * 3
    office.wait(days=7)
    assert office.mails() == [(ANNA_AT_HOME, "expired")]
