"""The plan: everything that the service shall do with a file, in order, and what hangs on it for each line."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from orderly.replay.kinds import Kind, kind, set_apart
from orderly.replay.lines import BadFile, Line
from orderly.replay.moments import EPOCH, on_tick
from orderly.replay.orders import OrderPlan
from orderly.replay.purchases import Match, Purchases
from orderly.replay.shelves import Shelves, fit_to_store
from orderly.replay.steps import Outcome, Part, Step
from statemachines.order import OrderPolicy
from statemachines.pieces import MAX_LINES
from statemachines.stock import Adjust

TICK: Final = timedelta(minutes=15)
POLICY: Final = OrderPolicy()


@dataclass
class Invoice:
    """The lines of one invoice that are of one kind and not set apart."""

    reference: str
    kind: Kind
    written: datetime
    """The earliest moment that any of its lines names; ten invoices name two."""
    lines: list[Line] = field(default_factory=list)


@dataclass
class Plan:
    """Steps for the service, and the parts into which the file's lines fall."""

    steps: list[Step] = field(default_factory=list)
    """In the order of their moments; the catalogue comes first."""
    parts: list[Part] = field(default_factory=list)
    until: datetime = EPOCH
    """When nothing more is to come: the last order is complete, the last refund answered."""
    lines: int = 0
    pieces: int = 0
    amount: Decimal = Decimal(0)
    openings: dict[str, int] = field(default_factory=dict)
    """Pieces in stock to begin with, by the key of the step that opens the stock."""
    orders: list[tuple[str, ...]] = field(default_factory=list)
    """For each order the keys of the steps that place it; the first of them creates it."""

    def fingerprint(self, source: str) -> str:
        """Return a digest that is the same whenever the file with the digest `source` is planned in the same way."""
        digest = hashlib.sha256(source.encode())
        for step in self.steps:
            digest.update(f"\n{step.at.isoformat()} {step.key} {step.entity}".encode())
        return digest.hexdigest()


def make_plan(lines: Iterable[Line], *, tick: timedelta = TICK, policy: OrderPolicy = POLICY) -> Plan:
    """Plan what the service shall do with the lines of a file.

    Args:
        lines: the whole file.
        tick: what happens within one tick happens at its end.
        policy: the shop's; it says when an order completes by itself.

    Raises:
        BadFile: an invoice names two customers.
    """
    planner = _Planner(tick, policy.complete_after)
    for line in lines:
        planner.sort(line)
    return planner.finish()


class _Planner:
    """Sorts lines into invoices, then follows the invoices through time."""

    def __init__(self, tick: timedelta, complete_after: timedelta) -> None:
        self._tick = tick
        self._complete_after = complete_after
        self._plan = Plan()
        self._invoices: dict[tuple[str, Kind], Invoice] = {}
        self._shelves = Shelves()
        self._purchases = Purchases()
        self._orders: dict[str, OrderPlan] = {}

    def sort(self, line: Line) -> None:
        """Put a line to its invoice, or apart."""
        self._plan.lines += 1
        self._plan.pieces += line.quantity
        self._plan.amount += line.amount
        if reason := set_apart(line):
            self._part(line, Outcome.APART, reason=reason)
            return
        key = line.invoice, kind(line)
        invoice = self._invoices.setdefault(key, Invoice(*key, written=line.moment))
        if invoice.lines and invoice.lines[0].customer != line.customer:
            raise BadFile(f"line {line.number}: invoice {line.invoice} names two customers")
        invoice.lines.append(line)
        invoice.written = min(invoice.written, line.moment)

    def finish(self) -> Plan:
        """Follow the invoices through time."""
        invoices = sorted(self._invoices.values(), key=lambda each: (each.written, each.kind != Kind.SALE))
        for invoice in invoices:
            if invoice.kind is Kind.SALE:
                self._sell(invoice)
            elif invoice.kind is Kind.CREDIT:
                self._credit(invoice)
        movements = [step for each in invoices if each.kind is Kind.SHELF for step in self._move(each)]
        orders = [step for order in self._orders.values() for step in order.steps()]
        steps = sorted([*orders, *movements], key=lambda step: step.at)
        self._plan.steps = [*self._catalogue(steps), *steps]
        ends = [*(step.at for step in steps[-1:]), *(order.completed for order in self._orders.values())]
        self._plan.until = max(ends, default=EPOCH) + timedelta(days=1)
        return self._plan

    def _sell(self, invoice: Invoice) -> None:
        if len(invoice.lines) > MAX_LINES:
            for line in invoice.lines:
                self._part(line, Outcome.APART, reason="more lines than an order may have")
            return
        at = self._at(invoice)
        order = OrderPlan.of(invoice.reference, invoice.lines, at, self._complete_after)
        self._orders[order.reference] = order
        placing = order.placing
        self._plan.orders.append(placing)
        for number, line in enumerate(invoice.lines, 1):
            self._shelves.sell(line, at)
            self._purchases.add(line, order.reference, number)
            self._part(line, Outcome.SOLD, shelf=-line.quantity, steps=placing)

    def _credit(self, note: Invoice) -> None:
        by_order: dict[str, list[tuple[Line, Match]]] = defaultdict(list)
        for line in note.lines:
            matches = self._purchases.take(line)
            for match in matches:
                by_order[match.order].append((line, match))
            left = -line.quantity - sum(match.quantity for match in matches)
            if left:
                self._part(line, Outcome.APART, quantity=-left, reason=self._purchases.why_unmatched(line))
        for reference, matched in by_order.items():
            order, matches = self._orders[reference], [match for _, match in matched]
            at = max(self._at(note), order.created + self._tick)
            outcome, keys = order.credit(note.reference, at, matches)
            for line, match in matched:
                self._part(line, outcome, quantity=-match.quantity, shelf=match.quantity, steps=keys)

    def _move(self, invoice: Invoice) -> Iterable[Step]:
        at = self._at(invoice)
        for line in invoice.lines:
            sku = self._shelves.shelf_of(line, at)
            difference, what = line.quantity, "written off" if line.quantity < 0 else "found"
            if line.customer and line.quantity > 0:
                difference, what = -line.quantity, "sample given away"
            key = f"{line.invoice}/adjust/{line.number}"
            self._part(line, Outcome.SHELF, shelf=difference, reason=what, steps=(key,))
            note = f"{what}: {description}" if (description := fit_to_store(line.description)) else what
            yield Step(at, key, "stock", sku, Adjust(difference=difference, reason=note))

    def _catalogue(self, steps: list[Step]) -> Iterable[Step]:
        for event in self._shelves.products():
            key = f"{event.sku}/open"
            self._plan.openings[key] = event.on_hand
            yield Step(steps[0].at - self._tick, key, "product", event.sku, event)

    def _part(
        self,
        line: Line,
        outcome: Outcome,
        *,
        quantity: int | None = None,
        shelf: int = 0,
        reason: str = "",
        steps: tuple[str, ...] = (),
    ) -> None:
        quantity = line.quantity if quantity is None else quantity
        self._plan.parts.append(Part(line.number, quantity, line.price * quantity, outcome, shelf, reason, steps))

    def _at(self, invoice: Invoice) -> datetime:
        return on_tick(invoice.written, self._tick)
