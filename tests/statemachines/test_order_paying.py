"""How an order is paid: by one payment or several, at once or later, and what becomes of one that is not paid."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from statemachines.declaration import Role
from statemachines.letters import OrderCancelled, OrderConfirmed, PaymentFailed
from statemachines.order import Cancel, Edit, Expire, OrderPolicy, Pay, Retry
from statemachines.payment import news
from statemachines.payment.events import Confirm
from statemachines.payments import CHARGE, CustomerActionRequired
from statemachines.values import MAX_AMOUNT
from tests.statemachines.shop import ANNA, Seen
from tests.statemachines.store import Store, asked, pay


def thrice_declined(store: Store, **pieces: int) -> Seen:
    order = store.pending(**pieces)
    for _ in range(3):
        store.tell(order, pay(), ANNA)
        store.declined(order)
    return order


# -- by one payment


def test_paying_asks_the_gateway_for_the_total(store: Store):
    order = store.paying(MUG=2)

    (call,) = store.asked_of(CHARGE)
    assert call.model_dump() == {"amount": 2500, "currency": "EUR", "method": "tok_approve", "order": order.id}
    assert (order.state, order.asked, order.paid) == ("paying", 2500, 0)


def test_a_charged_order_is_processed_and_takes_its_pieces(store: Store):
    order = store.paid(MUG=2)

    assert (order.state, order.paid, order.asked, order.stock_held) == ("processing", 2500, 0, "taken")
    assert (order.paid_at, store.shelf()) == (store.world.now, (8, 0))


def test_a_paid_order_is_confirmed_by_mail(store: Store):
    store.paid(MUG=2)

    (letter,) = store.letters(OrderConfirmed)
    assert (letter.total, [line.quantity for line in letter.lines]) == (2500, [2])


def test_an_order_being_paid_does_not_expire(store: Store):
    order = store.paying(MUG=2)

    store.wait(hours=23)

    assert (order.state, store.stock().reserved) == ("paying", 2)


def test_an_unpaid_order_expires_and_gives_its_pieces_back(store: Store):
    order = store.pending(MUG=3)

    store.wait(minutes=30)

    assert (order.state, order.stock_held, store.shelf()) == ("cancelled", "nothing", (10, 0))


def test_a_customer_is_told_that_the_order_was_not_paid_in_time(store: Store):
    store.pending(MUG=3)

    store.wait(minutes=30)

    assert [(each.reason, each.refund) for each in store.letters(OrderCancelled)] == [("It was not paid in time.", 0)]


def test_a_customer_is_told_that_a_part_is_given_back_as_the_rest_was_not_paid_in_time(store: Store):
    order = store.pending(MUG=3)
    store.tell(order, pay(1000), ANNA)
    store.charged(order)

    store.wait(minutes=30)

    assert [each.refund for each in store.letters(OrderCancelled)] == [1000]


def test_the_shop_chooses_when_unpaid_orders_expire():
    store = Store.stocked(order=OrderPolicy(expire_after=timedelta(minutes=5)))
    order = store.pending(MUG=3)

    store.wait(minutes=5)

    assert order.state == "cancelled"


def test_an_order_that_is_paid_is_not_paid_twice(store: Store):
    order = store.paying(MUG=2)

    assert store.why(order, pay(), ANNA) == "everything is paid, held ready or being paid already"


def test_a_payment_without_a_method_waits_for_the_customer_to_say(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, Pay(), ANNA)
    assert (order.state, store.last("payment").state, store.asked_of(CHARGE)) == ("paying", "created", [])

    store.tell(store.last("payment"), Confirm(method="tok_approve"), ANNA)
    store.charged(order)

    assert order.state == "processing"


def test_a_payment_of_which_nobody_says_with_what_is_one_try_less(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, Pay(), ANNA)

    store.wait(hours=1)

    assert (order.state, order.asked, order.payment_tries) == ("pending", 0, 1)


def test_a_customer_who_has_to_confirm_is_told_where(store: Store):
    order = store.paying(MUG=2)

    asks = CustomerActionRequired(payment="pi_1", url="https://bank.example/3ds")
    store.answer(order, CHARGE, lambda _: asks)
    assert (order.state, order.payment_url) == ("paying", "https://bank.example/3ds")
    store.charged(order)

    assert (order.state, order.payment_url, order.attention) == ("processing", None, None)


# -- declined


def test_a_declined_order_waits_for_another_payment(store: Store):
    order = store.paying(MUG=2)

    store.declined(order)

    assert (order.state, order.payment_tries, order.attention) == ("pending", 1, "declined: no funds")
    assert (order.asked, order.stock_held, store.stock().reserved) == (0, "reserved", 2)


def test_a_customer_is_told_how_often_it_may_be_tried_again(store: Store):
    thrice_declined(store, MUG=2)

    assert [letter.tries_left for letter in store.letters(PaymentFailed)] == [2, 1, 0]


def test_a_thrice_declined_order_fails_and_gives_its_pieces_back(store: Store):
    order = thrice_declined(store, MUG=2)

    assert (order.state, order.payment_tries, order.stock_held) == ("failed", 3, "nothing")
    assert store.stock().available == 10


def test_the_shop_sees_to_what_was_paid_of_an_order_that_is_declined_too_often(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, pay(1000), ANNA)
    store.charged(order)

    for _ in range(3):
        store.tell(order, pay(), ANNA)
        store.declined(order)

    assert order.state == "failed"
    assert store.chat == [
        f"Order {order.id} needs attention: it failed, but 10.00 EUR are paid or held ready; retry or cancel it"
    ]
    assert [(letter.tries_left, letter.others) for letter in store.letters(PaymentFailed)][-1] == (0, 1000)


def test_nobody_is_told_that_a_paid_order_is_off_because_an_extra_payment_is_declined_again_and_again(store: Store):
    order = store.paid(MUG=1)
    store.tell(order, Edit(add=asked(POT=1)), ANNA)

    for _ in range(3):
        store.tell(order, pay(), ANNA)
        store.declined(order)

    assert order.state == "payment_due"
    assert [letter.tries_left for letter in store.letters(PaymentFailed)] == [2, 1, 1]


def test_the_shop_chooses_how_often_a_payment_may_be_declined():
    store = Store.stocked(order=OrderPolicy(payment_tries=1))
    order = store.paying(MUG=2)

    store.declined(order)

    assert order.state == "failed"


def test_a_retried_order_reserves_anew_what_it_gave_back(store: Store):
    order = thrice_declined(store, POT=4)
    other = store.pending(POT=3)

    assert store.why(order, Retry()) == "not in stock: POT: 4 asked, 2 available"
    store.tell(other, Cancel(), ANNA)
    store.tell(order, Retry())

    assert (order.state, order.payment_tries, store.shelf("POT")) == ("pending", 0, (5, 4))


def test_a_second_answer_to_one_charge_changes_nothing(store: Store):
    order = thrice_declined(store, MUG=2)
    before = order.version

    store.charged_late(store.last("payment"), 2500)

    assert (order.version, order.paid, order.state) == (before, 0, "failed")


# -- other money than was asked for


def test_a_charge_of_another_amount_is_for_a_person_to_settle(store: Store):
    order = store.paying(MUG=2)

    store.charged(order, 2499)

    assert (order.state, order.paid, order.attention) == ("failed", 2499, "24.99 EUR taken, 25.00 EUR asked")
    assert store.chat == [f"Order {order.id} needs attention: 24.99 EUR came that nobody waited for"]


def test_what_a_wrong_charge_lacks_can_be_paid_after_all(store: Store):
    order = store.paying(MUG=2)
    store.charged(order, 2499)
    store.tell(order, Retry())

    store.tell(order, pay(), ANNA)
    store.charged(order)

    assert (order.state, order.paid) == ("processing", 2500)
    assert [call.amount for call in store.asked_of(CHARGE)] == [2500, 1]


def test_a_wrong_charge_is_given_back_when_the_order_is_cancelled(store: Store):
    order = store.paying(MUG=2)
    store.charged(order, 2499)

    store.tell(order, Cancel())
    assert (order.state, order.refunding) == ("cancelling", 2499)
    store.refunded(order)

    assert (order.state, order.refunded, store.stock().available) == ("cancelled", 2499, 10)


def test_a_charge_in_another_currency_is_for_a_person_to_settle(store: Store):
    order = store.paying(MUG=2)

    store.charged(order, currency="USD")

    assert (order.state, order.paid, order.asked) == ("failed", 0, 2500)
    assert order.attention == "a payment is stuck: 25.00 USD taken, 25.00 EUR asked"


# -- nothing to pay


def test_an_order_that_costs_nothing_needs_no_gateway(store: Store):
    store.sells("LEAFLET", price=0)
    order = store.pending(LEAFLET=2)

    store.tell(order, Pay(), ANNA)

    assert (order.state, order.stock_held, order.paid) == ("processing", "taken", 0)
    assert (store.asked_of(CHARGE), store.all("payment")) == ([], [])


def test_an_order_that_costs_nothing_is_confirmed_like_any_other(store: Store):
    store.sells("LEAFLET", price=0)
    order = store.pending(LEAFLET=2)

    store.tell(order, Pay(), ANNA)

    assert (order.paid_at, [letter.total for letter in store.letters(OrderConfirmed)]) == (store.world.now, [0])


def test_an_order_that_the_shop_gives_away_needs_no_gateway(store: Store):
    order = store.submitted(store.discounted(2500, MUG=2))

    store.tell(order, Pay(), ANNA)

    assert (order.state, store.shelf()) == ("processing", (8, 0))


def test_an_order_that_costs_nothing_is_called_off_at_once(store: Store):
    store.sells("LEAFLET", price=0)
    order = store.pending(LEAFLET=2)
    store.tell(order, Pay(), ANNA)

    store.tell(order, Cancel(), ANNA)

    assert (order.state, store.shelf("LEAFLET")) == ("cancelled", (10, 0))


# -- other currencies


@pytest.mark.parametrize(
    ("currency", "text"),
    [("JPY", "1251 JPY to pay, but only 1250 JPY"), ("KWD", "1.251 KWD to pay, but only 1.250 KWD")],
)
def test_amounts_are_told_in_the_units_of_their_currency(store: Store, currency: str, text: str):
    store.sells("FAN", price=1250, currency=currency)
    order = store.pending(FAN=1)

    assert store.why(order, pay(1251), ANNA) == f"{text} are left"


# -- what is not even asked


@pytest.mark.parametrize("amount", [0, -1, MAX_AMOUNT + 1, 2**63, 2**64, "1", 1.5, True])
def test_a_payment_is_a_positive_whole_number_of_minor_units(amount: object):
    with pytest.raises(ValidationError, match="amount"):
        Pay.model_validate({"amount": amount})


@pytest.mark.parametrize("event", [Expire, news.Charged, news.Authorized, news.Declined, news.Released])
def test_nobody_raises_over_http_what_the_system_finds_out(event: type):
    assert event.raised_by == frozenset()


def test_only_the_merchant_takes_up_what_failed():
    assert Retry.raised_by == {Role.MERCHANT}
