"""Changing what is in an order: a draft, and one that is paid."""

from datetime import timedelta

import pytest

from statemachines.approval import Approve
from statemachines.letters import PaymentReminder
from statemachines.order import (
    Create,
    Edit,
    Hold,
    OrderPolicy,
    Pay,
    Resume,
    Ship,
)
from statemachines.payments import REFUND
from statemachines.pieces import MAX_LINES, Pieces
from statemachines.product import Reprice
from statemachines.values import MAX_AMOUNT
from tests.statemachines.office import approver
from tests.statemachines.shop import ANNA, Seen
from tests.statemachines.store import Store, asked, pieces, ship


def remove(number: int, quantity: int) -> Edit:
    return Edit(remove=(Pieces(number=number, quantity=quantity),))


def add(**pieces: int) -> Edit:
    return Edit(add=asked(**pieces))


def kept(store: Store, order: Seen) -> dict[str, int]:
    return {line.sku: line.kept for line in store.lines(order)}


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


BAD = [
    (Edit(), "say what to add or to remove"),
    (add(SPOON=1), "not in the catalogue: SPOON"),
    (add(CUP=1), "the products are priced in different currencies: EUR, USD"),
    (Edit(add=asked(CUP=1), remove=pieces(1, 1)), "the products are priced in different currencies: EUR, USD"),
    (remove(3, 1), "the order has no line 3"),
    (Edit(add=asked(POT=1), remove=pieces(3, 1)), "the order has no line 3"),
    (remove(1, 3), "line 1: 3 to remove, 2 not packed yet"),
    (Edit(add=asked(POT=2), remove=pieces(1, 3)), "line 1: 3 to remove, 2 not packed yet"),
    (Edit(remove=pieces(1, 1) * 3), "line 1: 3 to remove, 2 not packed yet"),
    (Edit(remove=pieces(1, 2) + pieces(2, 1)), "nothing would be left; cancel the order instead"),
    (add(YACHT=1), f"the total {MAX_AMOUNT + 6500} is above the limit of {MAX_AMOUNT}"),
]
"""Changes of an order of two mugs and a pot that can't be, and why."""


def in_state(store: Store, state: str) -> Seen:
    """Return an order of two mugs and a pot in a state in which it may be changed."""
    if state == "draft":
        return store.draft(MUG=2, POT=1)
    if state == "payment_due":
        order = store.paid(MUG=2)
        store.tell(order, add(POT=1))
        return order
    order = store.paid(MUG=2, POT=1)
    if state == "on_hold":
        store.tell(order, Hold(reason="wait"))
    return order


@pytest.mark.parametrize("state", ["draft", "processing", "on_hold", "payment_due"])
@pytest.mark.parametrize(("change", "reason"), BAD)
def test_a_change_that_can_not_be_is_refused_and_changes_nothing(store: Store, change: Edit, reason: str, state: str):
    store.sells("CUP", currency="USD", price=9900)
    store.sells("YACHT", price=MAX_AMOUNT)
    order = in_state(store, state)
    before = order.version

    assert store.why(order, change) == reason
    assert (order.state, order.version, order.total, kept(store, order)) == (state, before, 6500, {"MUG": 2, "POT": 1})


@pytest.mark.parametrize("change", [add(POT=5), Edit(add=asked(POT=5), remove=pieces(1, 2))])
@pytest.mark.parametrize("state", ["processing", "on_hold", "payment_due"])
def test_nothing_is_added_to_a_paid_order_that_is_not_there(store: Store, state: str, change: Edit):
    order = in_state(store, state)

    assert store.why(order, change) == "not in stock: POT: 5 asked, 4 available"


def test_nothing_is_added_to_an_order_in_payment_that_is_not_there_for_less(store: Store):
    store.sells("PIN", price=1, on_hand=1)
    order = in_state(store, "payment_due")

    change = Edit(add=asked(PIN=2), remove=pieces(2, 1) + pieces(1, 1))

    assert store.why(order, change) == "not in stock: PIN: 2 asked, 1 available"


