"""Entities that wait for approval: what they are told, and what they tell."""

from statemachines.approval import Reject, Request, Withdraw, approval, events
from statemachines.machine import SYSTEM
from statemachines.verification import verify
from tests.deal import Cancel, Change, deal
from tests.statemachines.office import Office, approver
from tests.statemachines.shop import MERCHANT, Arrive, Shop, accepted, stand_in


def test_an_entity_that_waits_for_approval_has_nothing_suspicious():
    assert verify(deal) == []


def test_an_entity_knows_which_approval_it_waits_for():
    office = Office()
    deal = office.deal()
    assert deal.approval == office.approval.id
    assert (office.approval.reference, office.approval.machine, office.approval.requested_by) == (
        deal.id,
        "deal",
        "shop",
    )


def test_an_entity_goes_on_once_it_is_approved():
    office = Office()
    deal = office.deal(200_000)
    office.approve("eve")
    assert deal.state == "waiting"
    office.approve("vera")
    assert deal.state == "approved"


def test_an_entity_is_told_that_it_was_rejected_and_why():
    office = Office()
    deal = office.deal()
    office.reject("eve", "too cheap")
    assert (deal.state, deal.attention) == ("refused", "rejected: too cheap")


def test_an_entity_is_told_that_nobody_decided():
    office = Office()
    deal = office.deal()
    office.wait(hours=72)
    assert (deal.state, deal.attention) == ("refused", "rejected: nobody decided in time")


def test_an_entity_is_told_that_changes_never_came():
    office = Office()
    deal = office.deal()
    office.send_back("eve")
    office.wait(days=7)
    assert deal.attention == "expired: the changes asked for were not made in time"


def test_an_entity_is_told_that_the_requester_withdrew_it():
    office = Office()
    deal = office.deal()
    accepted(office.tell(office.approval, Withdraw(), MERCHANT))
    assert (deal.state, deal.attention) == ("refused", "withdrawn: the requester withdrew it")


def test_an_entity_that_moves_on_asks_no_longer():
    office = Office()
    deal = office.deal()
    accepted(office.say(Cancel()))
    assert (deal.state, office.state) == ("cancelled", "withdrawn")
    assert (office.approval.decided_because, deal.attention) == ("the deal is off", None)


def test_an_entity_that_changes_is_decided_on_anew():
    office = Office(levels=[{"name": "board", "quorum": 2}])
    deal = office.deal()
    office.approve("eve")
    accepted(office.say(Change(total=6000)))
    office.approve("eve")
    assert deal.state == "waiting"
    office.approve("oscar")
    assert (deal.state, deal.total, office.approval.amount) == ("approved", 6000, 6000)


def test_people_do_not_change_what_an_entity_asks_for():
    office = Office()
    deal = office.deal()
    refused = office.resubmit(MERCHANT, amount=1)
    assert office.why(refused) == f"what is asked for is changed at deal '{deal.id}' itself"


def test_an_entity_does_not_ask_twice_at_once():
    office = Office()
    deal = office.deal()
    again = office.ask(by=SYSTEM, kind="deal", machine="deal", reference=deal.id, requested_by="shop")
    assert office.why(again) == f"deal '{deal.id}' waits for approval already, by '{office.approval.id}'"


def test_an_entity_may_ask_again_once_it_is_decided():
    shop = Shop([approval, stand_in("deal", events)])
    accepted(shop.create("deal", Arrive(called="D-1"), SYSTEM))
    request = Request(kind="deal", machine="deal", reference="D-1", description="a good deal", requested_by="shop")
    accepted(shop.create("approval", request, SYSTEM))
    accepted(shop.tell(shop.last("approval"), Reject(round=1, reason="too dear"), approver("eve")))
    accepted(shop.create("approval", request, SYSTEM))


def test_people_may_ask_for_things_of_the_same_name():
    office = Office()
    office.asked()
    accepted(office.ask())
