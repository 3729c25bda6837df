"""A store in memory: orders with their payments, refunds, parcels and returns, and those who answer them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from statemachines.carrier import CANCEL_SHIPMENT, CREATE_SHIPMENT, Address, CancellationRefused, ShipmentCancelled
from statemachines.carrier import ShipmentCreated as Booked
from statemachines.declaration import Actor, Effect, Event, Policy
from statemachines.letters import Template
from statemachines.machine import SYSTEM
from statemachines.messages import PostMessage, SendMail
from statemachines.order import Complete, Create, Fulfill, LineAsked, Order, OrderLine, Pay, Ship, Submit
from statemachines.payment.events import Dispute
from statemachines.payments import (
    AUTHORIZE,
    CAPTURE,
    CHARGE,
    REFUND,
    VOID,
    Authorized,
    Captured,
    CaptureFailed,
    Charged,
    Declined,
    Refunded,
    RefundFailed,
    RefundReturned,
    Voided,
    VoidFailed,
)
from statemachines.pieces import Pieces
from statemachines.product import Create as CreateProduct
from statemachines.registry import MACHINES
from statemachines.shipment.events import Book, Deliver, Dispatch
from statemachines.transaction import Asked, Happened, Outcome, Step
from statemachines.world import World
from tests.statemachines.shop import ANNA, MERCHANT, NOON

MAIL = "anna@home.example"
STEPS_BACK = ("undo_shipping", "undo_taking", "undo_payment", "undo_reservation", "undone")
HOME = Address(name="Anna", lines=("Lindenweg 3",), city="Berlin", country="DE")


class Seen:
    """An entity, as it stands whenever it is looked at."""

    def __init__(self, store: "Store", machine: str, id: str) -> None:  # noqa: A002
        self.store, self.machine, self.id = store, machine, id

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store.world.entity(self.machine, self.id), name)

    def __repr__(self) -> str:
        return repr(self.store.world.entity(self.machine, self.id))


class Store:
    """People, the gateway, the carrier and the clock, a line each; the policies are by machine."""

    def __init__(self, **policies: Policy) -> None:
        self.world = World(MACHINES.with_policies(policies), NOON)
        self.steps: list[Step] = []

    # -- given

    @classmethod
    def stocked(cls, **policies: Policy) -> "Store":
        """Return a store with ten mugs at 12.50 EUR and five pots at 40.00 EUR on the shelf."""
        store = cls(**policies)
        store.sells("MUG", price=1250, on_hand=10)
        store.sells("POT", price=4000, on_hand=5)
        return store

    def sells(self, sku: str = "MUG", price: int = 1250, currency: str = "EUR", on_hand: int = 10) -> Seen:
        """Put a product into the catalogue and return its stock."""
        product = CreateProduct(sku=sku, name=sku.title(), price=price, currency=currency, on_hand=on_hand)
        self.happen(self.world.raise_("product", None, product, MERCHANT))
        return self.stock(sku)

    def draft(self, *, by: Actor = ANNA, more: dict[str, Any] | None = None, **pieces: int) -> Seen:
        """Place a draft of the pieces named, for example ``draft(MUG=2)``."""
        return self.place(Create(lines=asked(**pieces), email=MAIL, **(more or {})), by)

    def place(self, create: Create, by: Actor = ANNA) -> Seen:
        return Seen(self, "order", self.happen(self.world.raise_("order", None, create, by)).id)

    def discounted(self, discount: int, **pieces: int) -> Seen:
        """Place a draft of which the shop takes something off."""
        return self.draft(by=MERCHANT, more={"customer": "anna", "discount": discount}, **pieces)

    def pending(self, **pieces: int) -> Seen:
        return self.submitted(self.draft(**pieces))

    def submitted(self, order: Seen) -> Seen:
        self.tell(order, Submit(), ANNA)
        return order

    def paying(self, **pieces: int) -> Seen:
        order = self.pending(**pieces)
        self.tell(order, pay(), ANNA)
        return order

    def paid(self, **pieces: int) -> Seen:
        return self.pay(self.pending(**pieces))

    def pay(self, order: Seen) -> Seen:
        """Pay an order in full, unless it costs nothing."""
        self.tell(order, pay(), ANNA)
        if order.asked:
            self.charged(order)
        return order

    def held(self, **pieces: int) -> Seen:
        """Place an order whose money is held ready until its parcels leave."""
        order = self.pending(**pieces)
        self.tell(order, pay(take="later"), ANNA)
        self.authorized(order)
        return order

    def fulfilled(self, **pieces: int) -> Seen:
        order = self.paid(**pieces)
        self.tell(order, Fulfill())
        return order

    def delivered(self, **pieces: int) -> Seen:
        order = self.fulfilled(**pieces)
        self.tell(self.last("shipment"), Deliver())
        return order

    def completed(self, **pieces: int) -> Seen:
        order = self.fulfilled(**pieces)
        self.tell(order, Complete(), ANNA)
        return order

    def in_two_parcels(self, order: Seen) -> tuple[Seen, Seen]:
        """Prepare a parcel of each of an order's two lines."""
        parcels = []
        for line in self.lines(order):
            self.tell(order, ship(line.number, line.quantity))
            parcels.append(self.last("shipment"))
        return parcels[0], parcels[1]

    def on_the_way(self, order: Seen) -> Seen:
        """Send everything with a carrier that can be asked to bring it back."""
        self.tell(order, Ship())
        self.book(self.last("shipment"))
        self.booked(order)
        self.dispatch(self.last("shipment"))
        return order

    # -- when

    def tell(self, seen: Seen, event: Event, by: Actor = MERCHANT) -> Happened:
        """Raise an event that has to be taken."""
        return self.happen(self.world.raise_(seen.machine, seen.id, event, by))

    def system(self, seen: Seen, event: Event) -> Happened:
        """Let the gateway or the clock say something unasked that has to be taken."""
        return self.tell(seen, event, SYSTEM)

    def why(self, seen: Seen, event: Event, by: Actor = MERCHANT) -> str:
        """Raise an event that has to be refused, and return why."""
        outcome = self.world.raise_(seen.machine, seen.id, event, by)
        assert not isinstance(outcome, Happened), outcome
        return outcome.reason

    def why_not(self, create: Create, by: Actor = ANNA) -> str:
        """Place an order that has to be refused, and return why."""
        outcome = self.world.raise_("order", None, create, by)
        assert not isinstance(outcome, Happened), outcome
        return outcome.reason

    def wait(self, **time: float) -> None:
        """Let time pass and due timers fire, the earliest first."""
        end = self.world.now + timedelta(**time)
        while (timer := next(iter(self.world.timers), None)) and timer.due_at <= end:
            self.note(self.world.fire(timer))
        self.world.advance(end - self.world.now)

    def dispatch(self, shipment: Seen, tracking: str | None = None) -> None:
        self.tell(shipment, Dispatch(tracking=tracking))

    def book(self, shipment: Seen) -> None:
        """Ask the carrier to fetch a parcel."""
        self.tell(shipment, Book(address=HOME))

    # -- what the gateway and the carrier answer

    def charged(self, order: Seen, amount: int | None = None, currency: str | None = None) -> Happened:
        """Let the gateway take the money."""
        return self.answer(order, CHARGE, lambda call: Charged(**taken(call, amount, currency)))

    def authorized(self, order: Seen, amount: int | None = None, currency: str | None = None) -> Happened:
        """Let the gateway hold the money ready."""
        return self.answer(order, AUTHORIZE, lambda call: Authorized(**taken(call, amount, currency)))

    def charged_late(self, payment: Seen, amount: int) -> None:
        """Let the gateway say once more, or when nobody waits for it, that it took money."""
        again = Charged(amount=amount, currency=payment.currency, payment=payment.payment or "pi_1")
        self.system(payment, again)

    def declined(self, order: Seen) -> Happened:
        """Let the gateway take nothing."""
        effect = CHARGE if self.waiting(order, CHARGE) else AUTHORIZE
        return self.answer(order, effect, lambda _: Declined(reason="no funds"))

    def captured(self, order: Seen) -> Happened:
        """Let the gateway take what it held, as it was asked."""
        return self.answer(order, CAPTURE, self._capture)

    def capture_refused(self, order: Seen) -> Happened:
        def refuse(call: Asked) -> CaptureFailed:
            arguments: Any = call.call.arguments
            return CaptureFailed(amount=arguments.amount, payment=arguments.payment, reason="expired")

        return self.answer(order, CAPTURE, refuse)

    def voided(self, order: Seen) -> Happened:
        """Let the gateway let go what it held."""
        return self.answer(order, VOID, lambda call: Voided(payment=vars(call.call.arguments)["payment"]))

    def void_refused(self, order: Seen) -> Happened:
        return self.answer(
            order, VOID, lambda call: VoidFailed(payment=vars(call.call.arguments)["payment"], reason="too late")
        )

    def refunded(self, order: Seen) -> Happened:
        """Let the gateway give money back, as it was asked."""

        def give(call: Asked) -> Refunded:
            arguments: Any = call.call.arguments
            return Refunded(amount=arguments.amount, currency=arguments.currency, refund=f"re_{call.number}")

        return self.answer(order, REFUND, give)

    def refund_refused(self, order: Seen, reason: str = "account closed") -> Happened:
        def refuse(call: Asked) -> RefundFailed:
            return RefundFailed(amount=vars(call.call.arguments)["amount"], reason=reason)

        return self.answer(order, REFUND, refuse)

    def came_back(self, refund: Seen) -> Happened:
        """Let the gateway say that a refund did not arrive."""
        return self.system(refund, RefundReturned(amount=refund.amount, refund=refund.refund, reason="account closed"))

    def claims(self, payment: Seen, amount: int) -> Happened:
        """Let the customer's bank take money back for now."""
        claim = Dispute(dispute="du_1", amount=amount, currency=payment.currency, reason="fraudulent")
        return self.system(payment, claim)

    def booked(self, order: Seen) -> Happened:
        """Let the carrier take a parcel."""
        name = f"JD{len(self.world.asked)}"
        return self.answer(order, CREATE_SHIPMENT, lambda _: Booked(shipment=name, tracking=name))

    def called_back(self, order: Seen) -> Happened:
        """Let the carrier agree to bring a parcel back, or not to fetch it."""
        return self.answer(
            order, CANCEL_SHIPMENT, lambda call: ShipmentCancelled(shipment=vars(call.call.arguments)["shipment"])
        )

    def not_called_back(self, order: Seen) -> Happened:
        def refuse(call: Asked) -> CancellationRefused:
            return CancellationRefused(shipment=vars(call.call.arguments)["shipment"], reason="it is in the van")

        return self.answer(order, CANCEL_SHIPMENT, refuse)

    def answer(self, order: Seen, effect: Effect, build: Callable[[Asked], Event]) -> Happened:
        """Answer the oldest open call of an order or its children."""
        call = self.waiting(order, effect)[0]
        return self.happen(self.world.answer(call, build(call)))

    # -- then

    def waiting(self, order: Seen, *effects: Effect) -> list[Asked]:
        """Return the open calls of an order's children, the oldest first."""
        return [call for call in self.world.awaited if call.call.effect in effects and self._is_of(call, order)]

    def asked_of(self, effect: Effect) -> list[Any]:
        """Return what was asked by an effect, the oldest first."""
        return [call.call.arguments for call in self.world.asked if call.call.effect is effect]

    def all(self, machine: str) -> list[Seen]:
        return [Seen(self, machine, id_) for id_ in self.world.ids(machine)]

    def last(self, machine: str) -> Seen:
        """Return the newest entity of a machine."""
        return self.all(machine)[-1]

    def product(self, sku: str = "MUG") -> Seen:
        return Seen(self, "product", sku)

    def stock(self, sku: str = "MUG") -> Seen:
        return Seen(self, "stock", sku)

    def shelf(self, sku: str = "MUG") -> tuple[int, int]:
        """Return the pieces on hand and reserved."""
        return self.stock(sku).on_hand, self.stock(sku).reserved

    def lines(self, order: Seen) -> list[OrderLine]:
        return [line for line in self.world.rows(OrderLine) if line.order_id == order.id]

    def counted(self, order: Seen, column: str) -> list[int]:
        """Return how many pieces of each of an order's lines are counted in a column."""
        return [getattr(line, column) for line in self.lines(order)]

    def story(self, seen: Seen) -> list[str]:
        """Return the names of the events that an entity took."""
        return [step.event.event_name for step in self.steps if (step.machine, step.id) == (seen.machine, seen.id)]

    def undone(self, order: Seen) -> list[str]:
        """Return which steps of an order were taken back, in their order, as its history shows them."""
        return [name for name in self.story(order) if name in STEPS_BACK]

    def letters(self, kind: type[Template]) -> list[Any]:
        """Return the mails of a kind that were sent."""
        sent = [call.call.arguments for call in self.world.asked]
        return [mail.message for mail in sent if isinstance(mail, SendMail) and isinstance(mail.message, kind)]

    @property
    def chat(self) -> list[str]:
        sent = [call.call.arguments for call in self.world.asked]
        return [message.text for message in sent if isinstance(message, PostMessage)]

    @property
    def orders(self) -> list[Order]:
        return self.world.rows(Order)

    # -- how

    def happen(self, outcome: Outcome) -> Happened:
        """Return the outcome, which must be an acceptance."""
        assert isinstance(outcome, Happened), outcome
        self.note(outcome)
        return outcome

    def note(self, outcome: Outcome) -> None:
        """Keep what happened."""
        if isinstance(outcome, Happened):
            self.steps += outcome.steps

    def _capture(self, call: Asked) -> Captured:
        asked: Any = call.call.arguments
        payment = self.world.entity(call.machine, call.id)
        held = 0 if asked.final else vars(payment)["held"] - asked.amount
        return Captured(
            amount=asked.amount,
            total=asked.captured + asked.amount,
            currency=asked.currency,
            payment=asked.payment,
            held=held,
        )

    def _is_of(self, call: Asked, order: Seen) -> bool:
        entity = self.world.entity(call.machine, call.id)
        return order.id in (entity.id, getattr(entity, "order_id", None))


def asked(**pieces: int) -> tuple[LineAsked, ...]:
    """Ask for pieces of products."""
    return tuple(LineAsked(sku=sku, quantity=quantity) for sku, quantity in pieces.items())


def pieces(number: int, quantity: int) -> tuple[Pieces, ...]:
    """Name pieces of one line."""
    return (Pieces(number=number, quantity=quantity),)


def ship(number: int, quantity: int) -> Ship:
    """Ask for a parcel of pieces of one line."""
    return Ship(lines=pieces(number, quantity))


def pay(amount: int | None = None, take: str | None = None) -> Pay:
    """Ask for a payment of all that lacks, or of a part, now or later."""
    return Pay.model_validate({"method": "tok_approve", "amount": amount, "take": take})


def taken(call: Asked, amount: int | None, currency: str | None) -> dict[str, Any]:
    """Return what the gateway says of money that it takes or holds; by default as it was asked."""
    arguments: Any = call.call.arguments
    return {
        "amount": arguments.amount if amount is None else amount,
        "currency": currency or arguments.currency,
        "payment": f"pi_{call.number}",
    }
