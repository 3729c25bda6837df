"""The business rules of the shelf."""

import pytest
from pydantic import ValidationError

from statemachines.commands import Commit, Release, Reserve, Restock, StockMovement
from statemachines.declaration import Role
from statemachines.machine import SYSTEM
from statemachines.registry import MACHINES
from statemachines.stock import (
    MAX_ON_HAND,
    Adjust,
    Alert,
    Freeze,
    Open,
    Receive,
    SetPriority,
    SetReorderLevel,
    Stock,
    Unfreeze,
    stock_id,
)
from statemachines.transaction import Happened
from tests.statemachines.store import Store
from tests.statemachines.storeroom import Storeroom


@pytest.fixture
def shop() -> Store:
    """Ten mugs are on the shelf, four of them promised."""
    shop = Store()
    shop.sells("MUG", on_hand=10)
    shop.pending(MUG=4)
    return shop


def test_pieces_that_arrive_are_available_at_once(shop: Store):
    shop.tell(shop.stock(), Receive(quantity=5))

    assert (shop.stock().on_hand, shop.stock().reserved, shop.stock().available) == (15, 4, 11)


def test_pieces_are_lost_and_found(shop: Store):
    shop.tell(shop.stock(), Adjust(difference=-2, reason="broken"))
    shop.tell(shop.stock(), Adjust(difference=1, reason="found behind the shelf"))

    assert shop.stock().on_hand == 9


def test_promised_pieces_are_never_written_off(shop: Store):
    shop.tell(shop.stock(), Adjust(difference=-6, reason="flood"))

    reason = shop.why(shop.stock(), Adjust(difference=-1, reason="flood"))

    assert reason == "1 pieces to take off, but of 4 on hand 4 are reserved and 0 available"
    assert shop.stock().on_hand == 4


def test_a_shelf_holds_no_more_than_it_can_count(shop: Store):
    shop.fills()

    for more in (Receive(quantity=1), Adjust(difference=1, reason="found")):
        assert shop.why(shop.stock(), more) == f"a stock holds at most {MAX_ON_HAND} pieces"


def test_a_frozen_shelf_is_still_filled_and_counted(shop: Store):
    shop.tell(shop.stock(), Freeze(reason="recall"))

    shop.tell(shop.stock(), Receive(quantity=1))
    shop.tell(shop.stock(), Adjust(difference=-1, reason="recalled"))
    assert (shop.stock().state, shop.stock().on_hand) == ("frozen", 10)
    shop.tell(shop.stock(), Unfreeze())

    assert shop.stock().state == "stocked"


def test_the_merchant_chooses_when_a_stock_counts_as_low(shop: Store):
    shop.tell(shop.stock(), SetReorderLevel(reorder_level=6))

    assert shop.stock().reorder_level == 6


@pytest.mark.parametrize(
    ("movement", "on_hand", "reserved"),
    [(Reserve, 10, 6), (Release, 10, 2), (Commit, 8, 2), (Restock, 12, 4)],
)
def test_a_movement_keeps_the_shelf_in_balance(movement: type[StockMovement], on_hand: int, reserved: int):
    shelf = Stock(id="MUG", on_hand=10, reserved=4)

    changes = movement(shelf, 2).changes()
    assert (changes["on_hand"], changes["reserved"]) == (on_hand, reserved)
    assert (shelf.on_hand, shelf.reserved) == (10, 4)


@pytest.mark.parametrize("movement", [Reserve, Release, Commit])
def test_a_movement_never_takes_what_is_not_there(movement: type[StockMovement]):
    with pytest.raises(ValueError, match="below zero"):
        movement(Stock(id="MUG", on_hand=10, reserved=4), 7).changes()


@pytest.mark.parametrize("difference", [0, True, 1.0, "1", 10**7])
def test_a_difference_is_a_whole_number_and_not_nothing(difference):
    with pytest.raises(ValidationError):
        Adjust(difference=difference, reason="counted")


# -- low stocks


@pytest.fixture
def low(shop: Store) -> Store:
    """Six mugs are available; the shop wanted to know at six, and was told."""
    shop.tell(shop.stock(), SetReorderLevel(reorder_level=6))
    shop.tell(shop.stock(), Alert(), SYSTEM)
    assert (shop.stock().is_low, shop.stock().alerted_at) == (True, shop.now)
    return shop


def test_a_stock_is_low_at_its_reorder_level(shop: Store):
    for level, is_low in ((5, False), (6, True), (7, True), (5, False)):
        shop.tell(shop.stock(), SetReorderLevel(reorder_level=level))
        assert shop.stock().is_low is is_low


