"""How an order is paid by several payments, and by money that is held ready."""

import pytest

from statemachines.letters import PaymentFailed
from statemachines.order import OrderPolicy
from statemachines.payments import AUTHORIZE, CustomerActionRequired
from statemachines.values import MAX_AMOUNT
from tests.statemachines.shop import ANNA
from tests.statemachines.store import Store, pay

# -- by several payments


def test_an_order_is_paid_in_parts_one_after_the_other(store: Store):
    order = store.pending(MUG=2)

    store.tell(order, pay(1000), ANNA)
    store.charged(order)
    assert (order.state, order.paid) == ("pending", 1000)
    store.tell(order, pay(), ANNA)
    store.charged(order)

    assert (order.state, order.paid) == ("processing", 2500)
    assert [payment.amount for payment in store.all("payment")] == [1000, 1500]


def test_an_order_is_paid_in_parts_at_the_same_time(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, pay(1000), ANNA)
    store.tell(order, pay(1500), ANNA)
    assert (order.state, order.asked) == ("paying", 2500)

    store.charged(order)
    assert (order.state, order.asked, order.paid) == ("paying", 1500, 1000)
    store.charged(order)

    assert (order.state, order.asked, order.paid) == ("processing", 0, 2500)


def test_one_part_may_be_held_while_the_other_is_taken(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, pay(1000), ANNA)
    store.tell(order, pay(1500, "later"), ANNA)

    store.authorized(order)
    store.charged(order)

    assert (order.state, order.paid, order.authorized) == ("processing", 1000, 1500)


def test_a_part_that_is_declined_leaves_the_other_open(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, pay(1000), ANNA)
    store.tell(order, pay(1500), ANNA)

    store.declined(order)
    assert (order.state, order.asked, order.payment_tries) == ("paying", 1500, 1)
    assert [letter.amount for letter in store.letters(PaymentFailed)] == [1000]
    store.charged(order)

    assert (order.state, order.paid, order.asked) == ("pending", 1500, 0)


def test_only_what_a_declined_part_lacks_is_paid_anew(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, pay(1000), ANNA)
    store.charged(order)
    store.tell(order, pay(1500), ANNA)
    store.declined(order)

    store.tell(order, pay(), ANNA)
    store.charged(order)

    assert (order.state, order.paid, order.payment_tries) == ("processing", 2500, 0)


@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        (1501, "15.01 EUR to pay, but only 15.00 EUR are left"),
        (MAX_AMOUNT, "10000000000.00 EUR to pay, but only 15.00 EUR are left"),
    ],
)
def test_a_part_is_never_more_than_is_left(store: Store, amount: int, reason: str):
    order = store.pending(MUG=2)
    store.tell(order, pay(1000), ANNA)

    assert store.why(order, pay(amount), ANNA) == reason


def test_an_order_of_which_a_part_was_paid_expires_and_gives_it_back(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, pay(1000), ANNA)
    store.charged(order)

    store.wait(minutes=30)
    assert (order.state, order.refunding) == ("cancelling", 1000)
    store.refunded(order)

    assert (order.state, order.refunded, store.shelf()) == ("cancelled", 1000, (10, 0))


def test_a_part_that_is_charged_late_completes_the_payment(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, pay(1000), ANNA)
    store.tell(order, pay(1500), ANNA)
    store.wait(hours=24)
    assert order.state == "failed"

    store.charged(order)
    assert (order.state, order.attention) == (
        "failed",
        "10.00 EUR came late; cancel the order to give it back, or take it up again",
    )
    store.charged(order)

    assert (order.state, order.paid) == ("processing", 2500)


# -- held ready


def test_money_that_is_held_ready_lets_the_order_go_on(store: Store):
    order = store.held(MUG=2)

    assert (order.state, order.authorized, order.paid, order.stock_held) == ("processing", 2500, 0, "taken")
    assert order.paid_at == store.world.now


def test_the_shop_chooses_whether_money_is_held_first():
    store = Store.stocked(order=OrderPolicy(take="later"))

    store.paying(MUG=2)

    assert [call.amount for call in store.asked_of(AUTHORIZE)] == [2500]


def test_money_that_is_no_longer_held_has_to_be_paid_anew(store: Store):
    order = store.held(MUG=2)

    store.wait(days=7)

    assert (order.state, order.authorized) == ("payment_due", 0)
    assert order.attention == "25.00 EUR are no longer held: the bank no longer holds it ready"


def test_with_another_payment_the_order_goes_on(store: Store):
    order = store.held(MUG=2)
    store.wait(days=7)

    store.tell(order, pay(take="later"), ANNA)
    store.authorized(order)

    assert (order.state, order.authorized) == ("processing", 2500)


def test_what_is_held_too_late_is_not_counted_on(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, pay(take="later"), ANNA)
    payment = store.last("payment")
    asks = CustomerActionRequired(payment="pi_1", url="https://bank.example/3ds")
    store.answer(order, AUTHORIZE, lambda _: asks)
    store.wait(hours=1)
    store.voided(order)
    assert (payment.state, order.state) == ("voided", "pending")

    store.authorized(order)

    assert (payment.state, order.state, order.stock_held) == ("voiding", "pending", "reserved")


def test_another_amount_that_is_held_is_for_a_person_to_settle(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, pay(take="later"), ANNA)

    store.authorized(order, 2499)

    assert (order.state, order.authorized, order.attention) == ("failed", 2499, "24.99 EUR taken, 25.00 EUR asked")
    assert store.chat == [f"Order {order.id} needs attention: 24.99 EUR came that nobody waited for"]


def test_money_that_is_held_late_takes_a_failed_order_up_again(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, pay(take="later"), ANNA)
    store.wait(hours=24)
    assert order.state == "failed"

    store.authorized(order)

    assert (order.state, order.authorized, order.stock_held) == ("processing", 2500, "taken")


@pytest.mark.parametrize(("first", "amount"), [(2500, 2501), (1000, 1000)], ids=["too much", "a part"])
def test_money_that_is_held_late_and_is_not_all_is_for_a_person_to_settle(store: Store, first: int, amount: int):
    order = store.pending(MUG=2)
    store.tell(order, pay(first, "later"), ANNA)
    store.wait(hours=24)

    store.authorized(order, amount)

    assert (order.state, order.authorized, order.stock_held) == ("failed", amount, "reserved")
