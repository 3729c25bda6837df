"""Pieces that can't be delivered: the customer is asked whether to go on without them."""

from datetime import timedelta

import pytest

from statemachines.letters import ItemsUnavailable, OrderCancelled, PaymentReminder
from statemachines.order import (
    Cancel,
    Fulfill,
    GoOnWithout,
    OrderPolicy,
    ReportUnavailable,
)
from tests.statemachines.shop import ANNA, Seen
from tests.statemachines.store import Store, pieces, ship


def reported(store: Store, order: Seen, number: int = 1, quantity: int = 1) -> Seen:
    store.tell(order, ReportUnavailable(lines=pieces(number, quantity)))
    return order


def test_a_customer_is_asked_whether_to_go_on_without_what_is_not_there(store: Store):
    order = store.paid(MUG=2, POT=1)

    store.tell(order, ReportUnavailable(lines=pieces(1, 1), reason="broken"))

    (letter,) = store.letters(ItemsUnavailable)
    assert (order.state, order.attention) == ("customer_action_required", "broken")
    assert [(item.sku, item.quantity) for item in letter.items] == [("MUG", 1)]
    assert letter.answer_until == store.world.now + timedelta(days=3)


def test_a_customer_who_goes_on_gets_the_price_back(store: Store):
    order = reported(store, store.paid(MUG=2, POT=1))

    store.tell(order, GoOnWithout(), ANNA)
    store.refunded(order)

    assert (order.state, order.total, order.refunded, order.attention) == ("processing", 5250, 1250, None)


def test_pieces_that_are_not_there_do_not_return_to_the_shelf(store: Store):
    order = reported(store, store.paid(MUG=2, POT=1))

    store.tell(order, GoOnWithout(), ANNA)

    assert store.shelf() == (8, 0)
    assert [(line.removed, line.missing, line.unavailable) for line in store.lines(order)] == [(1, 1, 0), (0, 0, 0)]


def test_the_rest_is_sent(store: Store):
    order = reported(store, store.paid(MUG=2, POT=1))
    store.tell(order, GoOnWithout(), ANNA)

    store.tell(order, Fulfill())

    assert (order.state, store.counted(order, "shipped")) == ("fulfilled", [1, 1])


def test_of_money_that_is_only_held_less_is_taken(store: Store):
    order = reported(store, store.held(MUG=2))
    store.tell(order, GoOnWithout(), ANNA)
    assert order.refunding == 0

    store.tell(order, Fulfill())
    store.captured(order)

    assert (order.total, order.paid, order.authorized) == (1250, 1250, 0)


def test_a_customer_who_was_asked_may_call_the_order_off(store: Store):
    order = reported(store, store.paid(MUG=2), quantity=2)

    store.tell(order, Cancel(), ANNA)
    store.refunded(order)

    assert (order.state, order.refunded) == ("cancelled", 2500)


def test_a_customer_who_was_asked_after_a_parcel_left_asks_the_merchant_to_call_it_off(store: Store):
    order = store.paid(MUG=2, POT=1)
    store.tell(order, ship(2, 1))
    store.dispatch(store.last("shipment"))
    reported(store, order)

    assert "ask the merchant" in store.why(order, Cancel(), ANNA)


def test_with_nothing_left_there_is_nothing_to_go_on_with(store: Store):
    order = reported(store, store.paid(MUG=2), quantity=2)

    assert store.why(order, GoOnWithout(), ANNA) == "nothing would be left; cancel the order instead"


def test_an_order_of_a_customer_who_is_silent_is_called_off(store: Store):
    order = reported(store, store.paid(MUG=2))

    store.wait(days=3)
    store.refunded(order)

    assert (order.state, order.refunded) == ("cancelled", 2500)
    (letter,) = store.letters(OrderCancelled)
    assert letter.reason == "We did not hear from you whether to go on without what we can't deliver."
    assert letter.refund == 2500


def test_pieces_that_are_not_there_are_not_put_on_the_shelf_when_the_order_is_called_off(store: Store):
    reported(store, store.paid(MUG=2))

    store.wait(days=3)

    assert store.shelf() == (9, 0)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [(pieces(2, 1), "the order has no line 2"), (pieces(1, 3), "line 1: 3 to report, 2 not packed yet")],
)
def test_only_what_the_order_waits_for_is_reported(store: Store, lines: tuple, reason: str):
    assert store.why(store.paid(MUG=2), ReportUnavailable(lines=lines)) == reason


def test_an_order_whose_money_lapsed_while_the_customer_thought_is_to_be_paid():
    store = Store.stocked(order=OrderPolicy(customer_answer_within=timedelta(days=30)))
    order = reported(store, store.held(MUG=2))
    store.wait(days=7)

    store.tell(order, GoOnWithout(), ANNA)

    assert (order.state, order.total) == ("payment_due", 1250)
    assert [letter.total for letter in store.letters(PaymentReminder)] == [1250]
