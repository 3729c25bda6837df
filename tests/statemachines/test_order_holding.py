"""When an order waits for a person: on hold, looked at for fraud, failed, or with something to be seen to."""

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from statemachines.declaration import Role
from statemachines.letters import OrderConfirmed
from statemachines.order import (
    Clear,
    Dismiss,
    Edit,
    Fail,
    Fulfill,
    GoOnWithout,
    Hold,
    OrderPolicy,
    Pay,
    Refund,
    ReportUnavailable,
    Resume,
    Retry,
    Ship,
    Suspect,
)
from statemachines.refund.events import Refuse
from statemachines.values import MAX_AMOUNT
from tests.statemachines.shop import ANNA, MERCHANT, Seen
from tests.statemachines.store import Store, asked, pay


def reviewed(limit: int) -> Store:
    """Return a store that looks at larger orders first."""
    return Store.stocked(order=OrderPolicy(review_above=limit))


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

    assert order.state == "fraud_hold"  # the money is new, and so is the question whose it is


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


@pytest.mark.parametrize("answer", [Store.charged, Store.authorized])
def test_an_order_that_grew_beyond_the_limit_is_looked_at_when_it_is_paid(answer: Callable[..., object]):
    store = reviewed(2500)
    order = store.paid(MUG=2)
    store.tell(order, Edit(add=asked(POT=1)), ANNA)
    store.tell(order, Pay(method="tok_1", take="now" if answer is Store.charged else "later"), ANNA)

    answer(store, order)

    assert (order.state, order.attention) == ("fraud_hold", "look for fraud: the order is above 25.00 EUR")


# -- what was seen to


def test_what_was_seen_to_calls_nobody_any_more(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Refund(amount=500), ANNA)
    store.tell(store.last("refund"), Refuse(reason="no"))
    assert order.attention == "refund of 5.00 EUR dropped: no"

    store.tell(order, Dismiss())

    assert (order.state, order.attention) == ("processing", None)
    assert store.why(order, Dismiss()) == "nothing asks for attention"


# -- who may ask


@pytest.mark.parametrize("event", [Hold, Resume, Suspect, Clear, Fail, Retry, ReportUnavailable])
def test_only_the_merchant_runs_the_shop(event: type[Hold]):
    assert event.raised_by == {Role.MERCHANT}


def test_the_customer_decides_whether_to_go_on():
    assert GoOnWithout.raised_by == {ANNA.role, MERCHANT.role}


def test_to_report_nothing_is_no_report():
    with pytest.raises(ValidationError, match="lines"):
        ReportUnavailable(lines=())
