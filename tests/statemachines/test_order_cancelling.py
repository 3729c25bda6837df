"""Calling an order off at every stage: what was done is taken back, the last step first."""

import pytest

from statemachines.declaration import Role
from statemachines.letters import OrderCancelled, RefundMade
from statemachines.order import Cancel, Edit, Hold, Pay, Refund, Reorder, ReportUnavailable, Submit, Suspect
from statemachines.order.events import Undone, UndoPayment, UndoReservation, UndoShipping, UndoTaking
from statemachines.payment.events import DisputeLost, DisputeWon
from statemachines.payments import CHARGE, REFUND, VOID, CustomerActionRequired
from tests.statemachines.shop import ANNA, BEN
from tests.statemachines.store import Store, asked, pay, pieces

# -- before anything was done


def test_a_draft_is_called_off_at_once(store: Store):
    order = store.draft(MUG=2)

    store.tell(order, Cancel(), ANNA)

    assert (order.state, store.undone(order)) == ("cancelled", [])


def test_a_customer_cancels_before_paying(store: Store):
    order = store.pending(MUG=2)

    store.tell(order, Cancel(reason="changed my mind"), ANNA)

    assert (order.state, order.stock_held, store.shelf()) == ("cancelled", "nothing", (10, 0))
    assert [letter.reason for letter in store.letters(OrderCancelled)] == ["changed my mind"]


def test_nobody_cancels_an_order_twice(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, Cancel(), ANNA)

    assert store.why(order, Cancel(), ANNA).endswith(
        "takes no 'cancel'; it takes dismiss, refund, refund_again, reorder"
    )


def test_nobody_cancels_the_order_of_another(store: Store):
    order = store.pending(MUG=2)

    assert store.why(order, Cancel(), BEN) == f"there is no order '{order.id}'"


# -- while it is paid


def test_a_payment_that_is_asked_for_is_waited_for(store: Store):
    order = store.paying(MUG=2)

    store.tell(order, Cancel(), ANNA)
    assert (order.state, order.undoing, store.shelf()) == ("cancelling", "undo_payment", (10, 2))
    store.declined(order)

    assert (order.state, order.undoing, store.shelf()) == ("cancelled", None, (10, 0))
    assert store.undone(order) == ["undo_payment", "undo_reservation", "undone"]


def test_money_that_comes_while_the_order_is_called_off_is_given_back(store: Store):
    order = store.paying(MUG=2)
    store.tell(order, Cancel(), ANNA)

    store.charged(order)
    assert (order.state, order.paid, order.refunding) == ("cancelling", 2500, 2500)
    store.refunded(order)

    assert (order.state, order.refunded, store.shelf()) == ("cancelled", 2500, (10, 0))


def test_money_that_is_held_while_the_order_is_called_off_is_let_go(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, pay(take="later"), ANNA)
    store.tell(order, Cancel(), ANNA)

    store.authorized(order)
    assert (order.state, order.authorized) == ("cancelling", 2500)
    store.voided(order)

    assert (order.state, order.authorized) == ("cancelled", 0)


def test_a_payment_that_the_customer_has_to_confirm_is_let_go(store: Store):
    order = store.paying(MUG=2)
    store.answer(order, CHARGE, lambda _: CustomerActionRequired(payment="pi_1"))

    store.tell(order, Cancel(), ANNA)
    store.voided(order)

    assert (order.state, order.asked) == ("cancelled", 0)


def test_a_payment_that_was_never_begun_is_let_go_at_once(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, Pay(), ANNA)

    store.tell(order, Cancel(), ANNA)

    assert (order.state, store.last("payment").state) == ("cancelled", "voided")


def test_every_payment_is_taken_back(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, pay(1000), ANNA)
    store.charged(order)
    store.tell(order, pay(500, "later"), ANNA)
    store.authorized(order)
    store.tell(order, pay(1000), ANNA)

    store.tell(order, Cancel())
    store.declined(order)
    store.voided(order)
    assert (order.state, order.refunding) == ("cancelling", 1000)
    store.refunded(order)

    assert (order.state, order.refunded, order.authorized, order.asked) == ("cancelled", 1000, 0, 0)


def test_a_customer_does_not_cancel_once_money_was_taken(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, pay(1000), ANNA)
    store.charged(order)

    assert store.why(order, Cancel(), ANNA) == "the order is paid; ask the merchant to cancel it"


def test_a_customer_cancels_while_money_is_only_held(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, pay(1000, "later"), ANNA)
    store.authorized(order)
    assert (order.state, order.authorized) == ("pending", 1000)

    store.tell(order, Cancel(), ANNA)
    store.voided(order)

    assert (order.state, order.authorized) == ("cancelled", 0)


def test_nobody_is_asked_to_confirm_a_payment_of_an_order_that_is_called_off(store: Store):
    order = store.paying(MUG=2)
    store.tell(order, Cancel(), ANNA)

    store.answer(order, CHARGE, lambda _: CustomerActionRequired(payment="pi_1", url="https://bank.example/3ds"))
    assert (order.state, order.payment_url, order.attention) == ("cancelling", None, None)
    store.voided(order)

    assert order.state == "cancelled"


def test_a_customer_does_not_cancel_while_the_rest_is_paid(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, pay(1000), ANNA)
    store.charged(order)
    store.tell(order, pay(), ANNA)

    assert store.why(order, Cancel(), ANNA) == "the order is paid; ask the merchant to cancel it"


@pytest.mark.parametrize("take", ["now", "later"])
def test_a_customer_is_told_that_an_order_in_payment_is_off(store: Store, take: str):
    order = store.pending(MUG=2)
    store.tell(order, pay(take=take), ANNA)

    store.tell(order, Cancel(reason="too dear"), ANNA)

    assert [(letter.reason, letter.refund) for letter in store.letters(OrderCancelled)] == [("too dear", 0)]


