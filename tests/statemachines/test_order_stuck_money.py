"""When money can't be let go or given back while an order is called off, and how a person gets it out."""

from statemachines.order import Cancel, Refund, Resume, Retry
from statemachines.payment.events import Retry as RetryPayment
from statemachines.payment.events import Settle as SettlePayment
from statemachines.payments import REFUND, VOID
from statemachines.refund.events import Cancel as CancelRefund
from statemachines.refund.events import Clarify, Settle
from statemachines.refund.events import Retry as RetryRefund
from tests.statemachines.shop import ANNA, Seen
from tests.statemachines.store import Store, pay


def refused(store: Store) -> Seen:
    """Return an order of which the gateway refused to give the money back."""
    order = store.paid(MUG=2)
    store.tell(order, Cancel())
    store.refund_refused(order)
    return order


def silent(store: Store) -> Seen:
    """Return an order of which the gateway has not said whether it gave the money back."""
    order = store.paid(MUG=2)
    store.tell(order, Cancel())
    store.wait(hours=24)
    return order


def not_let_go(store: Store) -> Seen:
    """Return an order of which the gateway refused to let the money go."""
    order = store.held(MUG=2)
    store.tell(order, Cancel())
    store.void_refused(order)
    return order


# -- the money can't be let go


def test_a_void_that_is_refused_is_for_a_person_to_settle(store: Store):
    order = not_let_go(store)

    assert (order.state, order.undoing, order.authorized) == ("cancellation_failed", "undo_payment", 2500)
    assert order.attention == "a payment is stuck: too late"


def test_a_void_that_is_not_answered_is_for_a_person_to_settle(store: Store):
    order = store.held(MUG=2)
    store.tell(order, Cancel())

    store.wait(hours=24)

    assert (order.state, order.attention) == (
        "cancellation_failed",
        "a payment is stuck: no answer from the payment gateway",
    )


def test_a_void_may_be_asked_for_once_more(store: Store):
    order = not_let_go(store)

    store.tell(order, Retry())
    assert (order.state, len(store.asked_of(VOID))) == ("cancelling", 2)
    store.voided(order)

    assert (order.state, order.authorized) == ("cancelled", 0)


def test_a_void_may_be_asked_for_once_more_at_the_payment(store: Store):
    order = not_let_go(store)

    store.tell(store.last("payment"), RetryPayment())
    store.voided(order)

    assert (order.state, order.authorized) == ("cancelled", 0)


def test_what_a_person_let_go_at_the_gateway_is_let_go(store: Store):
    order = not_let_go(store)

    store.tell(store.last("payment"), SettlePayment(reason="let go by hand"))

    assert (order.state, order.authorized) == ("cancelled", 0)


def test_money_that_is_taken_instead_is_given_back(store: Store):
    order = store.paying(MUG=2)
    store.tell(order, Cancel(), ANNA)
    store.wait(hours=24)
    assert (order.state, order.asked) == ("cancellation_failed", 2500)

    store.charged(order)
    assert order.attention == "25.00 EUR came late; cancel the order to give it back, or take it up again"
    store.tell(order, Retry())
    store.refunded(order)

    assert (order.state, order.refunded) == ("cancelled", 2500)


# -- the money can't be given back


def test_a_refund_that_is_refused_is_for_a_person_to_settle(store: Store):
    order = refused(store)

    assert (order.state, order.undoing, order.refund_due) == ("cancellation_failed", "undo_payment", 2500)
    assert order.attention == "refund of 25.00 EUR failed: account closed"


def test_a_refund_may_be_asked_for_once_more(store: Store):
    order = refused(store)

    store.tell(order, Retry())
    assert (order.state, order.refund_due, order.refunding) == ("cancelling", 0, 2500)
    store.refunded(order)

    assert (order.state, order.refunded, order.attention) == ("cancelled", 2500, None)


def test_a_refund_may_be_asked_for_once_more_at_the_refund(store: Store):
    order = refused(store)

    store.tell(store.last("refund"), RetryRefund())
    store.refunded(order)

    assert (order.state, order.refunded) == ("cancelled", 2500)


def test_money_that_is_given_back_by_hand_ends_the_cancellation(store: Store):
    order = refused(store)

    store.tell(store.last("refund"), Settle(reason="by bank transfer"))

    assert (order.state, order.refunded, order.refund_due, order.attention) == ("cancelled", 2500, 0, None)


def test_a_refund_that_somebody_drops_is_for_a_person_to_settle(store: Store):
    order = refused(store)

    store.tell(store.last("refund"), CancelRefund(reason="he has the money"))
    assert (order.state, order.refund_due) == ("cancellation_failed", 0)
    store.tell(order, Retry())
    store.refunded(order)

    assert (order.state, order.refunded) == ("cancelled", 2500)


