"""A season in a store: people, gateway, carrier and clock do what they like, in whatever order; chance says what."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

from statemachines.carrier import (
    CancellationRefused,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentRefused,
)
from statemachines.declaration import Actor, Event, Role
from statemachines.machine import SYSTEM, Machine
from statemachines.order import Create, Order, OrderLine, OrderPolicy, RefundAgain, Retry
from statemachines.payment.events import Dispute, DisputeLost, DisputeWon, Settle
from statemachines.payments import (
    Authorized,
    Captured,
    CaptureFailed,
    Charged,
    CustomerActionRequired,
    Declined,
    Refunded,
    RefundFailed,
    RefundReturned,
    Voided,
    VoidFailed,
)
from statemachines.refund.events import Clarify
from statemachines.returns.model import ReturnLine
from statemachines.shipment.events import Cancel as CancelShipment
from statemachines.shipment.events import SendBack
from statemachines.stock import Receive
from statemachines.transaction import Asked, Happened, Outcome
from tests.statemachines.office import approver
from tests.statemachines.shop import ANNA, BEN, MERCHANT
from tests.statemachines.store import HOME, Store

EVE = approver("eve")
PEOPLE = {Role.CUSTOMER: [ANNA, BEN], Role.MERCHANT: [MERCHANT, Actor("paul", Role.MERCHANT)], Role.APPROVER: [EVE]}
PLENTY = {"MUG": 40, "POT": 30, "FAN": 30}
LITTLE = {"MUG": 4, "POT": 2, "FAN": 3}
CHILDREN = ["payment", "refund", "shipment", "return", "approval"]

SELDOM = {"cancel", "fail", "void", "lose", "reject", "suspect", "hold", "withdraw", "refuse", "settle", "send_back"}
"""What would end most ways too early if it happened as often as the rest."""

HARDLY = {"reorder", "comment", "delegate", "abstain", "resubmit", "request_changes", "clarify", "book"}
"""What leads nowhere new."""

OFTEN = {"submit", "pay", "approve", "ship", "dispatch", "deliver", "request_return", "receive", "inspect", "clear"}
"""What leads on."""


PUT_RIGHT: list[tuple[str, Event]] = [
    ("shipment", SendBack()),
    ("shipment", CancelShipment()),
    ("refund", Clarify(given=True, reason="as the gateway shows")),
    ("payment", Settle(reason="let go by hand")),
    ("order", Retry()),
    ("order", RefundAgain()),
]
"""What people do about what is stuck while orders are called off."""

LONGEST_PATIENCE = 4 * 24
"""After so many hours somebody is called, or decides, on everything that waits while orders are called off."""


class Season:
    """Lets one thing after the other happen. What was asked has to be answered, and every answer has to be taken."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.luck = random.choice([0.5, 0.8, 0.95])
        """How likely others do what they are asked."""
        self.unrest = random.choice([0.1, 0.1, 1])
        """How often people call things off."""
        self.owned = Counter(random.choice([PLENTY, PLENTY, LITTLE]))
        """The pieces that the shop had or got."""
        limits = [None, None, 3000, 0]
        policy = OrderPolicy(
            take=random.choice(["now", "later"]),
            backorders=random.choice([True, False]),
            approval_above=random.choice(limits),
            review_above=random.choice(limits),
        )
        self.store = Store(order=policy)
        for sku, price, currency in (("MUG", 1250, "EUR"), ("POT", 3999, "EUR"), ("FAN", 701, "JPY")):
            self.store.sells(sku, price, currency, self.owned[sku])
        self.world = self.store.world
        self.answered: list[tuple[Asked, Event]] = []

    def step(self) -> str:
        """Let one thing happen, and say what."""
        likely: list[tuple[int, Callable[[], str]]] = [
            (2, self.somebody_orders),
            (30, self.something_is_asked_of_an_order),
            (30, self.something_is_asked_of_a_child),
            (30, self.a_call_is_answered),
            (4, self.an_answer_comes_again),
            (3, self.a_bank_claims_money),
            (1, self.pieces_arrive),
            (1, self.time_passes),
        ]
        weights, what = zip(*likely, strict=True)
        return self.random.choices(what, weights)[0]()

    def ends_well(self) -> None:
        """Let banks decide, everybody do what they are asked, and people put right what is stuck, until all is done."""
        self.luck = 1
        for payment in self.store.all("payment"):
            if payment.disputed:
                lost = DisputeLost(dispute=payment.dispute, amount=payment.disputed, currency=payment.currency)
                self.unasked("payment", payment.id, lost)
        for _ in range(20):
            before = self.states()
            self.all_is_answered()
            for machine, event in PUT_RIGHT:
                for id_ in self.world.ids(machine):
                    if event.event_name in self.world.registry[machine].events_of(self.states()[id_]):
                        self.tell(machine, id_, event, MERCHANT)
            self.all_is_answered()
            self.hours_pass(LONGEST_PATIENCE)
            if self.states() == before:
                return
        raise AssertionError("it does not end")

    def all_is_answered(self) -> None:
        while self.world.awaited:
            self.a_call_is_answered()

    def states(self) -> dict[str, str]:
        return {entity.id: entity.state for _, entity in self.world.entities()}

    # -- what happens

    def somebody_orders(self) -> str:
        live = [each for each in self.store.orders if each.state not in ("cancelled", "returned", "completed")]
        if len(live) >= 2:
            return self.something_is_asked_of_a_child()
        skus = self.random.choice([["MUG"], ["MUG", "POT"], ["MUG", "POT"], ["FAN"]])
        lines = [{"sku": sku, "quantity": self.random.randint(1, 4)} for sku in skus]
        more: dict[str, Any] = {"address": self.random.choice([None, HOME]), "email": "anna@home.example"}
        by = self.random.choice([ANNA, BEN, MERCHANT])
        if by is MERCHANT:
            more |= {"customer": "anna", "discount": self.random.choice([0, 0, 700, 701])}
        return self.tell("order", None, Create.model_validate({"lines": lines, **more}), by)

    def something_is_asked_of_an_order(self) -> str:
        if not self.store.orders:
            return self.somebody_orders()
        live = [each for each in self.store.orders if each.state not in ("cancelled", "returned")]
        order = self.random.choice([*live * 4, *self.store.orders[-3:]])
        return self.something_is_asked("order", order.id)

    def something_is_asked_of_a_child(self) -> str:
        ids = [(machine, id_) for machine in CHILDREN for id_ in self.world.ids(machine)]
        lively = [(machine, id_) for machine, id_ in ids if self.asks(self.world.registry[machine], machine, id_)]
        if not lively:
            return self.a_call_is_answered()
        return self.something_is_asked(*self.random.choice(lively[-12:]))

    def something_is_asked(self, machine: str, id_: str) -> str:
        registered = self.world.registry[machine]
        kinds = self.asks(registered, machine, id_)
        if self.random.random() < 0.05:  # something that may not be asked here
            others = [kind for kind in registered.events.values() if kind is not registered.creation]
            kinds = [kind for kind in others if kind.raised_by - {Role.SYSTEM}]
        weights = [self.weight(each.event_name) for each in kinds]
        if not kinds or self.random.random() > sum(weights):
            return self.a_call_is_answered()
        (kind,) = self.random.choices(kinds, weights)
        role = self.random.choice(sorted(kind.raised_by - {Role.SYSTEM}))
        return self.tell(machine, id_, self.said(machine, id_, kind), self.random.choice(PEOPLE[role]))

    def a_call_is_answered(self) -> str:
        if not self.world.awaited:
            return self.time_passes() if self.random.random() < 0.1 else self.something_is_asked_of_an_order()
        call = self.random.choice(self.world.awaited)
        event = self.answer(call)
        outcome = self.world.answer(call, event)
        assert isinstance(outcome, Happened), f"{call} was answered by {event}: {outcome}"
        self.store.note(outcome)
        self.answered.append((call, event))
        return f"answer {call.machine} {call.id} {event!r}"

    def an_answer_comes_again(self) -> str:
        if not self.answered:
            return self.a_call_is_answered()
        call, event = self.random.choice(self.answered)
        outcome = self.world.raise_(call.machine, call.id, event, SYSTEM)
        assert isinstance(outcome, Happened), f"{call} was answered again by {event}: {outcome}"
        self.store.note(outcome)
        return f"again {call.machine} {call.id} {event!r}"

    def a_bank_claims_money(self) -> str:
        taken = [each for each in self.store.all("payment") if each.captured]
        if not taken:
            return self.a_call_is_answered()
        payment = self.random.choice(taken)
        refunds = [each for each in self.store.all("refund") if each.refund and each.payment_id == payment.id]
        if refunds and self.random.random() < 0.3:
            back = self.random.choice(refunds)
            returned = RefundReturned(amount=back.amount, refund=back.refund, reason="account closed")
            return self.unasked("refund", back.id, returned)
        open_ = payment.disputed > 0
        kind: type[Any] = self.random.choice([DisputeWon, DisputeLost]) if open_ else Dispute
        said: dict[str, Any] = {"dispute": f"du_{payment.id}", "currency": payment.currency, "amount": payment.disputed}
        if not open_:
            said |= {"amount": self.random.choice([payment.captured, 1]), "reason": "fraud"}
            said["dispute"] += str(self.random.randint(1, 3))
        else:
            said["dispute"] = payment.dispute
        return self.unasked("payment", payment.id, kind(**said))

    def pieces_arrive(self) -> str:
        sku, quantity = self.random.choice(sorted(PLENTY)), self.random.randint(1, 4)
        self.owned[sku] += quantity
        outcome = self.world.raise_("stock", sku, Receive(quantity=quantity), MERCHANT)
        assert isinstance(outcome, Happened), f"{quantity} {sku} are turned away: {outcome}"
        self.store.note(outcome)
        return f"{quantity} {sku} arrive"

    def time_passes(self) -> str:
        if self.random.random() < 0.3 and self.world.timers:
            timer = self.world.timers[0]
            return f"{timer.machine} {timer.id} {timer.event} fires: {self.fired(self.world.fire(timer), timer)}"
        return self.hours_pass(self.random.choice([0.1, 0.1, 0.1, 1, 24, 24 * 8]))

    def hours_pass(self, hours: float) -> str:
        end = self.world.now + timedelta(hours=hours)
        while self.world.timers and self.world.timers[0].due_at <= end:
            timer = self.world.timers[0]
            self.fired(self.world.fire(timer), timer)
        self.world.advance(end - self.world.now)
        return f"it is {self.world.now}"

    # -- how

    def tell(self, machine: str, id_: str | None, event: Event, by: Actor) -> str:
        """Let a person ask something; what is refused changes nothing."""
        before = self.versions()
        outcome = self.world.raise_(machine, id_, event, by)
        self.store.note(outcome)
        assert isinstance(outcome, Happened) or self.versions() == before
        return f"{machine} {id_} {event!r} by {by.id}: {'taken' if isinstance(outcome, Happened) else outcome.reason}"

    def unasked(self, machine: str, id_: str, event: Event) -> str:
        """Let the gateway say something unasked: it has to be taken."""
        outcome = self.world.raise_(machine, id_, event, SYSTEM)
        assert isinstance(outcome, Happened), f"{machine} {id_} {event!r}: {outcome}"
        self.store.note(outcome)
        return f"{machine} {id_} {event!r}"

    def fired(self, outcome: Outcome, timer: object) -> str:
        assert isinstance(outcome, Happened), f"{timer}: {outcome}"
        self.store.note(outcome)
        return "taken"

    def versions(self) -> list[tuple[str, int]]:
        return [(entity.id, entity.version) for _, entity in self.world.entities()]

    def asks(self, kind: Machine, machine: str, id_: str) -> list[type[Event]]:
        """Return what people may ask of an entity where it stands."""
        state = self.world.entity(machine, id_).state
        kinds = [kind.events[name] for name in kind.events_of(state)]
        return [each for each in kinds if each.raised_by - {Role.SYSTEM}]

    def weight(self, name: str) -> float:
        return 0.02 if name in HARDLY else self.unrest if name in SELDOM else 4 if name in OFTEN else 1

    def answer(self, call: Asked) -> Event:
        """Choose what the other side answers: mostly what was asked for."""
        asked: Any = call.call.arguments
        known = getattr(asked, "payment", None) or f"pi_{call.id}"
        amount = getattr(asked, "amount", 0)
        currency = getattr(asked, "currency", "")
        yes = self.random.random() < self.luck
        odd = self.random.random() < 0.04
        match call.call.effect.name:
            case "payments.charge" | "payments.authorize" as name:
                if call.answer is None and self.random.random() < 0.1:
                    return CustomerActionRequired(payment=known, url="https://bank.example/3ds")
                kind = Charged if name == "payments.charge" else Authorized
                told = max(0, amount + self.random.choice([-1, 1, -amount])) if odd else amount
                unit = self.random.choice(["USD", currency]) if odd else currency
                return kind(amount=told, currency=unit, payment=known) if yes else Declined(reason="no funds")
            case "payments.capture":
                held = 0 if asked.final else max(0, vars(self.world.entity("payment", call.id))["held"] - amount)
                taken = {"amount": amount, "total": asked.captured + amount, "currency": currency}
                if yes:
                    return Captured(**taken, payment=known, held=held)
                return CaptureFailed(amount=amount, payment=known, reason="expired")
            case "payments.void":
                return Voided(payment=known) if yes else VoidFailed(payment=known, reason="too late")
            case "payments.refund":
                if yes:
                    return Refunded(amount=amount, currency=currency, refund=f"re_{call.number}")
                return RefundFailed(amount=amount, reason="account closed")
            case "carrier.create_shipment":
                name = f"JD{call.number}"
                return ShipmentCreated(shipment=name, tracking=name) if yes else ShipmentRefused(reason="too heavy")
            case _:
                if yes:
                    return ShipmentCancelled(shipment=asked.shipment)
                return CancellationRefused(shipment=asked.shipment, reason="in the van")

    def said(self, machine: str, id_: str, kind: type[Event]) -> Event:
        """Build what somebody asks: what has to be said, and now and then what may be."""
        entity: Any = self.world.entity(machine, id_)
        said: dict[str, Any] = {}
        for name, field in kind.model_fields.items():
            if field.is_required() or self.random.random() < 0.4:
                value = self.value(f"{machine}.{kind.event_name}.{name}", name, entity)
                if value is not None:
                    said[name] = value
        return kind.model_validate(said)

    def value(self, where: str, name: str, entity: Any) -> Any:
        """Return what a field says."""
        chance = self.random
        match where:
            case "order.edit.add":
                return [{"sku": chance.choice(["MUG", "POT"]), "quantity": chance.randint(1, 2)}]
            case "return.inspect.lines":
                return self.found(entity)
        match name:
            case "lines" | "remove":
                return [self.some(entity)]
            case "amount":
                return chance.choice([1, 500, 1250, max(1, getattr(entity, "total", 1) // 2)])
            case "method":
                return "tok_1"
            case "take":
                return chance.choice(["now", "later"])
            case "wish":
                return chance.choice(["refund", "exchange"])
            case "given":
                return chance.random() < 0.5
            case "address":
                return HOME
            case "round":
                return entity.round
            case "reason" | "description" | "text" | "note":
                return "because"
            case "to":
                return "vera"
            case _:
                return None

    def some(self, entity: Any) -> dict[str, int]:
        """Name pieces of a line, mostly of one that there is."""
        lines = [line for line in self.world.rows(OrderLine) if line.order_id == entity.id]
        line = self.random.choice(lines) if isinstance(entity, Order) and lines else None
        most = max(1, line.kept) if line else 2
        return {"number": line.number if line else 1, "quantity": self.random.randint(1, most)}

    def found(self, case: Any) -> list[dict[str, int]]:
        """Say what was found of a return: every piece is sound, damaged or not taken back."""
        found = []
        for line in (each for each in self.world.rows(ReturnLine) if each.return_id == case.id):
            accepted = self.random.randint(0, line.quantity)
            damaged = self.random.randint(0, line.quantity - accepted)
            counts = {"accepted": accepted, "damaged": damaged, "refused": line.quantity - accepted - damaged}
            found.append({"number": line.number, **counts, "percent": self.random.choice([0, 33, 50, 100])})
        return found
