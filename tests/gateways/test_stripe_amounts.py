"""Amounts in Stripe's units, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.stripe.amounts import in_minor_units, in_stripes_units
from statemachines.values import MAX_AMOUNT


@pytest.mark.parametrize(
    ("amount", "currency", "stripes"),
    [
        (1250, "EUR", 1250),
        (500, "JPY", 500),
        (5, "ISK", 500),
        (5, "UGX", 500),
        (1200, "MGA", 12),
        (5120, "KWD", 5120),
        (1045, "HUF", 1045),
        (80045, "TWD", 80045),
    ],
)
def test_counts_as_stripe_does(amount: int, currency: str, stripes: int) -> None:
    assert in_stripes_units(amount, currency) == stripes
    assert in_minor_units(stripes, currency) == amount


@pytest.mark.parametrize(
    ("amount", "currency", "reason"),
    [
        (1250, "MGA", "Stripe takes whole MGA only, not 12.50 MGA"),
        (5124, "KWD", "Stripe takes KWD with two digits after the point, not 5.124 KWD"),
        (1000, "IQD", "Stripe does not take IQD"),
        (1000, "LYD", "Stripe does not take LYD"),
    ],
)
def test_says_what_stripe_cannot_take(amount: int, currency: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}$"):
        in_stripes_units(amount, currency)


@given(st.integers(0, MAX_AMOUNT), st.sampled_from(["EUR", "JPY", "ISK", "UGX", "MGA", "BHD", "TND", "IQD"]))
def test_changes_no_amount_on_the_way_there_and_back(amount: int, currency: str) -> None:
    try:
        stripes = in_stripes_units(amount, currency)
    except ValueError:
        return
    assert in_minor_units(stripes, currency) == amount
