"""A goods-in where returns arrive: the order that they are of is a list of what it heard."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from statemachines.carrier import CANCEL_SHIPMENT, CREATE_SHIPMENT, ShipmentCreated
from statemachines.commands import Command, Send
from statemachines.decision import Decision
from statemachines.declaration import Actor, Effect, Entity, Event, Role
from statemachines.letters import Template
from statemachines.machine import SYSTEM
from statemachines.messages import PostMessage, SendMail
from statemachines.pieces import NamedPieces
from statemachines.refund.news import Refunded, RefundFailed
from statemachines.registry import MACHINES, Registry
from statemachines.returns.events import Approve, Depart, Inspect, Inspected, Receive, RefundBegun, Request
from statemachines.returns.machine import returns
from statemachines.returns.model import ReturnCase, ReturnLine, ReturnPolicy
from statemachines.returns.news import ReturnDropped, ReturnSettled
from tests.statemachines.shop import ANNA, Shop, accepted, refused

PAUL = Actor("paul", Role.MERCHANT)
RETURN_TO = {"name": "Mug & Jug", "lines": ["Back Door 3"], "postal_code": "20095", "city": "Hamburg", "country": "DE"}
TWO_LINES = (
    NamedPieces(number=1, sku="MUG", name="Blue mug", quantity=3),
    NamedPieces(number=2, sku="JUG", name="Jug", quantity=1),
)


class GoodsIn(Shop):
    """Decides on returns; the keywords are the figures of the shop's policy."""

    def __init__(self, **policy: Any) -> None:
        super().__init__()
        others = [machine for machine in MACHINES if machine.name != "return"]
        self.machines = Registry([*others, returns]).with_policies({"return": ReturnPolicy.model_validate(policy)})
        self.told: list[Event] = []
        self.sells("MUG", on_hand=10)
        self.sells("JUG", on_hand=5)

    # -- given

    def ask(self, lines: Iterable[NamedPieces] = TWO_LINES, **more: Any) -> Decision:
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

    def requested(self, **more: Any) -> ReturnCase:
        accepted(self.ask(**more))
        return self.case

    def approved(self, **more: Any) -> ReturnCase:
        self.requested(**more)
        accepted(self.say(Approve()))
        return self.case

    def labelled(self, **more: Any) -> ReturnCase:
        self.approved(**more)
        accepted(self.label())
        return self.case

    def in_transit(self, **more: Any) -> ReturnCase:
        self.approved(**more)
        accepted(self.say(Depart(), ANNA))
        return self.case

    def received(self, **more: Any) -> ReturnCase:
        self.in_transit(**more)
        accepted(self.say(Receive()))
        return self.case

    def refunding(self, amount: int = 5000, **more: Any) -> ReturnCase:
        self.received(**more)
        accepted(self.finds({1: (3, 0, 0), 2: (1, 0, 0)}))
        accepted(self.order_says(RefundBegun(amount=amount)))
        return self.case

    # -- when

    def say(self, event: Event, by: Actor = PAUL) -> Decision:
        """Raise an event on the newest return."""
        return self.tell(self.case, event, by)

    def order_says(self, event: Event) -> Decision:
        return self.say(event, SYSTEM)

    def label(self, name: str = "shp-77") -> Decision:
        """Let the carrier answer with a label."""
        label = ShipmentCreated(shipment=name, tracking="JD0146", label_url=f"https://carrier.example/{name}.pdf")
        return self.say(label, SYSTEM)

    def finds(
        self, found: dict[int, tuple[int, int, int]], percent: int = 100, note: str | None = None, by: Actor = PAUL
    ) -> Decision:
        """Say what was found by line: how many pieces are accepted, damaged and refused."""
        lines = tuple(
            Inspected(number=number, accepted=accepted, damaged=damaged, refused=refused, percent=percent)
            for number, (accepted, damaged, refused) in found.items()
        )
        return self.say(Inspect(lines=lines, note=note), by)

    def refunded(self, amount: int) -> Decision:  # type: ignore[override]  # here the refund tells it
        return self.order_says(Refunded(refund="rfd_1", amount=amount, currency="EUR"))

    def refund_failed(self, amount: int) -> Decision:
        return self.order_says(RefundFailed(refund="rfd_1", amount=amount, reason="account closed"))

    # -- then

    @property
    def case(self) -> ReturnCase:
        """The newest return."""
        return [row for row in self.rows if isinstance(row, ReturnCase)][-1]

    @property
    def state(self) -> str:
        return self.case.state

    def case_lines(self) -> dict[int, ReturnLine]:
        return {row.number: row for row in self.rows if isinstance(row, ReturnLine) and row.return_id == self.case.id}

    def why(self, decision: Decision) -> str:
        return refused(decision).reason

    def pieces_told(self) -> dict[int, int]:
        """Sum by line what the order was told of, settled or dropped."""
        told: dict[int, int] = {}
        for news in self.told:
            assert isinstance(news, ReturnSettled | ReturnDropped)
            for line in news.lines:
                pieces = line.accepted + line.damaged + line.refused if isinstance(line, Inspected) else line.quantity
                told[line.number] = told.get(line.number, 0) + pieces
        return told

    def mails(self) -> list[Template]:
        """Return what the customer was told."""
        return [call.arguments.message for call in self.calls if isinstance(call.arguments, SendMail)]

    def chat(self) -> list[str]:
        """Return what the shop was told, without the return's name."""
        posted = [call.arguments.text for call in self.calls if isinstance(call.arguments, PostMessage)]
        return [text.replace(self.case.id, "ret_1") for text in posted]

    def asked_carrier(self) -> list[Any]:
        """Return what the carrier was asked for."""
        effects: tuple[Effect, ...] = (CREATE_SHIPMENT, CANCEL_SHIPMENT)
        return [call.arguments for call in self.calls if call.effect in effects]

    def left_to_wait(self) -> timedelta | None:
        """Return after how long the return expires by itself, if it does."""
        timer = self.timers.get((self.case.id, "expire"))
        return timer.at - self.now if timer else None

    # -- how

    def _carry_out(self, entity: Entity, commands: Iterable[Command]) -> None:
        mine = []
        for command in commands:
            if isinstance(command, Send) and command.machine == "order":
                self.told.append(command.event)
            else:
                mine.append(command)
        super()._carry_out(entity, mine)
