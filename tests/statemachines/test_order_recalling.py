"""Calling off an order whose parcels are packed or on their way: they come back before money is given back."""

from statemachines.order import Cancel, Ship
from statemachines.payments import REFUND
from statemachines.shipment.events import Deliver, SendBack
from tests.statemachines.store import Store, ship

# -- once it is packed or on its way


def test_a_parcel_that_was_not_sent_is_unpacked_first(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Ship())

    store.tell(order, Cancel())
    store.refunded(order)

    assert (order.state, order.parcels, store.last("shipment").state) == ("cancelled", 0, "cancelled")
    assert store.undone(order) == ["undo_shipping", "undo_taking", "undo_payment", "undone"]
    assert store.shelf() == (10, 0)


def test_a_parcel_that_the_carrier_was_asked_to_fetch_is_called_off_first(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Ship())
    store.book(store.last("shipment"))
    store.booked(order)

    store.tell(order, Cancel())
    assert (order.state, order.undoing, order.refunding, store.shelf()) == ("cancelling", "undo_shipping", 0, (8, 0))
    store.called_back(order)
    store.refunded(order)

    assert (order.state, store.shelf()) == ("cancelled", (10, 0))


def test_a_parcel_on_its_way_is_waited_for_until_it_is_back(store: Store):
    order = store.on_the_way(store.paid(MUG=2))

    store.tell(order, Cancel())
    store.called_back(order)
    assert (order.state, order.undoing, order.refunding, store.shelf()) == ("cancelling", "undo_shipping", 0, (8, 0))
    store.tell(store.last("shipment"), SendBack())
    store.refunded(order)

    assert (order.state, order.refunded, store.shelf()) == ("cancelled", 2500, (10, 0))


def test_every_parcel_is_called_back_before_money_is_given_back(store: Store):
    order = store.paid(MUG=2, POT=1)
    first, second = store.in_two_parcels(order)
    store.book(first)
    store.booked(order)

    store.tell(order, Cancel())
    assert (second.state, order.parcels, order.undoing) == ("cancelled", 1, "undo_shipping")
    store.called_back(order)

    assert (order.parcels, order.undoing, order.refunding) == (0, "undo_payment", 6500)


def test_what_was_taken_for_a_parcel_is_given_back_and_the_rest_let_go(store: Store):
    order = store.held(MUG=2, POT=1)
    store.tell(order, ship(1, 2))
    store.book(store.last("shipment"))
    store.booked(order)
    store.dispatch(store.last("shipment"))
    store.captured(order)

    store.tell(order, Cancel())
    store.called_back(order)
    store.tell(store.last("shipment"), SendBack())
    store.voided(order)
    store.refunded(order)

    assert (order.state, order.paid, order.refunded, order.authorized) == ("cancelled", 2500, 2500, 0)


def test_what_has_arrived_is_not_called_off(store: Store):
    order = store.paid(MUG=2, POT=1)
    first, _ = store.in_two_parcels(order)
    store.tell(first, Deliver())

    assert store.why(order, Cancel()) == "2 pieces were delivered already; what arrived can be returned"


def test_a_delivered_order_is_not_called_off(store: Store):
    assert store.why(store.delivered(MUG=2), Cancel()).startswith("order in state 'delivered' takes no 'cancel'")


def test_money_that_the_bank_claims_while_a_parcel_comes_back_is_not_given_back_too(store: Store):
    order = store.on_the_way(store.paid(MUG=2))
    store.tell(order, Cancel())
    store.called_back(order)

    store.claims(store.last("payment"), 2500)
    assert (order.state, order.undoing, order.charged_back) == ("cancelling", "undo_shipping", 2500)
    store.tell(store.last("shipment"), SendBack())

    assert (order.state, store.asked_of(REFUND), store.shelf()) == ("cancelled", [], (10, 0))
