"""What happens to one order, from its invoice to the last credit note."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from orderly.replay.lines import Line
from orderly.replay.moments import collection, confirmation
from orderly.replay.purchases import GUEST, Match
from orderly.replay.shelves import price_point
from orderly.replay.steps import Outcome, Step
from statemachines.declaration import Event
from statemachines.order import Cancel, Complete, Create, Fulfill, LineAsked, Pay, Return, Submit
from statemachines.pieces import Pieces

TOKEN: Final = "tok_approve"  # noqa: S105  (the sandbox's token for a card that pays)


@dataclass
class OrderPlan:
    """One order's way through the service. Credits may call it off, or hurry it on to its completion."""

    reference: str
    lines: list[Line]
    created: datetime
    fulfilled: datetime
    completed: datetime
    """When it is complete, confirmed by the customer or by itself."""
    confirmed: bool
    """Whether the customer says so, or the shop's timer does it."""
    cancelled: bool = False
    _credits: list[Step] = field(default_factory=list)

    @classmethod
    def of(cls, reference: str, lines: list[Line], at: datetime, complete_after: timedelta) -> "OrderPlan":
        """Plan an order of which nothing is credited."""
        fulfilled = collection(at)
        by_itself = fulfilled + complete_after
        confirmed = confirmation(reference, fulfilled)
        if confirmed is None or confirmed >= by_itself:
            return cls(reference, lines, at, fulfilled, by_itself, confirmed=False)
        return cls(reference, lines, at, fulfilled, confirmed, confirmed=True)

    @property
    def placing(self) -> tuple[str, ...]:
        """The keys of the steps without which nothing is sold."""
        return tuple(f"{self.reference}/{event}" for event in ("create", "submit", "pay"))

    def credit(self, note: str, at: datetime, matches: list[Match]) -> tuple[Outcome, str]:
        """Take back what a credit note matched; return what that is, and the key of the step that does it.

        All of an order that has not left the house is cancelled. Everything else is returned: the customer has it, so
        it has left the house and arrived by then, even if nobody said so.
        """
        pieces = sum(line.quantity for line in self.lines)
        if at < self.fulfilled and sum(match.quantity for match in matches) == pieces:
            self.cancelled = True
            cancel = Cancel(reason=f"credit note {note}")
            return Outcome.CANCELLED, self._credit(f"{note}/cancel/{self.reference}", at, cancel)
        if at < self.fulfilled:
            self.fulfilled = at
        if at < self.completed:
            self.completed, self.confirmed = at, True
        back: dict[int, int] = {}
        for match in matches:
            back[match.number] = back.get(match.number, 0) + match.quantity
        lines = tuple(Pieces(number=number, quantity=quantity) for number, quantity in sorted(back.items()))
        event = Return(lines=lines, reason=f"credit note {note}")
        return Outcome.RETURNED, self._credit(f"{note}/return/{self.reference}", at, event)

    def steps(self) -> Iterator[Step]:
        """Yield the order's steps in their order."""
        yield self._step("create", self.created, self._creation())
        yield self._step("submit", self.created, Submit())
        yield self._step("pay", self.created, Pay(method=TOKEN))
        if not self.cancelled:
            yield self._step("fulfill", self.fulfilled, Fulfill(tracking=f"parcel-{self.reference}"))
            if self.confirmed:
                yield self._step("complete", self.completed, Complete())
        yield from self._credits

    def _creation(self) -> Create:
        asked = tuple(LineAsked(sku=price_point(line), quantity=line.quantity) for line in self.lines)
        return Create(lines=asked, reference=self.reference, customer=self.lines[0].customer or GUEST)

    def _step(self, name: str, at: datetime, event: Event) -> Step:
        return Step(at, f"{self.reference}/{name}", "order", self.reference, event)

    def _credit(self, key: str, at: datetime, event: Event) -> str:
        self._credits.append(Step(at, key, "order", self.reference, event))
        return key
