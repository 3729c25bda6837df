"""The value types of the business: amounts, quantities, currencies, names.

Numbers refuse what pydantic would otherwise coerce (``"1_000"``, ``true``, ``100.0``); texts refuse NUL and card
numbers.
"""

import re
from datetime import UTC, datetime, timedelta
from itertools import accumulate, takewhile
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from statemachines.privacy import PRIVATE

MAX_AMOUNT = 10**12
"""The largest amount, in minor units: far above any order, far below where 64-bit sums overflow."""

MAX_QUANTITY = 10**6
"""The most pieces that one order line or stock movement may name."""

_DIGIT_RUNS = re.compile(r"\d(?:[ .-]?\d){12,}")


def _whole_number(value: object) -> object:
    if type(value) is not int:
        raise ValueError("must be a whole number")
    return value


def _passes_luhn(digits: str) -> bool:
    total = sum(int(digit) for digit in digits[-1::-2])
    total += sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return total % 10 == 0


def _no_card_number(text: str) -> str:
    """Refuse a text that holds a payment card number, which must never be stored here (PCI DSS 4.0.1, 3.3)."""
    for run in _DIGIT_RUNS.finditer(text):
        groups = re.split(r"[ .-]", run.group())
        for first in range(len(groups)):  # an expiry date or a code may stand beside it
            for digits in takewhile(lambda digits: len(digits) <= 19, accumulate(groups[first:])):
                if len(digits) >= 13 and 2 <= int(digits[0]) <= 6 and _passes_luhn(digits):
                    raise ValueError("must not hold a card number")
    return text


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside of the calendar") from None


def _no_control_characters(text: str) -> str:
    if any(
        (ord(character) < 32 and character not in "\n\t") or 0xD800 <= ord(character) < 0xE000 for character in text
    ):
        raise ValueError("must not hold control characters")
    return text


WholeNumber = BeforeValidator(_whole_number)

Amount = Annotated[int, WholeNumber, Field(ge=0, le=MAX_AMOUNT, examples=[1250])]
"""Money in minor units of its currency (1250 EUR is 12.50 euro)."""

PositiveAmount = Annotated[int, WholeNumber, Field(ge=1, le=MAX_AMOUNT, examples=[1250])]
"""Money in minor units, at least one."""

AmountLimit = Annotated[int, Field(ge=0, le=MAX_AMOUNT)]
"""Money in minor units, as a shop chooses it: settings come as texts too."""

Quantity = Annotated[int, WholeNumber, Field(ge=1, le=MAX_QUANTITY, examples=[2])]
"""A number of pieces, at least one."""

Count = Annotated[int, WholeNumber, Field(ge=0, le=MAX_QUANTITY, examples=[10])]
"""A number of pieces, possibly none."""

Difference = Annotated[int, WholeNumber, Field(ge=-MAX_QUANTITY, le=MAX_QUANTITY, examples=[-3])]
"""A number of pieces more (positive) or fewer (negative)."""

_TEN_YEARS = timedelta(days=3650)

Span = Annotated[timedelta, Field(gt=timedelta(), le=_TEN_YEARS)]
"""How long something lasts or may take, at most ten years."""

SpanOrNothing = Annotated[timedelta, Field(ge=timedelta(), le=_TEN_YEARS)]
"""How long something lasts or may take, possibly no time at all."""

Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment with its offset from UTC, kept in UTC."""

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["EUR"])]
"""An ISO 4217 code."""

Text = Annotated[
    str, Field(min_length=1, max_length=500), AfterValidator(_no_control_characters), AfterValidator(_no_card_number)
]
"""A free text, up to 500 characters, without card numbers."""

Name = Annotated[
    str, Field(min_length=1, max_length=200), AfterValidator(_no_control_characters), AfterValidator(_no_card_number)
]
"""A short free text, up to 200 characters, without card numbers."""

Paragraphs = Annotated[str, Field(max_length=4000), AfterValidator(_no_control_characters)]
"""A text that this program wrote or had written, up to 4000 characters; it may hold long rows of figures."""

Reference = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$", examples=["shop-10042"]), AfterValidator(_no_card_number)
]
"""The caller's own name for a thing, unique for ever."""

Sku = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", examples=["MUG-BLUE"])]
"""The merchant's name of a product."""

StockName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(@[A-Za-z0-9][A-Za-z0-9_-]{0,31})?$", examples=["MUG-BLUE@berlin"]),
]
"""The name of a product's stock: the SKU and, unless it is the main one, where it is."""

PaymentToken = Annotated[
    str,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{2,99}$", examples=["tok_approve"]),
    AfterValidator(_no_card_number),
    PRIVATE,
]
"""A payment provider's token for a payment method; never a card number."""

Url = Annotated[
    str,
    Field(
        pattern=r"^https?://[^\x00-\x20\x7f\s\"<>\\^`{|}]{1,1992}$", examples=["https://carrier.example/track/JD0146"]
    ),
]
"""An absolute web address, safe to stand in a link."""


def money(amount: int, currency: str) -> str:
    """Format minor units for a person: ``1250, "EUR"`` becomes ``12.50 EUR``."""
    sign, digits = "-" if amount < 0 else "", _FRACTION_DIGITS.get(currency, 2)
    if digits == 0:
        return f"{sign}{abs(amount)} {currency}"
    whole, fraction = divmod(abs(amount), 10**digits)
    return f"{sign}{whole}.{fraction:0{digits}} {currency}"


# Currencies whose minor unit is not a hundredth: ISO 4217, list one.
_FRACTION_DIGITS = dict.fromkeys(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ],
    0,
) | dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3)
