"""Which locations give the pieces: the rule, and what holds whatever is asked of whatever there is."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.stock import Stock, choose, free_pieces, shortage, stock_id

LOCATIONS = ["main", "berlin", "paris", "rome"]


def at(
    location: str, sku: str = "MUG", on_hand: int = 0, priority: int = 1, state: str = "stocked", **more: int
) -> Stock:
    name = stock_id(sku, location)
    return Stock(id=name, sku=sku, location=location, on_hand=on_hand, priority=priority, state=state, **more)


def chosen(stocks: list[Stock], **wanted: int) -> list[tuple[str, int]]:
    return [(each.stock.id, each.quantity) for each in choose(wanted, stocks, free_pieces(stocks))]


# -- the rule ------------------------------------------------------------------------------------------------------


def test_a_location_that_has_everything_gives_everything() -> None:
    stocks = [at("main", on_hand=3), at("berlin", on_hand=5, priority=9)]

    assert chosen(stocks, MUG=4) == [("MUG@berlin", 4)]


def test_of_those_that_have_everything_the_lowest_priority_number_gives() -> None:
    stocks = [at("main", on_hand=5, priority=2), at("berlin", on_hand=5, priority=1)]

    assert chosen(stocks, MUG=4) == [("MUG@berlin", 4)]


def test_of_equals_the_first_by_name_gives() -> None:
    stocks = [at("rome", on_hand=5), at("berlin", on_hand=5), at("paris", on_hand=5)]

    assert chosen(stocks, MUG=4) == [("MUG@berlin", 4)]


def test_if_nobody_has_everything_whoever_has_most_gives_first() -> None:
    stocks = [at("main", on_hand=1), at("berlin", on_hand=2), at("paris", on_hand=4)]

    assert chosen(stocks, MUG=6) == [("MUG@paris", 4), ("MUG@berlin", 2)]


def test_products_of_one_order_come_from_one_location_if_it_has_them_all() -> None:
    stocks = [at("main", on_hand=9), at("main", "POT"), at("berlin", on_hand=1), at("berlin", "POT", on_hand=1)]

    assert chosen(stocks, MUG=1, POT=1) == [("MUG@berlin", 1), ("POT@berlin", 1)]


def test_pieces_that_are_promised_are_given_to_nobody_else() -> None:
    assert chosen([at("main", on_hand=5, reserved=4)], MUG=2) == [("MUG", 1)]


@pytest.mark.parametrize("state", ["frozen", "retired"])
def test_a_location_that_promises_nothing_is_passed_over(state: str) -> None:
    assert chosen([at("main", on_hand=5, state=state), at("berlin", on_hand=2)], MUG=3) == [("MUG@berlin", 2)]


# -- whatever is asked ---------------------------------------------------------------------------------------------

stocks_of = st.lists(
    st.builds(
        at,
        st.sampled_from(LOCATIONS),
        st.sampled_from(["MUG", "POT", "CUP"]),
        st.integers(0, 6),
        st.integers(1, 3),
        st.sampled_from(["stocked"] * 4 + ["frozen"]),
    ),
    unique_by=lambda each: each.id,
    max_size=12,
)
wanted_of = st.dictionaries(st.sampled_from(["MUG", "POT", "CUP"]), st.integers(1, 12), min_size=1)


@given(stocks_of, wanted_of)
def test_as_much_is_given_as_there_is_and_no_more_than_is_wanted(stocks: list[Stock], wanted: dict[str, int]) -> None:
    free, given = free_pieces(stocks), Counter[str]()
    for portion in choose(wanted, stocks, free):
        assert 0 < portion.quantity <= free[portion.stock.id]
        given[portion.stock.sku] += portion.quantity
    for sku, quantity in wanted.items():
        there = sum(free[each.id] for each in stocks if each.sku == sku)
        assert given[sku] == min(quantity, there)


@given(stocks_of, wanted_of, st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_the_order_in_which_stocks_are_told(stocks, wanted, random) -> None:
    shuffled = random.sample(stocks, len(stocks))

    assert chosen(stocks, **wanted) == chosen(shuffled, **wanted)


@given(stocks_of, wanted_of)
def test_whoever_has_everything_gives_alone(stocks: list[Stock], wanted: dict[str, int]) -> None:
    free = free_pieces(stocks)
    having = {
        location
        for location in LOCATIONS
        if all(free[stock_id(sku, location)] >= quantity for sku, quantity in wanted.items())
    }
    used = {portion.stock.location for portion in choose(wanted, stocks, free)}

    assert not having or (len(used) == 1 and used <= having)


@given(stocks_of, st.integers(1, 20))
def test_of_one_product_no_fewer_locations_would_do(stocks: list[Stock], quantity: int) -> None:
    free = {each.id: pieces for each in stocks if each.sku == "MUG" and (pieces := free_pieces(stocks)[each.id])}
    portions = choose({"MUG": quantity}, stocks, free_pieces(stocks))
    wanted = min(quantity, sum(free.values()))
    fewer = combinations(free.values(), max(0, len(portions) - 1))

    assert not portions or all(sum(each) < wanted for each in fewer)


# -- what is lacking -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stocks", "reason"),
    [
        ([at("main", on_hand=1), at("berlin", on_hand=1)], "MUG: 3 asked, 2 available"),
        ([at("main", on_hand=9, state="frozen")], "MUG: its stock is frozen"),
        ([at("main", on_hand=9, waiting=2, tickets=1)], "MUG: 3 asked, others wait for 2"),
        ([], "MUG: the shop has no stock of it"),
    ],
)
def test_what_is_lacking_is_told_in_words(stocks: list[Stock], reason: str) -> None:
    assert shortage({"MUG": 3}, stocks) == f"not in stock: {reason}"


def test_all_that_is_lacking_is_told_at_once() -> None:
    stocks = [at("main", on_hand=1), at("main", "POT", state="retired"), at("main", "CUP", on_hand=1)]

    assert shortage({"MUG": 2, "POT": 1, "CUP": 1}, stocks) == (
        "not in stock: MUG: 2 asked, 1 available; POT: its stock is retired"
    )


@given(stocks_of, wanted_of)
def test_nothing_is_lacking_just_when_all_of_it_is_given(stocks: list[Stock], wanted: dict[str, int]) -> None:
    given = sum(portion.quantity for portion in choose(wanted, stocks, free_pieces(stocks)))

    assert (shortage(wanted, stocks) is None) == (given == sum(wanted.values()))
