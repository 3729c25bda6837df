"""How a return is asked for, sent, inspected, and what its order is told."""

import pytest
from pydantic import ValidationError

from statemachines.declaration import Role
from statemachines.letters import ReturnApproved, ReturnEnded, ReturnReceived
from statemachines.pieces import NamedPieces
from statemachines.returns.events import (
    Approve,
    Cancel,
    Depart,
    Inspect,
    Inspected,
    Lose,
    NothingOwed,
    Receive,
    Reject,
    ReplacementSent,
    SendLabel,
)
from statemachines.returns.machine import returns
from statemachines.returns.news import ReturnDropped, ReturnSettled
from statemachines.stock import MAX_ON_HAND
from statemachines.verification import verify
from tests.statemachines.goods_in import RETURN_TO, TWO_LINES, GoodsIn
from tests.statemachines.shop import ANNA, MERCHANT, accepted


def test_the_declaration_has_nothing_suspicious():
    assert verify(returns) == []


# -- asking and deciding --------------------------------------------------------------------------------------------


def test_a_return_waits_for_the_shop_which_is_told():
    hall = GoodsIn()
    hall.requested()
    assert hall.state == "requested"
    assert hall.shown() == ["Return ret_1 of order shop-1 waits for your decision: 3 Blue mug, 1 Jug (too big)"]
    assert hall.letters() == []


def test_an_approved_return_tells_the_customer_how_to_send_it_and_until_when():
    hall = GoodsIn()
    hall.approved()
    (letter,) = hall.letters()
    assert isinstance(letter, ReturnApproved)
    assert [(each.quantity, each.name) for each in letter.pieces] == [(3, "Blue mug"), (1, "Jug")]
    assert (letter.order, letter.return_case, letter.label_follows) == ("shop-1", hall.case.id, False)
    assert (letter.expires_at - hall.now).days == 14


@pytest.mark.parametrize(("up_to", "state"), [(0, "requested"), (3, "requested"), (4, "approved"), (5, "approved")])
def test_small_returns_are_approved_by_themselves_if_the_shop_wants_it(up_to, state):
    hall = GoodsIn(approve_up_to=up_to)
    hall.requested()
    assert hall.state == state
    assert [type(letter) for letter in hall.letters()] == ([ReturnApproved] if state == "approved" else [])
    assert bool(hall.shown()) == (state == "requested")


def test_lines_that_are_named_twice_are_one():
    hall = GoodsIn()
    hall.requested(lines=[*TWO_LINES, NamedPieces(number=1, sku="MUG", name="Blue mug", quantity=2)])
    assert {number: line.quantity for number, line in hall.case_lines().items()} == {1: 5, 2: 1}


def test_a_rejected_return_leaves_the_pieces_with_the_customer_who_is_told_why():
    hall = GoodsIn()
    hall.requested()
    accepted(hall.say(Reject(reason="worn")))
    assert (hall.state, hall.case.ended_because) == ("rejected", "worn")
    assert hall.pieces_told() == {1: 3, 2: 1}
    assert [vars(letter)["outcome"] for letter in hall.letters()] == ["rejected"]


def test_long_reasons_are_told_as_far_as_there_is_room():
    hall = GoodsIn()
    hall.requested()
    accepted(hall.say(Reject(reason="worn " * 100)))
    (news,) = hall.told
    assert isinstance(news, ReturnDropped)
    assert (len(hall.case.ended_because or ""), len(news.reason)) == (500, 200)


def test_nobody_is_written_to_whose_address_is_unknown():
    hall = GoodsIn()
    hall.requested(email=None)
    for event in (Approve(), Depart(), Receive()):
        accepted(hall.say(event))
    accepted(hall.finds({1: (3, 0, 0), 2: (0, 0, 1)}))
    accepted(hall.order_says(NothingOwed()))
    assert hall.letters() == []


def test_only_the_order_asks_for_a_return():
    assert returns.creation.raised_by == frozenset()


def test_a_customer_may_cancel_and_send_but_decide_nothing():
    allowed = {event.event_name for event in returns.events.values() if Role.CUSTOMER in event.raised_by}
    assert allowed == {"cancel", "depart"}
    assert {Role.APPROVER, Role.ADMIN}.isdisjoint(role for event in returns.events.values() for role in event.raised_by)


@pytest.mark.parametrize("state", ["requested", "approved", "labelled"])
def test_a_return_may_be_cancelled_until_it_is_sent(state):
    hall = GoodsIn()
    getattr(hall, state)()
    accepted(hall.say(Cancel(reason="they fit after all"), ANNA))
    assert hall.state == "cancelled"
    assert hall.pieces_told() == {1: 3, 2: 1}
    assert not [letter for letter in hall.letters() if isinstance(letter, ReturnEnded)]  # anna knows


