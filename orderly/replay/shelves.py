"""The catalogue and the opening stock, made from the file.

The file changes the price of a code some 73,000 times and asks for two prices at once on 92 invoices, so a code has no
price. A code *at a price* has: every price at which the file sells a code is an article of its own, a price point, with
the SKU ``CODE-PENCE``.

Movements at price 0 name only the code. They go to the price point at which the code was last sold before, or else
first sold after. A code that the file never sells gets a shelf of its own, ``CODE-0``, which opens empty.

A price point opens with the pieces that the file sells at it, and those that it writes off or gives away from it. So
every sale finds its pieces, come what may of returns and finds, which are never counted on. A write-off of a code that
was never sold is for the stock's machine to refuse, unless enough of it was found before.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from pydantic import TypeAdapter, ValidationError

from orderly.replay.kinds import pence
from orderly.replay.lines import Line
from statemachines.product import Create
from statemachines.values import MAX_QUANTITY, Name

CURRENCY: Final = "GBP"


_NAME: Final = TypeAdapter[str](Name)


def fit_to_store(description: str) -> str:
    """Return a description as the service may keep it; empty if it may not."""
    try:
        return _NAME.validate_python(description[:200])
    except ValidationError:
        return ""


def price_point(line: Line) -> str:
    """Return the SKU of a line that is sold or credited at a price."""
    return f"{line.code}-{pence(line)}"


@dataclass
class Shelves:
    """Collects what the file sells and moves; afterwards knows every SKU, its name and its opening stock."""

    opening: Counter[str] = field(default_factory=Counter)
    _prices: dict[str, int] = field(default_factory=dict)
    _codes: dict[str, str] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _sales: dict[str, list[tuple[datetime, str]]] = field(default_factory=lambda: defaultdict(list))

    def sell(self, line: Line, at: datetime) -> None:
        """Take note of a sale; sales come in the order of their moments."""
        sku = price_point(line)
        self.opening[sku] += line.quantity
        self._prices.setdefault(sku, pence(line))
        self._codes.setdefault(sku, line.code)
        self._name(line)
        self._sales[line.code].append((at, sku))

    def shelf_of(self, line: Line, at: datetime) -> str:
        """Return the SKU that a movement at price 0 goes to; all sales are known by then."""
        sales = self._sales.get(line.code)
        if not sales:
            sku = f"{line.code}-0"
            self._prices.setdefault(sku, 0)
            self._codes.setdefault(sku, line.code)
            self._name(line)
            return sku
        sku = sales[max(0, bisect_right(sales, at, key=lambda sale: sale[0]) - 1)][1]
        if line.quantity < 0 or line.customer:
            self.opening[sku] += abs(line.quantity)
        return sku

    def products(self) -> Iterator[Create]:
        """Yield the events that create the catalogue with its stock, by SKU."""
        for sku, price in sorted(self._prices.items()):
            code = self._codes[sku]
            on_hand = min(self.opening[sku], MAX_QUANTITY)
            yield Create(sku=sku, name=self._names.get(code, code), price=price, currency=CURRENCY, on_hand=on_hand)

    def _name(self, line: Line) -> None:
        if line.code not in self._names and (name := fit_to_store(line.description)):
            self._names[line.code] = name
