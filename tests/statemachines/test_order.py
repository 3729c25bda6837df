"""The business rules of orders."""

import pytest

from statemachines.declaration import Role
from statemachines.order import (
    Abandon,
    Cancel,
    Complete,
    Create,
    Expire,
    Fail,
    Fulfill,
    LineAsked,
    LineReturned,
    OrderPolicy,
    Pay,
    RefundAgain,
    Retry,
    Return,
    Submit,
)
from statemachines.payments import CHARGE, REFUND, Charged, RefundFailed
from statemachines.product import Discontinue, Reprice
from statemachines.stock import Adjust
from tests.statemachines.shop import ANNA, BEN, MERCHANT, Shop, accepted, refused


@pytest.fixture
def shop() -> Shop:
    """Ten mugs at 12.50 EUR and five pots at 40.00 EUR are on the shelf."""
    shop = Shop()
    shop.sells("MUG", price=1250, on_hand=10)
    shop.sells("POT", price=4000, on_hand=5)
    return shop


def completed(shop: Shop, **pieces: int):
    order = shop.paid(**pieces)
    accepted(shop.tell(order, Fulfill(tracking="PN 1"), MERCHANT))
    accepted(shop.tell(order, Complete(), ANNA))
    return order


# -- placing an order


def test_prices_come_from_the_catalogue(shop: Shop):
    order = shop.draft(MUG=2, POT=1)

    assert (order.total, order.currency, order.customer) == (6500, "EUR", "anna")
    assert [(line.number, line.sku, line.quantity, line.unit_price) for line in shop.lines(order)] == [
        (1, "MUG", 2, 1250),
        (2, "POT", 1, 4000),
    ]


def test_a_later_price_does_not_touch_a_placed_order(shop: Shop):
    order = shop.draft(MUG=2)

    accepted(shop.tell(shop.product("MUG"), Reprice(price=9900)))

    assert order.total == 2500


def test_a_customer_orders_only_for_itself(shop: Shop):
    lines = (LineAsked(sku="MUG", quantity=1),)

    refusal = refused(shop.create("order", Create(lines=lines, customer="anna"), BEN))

    assert (refusal.guard, refusal.reason) == ("orders_for_itself", "a customer orders for itself only")
    accepted(shop.create("order", Create(lines=lines, customer="ben"), BEN))


def test_a_merchant_says_whose_order_it_is(shop: Shop):
    refusal = refused(shop.create("order", Create(), MERCHANT))
    accepted(shop.create("order", Create(customer="anna"), MERCHANT))

    assert refusal.reason == "say whose order it is: 'customer' is missing"
    assert shop.orders[-1].customer == "anna"


def test_currencies_never_mix(shop: Shop):
    shop.sells("CUP", currency="USD")
    lines = (LineAsked(sku="MUG", quantity=1), LineAsked(sku="CUP", quantity=1))

    refusal = refused(shop.create("order", Create(lines=lines), ANNA))

    assert refusal.reason == "the products are priced in different currencies: EUR, USD"
    assert not shop.orders


def test_what_the_catalogue_does_not_sell_cannot_be_ordered(shop: Shop):
    accepted(shop.tell(shop.product("MUG"), Discontinue()))
    lines = (LineAsked(sku="MUG", quantity=1), LineAsked(sku="SPOON", quantity=1))

    refusal = refused(shop.create("order", Create(lines=lines), ANNA))

    assert refusal.reason == "not in the catalogue: MUG, SPOON"


def test_a_total_stays_within_its_limit(shop: Shop):
    shop.sells("YACHT", price=10**12)

    refusal = refused(shop.create("order", Create(lines=(LineAsked(sku="YACHT", quantity=2),)), ANNA))

    assert refusal.guard == "total_in_range"


def test_a_reference_is_unique_for_ever(shop: Shop):
    accepted(shop.create("order", Create(reference="web-7"), ANNA))
    accepted(shop.tell(shop.orders[0], Cancel(), ANNA))

    refusal = refused(shop.create("order", Create(reference="web-7"), BEN))

    assert refusal.reason == "an order with the reference 'web-7' exists"


# -- submitting it


def test_submitting_reserves_every_piece(shop: Shop):
    order = shop.pending(MUG=3)

    assert (order.state, order.stock_held, order.submitted_at) == ("pending", "reserved", shop.now)
    assert (shop.stock().on_hand, shop.stock().reserved, shop.stock().available) == (10, 3, 7)


def test_an_empty_order_is_not_submitted(shop: Shop):
    assert refused(shop.tell(shop.draft(), Submit(), ANNA)).reason == "the order has no lines"


