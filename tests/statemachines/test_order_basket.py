"""What is in an order: placing it, changing it, ordering the same again."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from statemachines.activity import Track
from statemachines.declaration import Actor
from statemachines.letters import BasketReminder
from statemachines.order import (
    Abandon,
    Cancel,
    Create,
    Edit,
    Fulfill,
    LineAsked,
    OrderPolicy,
    Reorder,
    Submit,
)
from statemachines.pieces import Pieces
from statemachines.product import Discontinue, Reprice
from statemachines.values import MAX_AMOUNT, MAX_QUANTITY
from tests.statemachines.shop import ANNA, BEN, MERCHANT, Seen, accepted
from tests.statemachines.store import Store, asked


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


def test_what_is_ordered_is_no_longer_in_the_basket_that_a_customer_is_followed_by(store: Store):
    accepted(store.create("activity", Track(customer="anna"), ANNA))

    order = store.pending(MUG=1)

    (activity,) = store.all("activity")
    assert store.story(activity)[-1] == "ordered"
    assert order.state == "pending"


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


# -- ordering the same again


def test_the_same_is_ordered_again_at_todays_prices(store: Store):
    order = store.completed(MUG=2)
    store.tell(store.product("MUG"), Reprice(price=1500))

    store.tell(order, Reorder(), ANNA)

    again = store.last("order")
    assert (again.state, again.total, again.customer, again.email) == ("draft", 3000, "anna", order.email)
    assert (again.reference, order.reordered_as) == (None, again.id)


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


@pytest.mark.parametrize("by", [ANNA, MERCHANT])
def test_nobody_but_an_order_itself_says_that_it_is_ordered_again(store: Store, by: Actor):
    again = Create(lines=(LineAsked(sku="MUG", quantity=2),), customer="anna", reorder_of=store.completed(MUG=2).id)

    assert "order the same again by 'reorder'" in store.why_not(again, by)


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


def test_the_second_reminder_of_a_draft_comes_after_the_first():
    with pytest.raises(ValidationError, match="the second reminder of a draft must come after the first"):
        OrderPolicy(remind_after=timedelta(days=2))
