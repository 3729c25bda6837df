"""What the shop gives back as a favour: the order costs as much as before, and it is not to be paid again."""

from statemachines.order import Edit, Refund, Retry
from statemachines.refund.events import Refuse
from tests.statemachines.shop import ANNA
from tests.statemachines.store import Store, asked, pieces


def test_what_was_given_as_a_favour_is_not_to_be_paid_again(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Refund(amount=500))
    store.refunded(order)

    store.tell(order, Edit(add=asked(MUG=1)), ANNA)

    assert order.state == "payment_due"
    assert order.total - order.covered == 1250


def test_what_was_given_as_a_favour_is_kept_when_pieces_are_taken_off(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Refund(amount=500))
    store.refunded(order)

    store.tell(order, Edit(remove=pieces(1, 1)), ANNA)
    store.refunded(order)

    assert (order.state, order.refunded) == ("processing", 500 + 1250)


def test_what_was_given_back_for_lines_is_not_given_again_when_they_are_taken_off(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Refund(lines=pieces(1, 1)))
    store.refunded(order)

    store.tell(order, Edit(remove=pieces(1, 1)), ANNA)

    assert (order.state, order.refunded, order.refunding) == ("processing", 1250, 0)


def test_a_favour_that_is_not_given_after_all_counts_as_paid(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Refund(amount=500), ANNA)
    assert (order.goodwill, order.covered) == (500, 2500)

    store.tell(store.last("refund"), Refuse(reason="no reason given"))

    assert (order.goodwill, order.covered) == (0, 2500)


def test_what_was_given_back_of_an_order_that_failed_is_to_be_paid_again(store: Store):
    order = store.paying(MUG=2)
    store.charged(order, 2499)
    store.tell(order, Refund(amount=500))
    store.refunded(order)

    store.tell(order, Retry())

    assert (order.state, order.total - order.covered) == ("pending", 501)
