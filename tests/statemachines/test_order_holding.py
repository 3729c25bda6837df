"""When an order waits for a person: on hold, looked at for fraud, failed, or with pieces that can't be delivered."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pydantic import ValidationError

from statemachines.declaration import Role
from statemachines.letters import ItemsUnavailable, OrderCancelled, OrderConfirmed, PaymentReminder
from statemachines.order import (
    Cancel,
    Clear,
    Fail,
    Fulfill,
    GoOnWithout,
    Hold,
    OrderPolicy,
    ReportUnavailable,
    Resume,
    Retry,
    Ship,
    Suspect,
)
from statemachines.values import MAX_AMOUNT
from tests.statemachines.shop import ANNA, MERCHANT, Seen
from tests.statemachines.store import Store, pay, pieces, ship


def reviewed(limit: int) -> Store:
    """Return a store that looks at larger orders first."""
    return Store.stocked(order=OrderPolicy(review_above=limit))


def reported(store: Store, order: Seen, number: int = 1, quantity: int = 1) -> Seen:
    store.tell(order, ReportUnavailable(lines=pieces(number, quantity)))
    return order


# -- on hold


def test_work_stops_on_an_order_that_is_held(store: Store):
    order = store.paid(MUG=2)

    store.tell(order, Hold(reason="the address is odd"))

    assert (order.state, order.attention) == ("on_hold", "the address is odd")
    assert store.why(order, Fulfill()).startswith("order in state 'on_hold' takes no 'fulfill'")


def test_work_goes_on_where_it_stood(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Hold(reason="the address is odd"))

    store.tell(order, Resume())

    assert (order.state, order.attention) == ("processing", None)


def test_an_order_is_held_as_long_as_it_takes(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Hold(reason="wait"))

    store.wait(days=60)

    assert order.state == "on_hold"


def test_a_person_is_told_of_money_that_lapsed_and_it_is_to_be_paid_when_the_order_goes_on(store: Store):
    order = store.held(MUG=2)
    store.tell(order, Hold(reason="wait"))
    store.wait(days=7)
    assert (order.state, order.attention) == (
        "on_hold",
        "25.00 EUR are no longer held: the bank no longer holds it ready",
    )

    store.tell(order, Resume())

    assert (order.state, order.attention) == ("payment_due", None)


# -- looked at for fraud


@pytest.mark.parametrize("how", [Store.paid, Store.held])
def test_a_large_order_is_looked_at_once_it_is_paid(how: Callable[..., Seen]):
    store = reviewed(2499)

    order = how(store, MUG=2)

    assert (order.state, order.attention) == ("fraud_hold", "look for fraud: the order is above 24.99 EUR")
    assert store.chat == [f"Order {order.id} needs attention: 25.00 EUR are paid; clear the order, or cancel it"]


@pytest.mark.parametrize("how", [Store.paid, Store.held])
def test_an_order_that_is_looked_at_has_its_pieces_and_is_confirmed(how: Callable[..., Seen]):
    store = reviewed(2499)

    order = how(store, MUG=2)

    assert (order.state, order.stock_held, order.paid_at) == ("fraud_hold", "taken", store.world.now)
    assert (store.shelf(), len(store.letters(OrderConfirmed))) == ((8, 0), 1)


@pytest.mark.parametrize("limit", [None, 2500, MAX_AMOUNT])
def test_an_order_up_to_the_limit_is_not_looked_at(limit: int | None):
    store = Store.stocked(order=OrderPolicy(review_above=limit))

    assert store.paid(MUG=2).state == "processing"


def test_an_order_that_is_held_ready_is_looked_at_too():
    assert reviewed(2499).held(MUG=2).state == "fraud_hold"


def test_an_order_is_looked_at_only_once_all_of_it_is_paid():
    store = reviewed(0)
    order = store.pending(MUG=2)

    store.tell(order, pay(1000), ANNA)
    store.charged(order)
    assert order.state == "pending"
    store.tell(order, pay(take="later"), ANNA)
    store.authorized(order)

    assert order.state == "fraud_hold"


def test_a_wrong_payment_is_settled_before_fraud_is_looked_for():
    store = reviewed(0)
    order = store.paying(MUG=2)

    store.charged(order, 2501)

    assert (order.state, order.attention) == ("failed", "25.01 EUR taken, 25.00 EUR asked")


def test_an_order_that_is_no_fraud_goes_on():
    store = reviewed(0)
    order = store.paid(MUG=2)

    store.tell(order, Clear())

    assert (order.state, order.attention) == ("processing", None)


def test_a_person_may_suspect_any_order(store: Store):
    order = store.paid(MUG=2)

    store.tell(order, Suspect(reason="seven cards"))

    assert (order.state, order.attention) == ("fraud_hold", "seven cards")


def test_a_person_is_reminded_of_an_order_that_nobody_looks_at():
    store = reviewed(0)
    order = store.paid(MUG=2)

    store.wait(hours=48)

    assert (order.state, len(store.chat)) == ("fraud_hold", 2)


def test_an_order_that_is_paid_late_is_looked_at_too():
    store = reviewed(0)
    order = store.paying(MUG=2)
    store.wait(hours=24)
    assert order.state == "failed"

    store.charged(order)

    assert (order.state, order.paid, order.stock_held, order.paid_at) == ("fraud_hold", 2500, "taken", store.world.now)
    assert order.attention == "look for fraud: the order is above 0.00 EUR"
    assert len(store.letters(OrderConfirmed)) == 1
    assert store.chat[-1] == f"Order {order.id} needs attention: 25.00 EUR are paid; clear the order, or cancel it"


def test_an_order_whose_money_lapsed_meanwhile_is_to_be_paid_before_it_goes_on():
    store = reviewed(0)
    order = store.held(MUG=2)
    store.wait(days=7)

    store.tell(order, Clear())
    assert order.state == "payment_due"
    store.tell(order, pay(), ANNA)
    store.charged(order)

    assert order.state == "processing"


def test_money_that_is_held_late_is_looked_at_too():
    store = reviewed(0)
    order = store.pending(MUG=2)
    store.tell(order, pay(take="later"), ANNA)
    store.wait(hours=24)

    store.authorized(order)

    assert (order.state, order.authorized, order.stock_held) == ("fraud_hold", 2500, "taken")
    assert order.attention == "look for fraud: the order is above 0.00 EUR"
    assert len(store.letters(OrderConfirmed)) == 1
    assert store.chat[-1] == f"Order {order.id} needs attention: 25.00 EUR are paid; clear the order, or cancel it"


# -- failed


def test_a_paid_order_that_failed_is_processed_on(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Fail(reason="the last mug is broken"))
    assert (order.state, order.attention) == ("failed", "the last mug is broken")

    store.tell(order, Retry())

    assert (order.state, order.attention, store.shelf()) == ("processing", None, (8, 0))


def test_an_order_that_is_packed_does_not_fail(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Ship())

    assert store.why(order, Fail(reason="broken")) == "2 pieces are packed already"


def test_a_failed_order_whose_money_lapsed_is_to_be_paid_anew(store: Store):
    order = store.held(MUG=2)
    store.tell(order, Fail(reason="broken"))
    store.wait(days=7)

    store.tell(order, Retry())
    assert order.state == "pending"
    store.tell(order, pay(), ANNA)
    store.charged(order)

    assert (order.state, order.paid, store.shelf()) == ("processing", 2500, (8, 0))


# -- pieces that can't be delivered


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


# -- who may ask


@pytest.mark.parametrize("event", [Hold, Resume, Suspect, Clear, Fail, Retry, ReportUnavailable])
def test_only_the_merchant_runs_the_shop(event: type[Hold]):
    assert event.raised_by == {Role.MERCHANT}


def test_the_customer_decides_whether_to_go_on():
    assert GoOnWithout.raised_by == {ANNA.role, MERCHANT.role}


def test_to_report_nothing_is_no_report():
    with pytest.raises(ValidationError, match="lines"):
        ReportUnavailable(lines=())
