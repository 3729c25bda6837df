"""What pieces cost: however they leave an order, and however a discount is divided, the parts sum to the whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.order.model import OrderLine, shares, worth
from statemachines.values import MAX_AMOUNT, MAX_QUANTITY

PRICES = st.integers(0, MAX_AMOUNT)


@st.composite
def lines(draw: st.DrawFn) -> OrderLine:
    """Draw a line at any price, with any discount."""
    quantity, price = draw(st.integers(1, 60)), draw(PRICES)
    discount = draw(st.integers(0, price * quantity))
    return OrderLine(order_id="ord_1", number=1, sku="MUG", quantity=quantity, unit_price=price, discount=discount)


@given(lines(), st.data())
def test_however_pieces_leave_their_prices_sum_to_the_lines(line: OrderLine, data: st.DataObject):
    price = line.unit_price * line.quantity - line.discount

    left = 0
    while line.kept:
        pieces = data.draw(st.integers(1, line.kept))
        part = worth(line, pieces)
        assert part >= 0
        left += part
        column = data.draw(st.sampled_from(["removed", "returned"]))
        setattr(line, column, getattr(line, column) + pieces)

    assert left == price


@given(lines(), st.data())
def test_a_part_is_never_a_minor_unit_off(line: OrderLine, data: st.DataObject):
    line.returned = data.draw(st.integers(0, line.quantity - 1))
    pieces = data.draw(st.integers(1, line.kept))

    exact = (line.unit_price * line.quantity - line.discount) * pieces

    assert abs(worth(line, pieces) * line.quantity - exact) < line.quantity


@given(lines(), st.data())
def test_two_parts_cost_what_they_cost_together(line: OrderLine, data: st.DataObject):
    first = data.draw(st.integers(0, line.quantity))
    both = worth(line, line.quantity)

    one = worth(line, first)
    line.removed = first

    assert one + worth(line, line.quantity - first) == both


@given(st.lists(PRICES, min_size=1, max_size=20), st.data())
def test_a_discount_is_divided_without_a_rest(prices: list[int], data: st.DataObject):
    discount = data.draw(st.integers(0, sum(prices)))

    parts = shares(discount, prices)

    assert sum(parts) == discount
    assert all(0 <= part <= price for part, price in zip(parts, prices, strict=True))


@given(st.lists(PRICES, min_size=1, max_size=20), st.data())
def test_a_share_is_never_a_minor_unit_off(prices: list[int], data: st.DataObject):
    discount = data.draw(st.integers(0, sum(prices)))

    parts = shares(discount, prices)

    assert all(
        abs(part * sum(prices) - discount * price) < sum(prices) for part, price in zip(parts, prices, strict=True)
    ) or not sum(prices)


def test_nothing_is_divided_among_what_costs_nothing():
    assert shares(0, [0, 0]) == [0, 0]
    with pytest.raises(ValueError, match="nothing to divide it among"):
        shares(1, [0, 0])


def test_the_dearest_line_is_divided_exactly():
    line = OrderLine(order_id="ord_1", number=1, sku="MUG", quantity=MAX_QUANTITY, unit_price=MAX_AMOUNT, discount=1)

    assert worth(line, MAX_QUANTITY) == MAX_AMOUNT * MAX_QUANTITY - 1
