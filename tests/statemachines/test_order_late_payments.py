"""When nobody knows what became of an order's payment, and the answer that comes late."""

from statemachines.letters import OrderConfirmed
from statemachines.order import Cancel, OrderPolicy, Retry
from statemachines.payments import AUTHORIZE, CHARGE, CustomerActionRequired
from tests.statemachines.shop import ANNA, Seen
from tests.statemachines.store import Store, pay


def silent(store: Store, **pieces: int) -> Seen:
    """Return an order whose payment the gateway has not answered in a day."""
    order = store.paying(**pieces)
    store.wait(hours=24)
    return order


# -- a payment whose outcome nobody knows


def test_an_unanswered_charge_is_shown_to_a_person_after_a_day(store: Store):
    order = silent(store, MUG=2)

    assert (order.state, order.attention) == ("failed", "a payment is stuck: no answer from the payment gateway")
    assert (order.asked, order.stock_held) == (2500, "reserved")


def test_an_unknown_payment_blocks_another_try(store: Store):
    order = silent(store, MUG=2)

    assert store.why(order, Retry()) == "a payment of 25.00 EUR has no known outcome yet"


def test_an_unknown_payment_is_called_off_before_the_order_is(store: Store):
    order = silent(store, MUG=2)

    store.tell(order, Cancel())

    assert (order.state, store.last("payment").state, order.asked) == ("cancelled", "voided", 0)


def test_a_late_charge_takes_a_failed_order_up_again(store: Store):
    order = silent(store, MUG=2)

    store.charged(order)

    assert (order.state, order.paid, order.stock_held, order.attention) == ("processing", 2500, "taken", None)
    assert store.shelf() == (8, 0)


def test_a_late_charge_of_another_amount_is_for_a_person_to_settle(store: Store):
    order = silent(store, MUG=2)

    store.charged(order, 2501)

    assert (order.state, order.paid, order.stock_held) == ("failed", 2501, "reserved")
    assert order.attention == "25.01 EUR came late; cancel the order to give it back, or take it up again"


def test_a_late_charge_for_an_order_that_gave_its_pieces_back_is_for_a_person_to_settle():
    store = Store.stocked(order=OrderPolicy(payment_tries=1))
    order = store.paying(MUG=2)
    store.answer(order, CHARGE, lambda _: CustomerActionRequired(payment="pi_1"))
    store.wait(hours=1)
    store.voided(order)
    assert (order.state, order.stock_held) == ("failed", "nothing")

    store.charged(order)
    assert (order.state, order.paid, order.stock_held) == ("failed", 2500, "nothing")
    store.tell(order, Retry())

    assert (order.state, order.stock_held, order.paid_at) == ("processing", "taken", store.world.now)
    assert (store.shelf(), len(store.letters(OrderConfirmed))) == ((8, 0), 1)


def test_an_order_that_is_paid_late_is_not_taken_up_without_its_pieces():
    store = Store.stocked(order=OrderPolicy(payment_tries=1))
    order = store.paying(POT=4)
    store.answer(order, CHARGE, lambda _: CustomerActionRequired(payment="pi_1"))
    store.wait(hours=1)
    store.voided(order)
    store.charged(order)
    store.pending(POT=3)

    assert store.why(order, Retry()) == "not in stock: POT: 4 asked, 2 available"
    assert (order.state, order.stock_held) == ("failed", "nothing")


def test_a_customer_does_not_cancel_a_failed_order_of_which_money_was_taken(store: Store):
    order = store.paying(MUG=2)
    store.charged(order, 2499)

    assert store.why(order, Cancel(), ANNA) == "the order is paid; ask the merchant to cancel it"


def test_a_person_may_take_more_money_than_was_asked_for_as_paid(store: Store):
    order = store.paying(MUG=2)
    store.charged(order, 2501)

    store.tell(order, Retry())

    assert (order.state, order.attention, store.shelf()) == ("processing", None, (8, 0))


def test_a_late_decline_lets_a_failed_order_be_tried_again(store: Store):
    order = silent(store, MUG=2)

    store.declined(order)
    assert order.state == "failed"
    store.tell(order, Retry())

    assert (order.state, order.payment_tries, store.stock().reserved) == ("pending", 0, 2)


def not_confirmed(store: Store, take: str) -> Seen:
    """Return an order of which a part was let go that the customer did not confirm in time."""
    order = store.pending(MUG=2)
    store.tell(order, pay(1000, take), ANNA)
    asks = CustomerActionRequired(payment="pi_1")
    store.answer(order, CHARGE if take == "now" else AUTHORIZE, lambda _: asks)
    store.wait(hours=1)
    store.voided(order)
    return order


def test_a_part_that_is_taken_after_it_was_let_go_is_counted(store: Store):
    order = not_confirmed(store, "now")

    store.charged(order)

    assert (order.state, order.paid, order.asked) == ("pending", 1000, 0)


def test_a_part_that_is_held_after_it_was_let_go_is_counted_until_it_is_let_go_again(store: Store):
    order = not_confirmed(store, "later")

    store.authorized(order)
    assert (order.state, order.authorized) == ("pending", 1000)
    store.voided(order)

    assert (order.state, order.authorized) == ("pending", 0)
