"""Orders that wait for pieces, and orders whose pieces come from several locations."""

from datetime import timedelta

import pytest

from statemachines.order import (
    Cancel,
    Edit,
    Fail,
    Fulfill,
    GoOnWithout,
    LineAsked,
    OrderPolicy,
    ReportUnavailable,
    Retry,
    Ship,
)
from statemachines.payment.events import Void
from statemachines.pieces import Pieces
from statemachines.product import OpenLocation
from statemachines.reservation import Reservation
from statemachines.shipment.events import Arrived, Dispatch, Lose
from statemachines.shipment.events import Cancel as CancelParcel
from statemachines.shipment.model import ShipmentLine
from statemachines.stock import Receive
from tests.statemachines.shop import ANNA, MERCHANT, Seen
from tests.statemachines.store import Store, pay, pieces


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


def contents(store: Store, shipment: Seen) -> dict[str, int]:
    return {line.sku: line.quantity for line in store.world.rows(ShipmentLine) if line.shipment_id == shipment.id}


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


def test_what_is_here_is_packed_and_the_rest_gets_a_parcel_that_waits(store: Store) -> None:
    order = store.paid(POT=1, MUG=16)

    store.tell(order, Ship())

    assert [(each.state, contents(store, each)) for each in store.all("shipment")] == [
        ("pending", {"POT": 1, "MUG": 14}),
        ("backordered", {"MUG": 2}),
    ]
    assert store.counted(order, "packed") == [1, 16]


def test_a_parcel_that_waits_goes_on_once_everything_has_come_in(store: Store) -> None:
    order = store.paid(MUG=16)
    store.tell(order, Ship())
    waiting = store.last("shipment")

    receive(store, "MUG", 1)
    assert waiting.state == "backordered"
    receive(store, "MUG", 1)

    assert waiting.state == "pending"


def test_pieces_that_wait_are_promised_to_one_parcel_only(store: Store) -> None:
    order = store.paid(MUG=16)
    store.tell(order, Ship(lines=(Pieces(number=1, quantity=15),)))
    store.tell(order, Ship())

    assert [(each.state, contents(store, each)) for each in store.all("shipment")] == [
        ("pending", {"MUG": 14}),
        ("backordered", {"MUG": 1}),
        ("backordered", {"MUG": 1}),
    ]


def test_a_waiting_parcel_is_called_off_with_its_order(store: Store) -> None:
    order = store.paid(MUG=16)
    store.tell(order, Ship())

    store.tell(order, Cancel(), MERCHANT)
    store.refunded(order)

    assert ({each.state for each in store.all("shipment")}, order.state) == ({"cancelled"}, "cancelled")
    assert (store.shelf("MUG"), store.shelf("MUG@berlin"), store.stock("MUG").waiting) == ((10, 0), (4, 0), 0)


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


def test_who_goes_on_without_what_never_comes_waits_for_it_no_longer(store: Store) -> None:
    order = store.paid(MUG=20)
    store.tell(order, ReportUnavailable(lines=pieces(1, 4)))
    store.tell(order, GoOnWithout(), ANNA)
    assert (kept(store, order).missing, store.stock("MUG").waiting, store.counted(order, "missing")) == (2, 2, [0])

    receive(store, "MUG", 2)
    store.tell(order, Fulfill())
    assert (order.state, store.counted(order, "shipped")) == ("fulfilled", [16])


def test_nobody_waits_for_pieces_of_an_order_that_was_called_off_because_they_never_come(store: Store) -> None:
    order = store.paid(MUG=40)
    store.tell(order, ReportUnavailable(lines=pieces(1, 26)))
    store.wait(days=3)
    assert (kept(store, order).state, store.stock("MUG").waiting) == ("released", 0)
    assert (store.shelf("MUG"), store.shelf("MUG@berlin")) == ((10, 0), (4, 0))

    store.refunded(order)
    receive(store, "MUG", 5)
    assert (order.state, store.shelf("MUG"), store.counted(order, "unavailable")) == ("cancelled", (15, 0), [0])


def test_what_a_parcel_waits_for_is_not_given_up_with_what_is_broken(store: Store) -> None:
    order = store.paid(MUG=16)
    store.tell(order, Ship())
    here, waiting = store.all("shipment")
    store.tell(here, CancelParcel())

    store.tell(order, ReportUnavailable(lines=pieces(1, 1)))
    store.tell(order, GoOnWithout(), ANNA)

    assert (kept(store, order).missing, waiting.state) == (2, "backordered")


def test_goods_come_in_though_an_order_was_called_off_whose_awaited_pieces_were_sent_and_lost(store: Store) -> None:
    order = store.paid(MUG=40)
    store.tell(order, Ship())
    awaited = store.last("shipment")
    for event in (Arrived(), Dispatch(), Lose()):
        store.tell(awaited, event)
    store.tell(order, Cancel(), MERCHANT)
    store.refunded(order)
    assert (order.state, store.stock("MUG").waiting) == ("cancelled", 12)

    receive(store, "MUG", 26)

    assert (store.stock("MUG").waiting, store.shelf("MUG")) == (0, (14, 0))


def test_an_order_that_is_taken_up_again_holds_its_pieces_once() -> None:
    store = Store.stocked()
    order = store.held(MUG=2, POT=1)
    store.tell(order, ReportUnavailable(lines=pieces(2, 1)))
    store.tell(order, GoOnWithout(), ANNA)
    store.tell(order, Fail(reason="the card was stolen"))
    store.tell(store.last("payment"), Void())
    store.voided(order)
    store.tell(order, Retry())
    for _ in range(3):
        store.tell(order, pay(), ANNA)
        store.declined(order)
    store.tell(order, Retry())
    store.pay(order)

    store.tell(order, Edit(add=(LineAsked(sku="MUG", quantity=1),)), ANNA)
    assert store.shelf("MUG") == (7, 0)
    store.tell(order, Cancel(), MERCHANT)
    assert store.shelf("MUG") == (10, 0)
