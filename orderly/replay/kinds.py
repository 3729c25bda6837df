"""What a line is: goods sold, goods credited, a movement of the shelf, or nothing that the service deals in.

The rules, in their order. The first that fits sets the line apart:

1. an invoice `A…` adjusts a bad debt;
2. a code is an article if it is five digits with at most two letters, begins with `DCGS`, or is `PADS`; every other
   code stands for a service, a fee, a voucher or a test, by the table below, or is unknown;
3. a price is not negative and a whole number of pence; quantities and prices are within what the service can hold;
4. a credit note credits pieces at a price; an invoice with a price sells pieces.

What is left is a sale, a credit, or, at price 0, a movement of the shelf: pieces written off or found, or, where a
customer is named, samples given away.
"""

import re
from enum import StrEnum
from typing import Final

from orderly.replay.lines import Line
from statemachines.values import MAX_AMOUNT, MAX_QUANTITY

ARTICLE: Final = re.compile(r"\d{5}[A-Z]{0,2}|DCGS[0-9A-Z]{1,20}|PADS")

NOT_GOODS: Final = (
    (re.compile(r"POST|DOT|C2"), "postage or carriage"),
    (re.compile(r"M"), "manual entry"),
    (re.compile(r"D"), "discount"),
    (re.compile(r"S"), "samples, invoiced as such"),
    (re.compile(r"B"), "bad debt"),
    (re.compile(r"BANK CHARGES|AMAZONFEE|CRUK"), "bank charge, fee or commission"),
    (re.compile(r"ADJUST2?"), "adjustment of the books"),
    (re.compile(r"GIFT(_.*)?"), "gift voucher"),
    (re.compile(r"TEST\d+"), "test product"),
)


class Kind(StrEnum):
    """What becomes of a line that is not set apart."""

    SALE = "sale"
    CREDIT = "credit"
    SHELF = "shelf"


def kind(line: Line) -> Kind:
    """Say what a line is that no reason sets apart."""
    if line.is_credit:
        return Kind.CREDIT
    return Kind.SALE if line.price else Kind.SHELF


def set_apart(line: Line) -> str | None:
    """Return why the service does not deal in this line, or None."""
    if line.invoice.startswith("A"):
        return "bad debt"
    return _not_an_article(line.code) or _no_price(line) or _no_quantity(line)


def pence(line: Line) -> int:
    """Return the price per piece of a line that is not set apart."""
    return int(line.price * 100)


def _not_an_article(code: str) -> str | None:
    if ARTICLE.fullmatch(code):
        return None
    return next((reason for pattern, reason in NOT_GOODS if pattern.fullmatch(code)), "unknown code")


def _no_price(line: Line) -> str | None:
    if line.price < 0:
        return "negative price"
    if line.price * 100 % 1:
        return "price below a penny"
    return "price beyond the limit" if line.price * 100 > MAX_AMOUNT else None


def _no_quantity(line: Line) -> str | None:
    if not line.quantity:
        return "no pieces"
    if abs(line.quantity) > MAX_QUANTITY:
        return "quantity beyond the limit"
    if line.is_credit:
        if line.quantity > 0:
            return "credit note over more pieces, not fewer"
        return None if line.price else "credit of nothing"
    return "negative quantity at a price" if line.price and line.quantity < 0 else None
