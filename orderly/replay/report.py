"""The report: where every line of the file has landed, and whether it adds up.

A line that was split (a credit of which only some pieces match a purchase, or which several orders answer for) counts
once among the lines, in the first of its outcomes in the order of `ORDER`; its pieces and its money count where they
went. So lines, pieces and money each add up to the file's.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from orderly.replay.checks import Check, Expected, checks_of
from orderly.replay.figures import Figures
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
TAKEN_BACK: Final = (Outcome.RETURNED, Outcome.CANCELLED)

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
class Report:
    """Where every line landed, what became of the orders and all that belongs to them, and the checks."""

    buckets: list[Bucket]
    states: Mapping[str, Mapping[str, int]]
    """How many entities of each machine, by its plural, are in each state."""
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
    expected = _expected(plan, ordered, refusals, opened + shelf)
    return Report(ordered, figures.states, [*_landed(plan, ordered), *checks_of(expected, figures)])


def _expected(plan: Plan, buckets: Iterable[Bucket], refusals: Mapping[str, Refusal], shelf: int) -> Expected:
    amounts: dict[Outcome, Decimal] = defaultdict(Decimal)
    pieces: Counter[Outcome] = Counter()
    for bucket in buckets:
        amounts[bucket.outcome] += bucket.amount
        pieces[bucket.outcome] += bucket.pieces
    taken_back = {part.steps: part.outcome for part in plan.parts if part.outcome in TAKEN_BACK}
    done = Counter(outcome for steps, outcome in taken_back.items() if not any(key in refusals for key in steps))
    return Expected(
        amounts=amounts,
        pieces=pieces,
        shelf=shelf,
        created=sum(placing[0] not in refusals for placing in plan.orders),
        placed=sum(not any(key in refusals for key in placing) for placing in plan.orders),
        called_off=done[Outcome.CANCELLED],
        returns=done[Outcome.RETURNED],
    )


def _landed(plan: Plan, buckets: Sequence[Bucket]) -> Iterator[Check]:
    lines, pieces = sum(bucket.lines for bucket in buckets), sum(bucket.pieces for bucket in buckets)
    amount = sum((bucket.amount for bucket in buckets), Decimal())
    yield Check("lines of the file = lines in all outcomes", Decimal(plan.lines), Decimal(lines))
    yield Check("pieces of the file = pieces in all outcomes", Decimal(plan.pieces), Decimal(pieces))
    yield Check("money of the file = money in all outcomes", plan.amount, amount)


def _landing(part: Part, refusals: Mapping[str, Refusal]) -> tuple[Outcome, str, str]:
    for key in part.steps:
        if refusal := refusals.get(key):
            return Outcome.REFUSED, refusal.kind, f"{key}: {refusal.reason}"
    return part.outcome, part.reason, ""


def _rank(place: Place) -> tuple[int, str]:
    return ORDER.index(place[0]), place[1]
