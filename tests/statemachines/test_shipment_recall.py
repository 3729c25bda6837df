"""How a shipment that is not wanted any more is cancelled or called back, and what its order is told."""

import pytest

from statemachines.decision import Refused
from statemachines.shipment import Cancel, Deliver, Dispatch, Lose, SendBack, news
from tests.statemachines.dock import BERLIN, CARRIER, Dock, created


def why(dock: Dock) -> str:
    """Return why the newest recall was refused."""
    refusal = dock.heard[-1]
    assert isinstance(refusal, news.RecallRefused)
    return refusal.reason


@pytest.mark.parametrize("backordered", [True, False])
@pytest.mark.parametrize("by_order", [True, False])
def test_what_no_carrier_knows_is_cancelled_at_once(backordered: bool, by_order: bool) -> None:
    dock = Dock()
    dock.prepares(backordered=backordered)
    dock.recalls() if by_order else dock.said(Cancel(reason="out of print"))
    assert (dock.state, dock.told) == ("cancelled", ["cancelled"])
    dock.recalls()
    assert dock.told == ["cancelled"]


def test_what_the_carrier_knows_is_cancelled_once_the_carrier_agrees() -> None:
    dock = Dock(ask_carrier=True)
    dock.books()
    dock.said(Cancel())
    assert (dock.state, dock.called_off, dock.told) == ("cancelling", ["S1"], [])
    dock.calls_off()
    assert (dock.state, dock.told) == ("cancelled", ["cancelled"])


def test_what_is_in_the_house_need_not_wait_for_the_carrier() -> None:
    dock = Dock(ask_carrier=True)
    dock.books()
    dock.said(Cancel(), Cancel())
    assert (dock.state, dock.told) == ("cancelled", ["cancelled"])
    dock.goes_on()
    assert (dock.state, dock.told) == ("cancelled", ["cancelled"])
    assert dock.shipment.attention == "the carrier keeps 'S1', which is not needed: it has been fetched"


def test_what_the_carrier_does_not_call_off_may_leave() -> None:
    dock = Dock(ask_carrier=True)
    dock.books()
    dock.said(Cancel())
    dock.goes_on()
    assert (dock.state, dock.told) == ("label", [])
    assert dock.chat == ["the carrier can't call it off: it has been fetched"]
    dock.said(Dispatch(), by=CARRIER)
    assert (dock.state, dock.shipment.attention, dock.told) == ("in_transit", None, ["sent"])


def test_a_recall_that_the_carrier_refuses_before_it_left_is_told_once() -> None:
    dock = Dock(ask_carrier=True)
    dock.books()
    dock.recalls()
    dock.recalls()
    assert (dock.state, dock.called_off, dock.told) == ("cancelling", ["S1"], [])
    dock.goes_on()
    assert (dock.state, dock.told, why(dock)) == ("label", ["recall_refused"], "it has been fetched")


def test_a_booking_that_is_answered_after_the_cancellation_is_called_off() -> None:
    dock = Dock(ask_carrier=True)
    dock.prepares(address=BERLIN)
    dock.recalls()
    dock.said(created("S1"), by=CARRIER)
    assert (dock.state, dock.called_off, dock.told) == ("cancelled", ["S1"], ["cancelled"])
    dock.goes_on()
    assert dock.chat == ["the carrier keeps 'S1', which is not needed: it has been fetched"]


def test_a_booking_that_nobody_has_attempted_is_withdrawn() -> None:
    dock = Dock(ask_carrier=True)
    dock.prepares(address=BERLIN)
    dock.said(Cancel())
    assert dock.bookings == []


def test_what_is_under_way_comes_back_if_the_carrier_agrees() -> None:
    dock = Dock(ask_carrier=True)
    dock.books(email="anna@shop.example")
    dock.said(Dispatch())
    dock.recalls()
    assert (dock.state, dock.called_off) == ("recalling", ["S1"])
    dock.calls_off()
    assert (dock.state, dock.told) == ("returning", ["sent"])
    dock.said(SendBack())
    assert (dock.state, dock.told) == ("returned_to_sender", ["sent", "returned"])
    assert [mail.template for mail in dock.mails] == ["order_shipped"]


def test_what_the_carrier_does_not_bring_back_stays_under_way() -> None:
    dock = Dock(ask_carrier=True)
    dock.books()
    dock.said(Dispatch())
    dock.recalls()
    dock.goes_on()
    assert (dock.state, dock.told) == ("in_transit", ["sent", "recall_refused"])
    assert dock.chat == ["the carrier can't call it off: it has been fetched"]
    dock.said(Deliver())
    assert dock.told == ["sent", "recall_refused", "delivered"]


def test_what_left_by_hand_has_nobody_who_could_bring_it_back() -> None:
    dock = Dock()
    dock.prepares()
    dock.said(Dispatch())
    dock.recalls()
    assert (dock.state, dock.told) == ("in_transit", ["sent", "recall_refused"])
    assert why(dock) == "no carrier is known that could bring it back"
    assert len(dock.chat) == 1


@pytest.mark.parametrize(("end", "reason"), [(Deliver(), "it was delivered"), (Lose(), "it is lost")])
def test_what_has_ended_can_not_be_called_back(end: Deliver | Lose, reason: str) -> None:
    dock = Dock()
    dock.prepares()
    dock.said(Dispatch(), end)
    dock.recalls()
    assert (dock.told[-1], why(dock)) == ("recall_refused", reason)


@pytest.mark.parametrize("agreed", [True, False])
@pytest.mark.parametrize(("end", "told"), [(Deliver(), "delivered"), (Lose(), "lost")])
def test_what_ends_while_it_is_called_back_answers_the_recall_by_that(
    agreed: bool, end: Deliver | Lose, told: str
) -> None:
    dock = Dock(ask_carrier=True)
    dock.books()
    dock.said(Dispatch())
    dock.recalls()
    if agreed:
        dock.calls_off()
    dock.said(end)
    assert (dock.told, dock.shipment.recalled) == (["sent", told], False)
    if not agreed:
        dock.goes_on()
    assert dock.told == ["sent", told]


def test_what_is_fetched_while_it_is_called_off_is_called_back() -> None:
    dock = Dock(ask_carrier=True)
    dock.books(email="anna@shop.example")
    dock.recalls()
    dock.said(Dispatch(), by=CARRIER)
    assert (dock.state, dock.called_off, dock.told) == ("recalling", ["S1"], ["sent"])
    assert dock.mails == []
    dock.goes_on()
    assert (dock.state, dock.told) == ("in_transit", ["sent", "recall_refused"])


def test_what_has_left_is_not_cancelled() -> None:
    dock = Dock()
    dock.prepares()
    dock.said(Dispatch())
    assert isinstance(dock.say(Cancel()), Refused)
