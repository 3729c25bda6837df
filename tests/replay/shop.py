"""Invoices written by hand, for the tests of the replay."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path

from orderly.replay.lines import Line
from orderly.replay.plan import Plan
from orderly.replay.steps import Outcome

INVOICES = Path(__file__).with_name("invoices.csv")
REAL = Path(__file__).parents[3] / "shared" / "data" / "online-retail-2009-12-to-2010-05.csv.gz"
"""The file of real invoices, which lies beside the repository, not in it."""


def line(
    invoice: str, at: str, quantity: int, code: str = "10001", *, price: str = "2.50", customer: str = "17001"
) -> Line:
    """Return a line of an invoice; `at` is month-day hour:minute of 2010."""
    moment = datetime.strptime(f"2010-{at}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    return Line(next(_numbers), invoice, code, "RED MUG", quantity, moment, Decimal(price), customer)


_numbers = count(2)


def story(plan: Plan, order: str) -> list[str]:
    """Return what a plan has in mind for an order."""
    return [f"{step.at:%m-%d %H:%M} {step.key}" for step in plan.steps if step.entity == order]


def landed(plan: Plan) -> list[tuple[Outcome, str, int]]:
    """Return where the lines' pieces land if nothing is refused."""
    return [(part.outcome, part.reason, part.quantity) for part in plan.parts]
