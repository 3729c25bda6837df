"""The lines of a file of invoices, read one after another and taken at their word or not at all.

A file has a header and the columns of `COLUMNS`, is plain or gzipped CSV, and gives times as local times of the shop.
Prices are decimal numbers and stay so; nothing passes through a float.
"""

import csv
import gzip
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from io import TextIOWrapper
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

COLUMNS: Final = (
    "invoice",
    "stock_code",
    "description",
    "quantity",
    "invoice_date",
    "price",
    "customer_id",
    "country",
)
SHOP_TIME: Final = ZoneInfo("Europe/London")

_INVOICE = re.compile(r"[AC]?\d{1,12}")
_QUANTITY = re.compile(r"-?\d{1,9}")
_PRICE = re.compile(r"-?\d{1,9}(\.\d{1,6})?")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_CUSTOMER = re.compile(r"\d{0,12}")


class CannotReplay(Exception):
    """The file can't be replayed; the message says why."""


class BadFile(CannotReplay):
    """A line of the file can't be read; the message names it and says what was expected."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of one invoice."""

    number: int
    """Where it stands in the file; the header is line 1."""
    invoice: str
    code: str
    """The article's code in capitals: the file writes 92 codes both ways."""
    description: str
    quantity: int
    moment: datetime
    """When the invoice was written, in UTC."""
    price: Decimal
    """Pounds per piece."""
    customer: str
    """Empty where the file names none."""

    @property
    def amount(self) -> Decimal:
        """What the line comes to, in pounds."""
        return self.price * self.quantity

    @property
    def is_credit(self) -> bool:
        """Whether it stands on a credit note."""
        return self.invoice.startswith("C")


def read(path: Path) -> Iterator[Line]:
    """Yield the file's lines in their order.

    Raises:
        BadFile: the header or a line is not what it should be.
    """
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        with TextIOWrapper(gzip.open(raw) if packed else raw, encoding="utf-8", newline="") as text:
            yield from _rows(text)


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of the file as it lies on the disk."""
    with path.open("rb") as raw:
        return hashlib.file_digest(raw, "sha256").hexdigest()


def _rows(text: TextIOWrapper) -> Iterator[Line]:
    rows = csv.reader(text, strict=True)
    try:
        header = next(rows, [])
        if tuple(header) != COLUMNS:
            raise BadFile(f"line 1: the columns are {', '.join(header) or 'missing'}; expected {', '.join(COLUMNS)}")
        for row in rows:
            yield _line(rows.line_num, row)
    except (csv.Error, UnicodeDecodeError, EOFError, OSError) as error:
        raise BadFile(f"after line {rows.line_num}: {error}") from error


def _line(number: int, row: list[str]) -> Line:
    if len(row) != len(COLUMNS):
        raise BadFile(f"line {number}: {len(row)} fields; expected {len(COLUMNS)}")
    invoice, code, description, quantity, moment, price, customer, _country = row
    return Line(
        number=number,
        invoice=_matching(_INVOICE, invoice, number, "invoice"),
        code=code.strip().upper(),
        description=description.strip(),
        quantity=int(_matching(_QUANTITY, quantity, number, "quantity")),
        moment=_utc(number, moment),
        price=Decimal(_matching(_PRICE, price, number, "price")),
        customer=_matching(_CUSTOMER, customer, number, "customer_id"),
    )


def _matching(pattern: re.Pattern[str], value: str, number: int, column: str) -> str:
    if not pattern.fullmatch(value):
        raise BadFile(f"line {number}: {value!r} is no {column}")
    return value


def _utc(number: int, local: str) -> datetime:
    try:
        return _moment(_matching(_MOMENT, local, number, "invoice_date"))
    except ValueError as error:
        raise BadFile(f"line {number}: {local!r} is no invoice_date: {error}") from error


@lru_cache(maxsize=1024)
def _moment(local: str) -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=SHOP_TIME).astimezone(UTC)