def test_a_customer_is_told_that_an_order_that_is_paid_in_part_is_off(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, pay(1000), ANNA)
    store.charged(order)

    store.tell(order, Cancel())

    assert [letter.refund for letter in store.letters(OrderCancelled)] == [1000]


# -- once it is paid


def test_a_paid_order_gives_pieces_and_money_back(store: Store):
    order = store.paid(MUG=2)

    store.tell(order, Cancel())
    assert (order.state, order.undoing, order.refunding, store.shelf()) == ("cancelling", "undo_payment", 2500, (10, 0))
    store.refunded(order)

    assert (order.state, order.undoing, order.refunding, order.refunded) == ("cancelled", None, 0, 2500)
    assert store.undone(order) == ["undo_taking", "undo_payment", "undone"]


def test_the_customer_is_told_once_the_money_is_given_back(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Cancel())
    assert store.letters(RefundMade) == []

    store.refunded(order)

    assert [letter.amount for letter in store.letters(RefundMade)] == [2500]


def test_the_customer_is_told_what_is_given_back(store: Store):
    store.tell(store.paid(MUG=2), Cancel(reason="sold out"))

    assert [(letter.reason, letter.refund) for letter in store.letters(OrderCancelled)] == [("sold out", 2500)]


def test_money_that_is_held_is_let_go(store: Store):
    order = store.held(MUG=2)

    store.tell(order, Cancel(), ANNA)
    assert (order.state, len(store.asked_of(VOID)), store.asked_of(REFUND)) == ("cancelling", 1, [])
    store.voided(order)

    assert (order.state, order.authorized) == ("cancelled", 0)
    assert store.undone(order) == ["undo_taking", "undo_payment", "undone"]


def test_only_what_was_not_given_back_before_is_given_back(store: Store):
    order = store.paid(MUG=2, POT=1)
    store.tell(order, Edit(remove=pieces(1, 2)))
    store.refunded(order)

    store.tell(order, Cancel())
    store.refunded(order)

    assert (order.state, order.refunded, [call.amount for call in store.asked_of(REFUND)]) == (
        "cancelled",
        6500,
        [2500, 4000],
    )


@pytest.mark.parametrize(
    "event", [Hold(reason="wait"), Suspect(reason="odd"), ReportUnavailable(lines=pieces(1, 1)), Edit(add=asked(POT=1))]
)
def test_an_order_that_waits_is_called_off_like_any_other(store: Store, event: Hold):
    order = store.paid(MUG=2)
    store.tell(order, event)

    store.tell(order, Cancel())
    store.refunded(order)

    assert (order.state, order.refunded) == ("cancelled", 2500)
    assert store.shelf("POT") == (5, 0)


def test_a_refund_that_waits_for_the_shop_is_given_with_the_rest(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Refund(amount=500), ANNA)

    store.tell(order, Cancel())
    store.refunded(order)
    store.refunded(order)

    assert (order.state, order.refunded) == ("cancelled", 2500)


def test_money_that_is_won_back_while_the_order_is_called_off_is_given_back(store: Store):
    order = store.pending(MUG=2)
    for amount in (1000, 1500):
        store.tell(order, pay(amount), ANNA)
        store.charged(order)
    store.claims(store.last("payment"), 1500)
    store.tell(order, Cancel())
    assert order.refunding == 1000

    store.system(store.last("payment"), DisputeWon(dispute="du_1", amount=1500, currency="EUR"))
    store.refunded(order)
    store.refunded(order)

    assert (order.state, order.charged_back, order.refunded) == ("cancelled", 0, 2500)


def test_what_waits_for_a_dispute_is_given_back_once_the_bank_has_decided(store: Store):
    order = store.paid(MUG=2)
    store.claims(store.last("payment"), 1000)
    store.tell(order, Cancel())
    assert (order.refunding, store.asked_of(REFUND)) == (1500, [])

    store.system(store.last("payment"), DisputeLost(dispute="du_1", amount=1000, currency="EUR"))
    assert [call.amount for call in store.asked_of(REFUND)] == [1500]
    store.refunded(order)

    assert (order.state, order.refunded, order.charged_back) == ("cancelled", 1500, 1000)


# -- once it is called off


def test_money_that_comes_after_the_order_was_called_off_is_given_back(store: Store):
    order = store.paying(MUG=2)
    store.wait(hours=24)
    store.tell(order, Cancel())
    assert order.state == "cancelled"

    store.charged(order)
    assert (order.state, order.paid, order.refunding) == ("cancelled", 2500, 2500)
    store.refunded(order)

    assert (order.state, order.refunded) == ("cancelled", 2500)


def test_money_that_is_held_after_the_order_was_called_off_is_let_go(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, pay(take="later"), ANNA)
    store.wait(hours=24)
    store.tell(order, Cancel())

    store.authorized(order)
    store.voided(order)

    assert (order.state, order.authorized, store.last("payment").state) == ("cancelled", 0, "voided")


def test_the_same_can_be_ordered_again(store: Store):
    order = store.pending(MUG=2)
    store.tell(order, Cancel(), ANNA)

    store.tell(order, Reorder(), ANNA)
    store.tell(store.last("order"), Submit(), ANNA)

    assert (store.last("order").state, store.shelf()) == ("pending", (10, 2))


# -- who may ask


@pytest.mark.parametrize("event", [UndoShipping, UndoTaking, UndoPayment, UndoReservation, Undone])
def test_nobody_raises_over_http_what_follows_by_itself(event: type):
    assert event.raised_by == frozenset()


def test_customers_and_merchants_cancel():
    assert Cancel.raised_by == {Role.CUSTOMER, Role.MERCHANT}