@pytest.mark.parametrize("change", [add(POT=1), remove(2, 1)])
def test_an_order_of_which_pieces_are_packed_is_not_changed(store: Store, change: Edit):
    order = store.paid(MUG=2, POT=1)
    store.tell(order, ship(1, 1))
    store.tell(order, Hold(reason="wait"))

    assert store.why(order, change) == "1 pieces are packed already"


@pytest.mark.parametrize("change", [add(POT=1), remove(2, 1)])
def test_an_order_whose_money_lapsed_is_not_changed_once_pieces_are_packed(store: Store, change: Edit):
    order = store.held(MUG=2, POT=1)
    store.tell(order, ship(1, 1))
    store.wait(days=7)
    assert order.state == "payment_due"

    assert store.why(order, change) == "1 pieces are packed already"


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


def test_what_was_not_paid_in_time_is_still_to_be_paid_when_the_order_goes_on(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, add(POT=1), ANNA)
    store.wait(days=7)

    store.tell(order, Resume())
    assert order.state == "payment_due"
    store.tell(order, Pay(method="tok_approve"), ANNA)
    store.charged(order)

    assert (order.state, order.paid) == ("processing", 6500)


def test_who_changes_more_has_as_long_to_pay_as_the_mail_says(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, add(POT=1), ANNA)
    store.wait(days=6)

    store.tell(order, add(MUG=1), ANNA)

    until = store.letters(PaymentReminder)[-1].expires_at
    assert (store.timers(order)["extra_unpaid"].due_at, until) == (until, store.now + timedelta(days=7))


def test_what_is_declined_for_a_change_that_was_taken_back_is_not_missed(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, add(POT=1), ANNA)
    store.tell(order, Pay(method="tok_approve"), ANNA)
    store.tell(order, remove(2, 1), ANNA)

    store.declined(order)

    assert (order.state, order.asked, order.payment_tries) == ("processing", 0, 0)


def test_an_extra_payment_that_is_declined_may_be_tried_again(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, add(POT=1), ANNA)
    store.tell(order, Pay(method="tok_decline"), ANNA)

    store.declined(order)
    assert (order.state, order.asked, order.attention) == ("payment_due", 0, "declined: no funds")
    store.tell(order, Pay(method="tok_approve"), ANNA)
    store.charged(order)

    assert (order.state, order.paid) == ("processing", 6500)


def test_no_more_is_paid_than_a_change_costs(store: Store):
    order = in_state(store, "payment_due")

    refusal = store.why(order, Pay(method="tok_approve", amount=4001), ANNA)

    assert refusal == "40.01 EUR to pay, but only 40.00 EUR are left"


def test_what_a_change_costs_is_not_paid_twice(store: Store):
    order = in_state(store, "payment_due")
    store.tell(order, Pay(method="tok_approve"), ANNA)

    refusal = store.why(order, Pay(method="tok_approve"), ANNA)

    assert refusal == "everything is paid, held ready or being paid already"


def test_a_paid_order_does_not_grow_beyond_what_goes_without_an_approval():
    store = Store.stocked(order=OrderPolicy(approval_above=5000))
    order = store.paid(MUG=2)

    store.tell(order, add(MUG=1), ANNA)
    assert "above 50.00 EUR an order has to be approved first" in store.why(order, add(POT=1), ANNA)


def test_an_order_that_was_approved_may_change_as_long_as_it_does_not_grow():
    store = Store.stocked(order=OrderPolicy(approval_above=5000))
    order = store.pending(MUG=2, POT=1)
    store.tell(store.last("approval"), Approve(round=1), approver("eve"))
    store.pay(order)

    store.tell(order, Edit(add=asked(MUG=1), remove=pieces(1, 1)), ANNA)

    assert (order.state, order.total) == ("processing", 6500)
