"""What is in an order: placing it, changing it, ordering the same again."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from statemachines.letters import BasketReminder, PaymentReminder
from statemachines.order import (
    Abandon,
    Cancel,
    Create,
    Edit,
    Fulfill,
    LineAsked,
    OrderPolicy,
    Pay,
    Reorder,
    Ship,
    Submit,
)
from statemachines.payments import REFUND
from statemachines.pieces import MAX_LINES, Pieces
from statemachines.product import Discontinue, Reprice
from statemachines.values import MAX_AMOUNT, MAX_QUANTITY
from tests.statemachines.shop import ANNA, BEN, MERCHANT
from tests.statemachines.store import Seen, Store, asked


@pytest.fixture
def store() -> Store:
    """Ten mugs at 12.50 EUR and five pots at 40.00 EUR are on the shelf."""
    store = Store()
    store.sells("MUG", price=1250, on_hand=10)
    store.sells("POT", price=4000, on_hand=5)
    return store


def remove(number: int, quantity: int) -> Edit:
    return Edit(remove=(Pieces(number=number, quantity=quantity),))


def add(**pieces: int) -> Edit:
    return Edit(add=asked(**pieces))


def kept(store: Store, order: Seen) -> dict[str, int]:
    return {line.sku: line.kept for line in store.lines(order)}


# -- placing it


def test_prices_come_from_the_catalogue(store: Store):
    order = store.draft(MUG=2, POT=1)

    assert (order.total, order.currency, order.customer) == (6500, "EUR", "anna")
    assert [(line.number, line.sku, line.quantity, line.unit_price) for line in store.lines(order)] == [
        (1, "MUG", 2, 1250),
        (2, "POT", 1, 4000),
    ]


def test_a_later_price_does_not_touch_a_placed_order(store: Store):
    order = store.draft(MUG=2)

    store.tell(store.product("MUG"), Reprice(price=9900))

    assert order.total == 2500


def test_a_customer_orders_only_for_itself(store: Store):
    assert store.why_not(Create(lines=asked(MUG=1), customer="anna"), BEN) == "a customer orders for itself only"

    assert store.place(Create(lines=asked(MUG=1), customer="ben"), BEN).customer == "ben"


def test_a_merchant_says_whose_order_it_is(store: Store):
    assert store.why_not(Create(), MERCHANT) == "say whose order it is: 'customer' is missing"

    assert store.place(Create(customer="anna"), MERCHANT).customer == "anna"


def test_currencies_never_mix(store: Store):
    store.sells("CUP", currency="USD")

    refusal = store.why_not(Create(lines=asked(MUG=1, CUP=1)))

    assert refusal == "the products are priced in different currencies: EUR, USD"
    assert not store.orders


def test_what_the_catalogue_does_not_sell_cannot_be_ordered(store: Store):
    store.tell(store.product("MUG"), Discontinue())

    assert store.why_not(Create(lines=asked(MUG=1, SPOON=1))) == "not in the catalogue: MUG, SPOON"


def test_a_total_stays_within_its_limit(store: Store):
    store.sells("YACHT", price=MAX_AMOUNT)

    refusal = store.why_not(Create(lines=asked(YACHT=2)))

    assert refusal == f"the total {2 * MAX_AMOUNT} is above the limit of {MAX_AMOUNT}"


def test_a_reference_is_unique_for_ever(store: Store):
    store.tell(store.place(Create(reference="web-7")), Cancel(), ANNA)

    assert store.why_not(Create(reference="web-7"), BEN) == "an order with the reference 'web-7' exists"


# -- submitting it


def test_submitting_reserves_every_piece(store: Store):
    order = store.pending(MUG=3)

    assert (order.state, order.stock_held, order.submitted_at) == ("pending", "reserved", store.world.now)
    assert (store.stock().on_hand, store.stock().reserved, store.stock().available) == (10, 3, 7)


def test_an_empty_order_is_not_submitted(store: Store):
    assert store.why(store.draft(), Submit(), ANNA) == "the order has no lines"


def test_more_than_is_available_is_not_submitted(store: Store):
    store.pending(MUG=8)
    order = store.draft(MUG=3)

    assert store.why(order, Submit(), ANNA) == "not in stock: MUG: 3 asked, 2 available"
    assert (order.state, store.stock().reserved) == ("draft", 8)


def test_two_lines_of_one_product_are_counted_together(store: Store):
    order = store.place(Create(lines=(*asked(POT=3), *asked(POT=3))))

    assert store.why(order, Submit(), ANNA) == "not in stock: POT: 6 asked, 5 available"


def test_the_stock_of_a_discontinued_product_promises_nothing(store: Store):
    order = store.draft(MUG=1)
    store.tell(store.product("MUG"), Discontinue())

    assert store.why(order, Submit(), ANNA) == "not in stock: MUG: its stock is retired"


# -- drafts that lie about


def test_a_draft_is_abandoned_after_a_week(store: Store):
    order = store.draft(MUG=1)

    store.wait(days=6, hours=23)
    assert order.state == "draft"
    store.wait(hours=1)
    assert order.state == "cancelled"


def test_a_customer_is_reminded_of_a_draft_after_an_hour_and_after_a_day(store: Store):
    store.draft(MUG=2)

    store.wait(minutes=59)
    assert store.letters(BasketReminder) == []
    store.wait(minutes=1)
    assert [letter.again for letter in store.letters(BasketReminder)] == [False]
    store.wait(hours=23)
    assert [letter.again for letter in store.letters(BasketReminder)] == [False, True]
    assert [(item.sku, item.quantity) for item in store.letters(BasketReminder)[0].items] == [("MUG", 2)]


def test_changing_a_draft_does_not_put_its_reminders_off(store: Store):
    order = store.draft(MUG=2)

    store.wait(minutes=50)
    store.tell(order, add(POT=1), ANNA)
    store.wait(minutes=10)

    (letter,) = store.letters(BasketReminder)
    assert [(item.sku, item.quantity) for item in letter.items] == [("MUG", 2), ("POT", 1)]


def test_nobody_is_reminded_of_an_empty_draft(store: Store):
    store.draft()

    store.wait(days=2)

    assert store.letters(BasketReminder) == []


def test_nobody_is_reminded_of_a_draft_that_was_submitted(store: Store):
    store.paid(MUG=1)

    store.wait(days=2)

    assert store.letters(BasketReminder) == []


def test_the_shop_chooses_when_drafts_are_remembered_and_forgotten():
    hours = [timedelta(hours=hours) for hours in (2, 3, 4)]
    store = Store(order=OrderPolicy(remind_after=hours[0], remind_again_after=hours[1], abandon_after=hours[2]))
    store.sells("MUG")
    order = store.draft(MUG=1)

    store.wait(hours=3)
    assert len(store.letters(BasketReminder)) == 2
    store.wait(hours=1)
    assert order.state == "cancelled"


# -- changing a draft


def test_a_draft_is_added_to_at_the_prices_of_the_day(store: Store):
    order = store.draft(MUG=2)
    store.tell(store.product("MUG"), Reprice(price=1500))

    store.tell(order, add(MUG=1), ANNA)

    assert (order.state, order.total) == ("draft", 2 * 1250 + 1500)
    assert [(line.number, line.unit_price) for line in store.lines(order)] == [(1, 1250), (2, 1500)]


def test_an_empty_draft_takes_its_currency_from_what_is_added(store: Store):
    order = store.draft()

    store.tell(order, add(MUG=1), ANNA)

    assert (order.currency, order.total) == ("EUR", 1250)


def test_pieces_are_taken_off_a_draft(store: Store):
    order = store.draft(MUG=2, POT=1)

    store.tell(order, remove(1, 1), ANNA)

    assert (order.total, kept(store, order)) == (5250, {"MUG": 1, "POT": 1})


def test_only_what_is_kept_is_reserved(store: Store):
    order = store.draft(MUG=5)
    store.tell(order, remove(1, 3), ANNA)

    store.submitted(order)

    assert store.shelf("MUG") == (10, 2)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Edit(), "say what to add or to remove"),
        (add(SPOON=1), "not in the catalogue: SPOON"),
        (add(CUP=1), "the products are priced in different currencies: EUR, USD"),
        (remove(2, 1), "the order has no line 2"),
        (remove(1, 3), "line 1: 3 to remove, 2 not packed yet"),
        (Edit(remove=(Pieces(number=1, quantity=1),) * 3), "line 1: 3 to remove, 2 not packed yet"),
        (remove(1, 2), "nothing would be left; cancel the order instead"),
        (add(YACHT=1), f"the total {MAX_AMOUNT + 2500} is above the limit of {MAX_AMOUNT}"),
    ],
)
def test_a_change_that_can_not_be_is_refused_and_changes_nothing(store: Store, change: Edit, reason: str):
    store.sells("CUP", currency="USD")
    store.sells("YACHT", price=MAX_AMOUNT)
    order = store.draft(MUG=2)

    assert store.why(order, change, ANNA) == reason
    assert (order.version, order.total, kept(store, order)) == (1, 2500, {"MUG": 2})


def test_an_order_holds_so_many_lines_and_no_more(store: Store):
    order = store.place(Create(lines=asked(MUG=1) * MAX_LINES))

    assert store.why(order, add(MUG=1), ANNA) == f"an order has at most {MAX_LINES} lines"


def test_a_submitted_order_is_not_changed_before_it_is_paid(store: Store):
    refusal = store.why(store.pending(MUG=1), add(POT=1), ANNA)

    assert refusal.startswith("order in state 'pending' takes no 'edit'")


# -- changing a paid order


def test_what_a_change_costs_more_is_to_be_paid(store: Store):
    order = store.paid(MUG=2)

    store.tell(order, add(POT=1), ANNA)

    assert (order.state, order.total, order.paid) == ("payment_due", 6500, 2500)
    assert [letter.total for letter in store.letters(PaymentReminder)] == [4000]


def test_with_the_extra_payment_the_order_goes_on(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, add(POT=1), ANNA)

    store.tell(order, Pay(method="tok_approve"), ANNA)
    assert (order.state, order.asked) == ("payment_due", 4000)
    store.charged(order)

    assert (order.state, order.paid, order.asked) == ("processing", 6500, 0)


def test_pieces_that_are_added_to_a_paid_order_leave_the_shelf_at_once(store: Store):
    order = store.paid(MUG=2)

    store.tell(order, add(MUG=1, POT=2), ANNA)

    assert (store.shelf("MUG"), store.shelf("POT")) == ((7, 0), (3, 0))


def test_nothing_is_added_to_a_paid_order_that_is_not_there(store: Store):
    order = store.paid(POT=5)

    assert store.why(order, add(POT=1), ANNA) == "not in stock: POT: 1 asked, 0 available"


def test_what_a_change_costs_less_is_given_back(store: Store):
    order = store.paid(MUG=2, POT=1)

    store.tell(order, remove(1, 1), ANNA)
    assert (order.state, order.total, order.refunding) == ("processing", 5250, 1250)
    store.refunded(order)

    assert (order.paid, order.refunded, order.refunding) == (6500, 1250, 0)


def test_pieces_that_are_taken_off_a_paid_order_return_to_the_shelf(store: Store):
    order = store.paid(MUG=2, POT=1)

    store.tell(order, remove(1, 1), ANNA)

    assert store.shelf("MUG") == (9, 0)


def test_a_change_at_the_same_price_moves_no_money(store: Store):
    store.sells("JUG", price=1250)
    order = store.paid(MUG=2)

    store.tell(order, Edit(add=asked(JUG=1), remove=(Pieces(number=1, quantity=1),)), ANNA)

    assert (order.state, order.total, store.asked_of(REFUND)) == ("processing", 2500, [])


def test_of_money_that_is_only_held_nothing_is_given_back(store: Store):
    order = store.held(MUG=2)

    store.tell(order, remove(1, 1), ANNA)

    assert (order.state, order.total, order.authorized, order.refunding) == ("processing", 1250, 2500, 0)


def test_a_change_that_is_taken_back_needs_no_payment_any_more(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, add(POT=1), ANNA)

    store.tell(order, remove(2, 1), ANNA)

    assert (order.state, order.total, store.shelf("POT")) == ("processing", 2500, (5, 0))


def test_what_comes_for_a_change_that_was_taken_back_is_given_back(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, add(POT=1), ANNA)
    store.tell(order, Pay(method="tok_approve"), ANNA)
    store.tell(order, remove(2, 1), ANNA)

    store.charged(order)

    assert (order.state, order.paid, order.refunding) == ("processing", 6500, 4000)


def test_an_order_that_is_packed_is_not_changed(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Ship())

    assert store.why(order, add(POT=1), ANNA) == "2 pieces are packed already"


def test_what_is_not_paid_in_time_is_for_a_person_to_settle(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, add(POT=1), ANNA)

    store.wait(days=7)

    assert (order.state, order.attention) == (
        "on_hold",
        "40.00 EUR were not paid in time; resume, edit or cancel the order",
    )


# -- ordering the same again


def test_the_same_is_ordered_again_at_todays_prices(store: Store):
    order = store.completed(MUG=2)
    store.tell(store.product("MUG"), Reprice(price=1500))

    store.tell(order, Reorder(), ANNA)

    again = store.last("order")
    assert (again.state, again.total, again.customer, again.email) == ("draft", 3000, "anna", order.email)
    assert again.reference is None


def test_what_was_taken_off_is_not_ordered_again(store: Store):
    order = store.paid(MUG=2, POT=1)
    store.tell(order, remove(2, 1), ANNA)
    store.tell(order, Fulfill())

    store.tell(order, Reorder(), ANNA)

    assert kept(store, store.last("order")) == {"MUG": 2}


def test_what_is_no_longer_sold_is_not_ordered_again(store: Store):
    order = store.completed(MUG=2)
    store.tell(store.product("MUG"), Discontinue())

    assert "not in the catalogue: MUG" in store.why(order, Reorder(), ANNA)
    assert len(store.orders) == 1


# -- discounts


def test_the_shop_takes_something_off_and_each_line_bears_its_share(store: Store):
    order = store.discounted(1000, MUG=2, POT=1)

    assert order.total == 5500
    assert [line.discount for line in store.lines(order)] == [384, 616]


def test_a_customer_gives_itself_no_discount(store: Store):
    assert store.why_not(Create(lines=asked(MUG=1), discount=1)) == "only the shop gives a discount"


def test_a_discount_is_never_more_than_the_price(store: Store):
    refusal = store.why_not(Create(lines=asked(MUG=1), customer="anna", discount=1251), MERCHANT)

    assert refusal == "a discount of 1251 on a price of 1250"


def test_what_is_taken_off_gives_its_share_of_the_discount_up(store: Store):
    order = store.discounted(1000, MUG=2, POT=1)

    store.tell(order, remove(1, 1), ANNA)

    assert order.total == 5500 - (2500 - 384) // 2


# -- what is not even asked


@pytest.mark.parametrize("quantity", [0, -1, MAX_QUANTITY + 1, 2**63, "1", 1.0, True])
def test_a_number_of_pieces_is_a_positive_whole_number(quantity: object):
    with pytest.raises(ValidationError, match="quantity"):
        LineAsked.model_validate({"sku": "MUG", "quantity": quantity})


@pytest.mark.parametrize("discount", [-1, MAX_AMOUNT + 1, 2**63, "1", 1.5])
def test_a_discount_is_a_whole_number_of_minor_units(discount: object):
    with pytest.raises(ValidationError, match="discount"):
        Create.model_validate({"discount": discount})


def test_nobody_raises_over_http_what_time_brings():
    assert Abandon.raised_by == frozenset()
