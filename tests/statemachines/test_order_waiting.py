"""Orders that wait for pieces, and orders whose pieces come from several locations."""

from datetime import timedelta

import pytest

from statemachines.order import Cancel, Edit, Fulfill, LineAsked, OrderPolicy
from statemachines.pieces import Pieces
from statemachines.product import OpenLocation
from statemachines.reservation import Reservation
from statemachines.stock import Receive
from tests.statemachines.shop import ANNA, MERCHANT
from tests.statemachines.store import Seen, Store


@pytest.fixture
def store() -> Store:
    """Ten mugs are at the main location, four in Berlin; orders may wait."""
    store = Store.stocked(order=OrderPolicy(backorders=True))
    store.world.given("product", "MUG", OpenLocation(location="berlin", priority=2, on_hand=4), MERCHANT)
    return store


def receive(store: Store, name: str, quantity: int) -> None:
    store.world.given("stock", name, Receive(quantity=quantity), MERCHANT)


def kept(store: Store, order: Seen) -> Reservation:
    return [each for each in store.world.rows(Reservation) if each.order_id == order.id][-1]


def settle(store: Store) -> None:
    store.world.advance(timedelta())


def test_an_order_is_served_from_several_locations_and_gives_back_to_each(store: Store) -> None:
    order = store.paid(MUG=12)
    assert (store.shelf("MUG"), store.shelf("MUG@berlin")) == ((0, 0), (2, 0))

    store.tell(order, Cancel(), MERCHANT)
    assert (store.shelf("MUG"), store.shelf("MUG@berlin")) == ((10, 0), (4, 0))


def test_an_order_waits_for_what_is_not_there_and_is_packed_once_it_is(store: Store) -> None:
    order = store.paid(MUG=16)
    assert kept(store, order).state == "partly_taken"
    assert store.why(order, Fulfill()) == "2 pieces have not come in yet"

    receive(store, "MUG@berlin", 2)
    assert kept(store, order).state == "taken"
    store.tell(order, Fulfill())
    assert order.state == "fulfilled"


def test_orders_are_served_in_turn_before_they_are_paid(store: Store) -> None:
    first, second = store.pending(MUG=15), store.pending(MUG=1)
    receive(store, "MUG", 1)

    assert (kept(store, first).state, kept(store, second).state) == ("held", "backordered")


def test_what_an_order_gives_back_goes_to_who_waits(store: Store) -> None:
    first, second = store.pending(MUG=14), store.pending(MUG=3)
    store.tell(first, Cancel(), ANNA)
    settle(store)

    assert (kept(store, first).state, kept(store, second).state) == ("released", "held")


def test_an_order_that_expires_waits_no_longer(store: Store) -> None:
    order = store.pending(MUG=15)
    store.world.advance(timedelta(minutes=31))

    assert (order.state, kept(store, order).state, store.stock("MUG").waiting) == ("cancelled", "released", 0)


def test_a_waiting_order_that_is_called_off_waits_no_longer(store: Store) -> None:
    order = store.paid(MUG=15)
    store.tell(order, Cancel(), MERCHANT)

    assert (kept(store, order).state, store.stock("MUG").waiting) == ("released", 0)
    assert (store.shelf("MUG"), store.shelf("MUG@berlin")) == ((10, 0), (4, 0))


def test_a_change_of_a_paid_order_moves_its_pieces(store: Store) -> None:
    order = store.paid(MUG=12)
    store.tell(order, Edit(add=(LineAsked(sku="POT", quantity=1),), remove=(Pieces(number=1, quantity=3),)), MERCHANT)

    assert (store.shelf("MUG"), store.shelf("MUG@berlin"), store.shelf("POT")) == ((1, 0), (4, 0), (4, 0))


def test_a_reservation_that_outlives_its_patience_is_no_longer_counted_on() -> None:
    store = Store.stocked(order=OrderPolicy(reserve_at_most=timedelta(hours=1), expire_after=timedelta(hours=2)))
    order = store.pending(MUG=1)
    store.world.advance(timedelta(hours=1))
    assert (order.stock_held, store.shelf("MUG")) == ("nothing", (10, 0))

    store.pay(order)
    assert (order.state, order.stock_held, store.shelf("MUG")) == ("processing", "taken", (9, 0))
