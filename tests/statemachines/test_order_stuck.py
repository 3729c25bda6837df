"""When calling an order off can't be finished, and how a person gets it out."""

import pytest

from statemachines.declaration import Role
from statemachines.letters import PaymentReminder
from statemachines.order import Cancel, Fulfill, Refund, RefundAgain, ReportUnavailable, Resume, Retry, Ship
from statemachines.order.events import CompensationOverdue
from statemachines.payments import CAPTURE, REFUND
from statemachines.shipment.events import Cancel as CancelShipment
from statemachines.shipment.events import Deliver, Lose, SendBack
from tests.statemachines.shop import Seen
from tests.statemachines.store import Store, pieces, ship


def not_called_back(store: Store) -> Seen:
    """Return an order whose parcel the carrier does not bring back."""
    order = store.on_the_way(store.paid(MUG=2))
    store.tell(order, Cancel())
    store.not_called_back(order)
    return order


# -- the parcel can't be called back


def test_a_parcel_that_nobody_can_be_asked_about_is_for_a_person_to_settle(store: Store):
    order = store.fulfilled(MUG=2)
    parcel = store.last("shipment")

    store.tell(order, Cancel())

    assert (order.state, order.undoing) == ("cancellation_failed", "undo_shipping")
    assert order.attention == (
        f"shipment '{parcel.id}' can't be called back: no carrier is known that could bring it back"
    )


def test_a_recall_that_the_carrier_refuses_is_for_a_person_to_settle(store: Store):
    order = not_called_back(store)

    assert order.state == "cancellation_failed"
    assert order.attention.endswith("can't be called back: it is in the van")
    assert store.chat[-1] == f"Order {order.id} needs attention: {order.attention}"


def test_nothing_else_is_taken_back_while_a_parcel_is_out(store: Store):
    not_called_back(store)

    assert (store.shelf(), store.asked_of(REFUND)) == ((8, 0), [])


def test_an_order_that_can_not_be_called_back_goes_on(store: Store):
    order = not_called_back(store)

    store.tell(order, Resume())
    assert (order.state, order.undoing, order.attention) == ("fulfilled", None, None)
    store.tell(store.last("shipment"), Deliver())

    assert order.state == "delivered"


def test_news_of_money_do_not_decide_about_a_parcel_that_arrived(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Refund(amount=500, reason="a scratch"))
    store.tell(store.on_the_way(order), Cancel())
    store.not_called_back(order)
    store.tell(store.last("shipment"), Deliver())

    store.refunded(order)

    assert (order.state, order.refunded, store.shelf()) == ("cancellation_failed", 500, (8, 0))


def test_a_parcel_that_comes_back_after_all_lets_the_cancellation_go_on(store: Store):
    order = not_called_back(store)

    store.tell(store.last("shipment"), SendBack())
    assert (order.state, order.undoing, store.shelf()) == ("cancelling", "undo_payment", (10, 0))
    store.refunded(order)

    assert (order.state, order.refunded) == ("cancelled", 2500)


def test_a_parcel_may_be_called_back_once_more(store: Store):
    order = not_called_back(store)

    store.tell(order, Retry())
    assert (order.state, order.attention) == ("cancelling", None)
    store.called_back(order)
    store.tell(store.last("shipment"), SendBack())

    assert (order.state, order.undoing) == ("cancelling", "undo_payment")


def test_a_parcel_that_arrives_meanwhile_is_for_a_person_to_settle(store: Store):
    order = store.on_the_way(store.paid(MUG=2))
    store.tell(order, Cancel())

    store.tell(store.last("shipment"), Deliver())

    assert (order.state, order.parcels) == ("cancellation_failed", 0)
    assert order.attention == (
        f"shipment '{store.last('shipment').id}' arrived; resume the order, or retry to give the money back"
    )


def test_an_order_that_arrived_meanwhile_goes_on_as_delivered(store: Store):
    order = store.on_the_way(store.paid(MUG=2))
    store.tell(order, Cancel())
    store.tell(store.last("shipment"), Deliver())

    store.tell(order, Resume())

    assert (order.state, order.attention) == ("delivered", None)


def test_the_money_may_be_given_back_for_what_arrived_meanwhile(store: Store):
    order = store.on_the_way(store.paid(MUG=2))
    store.tell(order, Cancel())
    store.tell(store.last("shipment"), Deliver())

    store.tell(order, Retry())
    store.refunded(order)

    assert (order.state, order.refunded, store.shelf()) == ("cancelled", 2500, (8, 0))


