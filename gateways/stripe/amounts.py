"""Amounts in Stripe's units, which are not everywhere the minor units of ISO 4217 (https://docs.stripe.com/currencies)."""

from statemachines.values import money

_WHOLE_SENT_AS_HUNDREDTHS = frozenset({"ISK", "UGX"})
"""Have no minor unit any more, but Stripe still counts in hundredths that are always nought."""

_HUNDREDTHS_SENT_AS_WHOLE = frozenset({"MGA"})
"""Has a minor unit, but Stripe takes whole ones only."""

_THOUSANDTHS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
"""Stripe takes three digits of them, of which the last is nought."""

_NOT_TAKEN = frozenset({"CLF", "IQD", "LYD", "UYI", "UYW"})
"""Have a minor unit that Stripe does not describe, so that what it would take cannot be told."""


def in_stripes_units(amount: int, currency: str) -> int:
    """Return an amount of minor units as Stripe wants to have it.

    Raises:
        ValueError: Stripe has no way to say it; the message says why, for a person.
    """
    if currency in _NOT_TAKEN:
        raise ValueError(f"Stripe does not take {currency}")
    if currency in _WHOLE_SENT_AS_HUNDREDTHS:
        return amount * 100
    if currency in _HUNDREDTHS_SENT_AS_WHOLE:
        if amount % 100:
            raise ValueError(f"Stripe takes whole {currency} only, not {money(amount, currency)}")
        return amount // 100
    if currency in _THOUSANDTHS and amount % 10:
        raise ValueError(f"Stripe takes {currency} with two digits after the point, not {money(amount, currency)}")
    return amount


def in_minor_units(amount: int, currency: str) -> int:
    """Return an amount that Stripe named in minor units."""
    if currency in _WHOLE_SENT_AS_HUNDREDTHS:
        return amount // 100
    return amount * 100 if currency in _HUNDREDTHS_SENT_AS_WHOLE else amount