def test_more_than_is_available_is_not_submitted(shop: Shop):
    shop.pending(MUG=8)
    order = shop.draft(MUG=3)

    refusal = refused(shop.tell(order, Submit(), ANNA))

    assert refusal.reason == "not in stock: MUG: 3 asked, 2 available"
    assert (order.state, shop.stock().reserved) == ("draft", 8)


def test_two_lines_of_one_product_are_counted_together(shop: Shop):
    lines = (LineAsked(sku="POT", quantity=3), LineAsked(sku="POT", quantity=3))
    accepted(shop.create("order", Create(lines=lines), ANNA))

    assert refused(shop.tell(shop.orders[-1], Submit(), ANNA)).reason == "not in stock: POT: 6 asked, 5 available"


def test_the_stock_of_a_discontinued_product_promises_nothing(shop: Shop):
    order = shop.draft(MUG=1)
    accepted(shop.tell(shop.product("MUG"), Discontinue()))

    assert refused(shop.tell(order, Submit(), ANNA)).reason == "not in stock: MUG: its stock is retired"


def test_a_draft_is_abandoned_after_a_week(shop: Shop):
    order = shop.draft(MUG=1)

    shop.wait(days=6, hours=23)
    assert order.state == "draft"
    shop.wait(hours=1)
    assert order.state == "cancelled"


def test_an_unpaid_order_expires_and_gives_its_pieces_back(shop: Shop):
    order = shop.pending(MUG=3)

    shop.wait(minutes=30)

    assert (order.state, order.stock_held) == ("cancelled", "nothing")
    assert (shop.stock().on_hand, shop.stock().reserved) == (10, 0)


# -- paying it


def test_paying_asks_the_gateway_for_the_total(shop: Shop):
    order = shop.paying(MUG=2)

    (call,) = shop.calls
    assert call.effect is CHARGE
    assert call.arguments.model_dump() == {
        "amount": 2500,
        "currency": "EUR",
        "method": "tok_approve",
        "order": order.id,
    }
    assert (order.state, order.payment_asked, order.paid) == ("paying", True, 0)


def test_a_charged_order_is_processed_and_takes_its_pieces(shop: Shop):
    order = shop.paid(MUG=2)

    assert (order.state, order.paid, order.payment, order.stock_held) == ("processing", 2500, "pay_1", "taken")
    assert (shop.stock().on_hand, shop.stock().reserved) == (8, 0)


def test_an_order_being_paid_does_not_expire(shop: Shop):
    order = shop.paying(MUG=2)

    shop.wait(hours=23)

    assert (order.state, shop.stock().reserved) == ("paying", 2)


def test_a_charge_of_another_amount_is_for_a_person_to_settle(shop: Shop):
    order = shop.paying(MUG=2)

    accepted(shop.tell(order, Charged(amount=2499, currency="EUR", payment="pay_1")))

    assert (order.state, order.paid, order.attention) == ("failed", 2499, "24.99 EUR taken, 25.00 EUR asked")
    reason = "24.99 EUR were taken, not the total; cancel the order to give them back"
    assert refused(shop.tell(order, Retry())).reason == reason


def test_a_wrong_charge_is_given_back_when_the_order_is_cancelled(shop: Shop):
    order = shop.paying(MUG=2)
    accepted(shop.tell(order, Charged(amount=2499, currency="EUR", payment="pay_1")))

    accepted(shop.tell(order, Cancel()))

    assert (order.state, order.refunding, shop.stock().available) == ("cancelled", 2499, 10)


def test_a_late_charge_in_another_currency_unblocks_the_order(shop: Shop):
    order = shop.paying(MUG=2)
    shop.wait(hours=24)

    accepted(shop.tell(order, Charged(amount=2500, currency="USD", payment="pay_1")))

    assert (order.state, order.paid, order.attention) == ("failed", 0, "25.00 USD taken, 25.00 EUR asked")
    assert accepted(shop.tell(order, Retry())).target == "pending"


def test_a_refused_refund_stays_due_and_is_asked_again(shop: Shop):
    order = shop.paid(MUG=2)
    accepted(shop.tell(order, Cancel()))
    accepted(shop.tell(order, RefundFailed(amount=2500, reason="account closed")))
    assert (order.refunding, order.refund_due) == (0, 2500)

    accepted(shop.tell(order, RefundAgain()))

    assert (order.refunding, order.refund_due, order.attention) == (2500, 0, None)
    assert refused(shop.tell(order, RefundAgain())).reason == "no refund has failed"


def test_a_declined_order_waits_for_another_payment(shop: Shop):
    order = shop.paying(MUG=2)

    accepted(shop.declined(order))

    assert (order.state, order.payment_tries, order.attention) == ("pending", 1, "declined: no funds")
    assert (order.stock_held, shop.stock().reserved) == ("reserved", 2)


