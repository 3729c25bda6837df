"""The report for people, and for programs."""

import json
from collections.abc import Iterator
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from orderly.replay.report import Bucket, Report
from orderly.replay.shelves import CURRENCY
from orderly.replay.steps import Outcome


def as_json(report: Report) -> str:
    """Return the report as JSON. Amounts are texts, in pounds, so that no reader makes a float of them."""
    return json.dumps(
        {
            "adds_up": report.adds_up,
            "currency": CURRENCY,
            "outcomes": [
                {
                    "outcome": bucket.outcome.value,
                    "reason": bucket.reason or None,
                    "lines": bucket.lines,
                    "parts": bucket.parts,
                    "pieces": bucket.pieces,
                    "amount": _pounds(bucket.amount),
                    "example": bucket.example or None,
                }
                for bucket in report.buckets
            ],
            "total": {
                "lines": sum(bucket.lines for bucket in report.buckets),
                "parts": sum(bucket.parts for bucket in report.buckets),
                "pieces": sum(bucket.pieces for bucket in report.buckets),
                "amount": _pounds(sum((bucket.amount for bucket in report.buckets), Decimal())),
            },
            "states": {plural: dict(counts) for plural, counts in report.states.items()},
            "checks": [
                {
                    "name": check.name,
                    "expected": _figure(check.expected),
                    "found": _figure(check.found),
                    "holds": check.holds,
                }
                for check in report.checks
            ],
        },
        indent=2,
        ensure_ascii=False,
    )


def show(report: Report, console: Console) -> None:
    """Print the report."""
    console.print(_outcomes(report))
    console.print(_states(report))
    console.print(_checks(report))
    examples = [bucket.example for bucket in report.buckets if bucket.example]
    if examples:
        console.print("For example:")
    for example in examples:
        console.print(f"  {example}", markup=False, highlight=False)
    split = sum(bucket.parts - bucket.lines for bucket in report.buckets)
    console.print(
        f"The lines were split into {split} parts more: a split line counts once, in the first of its outcomes in this "
        "order; its pieces and its money count where they went.",
        highlight=False,
    )
    console.print("[green]It adds up.[/green]" if report.adds_up else "[red]It does not add up.[/red]")


def _outcomes(report: Report) -> Table:
    table = Table("outcome", "reason", title="Where the lines landed")
    for name in ("lines", "parts", "pieces", CURRENCY):
        table.add_column(name, justify="right")
    total = Bucket(Outcome.SOLD, "")
    for bucket in report.buckets:
        total.lines += bucket.lines
        total.parts += bucket.parts
        total.pieces += bucket.pieces
        total.amount += bucket.amount
        table.add_row(bucket.outcome.value, bucket.reason, *_cells(bucket))
    table.add_section()
    table.add_row("the file", "", *_cells(total))
    return table


def _cells(bucket: Bucket) -> Iterator[str]:
    yield from (f"{number:,}" for number in (bucket.lines, bucket.parts, bucket.pieces))
    yield _pounds(bucket.amount, ",")


def _states(report: Report) -> Table:
    table = Table("what", "state", title="What became of the orders, and of all that belongs to them")
    table.add_column("number", justify="right")
    for plural, counts in report.states.items():
        for state, count in counts.items():
            table.add_row(plural, state, f"{count:,}")
        table.add_row(plural, "all", f"{sum(counts.values()):,}", end_section=True)
    return table


def _checks(report: Report) -> Table:
    table = Table("check", title="Whether it adds up")
    for name in ("expected", "found"):
        table.add_column(name, justify="right")
    table.add_column("")
    for check in report.checks:
        verdict = "[green]holds[/green]" if check.holds else "[red]fails[/red]"
        table.add_row(check.name, _figure(check.expected, ","), _figure(check.found, ","), verdict)
    return table


def _pounds(amount: Decimal, thousands: str = "") -> str:
    """Write an amount with its pence, and with what is below a penny if there is any."""
    digits = 2 if amount == amount.quantize(Decimal("0.01")) else max(2, -int(amount.normalize().as_tuple().exponent))
    return f"{amount:{thousands}.{digits}f}"


def _figure(figure: Decimal, thousands: str = "") -> str:
    """Write a number of things as it is, an amount with its pence."""
    exponent = figure.as_tuple().exponent
    return f"{int(figure):{thousands}}" if exponent == 0 else _pounds(figure, thousands)