def test_a_customer_is_told_if_the_shop_cancels():
    hall = GoodsIn()
    hall.approved()
    accepted(hall.say(Cancel(), MERCHANT))
    assert [vars(letter)["outcome"] for letter in hall.letters() if isinstance(letter, ReturnEnded)] == ["cancelled"]


def test_what_is_under_way_can_not_be_cancelled():
    hall = GoodsIn()
    hall.in_transit()
    assert hall.why(hall.say(Cancel(), ANNA)).startswith("return in state 'in_transit' takes no 'cancel'")


# -- on the way -----------------------------------------------------------------------------------------------------


def test_a_customer_may_send_the_pieces_without_a_label():
    hall = GoodsIn()
    hall.approved()
    accepted(hall.say(Depart(tracking="RR123"), ANNA))
    assert (hall.state, hall.case.tracking, hall.case.departed_at) == ("in_transit", "RR123", hall.now)


def test_a_customer_may_say_later_by_what_the_pieces_are_followed():
    hall = GoodsIn()
    hall.in_transit()
    sent = hall.case.departed_at
    hall.wait(hours=1)
    accepted(hall.say(Depart(tracking="RR123"), ANNA))
    assert (hall.state, hall.case.tracking, hall.case.departed_at) == ("in_transit", "RR123", sent)


@pytest.mark.parametrize("state", ["approved", "labelled", "in_transit"])
def test_pieces_arrive_whether_or_not_they_were_announced(state):
    hall = GoodsIn()
    getattr(hall, state)()
    accepted(hall.say(Receive()))
    assert (hall.state, hall.case.received_at) == ("received", hall.now)
    assert isinstance(hall.letters()[-1], ReturnReceived)


def test_the_shop_may_send_a_label_of_its_own_making():
    hall = GoodsIn()
    hall.approved()
    accepted(hall.say(SendLabel(label_url="https://post.example/1.pdf", tracking="RR1")))
    assert (hall.state, hall.case.tracking, hall.case.label_url) == ("label_sent", "RR1", "https://post.example/1.pdf")
    letter = hall.letters()[-1]
    assert isinstance(letter, ReturnApproved)
    assert (letter.occasion, letter.label_url) == ("label", "https://post.example/1.pdf")


def test_pieces_that_never_arrive_stay_the_customers():
    hall = GoodsIn()
    hall.in_transit()
    accepted(hall.say(Lose()))
    assert (hall.state, hall.case.ended_because) == ("closed", "the pieces never arrived")
    assert hall.pieces_told() == {1: 3, 2: 1}
    assert [vars(letter)["outcome"] for letter in hall.letters() if isinstance(letter, ReturnEnded)] == ["lost"]


# -- inspecting -----------------------------------------------------------------------------------------------------


def test_what_was_found_is_kept_with_who_looked_and_the_order_is_told():
    hall = GoodsIn()
    hall.received(wish="exchange")
    accepted(hall.finds({1: (1, 2, 0), 2: (0, 0, 1)}, percent=50, note="a chip"))
    case, lines = hall.case, hall.case_lines()
    assert (case.state, case.inspected_by, case.inspected_at, case.note) == ("inspected", "paul", hall.now, "a chip")
    assert [(line.accepted, line.damaged, line.refused, line.percent) for line in lines.values()] == [
        (1, 2, 0, 50),
        (0, 0, 1, 50),
    ]
    (news,) = hall.told
    assert isinstance(news, ReturnSettled)
    assert (news.return_case, news.wish, news.inspected_by) == (case.id, "exchange", "paul")
    assert hall.pieces_told() == {1: 3, 2: 1}


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ({1: (2, 0, 0), 2: (1, 0, 0)}, "line 1: 3 pieces announced, 2 accounted for"),
        ({1: (2, 1, 1), 2: (1, 0, 0)}, "line 1: 3 pieces announced, 4 accounted for"),
        ({1: (3, 0, 0)}, "line 2: 1 pieces announced, 0 accounted for"),
        ({1: (3, 0, 0), 2: (1, 0, 0), 7: (1, 0, 0)}, "line 7 is not part of the return, which is of line 1, 2"),
    ],
)
def test_every_announced_piece_is_accounted_for(found, reason):
    hall = GoodsIn()
    hall.received()
    assert hall.why(hall.finds(found)) == reason
    assert hall.told == []
    assert hall.stock("MUG").on_hand == 10


