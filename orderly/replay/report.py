"""The report: where every line of the file has landed, and whether it adds up.

A line that was split (a credit of which only some pieces match a purchase, or which several orders answer for) counts
once among the lines, in the first of its outcomes in the order of `ORDER`; its pieces and its money count where they
went. So lines, pieces and money each add up to the file's.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from orderly.replay.plan import Plan
from orderly.replay.steps import Outcome, Part

ORDER: Final = (
    Outcome.SOLD,
    Outcome.RETURNED,
    Outcome.CANCELLED,
    Outcome.SHELF,
    Outcome.REFUSED,
    Outcome.APART,
)
MATCHED: Final = (Outcome.SOLD, Outcome.RETURNED, Outcome.CANCELLED)

Place = tuple[Outcome, str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A step that a machine refused: by which guard, and in which words."""

    guard: str | None
    reason: str

    @property
    def kind(self) -> str:
        """The refusal without its figures."""
        return f"{self.guard or 'no such event'}: {re.sub(r'[0-9]+', 'N', self.reason)}"


@dataclass(frozen=True, slots=True)
class Figures:
    """What the service's own tables say after the replay. Amounts are in pence."""

    captured: int = 0
    refunded: int = 0
    owed: int = 0
    """What the gateway was asked to give back and has not given back."""
    on_hand: int = 0
    reserved: int = 0
    orders: Mapping[str, int] = field(default_factory=dict)
    """How many orders are in each state."""


@dataclass
class Bucket:
    """The lines that share an outcome and a reason."""

    outcome: Outcome
    reason: str
    lines: int = 0
    parts: int = 0
    pieces: int = 0
    amount: Decimal = Decimal(0)
    example: str = ""
    """The first refusal, in the machine's own words."""


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
class Report:
    """Where every line landed, what became of the orders, and the checks."""

    buckets: list[Bucket]
    orders: Mapping[str, int]
    checks: list[Check]

    @property
    def adds_up(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)


def make_report(plan: Plan, refusals: Mapping[str, Refusal], figures: Figures) -> Report:
    """Sort every part of every line into its bucket, and check the sums against the file and the service's tables.

    Args:
        plan: what was to be done.
        refusals: the steps that machines refused, by key.
        figures: what the service's tables say.
    """
    buckets: dict[Place, Bucket] = {}
    places: dict[int, set[Place]] = defaultdict(set)
    shelf = 0
    for part in plan.parts:
        outcome, reason, example = _landing(part, refusals)
        bucket = buckets.setdefault((outcome, reason), Bucket(outcome, reason, example=example))
        bucket.parts += 1
        bucket.pieces += part.quantity
        bucket.amount += part.amount
        places[part.line].add((outcome, reason))
        shelf += part.shelf if outcome is not Outcome.REFUSED else 0
    for landed in places.values():
        buckets[min(landed, key=_rank)].lines += 1
    ordered = sorted(buckets.values(), key=lambda bucket: _rank((bucket.outcome, bucket.reason)))
    opened = sum(pieces for key, pieces in plan.openings.items() if key not in refusals)
    placed = sum(key not in refusals for key in plan.orders)
    return Report(ordered, figures.orders, _checks(plan, ordered, figures, opened + shelf, placed))


def _landing(part: Part, refusals: Mapping[str, Refusal]) -> tuple[Outcome, str, str]:
    for key in part.steps:
        if refusal := refusals.get(key):
            return Outcome.REFUSED, refusal.kind, f"{key}: {refusal.reason}"
    return part.outcome, part.reason, ""


def _rank(place: Place) -> tuple[int, str]:
    return ORDER.index(place[0]), place[1]


def _checks(plan: Plan, buckets: Iterable[Bucket], figures: Figures, shelf: int, placed: int) -> list[Check]:
    sums: Counter[str] = Counter()
    amount, matched = Decimal(0), Decimal(0)
    for bucket in buckets:
        sums.update(lines=bucket.lines, pieces=bucket.pieces)
        amount += bucket.amount
        matched += bucket.amount if bucket.outcome in MATCHED else 0
    kept = Decimal(figures.captured - figures.refunded).scaleb(-2)
    return [
        Check("lines of the file = lines in all outcomes", Decimal(plan.lines), Decimal(sums["lines"])),
        Check("pieces of the file = pieces in all outcomes", Decimal(plan.pieces), Decimal(sums["pieces"])),
        Check("money of the file = money in all outcomes", plan.amount, amount),
        Check("sold, returned and cancelled = captured less refunded, in the orders table", matched, kept),
        Check("nothing is still owed to a customer", Decimal(0), Decimal(figures.owed)),
        Check("orders placed = orders in the orders table", Decimal(placed), Decimal(sum(figures.orders.values()))),
        Check("opening stock and all movements = pieces in the stock table", Decimal(shelf), Decimal(figures.on_hand)),
        Check("no pieces are left promised", Decimal(0), Decimal(figures.reserved)),
    ]
