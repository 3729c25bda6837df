"""How an order's pieces leave: in one parcel or several, and how the money is taken that was held for them."""

from datetime import timedelta

import pytest

from statemachines.declaration import Role
from statemachines.order import Cancel, Complete, Fulfill, Hold, OrderPolicy, Resume, Ship
from statemachines.pieces import Pieces
from statemachines.shipment.events import Cancel as CancelShipment
from statemachines.shipment.events import Deliver, Dispatch, Lose, SendBack
from tests.statemachines.shop import ANNA
from tests.statemachines.store import Store, ship

# -- in one parcel


def test_a_parcel_holds_everything_that_waits(store: Store):
    order = store.paid(MUG=2, POT=1)

    store.tell(order, Ship())

    assert (order.state, order.parcels, store.counted(order, "packed")) == ("processing", 1, [2, 1])
    assert store.last("shipment").order_id == order.id


def test_an_order_is_fulfilled_once_its_parcel_has_left(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Ship())

    store.dispatch(store.last("shipment"))

    assert (order.state, order.fulfilled_at, store.counted(order, "shipped")) == ("fulfilled", store.world.now, [2])


def test_a_parcel_that_left_already_is_noted_in_one_go(store: Store):
    order = store.paid(MUG=2)

    store.tell(order, Fulfill(tracking="PN 1"))

    parcel = store.last("shipment")
    assert (order.state, order.parcels, store.counted(order, "shipped")) == ("fulfilled", 1, [2])
    assert (parcel.state, parcel.tracking) == ("in_transit", "PN 1")


def test_an_order_is_delivered_with_its_parcel(store: Store):
    order = store.delivered(MUG=2)

    assert (order.state, order.parcels, store.counted(order, "delivered")) == ("delivered", 0, [2])


def test_a_parcel_that_nobody_complains_of_completes_by_itself(store: Store):
    order = store.fulfilled(MUG=2)

    store.wait(days=14)

    assert (order.state, order.completed_at) == ("completed", store.world.now)


def test_a_parcel_that_arrives_after_the_order_was_completed_is_noted(store: Store):
    order = store.completed(MUG=2)

    store.tell(store.last("shipment"), Deliver())

    assert (order.state, order.parcels, store.counted(order, "delivered")) == ("completed", 0, [2])


# -- in several parcels


def test_an_order_is_partially_shipped_between_its_parcels(store: Store):
    order = store.paid(MUG=2, POT=1)
    first, second = store.in_two_parcels(order)

    store.dispatch(first)
    assert (order.state, store.counted(order, "shipped")) == ("partially_shipped", [2, 0])
    store.dispatch(second)

    assert (order.state, store.counted(order, "shipped")) == ("fulfilled", [2, 1])


def test_an_order_is_partially_delivered_between_its_parcels(store: Store):
    order = store.paid(MUG=2, POT=1)
    first, second = store.in_two_parcels(order)
    store.dispatch(first)
    store.dispatch(second)

    store.tell(second, Deliver())
    assert order.state == "partially_delivered"
    store.tell(first, Deliver())

    assert (order.state, order.parcels) == ("delivered", 0)


def test_the_last_parcel_may_leave_after_the_first_arrived(store: Store):
    order = store.paid(MUG=2, POT=1)
    first, second = store.in_two_parcels(order)
    store.dispatch(first)
    store.tell(first, Deliver())
    assert order.state == "partially_shipped"

    store.dispatch(second)

    assert order.state == "partially_delivered"


def test_an_order_of_which_the_first_parcel_arrived_waits_for_the_last_to_leave(store: Store):
    order = store.paid(MUG=3)
    for _ in range(2):
        store.tell(order, ship(1, 1))
        store.dispatch(store.last("shipment"))
    store.tell(store.all("shipment")[0], Deliver())
    assert order.state == "partially_shipped"

    store.tell(order, ship(1, 1))
    store.dispatch(store.last("shipment"))

    assert order.state == "partially_delivered"


def test_an_order_of_which_parcels_arrived_is_partially_shipped_until_the_last_leaves(store: Store):
    order = store.paid(MUG=3)
    store.tell(order, ship(1, 1))
    store.tell(store.last("shipment"), Deliver())
    store.tell(order, ship(1, 1))

    store.dispatch(store.last("shipment"))

    assert (order.state, store.counted(order, "shipped")) == ("partially_shipped", [2])


def test_pieces_of_one_line_leave_in_different_parcels(store: Store):
    order = store.paid(MUG=3)
    store.tell(order, ship(1, 1))
    store.dispatch(store.last("shipment"))

    store.tell(order, Fulfill())

    assert (order.state, store.counted(order, "shipped")) == ("fulfilled", [3])


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (ship(2, 1), "the order has no line 2"),
        (ship(1, 3), "line 1: 3 to ship, 2 not packed yet"),
        (Ship(lines=(Pieces(number=1, quantity=2),) * 2), "line 1: 4 to ship, 2 not packed yet"),
    ],
)
def test_only_what_waits_is_packed(store: Store, event: Ship, reason: str):
    order = store.paid(MUG=2)

    assert store.why(order, event) == reason
    assert store.all("shipment") == []


def test_nothing_is_packed_twice(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Ship())

    assert store.why(order, Ship()) == "everything is packed already"


