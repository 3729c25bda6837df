"""Whether a replay adds up: what the file says on one side, what one of the service's tables says on the other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Final

from orderly.replay.figures import Figures, Money
from orderly.replay.shelves import CURRENCY
from orderly.replay.steps import Outcome

NOTHING: Final = Money()
ZERO: Final = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Check:
    """Two figures that come about in different ways and must be the same."""

    name: str
    expected: Decimal
    found: Decimal

    @property
    def holds(self) -> bool:
        """Whether they are the same."""
        return self.expected == self.found


@dataclass(frozen=True, slots=True)
class Expected:
    """What the file says must have come of all steps that were not refused."""

    amounts: Mapping[Outcome, Decimal]
    """In pounds, signed as in the file."""
    pieces: Mapping[Outcome, int]
    """Signed as in the file."""
    shelf: int
    """Pieces on the shelf, from the opening stock on."""
    created: int
    """Orders, however far they came."""
    placed: int
    """Orders that were paid for."""
    called_off: int
    returns: int


def checks_of(expected: Expected, figures: Figures) -> Sequence[Check]:
    """Compare what the file says with the service's tables."""
    currencies = sorted({CURRENCY, *figures.money})
    money = (_money(expected, each, figures.money.get(each, NOTHING)) for each in currencies)
    return [*chain.from_iterable(money), *_pieces(expected, figures), *_counts(expected, figures)]


def _money(expected: Expected, currency: str, found: Money) -> Iterator[Check]:
    """Compare amounts; the file knows one currency, so in every other nothing is expected."""

    def compare(name: str, amount: Decimal, minor_units: int) -> Check:
        return Check(f"{name}, {currency}", amount, Decimal(minor_units).scaleb(-2))

    amounts = expected.amounts if currency == CURRENCY else {}
    sold, returned, called_off = (
        sign * amounts.get(outcome, ZERO)
        for outcome, sign in ((Outcome.SOLD, 1), (Outcome.RETURNED, -1), (Outcome.CANCELLED, -1))
    )
    back = returned + called_off
    yield compare("sold = taken, in the orders table", sold, found.orders_taken)
    yield compare("sold = taken, in the payments table", sold, found.payments_taken)
    yield compare("returned and cancelled = given back, in the orders table", back, found.orders_given)
    yield compare("returned and cancelled = given back, in the payments table", back, found.payments_given)
    yield compare("returned = given back, in the returns table", returned, found.returns_given)
    yield compare("returned = given back for returns, in the refunds table", returned, found.refunds_for_returns)
    yield compare("cancelled = given back otherwise, in the refunds table", called_off, found.other_refunds)
    kept = found.payments_taken - found.refunds_for_returns - found.other_refunds
    yield compare("sold, returned and cancelled = payments less refunds", sold - back, kept)
    yield compare("no money is on its way or owed, in the orders table", ZERO, found.orders_open)
    yield compare("no money is on its way or owed, in the payments table", ZERO, found.payments_open)
    yield compare("no money is on its way or owed, in the refunds table", ZERO, found.refunds_open)


def _pieces(expected: Expected, figures: Figures) -> Iterator[Check]:
    found = figures.pieces
    kept = expected.pieces.get(Outcome.SOLD, 0) + expected.pieces.get(Outcome.CANCELLED, 0)
    back = -expected.pieces.get(Outcome.RETURNED, 0)
    yield _count("sold and not cancelled = pieces delivered, in the shipments table", kept, found.shipments_delivered)
    yield _count("sold and not cancelled = pieces delivered, in the orders table", kept, found.orders_delivered)
    yield _count("no parcel is under way", 0, found.under_way)
    yield _count("returned = pieces that came back, in the returns table", back, found.returns_accepted)
    yield _count("returned = pieces that came back, in the orders table", back, found.orders_returned)
    yield _count("every piece announced was looked at, in the returns table", 0, found.unsettled)
    yield _count("no piece is awaited, in the orders table", 0, found.coming_back)
    yield _count("opening stock and all movements = pieces in the stock table", expected.shelf, found.on_hand)
    yield _count("no pieces are left promised", 0, found.reserved)


def _counts(expected: Expected, figures: Figures) -> Iterator[Check]:
    def count(plural: str, *states: str) -> int:
        return sum(figures.states.get(plural, {}).get(state, 0) for state in states)

    kept = expected.placed - expected.called_off
    refunds = expected.returns + expected.called_off
    created = sum(figures.states.get("orders", {}).values())
    yield _count("orders created = orders in the orders table", expected.created, created)
    yield _count("orders paid for = payments that took money", expected.placed, count("payments", "captured"))
    yield _count("orders not called off = parcels delivered", kept, count("shipments", "delivered"))
    yield _count("orders not called off = orders completed or returned", kept, count("orders", "completed", "returned"))
    yield _count("returns in the plan = returns refunded", expected.returns, count("returns", "refunded"))
    yield _count("returns and orders called off = refunds that gave money", refunds, count("refunds", "succeeded"))


def _count(name: str, expected: int, found: int) -> Check:
    return Check(name, Decimal(expected), Decimal(found))