def test_a_thrice_declined_order_fails_and_gives_its_pieces_back(shop: Shop):
    order = shop.pending(MUG=2)

    for _ in range(3):
        accepted(shop.tell(order, Pay(method="tok_decline"), ANNA))
        accepted(shop.declined(order))

    assert (order.state, order.payment_tries, order.stock_held) == ("failed", 3, "nothing")
    assert shop.stock().available == 10


def test_the_shop_chooses_how_often_a_payment_may_be_declined():
    shop = Shop(OrderPolicy(payment_tries=1))
    shop.sells()
    order = shop.paying(MUG=2)

    accepted(shop.declined(order))

    assert order.state == "failed"


# -- a payment whose outcome nobody knows


def test_an_unanswered_charge_is_shown_to_a_person_after_a_day(shop: Shop):
    order = shop.paying(MUG=2)

    shop.wait(hours=24)

    assert (order.state, order.attention) == ("failed", "no answer from the payment gateway")
    assert (order.payment_asked, order.stock_held) == (True, "reserved")


@pytest.mark.parametrize("event", [Retry(), Cancel()])
def test_an_unknown_payment_blocks_another_try_and_a_cancellation(shop: Shop, event):
    order = shop.paying(MUG=2)
    shop.wait(hours=24)

    refusal = refused(shop.tell(order, event))

    assert refusal.guard == "payment_is_known"
    assert "25.00 EUR has no known outcome yet" in refusal.reason


def test_a_late_charge_takes_a_failed_order_up_again(shop: Shop):
    order = shop.paying(MUG=2)
    shop.wait(hours=24)

    accepted(shop.charged(order))

    assert (order.state, order.paid, order.stock_held, order.attention) == ("processing", 2500, "taken", None)
    assert (shop.stock().on_hand, shop.stock().reserved) == (8, 0)


def test_a_late_decline_lets_a_failed_order_be_tried_again(shop: Shop):
    order = shop.paying(MUG=2)
    shop.wait(hours=24)

    accepted(shop.declined(order))
    assert order.state == "failed"
    accepted(shop.tell(order, Retry()))

    assert (order.state, order.payment_tries, shop.stock().reserved) == ("pending", 0, 2)


def test_a_second_answer_to_one_charge_is_refused(shop: Shop):
    order = shop.pending(MUG=2)
    for _ in range(3):
        accepted(shop.tell(order, Pay(method="tok_decline"), ANNA))
        accepted(shop.declined(order))

    assert refused(shop.charged(order)).reason == "no charge is waiting for an answer"


def test_a_retried_order_reserves_anew_what_it_gave_back(shop: Shop):
    order = shop.pending(POT=4)
    for _ in range(3):
        accepted(shop.tell(order, Pay(method="tok_decline"), ANNA))
        accepted(shop.declined(order))
    other = shop.pending(POT=3)

    assert refused(shop.tell(order, Retry())).reason == "not in stock: POT: 4 asked, 2 available"
    accepted(shop.tell(other, Cancel(), ANNA))
    accepted(shop.tell(order, Retry()))

    assert (order.state, order.stock_held, shop.stock("POT").reserved) == ("pending", "reserved", 4)


def test_a_paid_order_that_failed_is_processed_on(shop: Shop):
    order = shop.paid(MUG=2)
    accepted(shop.tell(order, Fail(reason="the last mug is broken")))
    assert order.attention == "the last mug is broken"

    accepted(shop.tell(order, Retry()))

    assert (order.state, order.attention, shop.stock().on_hand) == ("processing", None, 8)


# -- cancelling it


def test_a_customer_cancels_before_paying(shop: Shop):
    order = shop.pending(MUG=2)

    accepted(shop.tell(order, Cancel(reason="changed my mind"), ANNA))

    assert (order.state, shop.stock().available, shop.calls) == ("cancelled", 10, [])


def test_nobody_cancels_while_the_gateway_is_asked(shop: Shop):
    order = shop.paying(MUG=2)

    refusal = refused(shop.tell(order, Cancel()))

    assert refusal.guard is None
    assert refusal.reason == (
        "order in state 'paying' takes no 'cancel'; it takes customer_action_required, charged, declined, unanswered"
    )


def test_a_customer_cannot_cancel_a_paid_order(shop: Shop):
    order = shop.paid(MUG=2)

    refusal = refused(shop.tell(order, Cancel(), ANNA))

    assert refusal.reason == "the order is paid; ask the merchant to cancel it"