def test_a_new_product_without_pieces_is_low(shop: Store):
    assert shop.sells("POT", on_hand=0).is_low
    assert not shop.stock("MUG").is_low


def test_promised_pieces_make_a_stock_low(shop: Store):
    shop.tell(shop.stock(), SetReorderLevel(reorder_level=3))
    shop.pending(MUG=3)

    assert shop.stock().is_low


@pytest.mark.parametrize("how", ["delivery", "find", "release", "restock", "lower level"])
def test_once_there_is_enough_again_the_shop_is_told_anew(how: str):
    room = Storeroom()
    room.sells("MUG", 10)
    order = room.paid(MUG=4) if how == "restock" else room.filled(MUG=4)
    room.told("stock", "MUG", SetReorderLevel(reorder_level=6))
    room.world.given("stock", "MUG", Alert())
    assert room.stock("MUG").alerted_at == room.world.now

    match how:
        case "delivery":
            room.receives("MUG", 1)
        case "find":
            room.told("stock", "MUG", Adjust(difference=1, reason="found"))
        case "release":
            room.puts_back(order)
        case "restock":
            room.brings_back(order, MUG=1)
        case "lower level":
            room.told("stock", "MUG", SetReorderLevel(reorder_level=5))

    assert (room.stock("MUG").is_low, room.stock("MUG").alerted_at) == (False, None)


def test_a_stock_that_stays_low_is_not_told_of_anew(low: Store):
    told = low.stock().alerted_at
    low.tell(low.stock(), Adjust(difference=-2, reason="broken"))
    low.tell(low.stock(), Receive(quantity=2))
    low.pending(MUG=1)

    assert (low.stock().is_low, low.stock().alerted_at) == (True, told)


def test_an_alert_that_comes_too_late_is_not_noted(shop: Store):
    shop.tell(shop.stock(), Alert(), SYSTEM)

    assert shop.stock().alerted_at is None


def test_a_customer_does_not_see_the_stock():
    assert Role.CUSTOMER not in MACHINES["stock"].readers
    assert Open.raised_by == frozenset()
    assert {Receive.raised_by, Adjust.raised_by, Freeze.raised_by} == {frozenset({Role.MERCHANT})}


# -- several locations


@pytest.fixture
def room() -> Storeroom:
    """Three mugs are at the main location and two in Berlin."""
    room = Storeroom()
    room.sells("MUG", 3, berlin=2)
    return room


def test_each_location_has_its_own_pieces(room: Storeroom):
    room.receives("MUG@berlin", 4)
    room.told("stock", "MUG", Adjust(difference=-1, reason="broken"))

    assert (room.stock("MUG").on_hand, room.stock("MUG@berlin").on_hand) == (2, 6)


def test_each_location_is_low_by_itself(room: Storeroom):
    room.told("stock", "MUG@berlin", SetReorderLevel(reorder_level=2))

    assert (room.stock("MUG").is_low, room.stock("MUG@berlin").is_low) == (False, True)


def test_pieces_kept_for_an_order_make_their_location_low(room: Storeroom):
    room.filled(MUG=3)

    assert (room.stock("MUG").is_low, room.stock("MUG@berlin").is_low) == (True, False)


def test_each_location_is_frozen_by_itself(room: Storeroom):
    room.told("stock", "MUG", Freeze(reason="stocktake"))

    assert room.lines(room.filled(MUG=1)) == {"MUG@berlin": 1}


def test_the_merchant_chooses_which_location_is_asked_first(room: Storeroom):
    room.told("stock", "MUG", SetPriority(priority=9))

    assert room.lines(room.filled(MUG=2)) == {"MUG@berlin": 2}


def test_the_main_stock_says_how_many_pieces_are_waited_for(room: Storeroom):
    room.waits(MUG=7)
    room.waits(MUG=3)

    assert (room.stock("MUG").waiting, room.stock("MUG@berlin").waiting) == (5, 0)


def test_a_delivery_that_nobody_waits_for_is_one_event(room: Storeroom):
    outcome = room.tell("stock", "MUG@berlin", Receive(quantity=1))

    assert isinstance(outcome, Happened)
    assert [step.event.event_name for step in outcome.steps] == ["receive"]


def test_main_stocks_are_named_by_the_sku_and_others_by_their_location_too():
    assert (stock_id("MUG", "main"), stock_id("MUG", "berlin")) == ("MUG", "MUG@berlin")


@pytest.mark.parametrize("location", ["", "a b", "a@b", "-berlin", "x" * 33])
def test_a_location_has_a_plain_name(location: str):
    with pytest.raises(ValidationError):
        Open(sku="MUG", location=location)
