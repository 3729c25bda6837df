"""The business rules of the catalogue."""

import pytest
from pydantic import ValidationError

from statemachines.commands import Send, Spawn
from statemachines.declaration import Role
from statemachines.product import Create, Discontinue, OpenLocation, Relist, Rename, Reprice, open_stock, retire_stock
from statemachines.stock import MAX_LOCATIONS, Freeze, Open, Retire, Stock, Unfreeze, stock_id
from tests.statemachines.shop import Shop, accepted, refused
from tests.statemachines.store import Store
from tests.statemachines.storeroom import Storeroom


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    shop.sells("MUG", price=1250, on_hand=10)
    return shop


def test_a_new_product_is_sold_and_has_a_stock_of_its_own(shop: Shop):
    product = shop.product("MUG")

    assert (product.id, product.state, product.price, product.currency) == ("MUG", "active", 1250, "EUR")
    assert (shop.stock("MUG").state, shop.stock("MUG").on_hand) == ("stocked", 10)


def test_a_new_product_asks_for_its_stock():
    event = Create(sku="MUG", name="Mug", price=1250, currency="EUR", on_hand=3, reorder_level=2)

    assert list(open_stock(event)) == [Spawn("stock", Open(sku="MUG", on_hand=3, reorder_level=2))]


def test_a_product_is_created_once(shop: Shop):
    again = Create(sku="MUG", name="Mug", price=1, currency="EUR")

    assert refused(shop.tell(shop.product("MUG"), again)).reason == "product 'MUG' exists already"


def test_a_price_and_a_name_change_without_a_change_of_state(shop: Shop):
    product = shop.product("MUG")

    accepted(shop.tell(product, Reprice(price=1500)))
    accepted(shop.tell(product, Rename(name="Blue mug")))

    assert (product.state, product.price, product.name) == ("active", 1500, "Blue mug")


def test_a_discontinued_product_retires_its_stock(shop: Shop):
    product = shop.product("MUG")

    accepted(shop.tell(product, Discontinue()))

    assert (product.state, shop.stock("MUG").state) == ("discontinued", "retired")
    assert refused(shop.tell(shop.stock("MUG"), Unfreeze())).guard is None


def test_the_stock_of_a_relisted_product_waits_to_be_unfrozen(store: Store):
    product = store.product("MUG")
    store.tell(product, Discontinue())

    store.tell(product, Relist())
    assert (product.state, store.stock("MUG").state) == ("active", "frozen")
    store.tell(store.stock("MUG"), Unfreeze())

    assert store.pending(MUG=1).state == "pending"


def test_a_stock_that_was_frozen_is_retired_too(shop: Shop):
    accepted(shop.tell(shop.stock("MUG"), Freeze(reason="stocktake")))

    accepted(shop.tell(shop.product("MUG"), Discontinue()))

    assert shop.stock("MUG").state == "retired"


def test_retiring_is_asked_of_the_stock_by_an_event(shop: Shop):
    assert list(retire_stock(shop.world.rows(Stock))) == [Send("stock", "MUG", Retire())]


def test_a_product_may_have_stock_elsewhere(shop: Shop):
    opened = OpenLocation(location="berlin", priority=2, on_hand=4, reorder_level=1)
    accepted(shop.tell(shop.product("MUG"), opened))
    stock = shop.stock("MUG@berlin")

    assert (stock.sku, stock.location, stock.priority) == ("MUG", "berlin", 2)
    assert (stock.on_hand, stock.reorder_level, stock.state) == (4, 1, "stocked")


@pytest.mark.parametrize("location", ["main", "berlin"])
def test_a_location_is_opened_once(location: str):
    room = Storeroom()
    room.sells("MUG", 1, berlin=1)

    refusal = room.why("product", "MUG", OpenLocation(location=location))
    assert refusal.endswith(f"stock '{stock_id('MUG', location)}' exists already")


def test_a_product_has_so_many_locations_and_no_more():
    room = Storeroom()
    room.sells("MUG", **{f"l{number}": 1 for number in range(MAX_LOCATIONS - 1)})

    reason = "a product has stock at 20 locations at most"
    assert room.why("product", "MUG", OpenLocation(location="rome")) == reason


def test_a_discontinued_product_retires_its_stock_everywhere():
    room = Storeroom()
    room.sells("MUG", 1, berlin=1)
    room.told("stock", "MUG@berlin", Freeze())

    room.told("product", "MUG", Discontinue())
    assert {room.stock(name).state for name in ("MUG", "MUG@berlin")} == {"retired"}
    assert "takes no 'open_location'" in room.why("product", "MUG", OpenLocation(location="rome"))

    room.told("product", "MUG", Relist())
    assert {room.stock(name).state for name in ("MUG", "MUG@berlin")} == {"frozen"}


def test_a_discontinued_product_is_not_discontinued_twice(shop: Shop):
    accepted(shop.tell(shop.product("MUG"), Discontinue()))

    refusal = refused(shop.tell(shop.product("MUG"), Discontinue()))

    assert refusal.reason == "product in state 'discontinued' takes no 'discontinue'; it takes reprice, rename, relist"


@pytest.mark.parametrize(
    "wrong",
    [{"price": -1}, {"price": 12.5}, {"price": "1250"}, {"currency": "euro"}, {"sku": "A B"}, {"on_hand": -1}],
)
def test_a_product_with_wrong_figures_is_not_an_event_at_all(wrong):
    with pytest.raises(ValidationError):
        Create(**{"sku": "MUG", "name": "Mug", "price": 1250, "currency": "EUR", **wrong})


@pytest.mark.parametrize("event", [Create, OpenLocation, Reprice, Rename, Discontinue, Relist])
def test_only_merchants_run_the_catalogue(event):
    assert event.raised_by == {Role.MERCHANT}
