"""Orders whose parcels move while a person or the customer is waited for: they go on where their parcels are."""

from collections.abc import Callable

import pytest

from statemachines.letters import ItemsUnavailable
from statemachines.order import (
    Clear,
    GoOnWithout,
    Hold,
    OrderPolicy,
    ReportUnavailable,
    Resume,
    Ship,
    Suspect,
)
from statemachines.shipment.events import Cancel as CancelParcel
from statemachines.shipment.events import Deliver
from tests.statemachines.shop import ANNA, Seen
from tests.statemachines.store import Store, pieces, ship

WHERE = [
    (2, 2, "delivered"),
    (2, 1, "partially_delivered"),
    (2, 0, "fulfilled"),
    (1, 1, "partially_shipped"),
    (0, 0, "processing"),
]
"""Of two parcels, how many left, how many of these arrived, and where the order is then."""


@pytest.fixture
def store() -> Store:
    return Store.stocked()


def held(store: Store, order: Seen) -> Resume:
    store.tell(order, Hold(reason="wait"))
    return Resume()


def suspected(store: Store, order: Seen) -> Clear:
    store.tell(order, Suspect(reason="odd"))
    return Clear()


def reported(store: Store, order: Seen) -> tuple[Seen, Seen]:
    """Pack two of an order's three lines, and say that the third can't be delivered."""
    parcels = packed(store, order, 1), packed(store, order, 2)
    store.tell(order, ReportUnavailable(lines=pieces(3, 1)))
    return parcels


def packed(store: Store, order: Seen, number: int) -> Seen:
    store.tell(order, ship(number, 1))
    return store.last("shipment")


def move(store: Store, parcels: tuple[Seen, Seen], sent: int, delivered: int) -> None:
    for parcel in parcels[:sent]:
        store.dispatch(parcel)
    for parcel in parcels[:delivered]:
        store.tell(parcel, Deliver())


@pytest.mark.parametrize("waits", [held, suspected])
@pytest.mark.parametrize(("sent", "delivered", "state"), WHERE)
def test_an_order_that_waited_for_a_person_goes_on_where_its_parcels_are(
    store: Store, waits: Callable[[Store, Seen], Resume | Clear], sent: int, delivered: int, state: str
) -> None:
    order = store.paid(MUG=1, POT=1)
    parcels = store.in_two_parcels(order)
    going_on = waits(store, order)
    move(store, parcels, sent, delivered)

    store.tell(order, going_on)

    assert (order.state, order.attention, order.fulfilled_at is not None) == (state, None, sent == 2)


@pytest.mark.parametrize(("sent", "delivered", "state"), WHERE)
def test_an_order_that_goes_on_without_what_is_not_there_goes_on_where_its_parcels_are(
    store: Store, sent: int, delivered: int, state: str
) -> None:
    store.sells("CUP", price=500)
    order = store.paid(MUG=1, POT=1, CUP=1)
    parcels = reported(store, order)
    move(store, parcels, sent, delivered)

    store.tell(order, GoOnWithout(), ANNA)

    assert (order.state, order.refunding, order.fulfilled_at is not None) == (state, 500, sent == 2)


def test_once_everything_left_but_what_is_not_there_no_money_is_held_any_more(store: Store) -> None:
    store.sells("CUP", price=500)
    order = store.held(MUG=1, POT=1, CUP=1)
    for parcel in reported(store, order):
        store.dispatch(parcel)
        store.captured(order)
    assert (order.paid, order.authorized) == (5250, 500)

    store.tell(order, GoOnWithout(), ANNA)
    store.voided(order)

    assert (order.state, order.paid, order.authorized) == ("fulfilled", 5250, 0)


def test_what_never_comes_is_taken_off_an_order_of_which_the_rest_arrived() -> None:
    store = Store.stocked(order=OrderPolicy(backorders=True))
    order = store.paid(MUG=12)
    store.tell(order, Ship())
    here, awaited = store.all("shipment")
    store.dispatch(here)
    store.tell(here, Deliver())

    store.tell(awaited, CancelParcel())
    store.tell(order, ReportUnavailable(lines=pieces(1, 2), reason="no longer made"))
    assert [letter.others_left for letter in store.letters(ItemsUnavailable)] == [True]
    store.tell(order, GoOnWithout(), ANNA)

    assert (order.state, order.refunding, store.stock("MUG").waiting) == ("delivered", 2500, 0)


def test_nothing_is_called_off_over_the_head_of_a_customer_to_whom_parcels_are_on_their_way(store: Store) -> None:
    store.sells("CUP", price=500)
    order = store.paid(MUG=1, POT=1, CUP=1)
    parcel, _ = reported(store, order)
    move(store, (parcel, parcel), sent=1, delivered=1)

    store.wait(days=3)

    assert (order.state, order.refunding) == ("customer_action_required", 0)
    assert store.chat[-1] == f"Order {order.id} needs attention: customer silent"
    assert (
        order.attention == "the customer does not answer, and parcels have left; go on without what can't be delivered"
    )
    store.tell(order, GoOnWithout())
    assert order.state == "partially_shipped"