def test_nobody_says_two_things_of_one_line():
    hall = GoodsIn()
    hall.received()
    found = [Inspected(number=1, accepted=3), Inspected(number=2, accepted=1), Inspected(number=1, damaged=3)]
    assert hall.why(hall.say(Inspect(lines=tuple(found)))) == "line 1 is named twice"


def test_a_shelf_holds_no_more_than_it_can_count():
    hall = GoodsIn()
    hall.received()
    hall.fills("MUG", room=2)
    reason = hall.why(hall.finds({1: (3, 0, 0), 2: (1, 0, 0)}))
    assert reason == f"a stock holds at most {MAX_ON_HAND} pieces; of MUG there are {MAX_ON_HAND - 2}"


@pytest.mark.parametrize(
    "wrong", [{"percent": 101}, {"percent": -1}, {"accepted": -1}, {"accepted": 1.0}, {"number": 0}]
)
def test_a_result_makes_sense(wrong):
    with pytest.raises(ValidationError):
        Inspected(**{"number": 1, **wrong})


def test_what_is_inspected_is_not_inspected_again():
    hall = GoodsIn()
    hall.refunding()
    assert "takes no 'inspect'" in hall.why(hall.finds({1: (3, 0, 0), 2: (1, 0, 0)}))


# -- what the order gives -------------------------------------------------------------------------------------------


def test_a_return_for_which_nothing_is_owed_is_closed():
    hall = GoodsIn()
    hall.received()
    accepted(hall.finds({1: (0, 0, 3), 2: (0, 0, 1)}))
    accepted(hall.order_says(NothingOwed()))
    assert (hall.state, vars(hall.letters()[-1])["outcome"]) == ("closed", "nothing")


def test_a_return_that_is_exchanged_is_done_with():
    hall = GoodsIn()
    hall.received(wish="exchange")
    accepted(hall.finds({1: (3, 0, 0), 2: (1, 0, 0)}))
    accepted(hall.order_says(ReplacementSent()))
    assert (hall.state, vars(hall.letters()[-1])["outcome"]) == ("exchanged", "replacement")


# -- time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["approved", "labelled"])
def test_a_customer_is_reminded_halfway_and_a_return_that_is_not_sent_expires(state):
    hall = GoodsIn()
    getattr(hall, state)()
    hall.wait(days=7)
    reminder = hall.letters()[-1]
    assert isinstance(reminder, ReturnApproved)
    assert (reminder.occasion, (reminder.expires_at - hall.now).days) == ("reminder", 7)
    hall.wait(days=6, hours=23)
    assert hall.told == []
    hall.wait(hours=1)
    assert (hall.state, hall.case.ended_because) == ("expired", "the pieces were not sent in time")
    assert hall.pieces_told() == {1: 3, 2: 1}
    assert [vars(letter)["outcome"] for letter in hall.letters() if isinstance(letter, ReturnEnded)] == ["expired"]


@pytest.mark.parametrize(
    ("state", "days", "text"),
    [
        ("requested", 2, "nobody has decided on it"),
        ("in_transit", 30, "the pieces have not arrived"),
        ("received", 2, "nobody has inspected the pieces"),
        ("refunding", 7, "the money has not been given back"),
    ],
)
def test_somebody_is_asked_to_look_at_what_does_not_go_on(state, days, text):
    hall = GoodsIn()
    getattr(hall, state)()
    hall.wait(days=days)
    assert (hall.state, hall.case.attention) == (state, text)
    assert hall.shown()[-1] == f"Return ret_1 of order shop-1 needs attention: {text}"


def test_nobody_has_to_look_any_more_once_it_goes_on():
    hall = GoodsIn()
    steps = [("requested", Approve()), ("in_transit", Receive()), ("received", None), ("refunding", None)]
    for state, event in steps:
        getattr(hall, state)()
        hall.wait(days=31)
        assert hall.case.attention
        if event:
            accepted(hall.say(event))
        else:
            accepted(hall.refunded(5000) if state == "refunding" else hall.finds({1: (3, 0, 0), 2: (1, 0, 0)}))
        assert (state, hall.case.attention) == (state, None)


def test_a_shop_chooses_how_long_a_customer_has():
    hall = GoodsIn(send_within="P30D", remind_after="P20D", return_to=RETURN_TO)
    hall.approved()
    hall.wait(days=29)
    accepted(hall.label())  # and from then on again
    hall.wait(days=29)
    assert hall.state == "label_sent"
    hall.wait(days=1)
    assert hall.state == "expired"
