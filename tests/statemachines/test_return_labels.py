"""Labels for returns: the carrier is asked, and what it says is taken whenever it says it."""

import pytest

from statemachines.carrier import (
    CancellationRefused,
    CancelShipment,
    CreateShipment,
    ShipmentCancelled,
    ShipmentRefused,
)
from statemachines.letters import ReturnApproved
from statemachines.machine import SYSTEM
from statemachines.returns.events import Cancel, Depart, Lose, Receive, SendLabel
from statemachines.returns.model import ReturnPolicy
from tests.statemachines.goods_in import PAUL, RETURN_TO, GoodsIn
from tests.statemachines.shop import ANNA, accepted


def test_the_carrier_is_asked_for_a_label_to_the_shop():
    hall = GoodsIn(return_to=RETURN_TO)
    hall.approved()
    (asked,) = hall.asked_carrier()
    assert isinstance(asked, CreateShipment)
    assert (asked.order, asked.reference, asked.address.city) == ("ord_1", hall.case.id, "Hamburg")
    assert [(each.sku, each.quantity) for each in asked.contents] == [("MUG", 3), ("JUG", 1)]
    (letter,) = hall.letters()
    assert isinstance(letter, ReturnApproved)
    assert letter.label_follows


def test_a_small_return_that_is_approved_by_itself_gets_its_label_too():
    hall = GoodsIn(return_to=RETURN_TO, approve_up_to=4)
    hall.requested()
    (asked,) = hall.asked_carrier()
    assert (asked.order, asked.reference) == ("ord_1", hall.case.id)


def test_the_label_goes_to_the_customer():
    hall = GoodsIn(return_to=RETURN_TO)
    hall.labelled()
    assert (hall.state, hall.case.tracking, hall.case.carrier_shipment) == ("label_sent", "JD0146", "shp-77")
    letter = hall.letters()[-1]
    assert isinstance(letter, ReturnApproved)
    assert (letter.occasion, letter.label_url) == ("label", "https://carrier.example/shp-77.pdf")
    assert hall.left_to_wait() == ReturnPolicy().send_within


def test_the_shop_is_asked_for_a_label_if_the_carrier_makes_none():
    hall = GoodsIn(return_to=RETURN_TO)
    hall.approved()
    accepted(hall.say(ShipmentRefused(reason="no such street"), SYSTEM))
    assert (hall.state, hall.case.label_asked) == ("approved", False)
    assert hall.case.attention == "the carrier makes no label: no such street"
    assert hall.shown()[-1] == f"Return ret_1 of order shop-1 needs attention: {hall.case.attention}"


def test_the_shop_is_told_if_the_carrier_does_not_answer():
    hall = GoodsIn(return_to=RETURN_TO)
    hall.approved()
    hall.wait(days=2)
    assert hall.case.attention == "the carrier does not answer about a label"
    accepted(hall.label())
    assert (hall.state, hall.case.attention) == ("label_sent", None)


@pytest.mark.parametrize("answer", ["label", "refusal"])
def test_an_answer_of_the_carrier_is_waited_for_no_longer(answer):
    hall = GoodsIn(return_to=RETURN_TO)
    hall.approved()
    accepted(hall.label() if answer == "label" else hall.say(ShipmentRefused(reason="no such street"), SYSTEM))
    assert "label_overdue" not in hall.timers(hall.case)
    attention = hall.case.attention
    hall.wait(days=3)
    assert hall.case.attention == attention


def test_nobody_is_bothered_about_a_label_that_nobody_asked_for():
    hall = GoodsIn()
    hall.approved()
    hall.wait(days=3)
    assert hall.case.attention is None


@pytest.mark.parametrize("event", [Cancel(), SendLabel(), Depart(), Receive()])
def test_a_label_that_was_only_asked_for_is_withdrawn_when_it_is_wanted_no_longer(event):
    hall = GoodsIn(return_to=RETURN_TO)
    hall.approved()
    accepted(hall.say(event))
    assert hall.asked_carrier() == []


@pytest.mark.parametrize("event", [Cancel(), SendLabel(), Depart(), Receive()])
def test_a_label_that_comes_too_late_is_called_off(event):
    hall = GoodsIn(return_to=RETURN_TO)
    hall.approved()
    accepted(hall.say(event))
    state = hall.state
    accepted(hall.label())
    assert hall.asked_carrier() == [CancelShipment(shipment="shp-77", order="ord_1")]
    assert (hall.state, hall.case.carrier_shipment) == (state, None)


