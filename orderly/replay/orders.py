"""What happens to one order, from its invoice to the last credit note.

The file tells when an order was invoiced and what was credited when; it knows nothing of parcels. So each order leaves
in one parcel, which is shipped, dispatched and delivered at the `moments` of a careful shop. Where a credit note shows
that the customer had the goods sooner, they were handed over at once: what was packed is dispatched then, and what was
not is fulfilled without being packed first.

A credit note over all of an order that is still in the house calls it off, with its parcel if it is packed. Every other
note is a return. The note was written when the goods were back and looked at, and nothing is known of the days before:
so the return is asked for, approved, under way, received and inspected at the moment of the note. What came back is
taken as sound; the file writes off damaged pieces by movements of their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from orderly.replay.lines import Line
from orderly.replay.moments import arrival, collection, confirmation, packing
from orderly.replay.purchases import GUEST, Match
from orderly.replay.shelves import price_point
from orderly.replay.steps import Outcome, Step
from statemachines.declaration import Event
from statemachines.order import Cancel, Complete, Create, Fulfill, LineAsked, Pay, RequestReturn, Ship, Submit
from statemachines.pieces import Pieces
from statemachines.returns.events import Approve, Depart, Inspect, Inspected, Receive
from statemachines.shipment.events import Deliver, Dispatch

TOKEN: Final = "tok_approve"  # noqa: S105  (the sandbox's token for a card that pays)


@dataclass
class OrderPlan:
    """One order's way through the service. Credits may call it off, or hurry it on to its completion."""

    reference: str
    lines: list[Line]
    created: datetime
    packed: datetime
    sent: datetime
    arrived: datetime
    """When the shop knows that it arrived."""
    completed: datetime
    """When it is complete, confirmed by the customer or by itself."""
    confirmed: bool
    """Whether the customer says so, or the shop's timer does it."""
    cancelled: datetime | None = None
    _credits: list[Step] = field(default_factory=list)

    @classmethod
    def of(cls, reference: str, lines: list[Line], at: datetime, complete_after: timedelta) -> "OrderPlan":
        """Plan an order of which nothing is credited."""
        sent = collection(at)
        packed, by_itself = packing(sent), sent + complete_after
        confirmed = confirmation(reference, sent)
        if confirmed is None or confirmed >= by_itself:
            return cls(reference, lines, at, packed, sent, by_itself, by_itself, confirmed=False)
        return cls(reference, lines, at, packed, sent, arrival(sent), confirmed, confirmed=True)

    @property
    def placing(self) -> tuple[str, ...]:
        """The keys of the steps without which nothing is sold."""
        return tuple(f"{self.reference}/{event}" for event in ("create", "submit", "pay"))

    def credit(self, note: str, at: datetime, matches: list[Match]) -> tuple[Outcome, tuple[str, ...]]:
        """Take back what a credit note matched; return what that is, and the keys of the steps that do it.

        All of an order that has not left the house is called off. Everything else is returned: the customer has it, so
        it has left the house and arrived by then, even if nobody said so.
        """
        pieces = sum(line.quantity for line in self.lines)
        if at < self.sent and sum(match.quantity for match in matches) == pieces:
            self.cancelled = at
            return Outcome.CANCELLED, self._take_back(note, at, ("order", Cancel(reason=f"credit note {note}")))
        self.sent, self.arrived = min(self.sent, at), min(self.arrived, at)
        if at < self.completed:
            self.completed, self.confirmed = at, True
        back: dict[int, int] = {}
        for match in matches:
            back[match.number] = back.get(match.number, 0) + match.quantity
        pieces_back = sorted(back.items())
        lines = tuple(Pieces(number=number, quantity=quantity) for number, quantity in pieces_back)
        found = tuple(Inspected(number=number, accepted=quantity) for number, quantity in pieces_back)
        return Outcome.RETURNED, self._take_back(
            note,
            at,
            ("order", RequestReturn(lines=lines, reason=f"credit note {note}")),
            ("return", Approve()),
            ("return", Depart()),
            ("return", Receive()),
            ("return", Inspect(lines=found)),
        )

    def steps(self) -> Iterator[Step]:
        """Yield the order's steps in their order."""
        yield self._step("order", self.created, self._creation())
        yield self._step("order", self.created, Submit())
        yield self._step("order", self.created, Pay(method=TOKEN))
        tracking = f"parcel-{self.reference}"
        if self.sent < self.packed:
            yield self._step("order", self.sent, Fulfill(tracking=tracking))
        elif self.cancelled is None or self.packed <= self.cancelled:
            yield self._step("order", self.packed, Ship())
        if self.cancelled is None:
            if self.sent >= self.packed:
                yield self._step("shipment", self.sent, Dispatch(tracking=tracking))
            yield self._step("shipment", self.arrived, Deliver())
            if self.confirmed:
                yield self._step("order", self.completed, Complete())
        yield from self._credits

    def _creation(self) -> Create:
        asked = tuple(LineAsked(sku=price_point(line), quantity=line.quantity) for line in self.lines)
        return Create(lines=asked, reference=self.reference, customer=self.lines[0].customer or GUEST)

    def _step(self, machine: str, at: datetime, event: Event) -> Step:
        return Step(at, f"{self.reference}/{event.event_name}", machine, self.reference, event)

    def _take_back(self, note: str, at: datetime, *events: tuple[str, Event]) -> tuple[str, ...]:
        reason = f"credit note {note}"
        steps = [
            Step(at, f"{note}/{event.event_name}/{self.reference}", machine, self.reference, event, reason)
            for machine, event in events
        ]
        self._credits += steps
        return tuple(step.key for step in steps)
