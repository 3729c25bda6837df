"""A goods-in where returns arrive: the order that they are of is a list of what it heard."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from statemachines.carrier import CANCEL_SHIPMENT, CREATE_SHIPMENT, ShipmentCreated
from statemachines.declaration import Actor, Effect, Event, Role
from statemachines.machine import SYSTEM
from statemachines.pieces import NamedPieces
from statemachines.product import product
from statemachines.refund.news import Refunded, RefundFailed
from statemachines.returns import news
from statemachines.returns.events import Approve, Depart, Inspect, Inspected, Receive, RefundBegun, Request
from statemachines.returns.machine import returns
from statemachines.returns.model import ReturnLine, ReturnPolicy
from statemachines.returns.news import ReturnDropped, ReturnSettled
from statemachines.stock import stock
from statemachines.transaction import Outcome
from tests.statemachines.shop import ANNA, Arrive, Seen, Shop, accepted, refused, stand_in

PAUL = Actor("paul", Role.MERCHANT)
order = stand_in("order", news)
RETURN_TO = {"name": "Mug & Jug", "lines": ["Back Door 3"], "postal_code": "20095", "city": "Hamburg", "country": "DE"}
TWO_LINES = (
    NamedPieces(number=1, sku="MUG", name="Blue mug", quantity=3),
    NamedPieces(number=2, sku="JUG", name="Jug", quantity=1),
)


class GoodsIn(Shop):
    """Returns of one order; the keywords are the figures of the shop's policy."""

    def __init__(self, **policy: Any) -> None:
        super().__init__([order, returns, product, stock], **{"return": ReturnPolicy.model_validate(policy)})
        accepted(self.create("order", Arrive(called="ord_1"), SYSTEM))
        self.sells("MUG", on_hand=10)
        self.sells("JUG", on_hand=5)

    # -- given

    def ask(self, lines: Iterable[NamedPieces] = TWO_LINES, **more: Any) -> Outcome:
        """Let the order ask for a return."""
        asked = {
            "order": "ord_1",
            "called": "shop-1",
            "customer": "anna",
            "email": "anna@home.example",
            "currency": "EUR",
            "reason": "too big",
            "requested_by": "anna",
            **more,
        }
        return self.create("return", Request(lines=tuple(lines), **asked), SYSTEM)

    def requested(self, **more: Any) -> Seen:
        accepted(self.ask(**more))
        return self.case

    def approved(self, **more: Any) -> Seen:
        self.requested(**more)
        accepted(self.say(Approve()))
        return self.case

    def labelled(self, **more: Any) -> Seen:
        self.approved(**more)
        accepted(self.label())
        return self.case

    def in_transit(self, **more: Any) -> Seen:
        self.approved(**more)
        accepted(self.say(Depart(), ANNA))
        return self.case

    def received(self, **more: Any) -> Seen:
        self.in_transit(**more)
        accepted(self.say(Receive()))
        return self.case

    def refunding(self, amount: int = 5000, **more: Any) -> Seen:
        self.received(**more)
        accepted(self.finds({1: (3, 0, 0), 2: (1, 0, 0)}))
        accepted(self.order_says(RefundBegun(amount=amount)))
        return self.case

    # -- when

    def say(self, event: Event, by: Actor = PAUL) -> Outcome:
        """Raise an event on the newest return."""
        return self.tell(self.case, event, by)

    def order_says(self, event: Event) -> Outcome:
        return self.say(event, SYSTEM)

    def label(self, name: str = "shp-77") -> Outcome:
        """Let the carrier answer with a label."""
        where = f"https://carrier.example/{name}"
        label = ShipmentCreated(shipment=name, tracking="JD0146", tracking_url=where, label_url=f"{where}.pdf")
        return self.say(label, SYSTEM)

    def finds(
        self, found: dict[int, tuple[int, int, int]], percent: int = 100, note: str | None = None, by: Actor = PAUL
    ) -> Outcome:
        """Say what was found by line: how many pieces are accepted, damaged and refused."""
        lines = tuple(
            Inspected(number=number, accepted=accepted, damaged=damaged, refused=refused, percent=percent)
            for number, (accepted, damaged, refused) in found.items()
        )
        return self.say(Inspect(lines=lines, note=note), by)

    def refunded(self, amount: int) -> Outcome:
        return self.order_says(Refunded(refund="rfd_1", amount=amount, currency="EUR"))

    def refund_failed(self, amount: int) -> Outcome:
        return self.order_says(RefundFailed(refund="rfd_1", amount=amount, reason="account closed"))

    # -- then

    @property
    def case(self) -> Seen:
        """The newest return."""
        return self.last("return")

    @property
    def state(self) -> str:
        return str(self.case.state)

    def case_lines(self) -> dict[int, ReturnLine]:
        return {row.number: row for row in self.world.rows(ReturnLine) if row.return_id == self.case.id}

    def why(self, outcome: Outcome) -> str:
        return refused(outcome).reason

    @property
    def told(self) -> list[Event]:
        """What the order was told since it is there."""
        return [step.event for step in self.steps if step.machine == "order"][1:]

    def pieces_told(self) -> dict[int, int]:
        """Sum by line what the order was told of, settled or dropped."""
        told: dict[int, int] = {}
        for each in self.told:
            assert isinstance(each, ReturnSettled | ReturnDropped)
            for line in each.lines:
                pieces = line.accepted + line.damaged + line.refused if isinstance(line, Inspected) else line.quantity
                told[line.number] = told.get(line.number, 0) + pieces
        return told

    def shown(self) -> list[str]:
        """Return what the shop was told, without the return's name."""
        return [text.replace(self.case.id, "ret_1") for text in self.chat]

    def asked_carrier(self) -> list[Any]:
        """Return what the carrier was asked for."""
        effects: tuple[Effect, ...] = (CREATE_SHIPMENT, CANCEL_SHIPMENT)
        return [call.arguments for call in self.calls() if call.effect in effects]

    def left_to_wait(self) -> timedelta | None:
        """Return after how long the return expires by itself, if it does."""
        timer = self.timers(self.case).get("expire")
        return timer.due_at - self.now if timer else None