@pytest.mark.parametrize("event", [Cancel(), SendLabel()])
def test_a_label_that_the_customer_has_is_called_off_once_it_is_wanted_no_longer(event):
    hall = GoodsIn(return_to=RETURN_TO)
    hall.labelled()
    accepted(hall.say(event))
    assert hall.asked_carrier()[-1] == CancelShipment(shipment="shp-77", order="ord_1")


def test_a_label_is_called_off_once():
    hall = GoodsIn(return_to=RETURN_TO)
    hall.labelled()
    accepted(hall.say(SendLabel(tracking="RR1")))
    accepted(hall.say(Cancel(), ANNA))
    assert hall.asked_carrier()[1:] == [CancelShipment(shipment="shp-77", order="ord_1")]


def test_the_shops_own_label_takes_the_place_of_the_carriers():
    hall = GoodsIn(return_to=RETURN_TO)
    hall.labelled()
    assert hall.case.tracking_url == "https://carrier.example/shp-77"
    accepted(hall.say(SendLabel(tracking="RR1")))
    assert (hall.case.label_url, hall.case.tracking, hall.case.tracking_url) == (None, "RR1", None)


def test_pieces_that_go_with_the_label_are_followed_by_it():
    hall = GoodsIn(return_to=RETURN_TO)
    hall.labelled()
    accepted(hall.say(Depart(), ANNA))
    assert hall.case.tracking == "JD0146"


def test_a_label_that_was_not_used_in_time_is_called_off():
    hall = GoodsIn(return_to=RETURN_TO)
    hall.labelled()
    hall.wait(days=14)
    assert (hall.state, hall.asked_carrier()[-1]) == ("expired", CancelShipment(shipment="shp-77", order="ord_1"))


@pytest.mark.parametrize(("event", "by"), [(Depart(), ANNA), (Receive(), PAUL)])
def test_a_label_that_is_used_is_not_called_off(event, by):
    hall = GoodsIn(return_to=RETURN_TO)
    hall.labelled()
    accepted(hall.say(event, by))
    assert not [asked for asked in hall.asked_carrier() if isinstance(asked, CancelShipment)]


def test_the_shop_is_told_if_the_carrier_does_not_call_a_label_off():
    hall = GoodsIn(return_to=RETURN_TO)
    hall.labelled()
    accepted(hall.say(Cancel(), ANNA))
    accepted(hall.say(CancellationRefused(shipment="shp-77", reason="fetched already"), SYSTEM))
    assert hall.state == "cancelled"
    assert hall.case.attention == "the carrier does not call shipment shp-77 off: fetched already"


def test_a_label_that_was_called_off_needs_nobody():
    hall = GoodsIn(return_to=RETURN_TO)
    hall.labelled()
    accepted(hall.say(Cancel(), ANNA))
    accepted(hall.say(ShipmentCancelled(shipment="shp-77"), SYSTEM))
    assert (hall.state, hall.case.attention) == ("cancelled", None)


def test_a_reminder_holds_the_label():
    hall = GoodsIn(return_to=RETURN_TO)
    hall.labelled()
    hall.wait(days=7)
    letter = hall.letters()[-1]
    assert isinstance(letter, ReturnApproved)
    assert (letter.occasion, letter.label_url) == ("reminder", "https://carrier.example/shp-77.pdf")


@pytest.mark.parametrize("event", [Depart(tracking="JD0146"), Receive()])
def test_a_parcel_that_the_carrier_tells_of_before_it_answered_keeps_its_label(event):
    hall = GoodsIn(return_to=RETURN_TO)
    hall.approved()
    accepted(hall.say(event, SYSTEM))
    state = hall.state
    accepted(hall.label())
    assert (hall.state, hall.case.carrier_shipment, hall.case.label_asked) == (state, "shp-77", False)
    assert not [asked for asked in hall.asked_carrier() if isinstance(asked, CancelShipment)]


def test_a_parcel_that_the_carrier_has_lost_is_for_the_shop_to_decide_about():
    hall = GoodsIn()
    hall.in_transit()
    accepted(hall.say(Lose(reason="fell into the sea"), SYSTEM))
    assert (hall.state, hall.told) == ("in_transit", [])
    assert hall.case.attention == "the carrier has lost the parcel: fell into the sea"
    accepted(hall.say(Receive()))
    accepted(hall.finds({1: (0, 3, 0), 2: (0, 1, 0)}))
    assert hall.stock("MUG").on_hand == 10


def test_a_long_story_of_the_carrier_is_shown_as_far_as_there_is_room():
    hall = GoodsIn()
    hall.in_transit()
    accepted(hall.say(Lose(reason="storm " * 83), SYSTEM))
    assert len(hall.case.attention or "") == 500