def test_an_order_is_not_fulfilled_over_the_head_of_a_parcel_that_waits(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Ship())

    assert store.why(order, Fulfill()) == ("2 pieces are in parcels that have not left yet; dispatch or cancel these")


def test_what_is_unpacked_waits_to_be_packed_again(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Ship())

    store.tell(store.last("shipment"), CancelShipment())

    assert (order.state, order.parcels, store.counted(order, "packed")) == ("processing", 0, [0])


# -- parcels that don't arrive


def test_a_parcel_that_is_lost_is_for_a_person_to_settle(store: Store):
    order = store.fulfilled(MUG=2)
    parcel = store.last("shipment")

    store.tell(parcel, Lose())

    assert (order.state, order.parcels, store.counted(order, "lost")) == ("fulfilled", 0, [2])
    assert order.attention == f"shipment '{parcel.id}' is lost: refund its pieces"


def test_an_order_is_delivered_once_all_that_is_not_lost_arrived(store: Store):
    order = store.paid(MUG=2, POT=1)
    first, second = store.in_two_parcels(order)
    store.dispatch(first)
    store.dispatch(second)
    store.tell(first, Lose())

    store.tell(second, Deliver())

    assert order.state == "delivered"


def test_a_lost_parcel_that_turns_up_is_delivered_after_all(store: Store):
    order = store.fulfilled(MUG=2)
    store.tell(store.last("shipment"), Lose())

    store.tell(store.last("shipment"), Deliver())

    assert (order.state, order.parcels) == ("delivered", 0)
    assert (store.counted(order, "lost"), store.counted(order, "delivered")) == ([0], [2])


def test_a_parcel_that_comes_back_waits_to_be_sent_again(store: Store):
    order = store.fulfilled(MUG=2)
    parcel = store.last("shipment")

    store.tell(parcel, SendBack())

    assert (order.state, order.parcels, store.counted(order, "packed")) == ("processing", 0, [0])
    assert order.attention == f"shipment '{parcel.id}' came back: send it again or cancel the order"


def test_a_parcel_of_a_completed_order_that_comes_back_is_not_sent_again(store: Store):
    order = store.completed(MUG=2)

    store.tell(store.last("shipment"), SendBack())

    assert order.attention == f"shipment '{store.last('shipment').id}' came back: refund its pieces"


def test_with_one_of_two_parcels_back_the_order_is_partially_shipped(store: Store):
    order = store.paid(MUG=2, POT=1)
    first, second = store.in_two_parcels(order)
    store.dispatch(first)
    store.dispatch(second)

    store.tell(first, SendBack())

    assert (order.state, store.counted(order, "shipped")) == ("partially_shipped", [0, 1])


def test_what_came_back_is_sent_again(store: Store):
    order = store.fulfilled(MUG=2)
    store.tell(store.last("shipment"), SendBack())

    store.tell(order, Fulfill())
    store.tell(store.last("shipment"), Deliver())

    assert (order.state, store.counted(order, "delivered"), store.shelf()) == ("delivered", [2], (8, 0))


# -- news that come out of order


def test_a_parcel_that_is_told_to_have_arrived_has_left(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Ship())

    store.tell(store.last("shipment"), Deliver())

    assert (order.state, order.parcels) == ("delivered", 0)
    assert (store.counted(order, "shipped"), store.counted(order, "delivered")) == ([2], [2])


@pytest.mark.parametrize("event", [Dispatch(), Deliver()])
def test_news_that_come_twice_count_once(store: Store, event: Dispatch | Deliver):
    order = store.paid(MUG=2)
    store.tell(order, Ship())
    store.tell(store.last("shipment"), event)
    before = order.version

    store.tell(store.last("shipment"), event)

    assert order.version == before


def test_a_parcel_that_leaves_while_the_order_is_on_hold_is_counted(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Ship())
    store.tell(order, Hold(reason="wait"))

    store.dispatch(store.last("shipment"))
    assert (order.state, store.counted(order, "shipped")) == ("on_hold", [2])
    store.tell(order, Resume())

    assert order.state == "fulfilled"


def test_an_order_of_which_a_part_left_while_it_was_on_hold_goes_on(store: Store):
    order = store.paid(MUG=2, POT=1)
    first, _ = store.in_two_parcels(order)
    store.tell(order, Hold(reason="wait"))
    store.dispatch(first)

    store.tell(order, Resume())

    assert order.state == "partially_shipped"


# -- who may ask


@pytest.mark.parametrize("event", [Ship, Fulfill])
def test_only_the_merchant_sends(event: type[Ship]):
    assert event.raised_by == {Role.MERCHANT}


def test_a_customer_cannot_cancel_a_paid_order(store: Store):
    assert store.why(store.paid(MUG=2), Cancel(), ANNA) == "the order is paid; ask the merchant to cancel it"


def test_the_shop_chooses_how_long_an_order_waits_for_complaints():
    store = Store(order=OrderPolicy(complete_after=timedelta(days=2)))
    store.sells("MUG")
    order = store.delivered(MUG=1)

    store.wait(days=2)

    assert order.state == "completed"


def test_a_customer_says_that_all_is_well(store: Store):
    order = store.delivered(MUG=1)

    store.tell(order, Complete(), ANNA)

    assert (order.state, order.completed_at) == ("completed", store.world.now)
