"""How a shipment leaves the house, arrives, gets lost or comes back, and what is told of it."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from statemachines.decision import Refused
from statemachines.letters import DeliveryFailed, OrderDelivered, OrderShipped
from statemachines.shipment import (
    Arrived,
    Book,
    Cancel,
    Deliver,
    Dispatch,
    Lose,
    Prepare,
    SendBack,
    ShipmentLine,
    news,
    shipment,
)
from statemachines.verification import verify
from tests.statemachines.dock import BERLIN, CARRIER, LINES, Dock, created

HAMBURG = {**BERLIN, "city": "Hamburg"}
ENDS = {"delivered": Deliver(), "lost": Lose(), "returned_to_sender": SendBack()}


def test_the_declaration_has_nothing_suspicious() -> None:
    assert verify(shipment) == []


# -- preparing ------------------------------------------------------------------------------------------------------


def test_what_is_prepared_waits_for_somebody_to_take_it_away() -> None:
    dock = Dock()
    made = dock.prepares(address=BERLIN)
    assert (made.state, made.order_id, made.called, made.customer) == ("pending", dock.order, "shop-1", "anna")
    assert (dock.bookings, dock.told) == ([], [])


def test_a_line_of_the_order_that_is_named_twice_is_one_line() -> None:
    dock = Dock()
    dock.prepares(lines=(*LINES, LINES[0]))
    pieces = {line.number: (line.sku, line.name, line.quantity) for line in dock.world.rows(ShipmentLine)}
    assert pieces == {1: ("MUG", "Mug", 4), 3: ("JUG", "Jug", 1)}


def test_what_is_gone_when_it_is_prepared_is_under_way_at_once() -> None:
    dock = Dock(ask_carrier=True)
    made = dock.prepares(address=BERLIN, gone=True, tracking="T9", email="anna@shop.example")
    assert (made.state, made.sent_at, made.tracking) == ("in_transit", dock.world.now, "T9")
    (sent,) = dock.heard
    assert isinstance(sent, news.ShipmentSent)
    assert (sent.shipment, sent.tracking) == (made.id, "T9")
    assert [(each.number, each.quantity) for each in sent.lines] == [(1, 2), (3, 1)]
    assert dock.bookings == []
    assert dock.mails == [OrderShipped(order="shop-1", pieces=LINES, tracking="T9")]


def test_what_is_not_in_the_house_waits_for_its_pieces() -> None:
    dock = Dock(ask_carrier=True)
    dock.prepares(address=BERLIN, backordered=True)
    assert (dock.state, dock.bookings) == ("backordered", [])
    assert isinstance(dock.say(Dispatch()), Refused)
    dock.said(Arrived())
    assert (dock.state, len(dock.bookings)) == ("pending", 1)


def test_what_is_not_in_the_house_has_not_left_it() -> None:
    with pytest.raises(ValidationError, match="can't have left it"):
        Prepare(order="ord_1", called="ord_1", customer="anna", lines=LINES, gone=True, backordered=True)


# -- the carrier ----------------------------------------------------------------------------------------------------


def test_the_carrier_is_asked_if_the_shop_wants_that_and_there_is_an_address() -> None:
    dock = Dock(ask_carrier=True)
    made = dock.prepares(address=BERLIN)
    (asked,) = dock.bookings
    assert (asked.order, asked.reference, asked.address.city) == (dock.order, made.id, "Berlin")
    assert [(each.sku, each.quantity) for each in asked.contents] == [("MUG", 2), ("JUG", 1)]
    without = Dock(ask_carrier=True)
    without.prepares()
    assert without.bookings == []


def test_what_the_carrier_takes_waits_with_its_label_and_leaves_with_the_carrier() -> None:
    dock = Dock(ask_carrier=True)
    made = dock.books(email="anna@shop.example")
    assert (made.state, made.carrier_shipment, made.tracking) == ("label", "S1", "T1")
    assert made.label_url == "https://carrier.example/T1.pdf"
    assert dock.told == []
    dock.said(Dispatch(tracking="T1"), by=CARRIER)
    assert (dock.state, dock.told) == ("in_transit", ["sent"])
    page = "https://carrier.example/T1"
    assert dock.mails == [OrderShipped(order="shop-1", pieces=LINES, tracking="T1", tracking_url=page)]


def test_what_the_carrier_refuses_waits_for_a_better_address() -> None:
    dock = Dock(ask_carrier=True)
    dock.prepares(address=BERLIN)
    dock.refuses("no such street")
    assert (dock.state, dock.shipment.attention) == ("refused", "the carrier refused it: no such street")
    assert dock.chat == ["the carrier refused it: no such street"]
    dock.said(Book(address=HAMBURG))
    assert (dock.state, dock.shipment.attention, dock.shipment.address["city"]) == ("pending", None, "Hamburg")
    assert [each.address.city for each in dock.bookings] == ["Berlin", "Hamburg"]
    dock.creates()
    assert dock.state == "label"


def test_what_the_carrier_refuses_may_be_taken_away_by_hand() -> None:
    dock = Dock(ask_carrier=True)
    dock.prepares(address=BERLIN)
    dock.refuses()
    dock.said(Dispatch())
    assert (dock.state, dock.shipment.attention, dock.told) == ("in_transit", None, ["sent"])


def test_a_carrier_is_not_asked_twice_at_once_nor_without_an_address() -> None:
    dock = Dock(ask_carrier=True)
    dock.prepares(address=BERLIN)
    outcome = dock.say(Book())
    assert isinstance(outcome, Refused)
    assert outcome.reason == "the carrier was asked and has not answered yet"
    dock = Dock()
    dock.prepares()
    outcome = dock.say(Book())
    assert isinstance(outcome, Refused)
    assert outcome.reason == "there is no address to bring it to"
    dock.said(Book(address=BERLIN))
    assert len(dock.bookings) == 1


def test_what_goes_with_another_carrier_than_was_booked_is_called_off_there() -> None:
    dock = Dock(ask_carrier=True)
    dock.books(email="anna@shop.example")
    dock.said(Dispatch(tracking="X7"))
    assert dock.called_off == ["S1"]
    gone = dock.shipment
    assert (gone.state, gone.carrier_shipment, gone.tracking, gone.tracking_url) == ("in_transit", None, "X7", None)
    assert dock.mails == [OrderShipped(order="shop-1", pieces=LINES, tracking="X7")]
    dock.goes_on()
    assert dock.chat == ["the carrier keeps 'S1', which is not needed: it has been fetched"]
    assert dock.state == "in_transit"


def test_another_number_that_the_carrier_itself_tells_calls_nothing_off() -> None:
    dock = Dock(ask_carrier=True)
    dock.books()
    dock.said(Dispatch(tracking="X7"), by=CARRIER)
    assert (dock.called_off, dock.shipment.carrier_shipment, dock.shipment.tracking) == ([], "S1", "X7")


# -- under way ------------------------------------------------------------------------------------------------------


def test_the_customer_is_told_that_it_left_and_that_it_arrived() -> None:
    dock = Dock()
    dock.prepares(email="anna@shop.example", phone="+4915112345678")
    dock.said(Dispatch(tracking="T1"), Deliver())
    assert dock.mails == [
        OrderShipped(order="shop-1", pieces=LINES, tracking="T1"),
        OrderDelivered(order="shop-1", pieces=LINES),
    ]
    assert dock.texts == ["Your order shop-1 is on its way, tracking number T1."]


def test_a_customer_without_an_address_is_not_written_to() -> None:
    dock = Dock()
    dock.prepares()
    dock.said(Dispatch(), Lose(), Deliver())
    assert (dock.mails, dock.texts) == ([], [])


@pytest.mark.parametrize("end", ENDS)
def test_what_is_under_way_ends_once_and_says_so_once(end: str) -> None:
    dock = Dock()
    dock.prepares()
    dock.said(Dispatch(), ENDS[end], ENDS[end], Dispatch(tracking="T1"))
    assert (dock.state, dock.told) == (end, ["sent", {"returned_to_sender": "returned"}.get(end, end)])


@pytest.mark.parametrize("end", ENDS)
def test_what_ended_before_anybody_noticed_that_it_left_is_told_to_have_left(end: str) -> None:
    dock = Dock(ask_carrier=True)
    dock.books()
    dock.said(ENDS[end], by=CARRIER)
    assert (dock.state, dock.told[0], len(dock.told)) == (end, "sent", 2)
    assert dock.shipment.sent_at == dock.world.now


def test_what_the_customer_fetches_is_delivered_without_a_carrier() -> None:
    dock = Dock()
    dock.prepares()
    dock.said(Deliver())
    assert (dock.state, dock.told) == ("delivered", ["sent", "delivered"])
    assert dock.shipment.delivered_at == dock.world.now


@pytest.mark.parametrize(("event", "told"), [(Deliver(), "delivered"), (SendBack(), "returned")])
def test_a_lost_parcel_may_turn_up(event: Deliver | SendBack, told: str) -> None:
    dock = Dock()
    dock.prepares(email="anna@shop.example")
    dock.said(Dispatch(), Lose(reason="the van burnt"))
    assert (dock.shipment.attention, dock.chat) == ("it is lost", ["it is lost: the van burnt"])
    dock.said(event)
    assert dock.told == ["sent", "lost", told]
    found = dock.heard[-1]
    assert isinstance(found, news.ShipmentDelivered | news.ShipmentReturned)
    assert found.was_lost
    assert dock.shipment.attention is None
    assert dock.mails[1] == DeliveryFailed(outcome="lost", order="shop-1", pieces=LINES)


def test_what_comes_back_is_told_to_the_customer_and_the_shop() -> None:
    dock = Dock()
    dock.prepares(email="anna@shop.example")
    dock.said(Dispatch(), SendBack(reason="moved away"))
    assert dock.mails[1] == DeliveryFailed(outcome="returned", order="shop-1", pieces=LINES)
    assert dock.chat == ["it is back: moved away"]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (Deliver(), Lose()),
        (Deliver(), SendBack()),
        (SendBack(), Deliver()),
        (SendBack(), Lose()),
        (Cancel(), Dispatch()),
    ],
)
def test_what_contradicts_an_end_is_refused_for_a_person_to_see(first: Deliver, then: Lose) -> None:
    dock = Dock(ask_carrier=False)
    dock.prepares()
    if not isinstance(first, Cancel):
        dock.said(Dispatch())
    dock.said(first)
    assert isinstance(dock.say(then, CARRIER), Refused)


def test_a_number_that_is_told_later_is_noted() -> None:
    dock = Dock()
    dock.prepares()
    dock.said(Dispatch(), Dispatch(tracking="T1"), Dispatch(tracking="T2"))
    assert (dock.shipment.tracking, dock.told) == ("T1", ["sent"])


# -- silence --------------------------------------------------------------------------------------------------------


def test_a_silent_carrier_is_noticed_and_may_still_answer() -> None:
    dock = Dock(ask_carrier=True)
    dock.prepares(address=BERLIN)
    dock.world.advance(timedelta(hours=23))
    assert dock.chat == []
    dock.world.advance(timedelta(hours=1))
    assert (dock.state, dock.shipment.attention) == ("pending", "the carrier has not answered")
    assert dock.chat == ["the carrier has not answered"]
    dock.creates()
    assert (dock.state, dock.shipment.attention) == ("label", None)


@pytest.mark.parametrize(
    ("days", "steps", "text"),
    [
        (14, ["backordered"], "its pieces have not come into the house"),
        (2, ["prepared"], "it has not left the house"),
        (2, ["asked", "refused"], "the carrier refused it, and it has not left the house"),
        (2, ["asked", "created"], "the carrier has not fetched it"),
        (1, ["asked", "created", "recalled"], "the carrier has not said whether it calls it off"),
        (21, ["prepared", "sent"], "nothing was heard of it since it left"),
        (1, ["asked", "created", "sent", "recalled"], "the carrier has not said whether it brings it back"),
        (21, ["asked", "created", "sent", "recalled", "off"], "it is not back yet"),
    ],
)
def test_what_stays_where_it_is_for_too_long_is_shown_to_a_person(days: int, steps: list[str], text: str) -> None:
    dock = Dock(ask_carrier="asked" in steps)
    ways = {
        "backordered": lambda: dock.prepares(backordered=True),
        "prepared": dock.prepares,
        "asked": lambda: dock.prepares(address=BERLIN),
        "created": dock.creates,
        "refused": dock.refuses,
        "sent": lambda: dock.said(Dispatch()),
        "recalled": dock.recalls,
        "off": dock.calls_off,
    }
    for step in steps:
        ways[step]()
    state = dock.state
    dock.world.advance(timedelta(days=days) - timedelta(seconds=1))
    assert text not in dock.chat
    dock.world.advance(timedelta(seconds=1))
    assert (dock.state, dock.shipment.attention, dock.chat[-1]) == (state, text, text)


# -- answers that come late -----------------------------------------------------------------------------------------


def test_an_answer_after_it_was_taken_away_calls_the_carrier_off() -> None:
    dock = Dock(ask_carrier=True)
    dock.prepares(address=BERLIN)
    (asked,) = dock.open
    dock.said(Dispatch())
    dock.said(created("S1"), by=CARRIER)
    assert asked.call.arguments in [each.call.arguments for each in dock.world.asked]
    assert (dock.state, dock.called_off, dock.shipment.carrier_shipment) == ("in_transit", ["S1"], None)


def test_an_answer_after_the_carrier_told_that_it_left_names_the_shipment() -> None:
    dock = Dock(ask_carrier=True)
    dock.prepares(address=BERLIN)
    dock.said(Dispatch(tracking="T1"), created("S1"), by=CARRIER)
    assert (dock.state, dock.called_off, dock.shipment.carrier_shipment) == ("in_transit", [], "S1")
    dock = Dock(ask_carrier=True)
    dock.prepares(address=BERLIN)
    dock.said(Deliver(), created("S1"), by=CARRIER)
    assert (dock.state, dock.called_off, dock.shipment.tracking) == ("delivered", [], "T1")


def test_a_second_answer_is_of_a_shipment_too_many() -> None:
    dock = Dock(ask_carrier=True)
    dock.books()
    dock.said(created("S1"), created("S2"), by=CARRIER)
    assert (dock.state, dock.called_off, dock.shipment.carrier_shipment) == ("label", ["S2"], "S1")