def test_a_refund_that_is_not_answered_is_for_a_person_to_clarify(store: Store):
    order = silent(store)
    assert (order.state, order.refund_due) == ("cancellation_failed", 2500)

    store.tell(store.last("refund"), Clarify(given=True, reason="as the gateway shows"))

    assert (order.state, order.refunded) == ("cancelled", 2500)


def test_a_refund_that_is_not_answered_is_not_given_twice(store: Store):
    order = silent(store)

    store.tell(order, Retry())

    assert (order.state, len(store.asked_of(REFUND))) == ("cancelling", 1)


def test_a_refund_that_was_not_given_as_a_person_found_out_is_asked_for_once_more(store: Store):
    order = silent(store)
    store.tell(store.last("refund"), Clarify(given=False, reason="as the gateway shows"))

    store.tell(order, Retry())
    store.refunded(order)

    assert (order.state, order.refunded) == ("cancelled", 2500)


def test_a_refund_that_was_given_in_another_way_ends_the_cancellation(store: Store):
    order = silent(store)
    store.tell(order, Retry())
    store.tell(store.last("refund"), Clarify(given=False, reason="as the gateway shows"))
    assert (order.state, order.refund_due) == ("cancelling", 2500)

    store.tell(store.last("refund"), Settle(reason="by bank transfer"))

    assert (order.state, order.refunded, order.refund_due) == ("cancelled", 2500, 0)


def test_a_refund_that_is_answered_late_ends_the_cancellation(store: Store):
    order = silent(store)

    store.refunded(order)

    assert (order.state, order.refunded, order.refund_due) == ("cancelled", 2500, 0)


def test_of_two_payments_the_one_that_fails_is_left(store: Store):
    order = store.pending(MUG=2)
    for amount in (1000, 1500):
        store.tell(order, pay(amount), ANNA)
        store.charged(order)
    store.tell(order, Cancel())
    store.refund_refused(order)
    store.refunded(order)
    assert (order.state, order.refund_due, order.refunded) == ("cancellation_failed", 1000, 1500)

    store.tell(order, Retry())
    store.refunded(order)

    assert (order.state, order.refunded) == ("cancelled", 2500)


def test_an_order_of_which_money_was_given_back_does_not_go_on(store: Store):
    assert store.why(refused(store), Resume()) == "pieces or money were given back already"


def test_a_refund_that_comes_back_while_the_order_is_called_off_is_for_a_person_to_settle(store: Store):
    order = store.pending(MUG=2)
    for amount in (1000, 1500):
        store.tell(order, pay(amount), ANNA)
        store.charged(order)
    store.tell(order, Cancel())
    store.refunded(order)
    assert order.state == "cancelling"

    store.came_back(store.all("refund")[0])
    assert (order.state, order.refund_due, order.refunding) == ("cancellation_failed", 1000, 1500)
    store.tell(order, Retry())
    store.refunded(order)
    store.refunded(order)

    assert (order.state, order.refunded) == ("cancelled", 2500)


def test_a_refund_that_waits_for_a_dispute_and_is_dropped_is_for_a_person_to_settle(store: Store):
    order = store.pending(MUG=2)
    for amount in (1000, 1500):
        store.tell(order, pay(amount), ANNA)
        store.charged(order)
    store.claims(store.last("payment"), 1)
    store.tell(order, Cancel())
    assert store.last("refund").state == "approved"

    store.tell(store.last("refund"), CancelRefund(reason="the bank gives it back"))

    assert (order.state, order.refunding) == ("cancellation_failed", 1000)
    assert store.chat[-1] == f"Order {order.id} needs attention: refund dropped"


def test_a_payment_that_is_declined_late_ends_the_cancellation(store: Store):
    order = store.paying(MUG=2)
    store.tell(order, Cancel(), ANNA)
    store.wait(hours=24)
    assert order.state == "cancellation_failed"

    store.declined(order)

    assert (order.state, order.asked, store.shelf()) == ("cancelled", 0, (10, 0))


def test_money_that_is_held_late_is_let_go_and_ends_the_cancellation(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, pay(take="later"), ANNA)
    store.tell(order, Cancel(), ANNA)
    store.wait(hours=24)
    assert order.state == "cancellation_failed"

    store.authorized(order)
    assert (order.state, order.authorized) == ("cancellation_failed", 2500)
    store.voided(order)

    assert (order.state, order.authorized, store.shelf()) == ("cancelled", 0, (10, 0))


def test_what_somebody_dropped_after_the_order_was_called_off_is_given_back_after_all(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Cancel())
    store.refunded(order)
    store.came_back(store.last("refund"))
    store.tell(store.last("refund"), CancelRefund(reason="he has the money"))
    assert (order.state, order.refundable) == ("cancelled", 2500)

    store.tell(order, Refund())
    store.refunded(order)

    assert (order.state, order.refunded) == ("cancelled", 2500)
