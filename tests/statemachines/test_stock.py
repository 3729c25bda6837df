"""The business rules of the shelf."""

import pytest
from pydantic import ValidationError

from statemachines.commands import Commit, Release, Reserve, Restock, StockMovement
from statemachines.declaration import Role
from statemachines.registry import MACHINES
from statemachines.stock import MAX_ON_HAND, Adjust, Freeze, Open, Receive, SetReorderLevel, Stock, Unfreeze
from tests.statemachines.shop import Shop, accepted, refused


@pytest.fixture
def shop() -> Shop:
    """Ten mugs are on the shelf, four of them promised."""
    shop = Shop()
    shop.sells("MUG", on_hand=10)
    shop.pending(MUG=4)
    return shop


def test_pieces_that_arrive_are_available_at_once(shop: Shop):
    accepted(shop.tell(shop.stock(), Receive(quantity=5)))

    assert (shop.stock().on_hand, shop.stock().reserved, shop.stock().available) == (15, 4, 11)


def test_pieces_are_lost_and_found(shop: Shop):
    accepted(shop.tell(shop.stock(), Adjust(difference=-2, reason="broken")))
    accepted(shop.tell(shop.stock(), Adjust(difference=1, reason="found behind the shelf")))

    assert shop.stock().on_hand == 9


def test_promised_pieces_are_never_written_off(shop: Shop):
    accepted(shop.tell(shop.stock(), Adjust(difference=-6, reason="flood")))

    refusal = refused(shop.tell(shop.stock(), Adjust(difference=-1, reason="flood")))

    assert refusal.reason == "1 pieces to take off, but of 4 on hand 4 are reserved and 0 available"
    assert shop.stock().on_hand == 4


def test_a_shelf_holds_no_more_than_it_can_count():
    full = Stock(id="MUG", state="stocked", on_hand=MAX_ON_HAND)

    for more in (Receive(quantity=1), Adjust(difference=1, reason="found")):
        assert refused(Shop().tell(full, more)).reason == f"a stock holds at most {MAX_ON_HAND} pieces"


def test_a_frozen_shelf_is_still_filled_and_counted(shop: Shop):
    accepted(shop.tell(shop.stock(), Freeze(reason="recall")))

    accepted(shop.tell(shop.stock(), Receive(quantity=1)))
    accepted(shop.tell(shop.stock(), Adjust(difference=-1, reason="recalled")))
    assert (shop.stock().state, shop.stock().on_hand) == ("frozen", 10)
    accepted(shop.tell(shop.stock(), Unfreeze()))

    assert shop.stock().state == "stocked"


def test_the_merchant_chooses_when_a_stock_counts_as_low(shop: Shop):
    accepted(shop.tell(shop.stock(), SetReorderLevel(reorder_level=6)))

    assert shop.stock().reorder_level == 6


@pytest.mark.parametrize(
    ("movement", "on_hand", "reserved"),
    [(Reserve, 10, 6), (Release, 10, 2), (Commit, 8, 2), (Restock, 12, 4)],
)
def test_a_movement_keeps_the_shelf_in_balance(movement: type[StockMovement], on_hand: int, reserved: int):
    shelf = Stock(id="MUG", on_hand=10, reserved=4)

    assert movement(shelf, 2).changes() == {"on_hand": on_hand, "reserved": reserved}
    assert (shelf.on_hand, shelf.reserved) == (10, 4)


@pytest.mark.parametrize("movement", [Reserve, Release, Commit])
def test_a_movement_never_takes_what_is_not_there(movement: type[StockMovement]):
    with pytest.raises(ValueError, match="below zero"):
        movement(Stock(id="MUG", on_hand=10, reserved=4), 7).changes()


@pytest.mark.parametrize("difference", [0, True, 1.0, "1", 10**7])
def test_a_difference_is_a_whole_number_and_not_nothing(difference):
    with pytest.raises(ValidationError):
        Adjust(difference=difference, reason="counted")


def test_a_customer_does_not_see_the_stock():
    assert Role.CUSTOMER not in MACHINES["stock"].readers
    assert Open.raised_by == frozenset()
    assert {Receive.raised_by, Adjust.raised_by, Freeze.raised_by} == {frozenset({Role.MERCHANT})}