def test_a_parcel_that_is_lost_meanwhile_need_not_be_called_back(store: Store):
    order = store.on_the_way(store.paid(MUG=2))
    store.tell(order, Cancel())

    store.tell(store.last("shipment"), Lose())
    store.refunded(order)

    assert (order.state, order.refunded, store.shelf()) == ("cancelled", 2500, (8, 0))


def test_what_turns_up_after_all_goes_back_on_the_shelf(store: Store):
    order = store.on_the_way(store.paid(MUG=2))
    store.tell(order, Cancel())
    store.tell(store.last("shipment"), Lose())
    store.refunded(order)

    store.tell(store.last("shipment"), SendBack())

    assert (order.state, order.attention, store.shelf()) == ("cancelled", None, (10, 0))


def test_one_of_two_parcels_that_can_not_be_called_back_holds_the_money(store: Store):
    order = store.paid(MUG=2, POT=1)
    first, second = store.in_two_parcels(order)
    store.book(first)
    store.booked(order)
    store.dispatch(first)

    store.tell(order, Cancel())
    assert second.state == "cancelled"
    store.not_called_back(order)
    store.tell(order, Resume())

    assert (order.state, order.parcels, order.refunding) == ("partially_shipped", 1, 0)


def test_the_money_of_a_parcel_that_left_while_the_order_was_called_off_is_taken_when_it_goes_on(store: Store):
    order = store.held(MUG=2)
    store.tell(order, Ship())
    store.book(store.last("shipment"))
    store.booked(order)
    store.tell(order, Cancel())
    store.dispatch(store.last("shipment"))
    store.not_called_back(order)
    assert (order.state, store.asked_of(CAPTURE)) == ("cancellation_failed", [])

    store.tell(order, Resume())
    store.captured(order)

    assert (order.state, order.paid, order.authorized) == ("fulfilled", 2500, 0)
    assert order.fulfilled_at == store.world.now


def test_a_parcel_that_was_not_fetched_goes_its_way_after_all(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Ship())
    store.book(store.last("shipment"))
    store.booked(order)
    store.tell(order, Cancel())
    store.not_called_back(order)

    store.tell(order, Resume())
    assert (order.state, order.parcels) == ("processing", 1)
    store.dispatch(store.last("shipment"))

    assert order.state == "fulfilled"


def test_an_order_of_which_something_was_refunded_before_goes_on_too(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Refund(amount=500, reason="a scratch"))
    store.tell(store.on_the_way(order), Cancel())
    store.not_called_back(order)

    store.tell(order, Resume())

    assert (order.state, order.refunding) == ("fulfilled", 500)


def test_an_order_whose_parcel_was_lost_meanwhile_goes_on(store: Store):
    order = not_called_back(store)
    store.tell(store.last("shipment"), Lose())

    store.tell(order, Resume())

    assert (order.state, order.parcels) == ("fulfilled", 0)


def test_an_order_of_which_the_rest_never_left_goes_on(store: Store):
    order = store.paid(MUG=2, POT=1)
    store.tell(order, ship(1, 2))
    store.book(store.last("shipment"))
    store.booked(order)
    store.dispatch(store.last("shipment"))
    store.tell(order, Cancel())
    store.tell(store.last("shipment"), Deliver())

    store.tell(order, Resume())

    assert order.state == "partially_shipped"


def test_an_order_whose_money_lapsed_meanwhile_is_to_be_paid_once_it_goes_on(store: Store):
    order = store.held(MUG=2)
    store.tell(order, Ship())
    store.book(store.last("shipment"))
    store.booked(order)
    store.tell(order, Cancel())
    store.not_called_back(order)
    store.wait(days=7)

    store.tell(order, Resume())

    assert (order.state, order.authorized) == ("payment_due", 0)
    assert [letter.total for letter in store.letters(PaymentReminder)] == [2500]


@pytest.mark.parametrize("ends", [Deliver(), Lose()], ids=["delivered", "lost"])
def test_an_order_of_which_pieces_were_given_back_does_not_go_on(store: Store, ends: Deliver):
    order = not_called_back(store)
    store.tell(store.last("shipment"), ends)
    store.tell(order, Retry())
    store.refund_refused(order)
    assert order.state == "cancellation_failed"

    assert store.why(order, Resume()) == "pieces or money were given back already"


def test_what_could_not_be_delivered_is_to_be_reported_anew_once_the_order_goes_on(store: Store):
    order = store.paid(MUG=2, POT=1)
    store.tell(order, ship(1, 2))
    store.book(store.last("shipment"))
    store.booked(order)
    store.tell(order, ReportUnavailable(lines=pieces(2, 1)))
    store.tell(order, Cancel())
    store.not_called_back(order)

    store.tell(order, Resume())

    assert (order.state, store.counted(order, "unavailable")) == ("processing", [0, 0])


