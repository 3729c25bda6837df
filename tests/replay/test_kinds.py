from datetime import UTC, datetime
from decimal import Decimal

import pytest

from orderly.replay.kinds import Kind, kind, set_apart
from orderly.replay.lines import Line


def line(code: str = "10001", *, invoice: str = "500001", quantity: int = 1, price: str = "2.50") -> Line:
    moment = datetime(2010, 1, 4, 9, tzinfo=UTC)
    return Line(2, invoice, code, "RED MUG", quantity, moment, Decimal(price), "17001")


@pytest.mark.parametrize("code", ["85123", "85123A", "79323LP", "DCGS0066N", "DCGSSBOY", "PADS"])
def test_articles_are_goods(code: str) -> None:
    assert set_apart(line(code)) is None


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("POST", "postage or carriage"),
        ("DOT", "postage or carriage"),
        ("C2", "postage or carriage"),
        ("M", "manual entry"),
        ("D", "discount"),
        ("S", "samples, invoiced as such"),
        ("B", "bad debt"),
        ("BANK CHARGES", "bank charge, fee or commission"),
        ("AMAZONFEE", "bank charge, fee or commission"),
        ("ADJUST", "adjustment of the books"),
        ("GIFT_0001_20", "gift voucher"),
        ("GIFT", "gift voucher"),
        ("TEST001", "test product"),
        ("85123ABC", "unknown code"),
        ("1234", "unknown code"),
        ("", "unknown code"),
    ],
)
def test_other_codes_are_no_goods(code: str, reason: str) -> None:
    assert set_apart(line(code)) == reason


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (line(invoice="A506401"), "bad debt"),
        (line(price="-2.50"), "negative price"),
        (line(price="0.001"), "price below a penny"),
        (line(price="2.505"), "price below a penny"),
        (line(quantity=0), "no pieces"),
        (line(quantity=-1), "negative quantity at a price"),
        (line(quantity=1_000_001), "quantity beyond the limit"),
        (line(invoice="C500001", quantity=1), "credit note over more pieces, not fewer"),
        (line(invoice="C500001", quantity=-1, price="0.0"), "credit of nothing"),
    ],
)
def test_sets_apart_what_no_order_can_hold(given: Line, reason: str) -> None:
    assert set_apart(given) == reason


def test_sales_credits_and_movements_of_the_shelf() -> None:
    assert kind(line()) is Kind.SALE
    assert kind(line(invoice="C500001", quantity=-1)) is Kind.CREDIT
    assert kind(line(quantity=-3, price="0.0")) is Kind.SHELF
    assert kind(line(quantity=3, price="0.0")) is Kind.SHELF
