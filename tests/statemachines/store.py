"""A store in memory: orders with their payments, refunds, parcels and returns, and those who answer them."""

from collections.abc import Callable
from typing import Any

from statemachines.carrier import CANCEL_SHIPMENT, CREATE_SHIPMENT, Address, CancellationRefused, ShipmentCancelled
from statemachines.carrier import ShipmentCreated as Booked
from statemachines.declaration import Actor, Effect, Event, Policy
from statemachines.machine import SYSTEM
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
from statemachines.shipment.events import Book, Deliver, Dispatch
from statemachines.transaction import Asked, Happened
from tests.statemachines.shop import ANNA, MERCHANT, Seen, Shop, accepted, refused

MAIL = "anna@home.example"
STEPS_BACK = ("undo_shipping", "undo_taking", "undo_payment", "undo_reservation", "undone")
HOME = Address(name="Anna", lines=("Lindenweg 3",), city="Berlin", country="DE")


class Store(Shop):
    """People, the gateway, the carrier and the clock, a line each; the policies are by machine."""

    # -- given

    @classmethod
    def stocked(cls, **policies: Policy) -> "Store":
        """Return a store with ten mugs at 12.50 EUR and five pots at 40.00 EUR on the shelf."""
        store = cls(**policies)
        store.sells("MUG", price=1250, on_hand=10)
        store.sells("POT", price=4000, on_hand=5)
        return store

    def draft(self, *, by: Actor = ANNA, more: dict[str, Any] | None = None, **pieces: int) -> Seen:
        """Place a draft of the pieces named, for example ``draft(MUG=2)``."""
        return self.place(Create(lines=asked(**pieces), email=MAIL, **(more or {})), by)

    def place(self, create: Create, by: Actor = ANNA) -> Seen:
        return Seen(self.world, "order", accepted(self.create("order", create, by)).id)

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
        return accepted(super().tell(seen, event, by))

    def system(self, seen: Seen, event: Event) -> Happened:
        """Let the gateway or the clock say something unasked that has to be taken."""
        return self.tell(seen, event, SYSTEM)

    def why(self, seen: Seen, event: Event, by: Actor = MERCHANT) -> str:
        """Raise an event that has to be refused, and return why."""
        return refused(super().tell(seen, event, by)).reason

    def why_not(self, create: Create, by: Actor = ANNA) -> str:
        """Place an order that has to be refused, and return why."""
        return refused(self.create("order", create, by)).reason

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
        return accepted(self.note(self.world.answer(call, build(call))))

    # -- then

    def waiting(self, order: Seen, *effects: Effect) -> list[Asked]:
        """Return the open calls of an order's children, the oldest first."""
        return [call for call in self.world.awaited if call.call.effect in effects and self._is_of(call, order)]

    def asked_of(self, effect: Effect) -> list[Any]:
        """Return what was asked by an effect, the oldest first."""
        return [call.call.arguments for call in self.world.asked if call.call.effect is effect]

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
        return [step.event.event_name for step in self.steps if (step.machine, step.id) == (seen.machine_name, seen.id)]

    def undone(self, order: Seen) -> list[str]:
        """Return which steps of an order were taken back, in their order, as its history shows them."""
        return [name for name in self.story(order) if name in STEPS_BACK]

    @property
    def orders(self) -> list[Order]:
        return self.world.rows(Order)

    # -- how

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