def test_an_order_of_which_a_part_arrived_meanwhile_goes_on(store: Store):
    order = store.paid(MUG=2, POT=1)
    for parcel in store.in_two_parcels(order):
        store.book(parcel)
        store.booked(order)
        store.dispatch(parcel)
    store.tell(order, Cancel())
    store.tell(parcel, Deliver())
    assert (order.state, order.parcels) == ("cancellation_failed", 1)

    store.tell(order, Resume())

    assert order.state == "partially_delivered"


@pytest.mark.parametrize(("event", "column"), [(Deliver(), "delivered"), (Lose(), "lost")], ids=["delivered", "lost"])
def test_what_becomes_of_a_parcel_that_can_not_be_called_back_is_noted(store: Store, event: Deliver, column: str):
    order = not_called_back(store)

    store.tell(store.last("shipment"), event)

    assert (order.state, order.parcels, store.counted(order, column)) == ("cancellation_failed", 0, [2])


def test_a_parcel_that_is_called_off_by_hand_lets_the_cancellation_go_on(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Ship())
    store.book(store.last("shipment"))
    store.booked(order)
    store.tell(order, Cancel())
    store.not_called_back(order)

    store.tell(store.last("shipment"), CancelShipment())
    store.called_back(order)
    assert (order.state, order.undoing) == ("cancelling", "undo_payment")
    store.refunded(order)

    assert (order.state, order.attention, store.shelf()) == ("cancelled", None, (10, 0))


def test_a_refusal_that_comes_after_the_order_went_on_changes_nothing(store: Store):
    order = store.on_the_way(store.paid(MUG=2))
    store.tell(order, Cancel())
    store.wait(days=3)
    store.tell(order, Resume())
    before = (order.state, order.parcels)

    store.not_called_back(order)

    assert (order.state, order.parcels) == before == ("fulfilled", 1)


def test_a_lost_parcel_that_arrives_after_the_order_was_called_off_is_for_a_person_to_settle(store: Store):
    order = store.on_the_way(store.paid(MUG=2))
    store.tell(order, Cancel())
    store.tell(store.last("shipment"), Lose())
    store.refunded(order)
    assert order.state == "cancelled"

    store.tell(store.last("shipment"), Deliver())

    assert (order.state, store.counted(order, "delivered"), store.counted(order, "lost")) == ("cancelled", [2], [0])
    assert order.attention == (
        f"shipment '{store.last('shipment').id}' arrived after the order was called off; "
        "ask the customer for it, or for its price"
    )
    assert store.chat[-1] == f"Order {order.id} needs attention: shipment delivered"


def test_a_person_is_told_that_a_parcel_that_can_not_be_called_back_is_lost(store: Store):
    order = not_called_back(store)

    store.tell(store.last("shipment"), Lose())

    lost = f"shipment '{store.last('shipment').id}' is lost"
    assert order.attention == f"{lost}; resume the order, or retry to give the money back"


# -- it takes too long


def test_a_cancellation_that_takes_too_long_is_for_a_person_to_settle(store: Store):
    order = store.on_the_way(store.paid(MUG=2))
    store.tell(order, Cancel())
    store.called_back(order)

    store.wait(days=3)

    assert (order.state, order.attention) == (
        "cancellation_failed",
        "calling the order off takes too long: undo_shipping is not finished",
    )
    assert store.chat[-1] == f"Order {order.id} needs attention: compensation overdue"


def test_what_comes_too_late_still_ends_it(store: Store):
    order = store.on_the_way(store.paid(MUG=2))
    store.tell(order, Cancel())
    store.called_back(order)
    store.wait(days=3)

    store.tell(store.last("shipment"), SendBack())
    store.refunded(order)

    assert (order.state, order.refunded, order.attention) == ("cancelled", 2500, None)


# -- once it is called off


def test_a_refund_that_comes_back_after_the_order_was_called_off_is_tried_again(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Cancel())
    store.refunded(order)
    assert order.state == "cancelled"

    store.came_back(store.last("refund"))
    assert (order.refunded, order.refund_due) == (0, 2500)
    store.tell(order, RefundAgain())
    store.refunded(order)

    assert (order.state, order.refunded, order.refund_due) == ("cancelled", 2500, 0)


# -- who may ask


@pytest.mark.parametrize("event", [Retry, Resume, Fulfill])
def test_only_the_merchant_gets_it_out(event: type[Retry]):
    assert event.raised_by == {Role.MERCHANT}


def test_nobody_raises_over_http_that_it_takes_too_long():
    assert CompensationOverdue.raised_by == frozenset()