def test_a_paid_order_that_is_cancelled_gives_money_and_pieces_back(shop: Shop):
    order = shop.paid(MUG=2)

    accepted(shop.tell(order, Cancel(), MERCHANT))
    assert (order.state, order.refunding, order.refunded, shop.stock().on_hand) == ("cancelled", 2500, 0, 10)
    assert shop.calls[-1].effect is REFUND
    accepted(shop.refunded(order, 2500))

    assert (order.state, order.refunding, order.refunded) == ("cancelled", 0, 2500)


def test_a_failed_refund_is_shown_to_a_person(shop: Shop):
    order = shop.paid(MUG=2)
    accepted(shop.tell(order, Cancel()))

    accepted(shop.tell(order, RefundFailed(amount=2500, reason="account closed")))

    assert (order.refunding, order.refunded) == (0, 0)
    assert order.attention == "refund of 25.00 EUR failed: account closed"


def test_a_parcel_on_its_way_is_not_cancelled(shop: Shop):
    order = shop.paid(MUG=2)
    accepted(shop.tell(order, Fulfill()))

    assert refused(shop.tell(order, Cancel())).guard is None


# -- the parcel, and back


def test_a_parcel_that_nobody_complains_of_completes_by_itself(shop: Shop):
    order = shop.paid(MUG=2)
    accepted(shop.tell(order, Fulfill()))

    shop.wait(days=14)

    assert (order.state, order.completed_at) == ("completed", shop.now)


def test_a_full_return_restocks_and_refunds_everything(shop: Shop):
    order = completed(shop, MUG=2, POT=1)

    accepted(shop.tell(order, Return()))

    assert (order.state, order.refunding) == ("returned", 6500)
    assert (shop.stock("MUG").on_hand, shop.stock("POT").on_hand) == (10, 5)


def test_a_partial_return_by_line_leaves_the_order_completed(shop: Shop):
    order = completed(shop, MUG=3, POT=1)

    accepted(shop.tell(order, Return(lines=(LineReturned(number=1, quantity=2),))))

    assert (order.state, order.refunding, shop.stock("MUG").on_hand) == ("completed", 2500, 9)
    assert [line.returned for line in shop.lines(order)] == [2, 0]


def test_the_rest_of_a_partial_return_closes_the_order(shop: Shop):
    order = completed(shop, MUG=3)
    accepted(shop.tell(order, Return(lines=(LineReturned(number=1, quantity=2),))))
    accepted(shop.refunded(order, 2500))

    accepted(shop.tell(order, Return()))

    assert (order.state, order.refunded, order.refunding, shop.stock().on_hand) == ("returned", 2500, 1250, 10)


def test_never_more_comes_back_than_was_bought(shop: Shop):
    order = completed(shop, MUG=3)
    accepted(shop.tell(order, Return(lines=(LineReturned(number=1, quantity=2),))))
    twice = (LineReturned(number=1, quantity=1), LineReturned(number=1, quantity=1))

    refusal = refused(shop.tell(order, Return(lines=twice)))

    assert refusal.reason == "line 1: 2 to return, but 3 bought and 2 returned before"
    assert (order.refunding, shop.stock().on_hand) == (2500, 9)


def test_only_lines_of_the_order_come_back(shop: Shop):
    order = completed(shop, MUG=3)

    assert refused(shop.tell(order, Return(lines=(LineReturned(number=2, quantity=1),)))).reason == (
        "the order has no line 2"
    )


def test_a_return_after_31_days_is_refused_with_the_figures(shop: Shop):
    order = completed(shop, MUG=3)

    shop.wait(days=31)

    assert refused(shop.tell(order, Return())).reason == "completed 31 days ago; the return window is 30 days"


def test_a_return_on_the_30th_day_is_accepted(shop: Shop):
    order = completed(shop, MUG=3)

    shop.wait(days=30)

    accepted(shop.tell(order, Return()))


def test_no_answer_refunds_more_than_was_asked(shop: Shop):
    order = completed(shop, MUG=3)
    accepted(shop.tell(order, Return(lines=(LineReturned(number=1, quantity=1),))))

    assert refused(shop.refunded(order, 1251)).reason == "12.51 EUR answered, 12.50 EUR asked"


# -- who may ask


@pytest.mark.parametrize("event", [Expire, Abandon, Charged])
def test_nobody_raises_over_http_what_the_system_finds_out(event):
    assert event.raised_by == frozenset()


@pytest.mark.parametrize("event", [Fulfill, Fail, Retry, Return])
def test_only_the_merchant_runs_the_shop(event):
    assert event.raised_by == {Role.MERCHANT}


def test_reserved_pieces_cannot_be_written_off(shop: Shop):
    shop.pending(MUG=8)

    refusal = refused(shop.tell(shop.stock(), Adjust(difference=-3, reason="broken")))

    assert refusal.reason == "3 pieces to take off, but of 10 on hand 8 are reserved and 2 available"
