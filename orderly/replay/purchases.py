"""What each customer bought and has not brought back, matched to credits first in, first out.

A credit is matched to the same customer's earlier purchases of the same code at the same price. A purchased piece
answers for one credited piece only, whether the service accepts the return or not.
"""

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field

from orderly.replay.kinds import pence
from orderly.replay.lines import Line

GUEST = "guest"
"""The customer of a sale that names none."""

Article = tuple[str, str, int]


@dataclass(slots=True)
class Purchase:
    """Pieces on one line of one order that may still be credited."""

    order: str
    number: int
    """The order's line."""
    left: int


@dataclass(frozen=True, slots=True)
class Match:
    """Pieces of a credit and the order line that they come back from."""

    order: str
    number: int
    quantity: int


@dataclass
class Purchases:
    """Every purchase that may still be credited."""

    _open: dict[Article, deque[Purchase]] = field(default_factory=lambda: defaultdict(deque))
    _bought: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, line: Line, order: str, number: int) -> None:
        """Take note of a sale."""
        if line.customer:
            self._open[_article(line)].append(Purchase(order, number, line.quantity))
            self._bought[line.customer, line.code] += 1

    def take(self, line: Line) -> list[Match]:
        """Match as many of a credit's pieces as there are purchases for."""
        if not line.customer:
            return []
        purchases, wanted, matches = self._open.get(_article(line), deque()), -line.quantity, []
        while wanted and purchases:
            oldest = purchases[0]
            quantity = min(wanted, oldest.left)
            matches.append(Match(oldest.order, oldest.number, quantity))
            oldest.left -= quantity
            wanted -= quantity
            if not oldest.left:
                purchases.popleft()
        return matches

    def why_unmatched(self, line: Line) -> str:
        """Say why no purchase answers for a credit, or for what is left of it."""
        if not line.customer:
            return "credit without a customer"
        if _article(line) in self._open:
            return "more returned than bought"
        if (line.customer, line.code) in self._bought:
            return "credit at a price never paid"
        return "credit for something never bought"


def _article(line: Line) -> Article:
    return line.customer, line.code, pence(line)
