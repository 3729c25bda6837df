"""What a return hears of the money that is given back for it."""

import pytest

from statemachines.letters import ReturnInspected
from statemachines.refund.news import RefundDropped, RefundRetried, RefundReturned, RefundSettled
from statemachines.returns.events import ReplacementRefused
from tests.statemachines.goods_in import GoodsIn
from tests.statemachines.shop import accepted


def dropped(amount: int, *, had_failed: bool = False) -> RefundDropped:
    return RefundDropped(refund="rfd_1", amount=amount, had_failed=had_failed, reason="no longer wanted")


def test_the_customer_is_told_what_was_found_and_what_is_given_for_it():
    hall = GoodsIn()
    hall.refunding(5000)
    assert (hall.state, hall.case.refund_amount) == ("refunding", 5000)
    letter = hall.letters()[-1]
    assert isinstance(letter, ReturnInspected)
    assert (letter.outcome, letter.amount, letter.currency) == ("refund", 5000, "EUR")
    assert [(each.name, each.accepted) for each in letter.pieces] == [("Blue mug", 3), ("Jug", 1)]


def test_money_instead_of_other_pieces_that_are_not_there():
    hall = GoodsIn()
    hall.received(wish="exchange")
    accepted(hall.finds({1: (3, 0, 0), 2: (1, 0, 0)}))
    accepted(hall.order_says(ReplacementRefused(amount=5000)))
    assert (hall.state, hall.case.refund_amount) == ("refunding", 5000)
    assert vars(hall.letters()[-1])["outcome"] == "refund_instead"


def test_it_is_refunded_once_all_of_it_was_given():
    hall = GoodsIn()
    hall.refunding(5000)
    accepted(hall.refunded(2000))
    assert (hall.state, hall.case.refunded) == ("refunding", 2000)
    accepted(hall.refunded(3000))
    assert (hall.state, hall.case.refunded) == ("refunded", 5000)


def test_a_refund_that_fails_asks_for_attention_until_it_is_tried_again():
    hall = GoodsIn()
    hall.refunding(5000)
    accepted(hall.refund_failed(2000))
    assert (hall.state, hall.case.refund_due) == ("refunding", 2000)
    assert hall.case.attention == "refund of 20.00 EUR failed: account closed"
    accepted(hall.order_says(RefundRetried(refund="rfd_1", amount=2000)))
    assert (hall.case.refund_due, hall.case.attention) == (0, None)


def test_the_reason_of_a_failure_stands_until_somebody_acts():
    hall = GoodsIn()
    hall.refunding(5000)
    accepted(hall.refund_failed(2000))
    hall.wait(days=7)
    assert hall.case.attention == "refund of 20.00 EUR failed: account closed"
    assert hall.shown()[-1].endswith("needs attention: refund of 20.00 EUR failed: account closed")


def test_attention_lasts_as_long_as_any_refund_has_failed():
    hall = GoodsIn()
    hall.refunding(5000)
    accepted(hall.refund_failed(2000))
    accepted(hall.refund_failed(3000))
    accepted(hall.order_says(RefundRetried(refund="rfd_1", amount=2000)))
    assert (hall.case.refund_due, hall.case.attention) == (3000, "refund of 30.00 EUR failed: account closed")


def test_money_given_in_another_way_counts():
    hall = GoodsIn()
    hall.refunding(5000)
    accepted(hall.refund_failed(2000))
    accepted(hall.refunded(3000))
    accepted(hall.order_says(RefundSettled(refund="rfd_1", amount=2000)))
    assert (hall.state, hall.case.refunded, hall.case.refund_due) == ("refunded", 5000, 0)
    assert hall.case.attention is None


def test_money_given_in_another_way_while_more_is_to_come():
    hall = GoodsIn()
    hall.refunding(5000)
    accepted(hall.refund_failed(2000))
    accepted(hall.order_says(RefundSettled(refund="rfd_1", amount=2000)))
    assert (hall.state, hall.case.refunded) == ("refunding", 2000)


@pytest.mark.parametrize(("given", "state"), [(0, "closed"), (3000, "refunded")])
def test_a_refund_that_is_dropped_lowers_what_is_expected(given, state):
    hall = GoodsIn()
    hall.refunding(5000)
    if given:
        accepted(hall.refunded(given))
    accepted(hall.order_says(dropped(5000 - given)))
    assert (hall.state, hall.case.refund_dropped) == (state, 5000 - given)
    assert hall.case.ended_because == "no longer wanted"


def test_one_refund_is_dropped_and_the_other_still_comes():
    hall = GoodsIn()
    hall.refunding(5000)
    accepted(hall.refund_failed(2000))
    accepted(hall.order_says(dropped(2000, had_failed=True)))
    assert (hall.state, hall.case.refund_due, hall.case.attention) == ("refunding", 0, None)
    accepted(hall.refunded(3000))
    assert (hall.state, hall.case.refunded) == ("refunded", 3000)


def test_a_refund_that_is_dropped_leaves_those_alone_that_failed():
    hall = GoodsIn()
    hall.refunding(5000)
    accepted(hall.refund_failed(2000))
    accepted(hall.order_says(dropped(3000)))
    assert (hall.state, hall.case.refund_due) == ("refunding", 2000)
    assert hall.case.attention == "refund of 20.00 EUR failed: account closed"


def test_money_that_comes_back_from_the_bank_is_owed_again():
    hall = GoodsIn()
    hall.refunding(5000)
    accepted(hall.refunded(5000))
    accepted(hall.order_says(RefundReturned(refund="rfd_1", amount=5000, reason="account closed")))
    assert (hall.state, hall.case.refunded, hall.case.refund_due) == ("refunding", 0, 5000)
    assert hall.case.attention == "refund of 50.00 EUR came back: account closed"
    accepted(hall.order_says(RefundSettled(refund="rfd_1", amount=5000)))
    assert (hall.state, hall.case.refunded) == ("refunded", 5000)
