"""What follows when an order's row is taken: each action yields what it asks for and changes nothing itself."""

from collections.abc import Iterator
from datetime import datetime

from statemachines.commands import Add, Call, Change, Command, Commit, Release, Reserve, Restock, Set
from statemachines.declaration import Actor, asks
from statemachines.order.events import Create, Fail, Pay, Return, pieces_returned
from statemachines.order.model import Order, OrderLine, pieces_of
from statemachines.payments import (
    CHARGE,
    REFUND,
    ChargeArguments,
    Charged,
    CustomerActionRequired,
    Declined,
    RefundArguments,
    Refunded,
    RefundFailed,
)
from statemachines.product import Product
from statemachines.stock import Stock
from statemachines.values import money


def take_down(order: Order, event: Create, actor: Actor, products: dict[str, Product]) -> Iterator[Command]:
    """Write the lines at the catalogue's prices."""
    for number, line in enumerate(event.lines, 1):
        product = products[line.sku]
        yield Add(
            OrderLine(
                order_id=order.id,
                number=number,
                sku=line.sku,
                name=product.name,
                quantity=line.quantity,
                unit_price=product.price,
            )
        )
    yield Set(
        reference=event.reference,
        customer=event.customer or actor.id,
        email=event.email,
        phone=event.phone,
        currency=products[event.lines[0].sku].currency if event.lines else "",
        total=sum(products[line.sku].price * line.quantity for line in event.lines),
    )


def stamp_submitted(now: datetime) -> Iterator[Command]:
    """Note when the order was asked for."""
    yield Set(submitted_at=now)


def reserve_stock(lines: list[OrderLine], stock: dict[str, Stock]) -> Iterator[Command]:
    """Promise the pieces to this order."""
    yield from (Reserve(stock[sku], quantity) for sku, quantity in pieces_of(lines).items())
    yield Set(stock_held="reserved")


def give_back_stock(order: Order, lines: list[OrderLine], stock: dict[str, Stock]) -> Iterator[Command]:
    """Give back what the order holds: a promise is released, taken pieces return to the shelf."""
    if order.stock_held != "nothing":
        movement = Release if order.stock_held == "reserved" else Restock
        yield from (movement(stock[sku], quantity) for sku, quantity in pieces_of(lines).items())
    yield Set(stock_held="nothing")


@asks(CHARGE)
def charge(order: Order, event: Pay) -> Iterator[Command]:
    """Ask the gateway for the money; the answer comes back as charged or declined."""
    yield Call(
        CHARGE,
        ChargeArguments(amount=order.total, currency=order.currency, method=event.method, order=order.id),
    )
    yield Set(payment_asked=True, attention=None)


def ask_customer(event: CustomerActionRequired) -> Iterator[Command]:
    """Say where the customer has to confirm the payment; a webhook tells how that ends."""
    yield Set(
        payment=event.payment, payment_url=event.url, attention="the customer has to confirm the payment with the bank"
    )


def record_payment(event: Charged, now: datetime) -> Iterator[Command]:
    """Note what the gateway took."""
    yield Set(
        paid=event.amount,
        payment=event.payment,
        paid_at=now,
        payment_asked=False,
        payment_url=None,
        attention=None,
    )


def record_wrong_payment(order: Order, event: Charged, now: datetime) -> Iterator[Command]:
    """Note money that is not what was asked for, for a person to settle."""
    ours = event.amount if event.currency == order.currency else 0
    yield Set(
        paid=ours,
        paid_at=now if ours else None,
        payment=event.payment,
        payment_asked=False,
        payment_url=None,
        attention=f"{money(event.amount, event.currency)} taken, {money(order.total, order.currency)} asked",
    )


def take_stock(lines: list[OrderLine], stock: dict[str, Stock]) -> Iterator[Command]:
    """Take the promised pieces out of the stock."""
    yield from (Commit(stock[sku], quantity) for sku, quantity in pieces_of(lines).items())
    yield Set(stock_held="taken")


def count_decline(order: Order, event: Declined) -> Iterator[Command]:
    """Note the refusal and why."""
    yield Set(
        payment_tries=order.payment_tries + 1,
        payment_asked=False,
        payment_url=None,
        attention=f"declined: {event.reason}",
    )


def start_over() -> Iterator[Command]:
    """Forget the declined payments."""
    yield Set(payment_tries=0, attention=None)


def carry_on() -> Iterator[Command]:
    """Forget what went wrong."""
    yield Set(attention=None)


def note_silence() -> Iterator[Command]:
    """Say that a person should ask the gateway."""
    yield Set(attention="no answer from the payment gateway")


def note_failure(event: Fail) -> Iterator[Command]:
    """Say what a person should look at."""
    yield Set(attention=event.reason)


def stamp_fulfilled(now: datetime) -> Iterator[Command]:
    """Note when the parcel left."""
    yield Set(fulfilled_at=now)


def stamp_completed(now: datetime) -> Iterator[Command]:
    """Note when the order was completed; the return window runs from here."""
    yield Set(completed_at=now)


@asks(REFUND)
def refund_what_is_left(order: Order) -> Iterator[Command]:
    """Give back all money not given back before."""
    yield from _refund(order, order.paid - order.refunded - order.refunding - order.refund_due)


def restock_returned(event: Return, lines: list[OrderLine], stock: dict[str, Stock]) -> Iterator[Command]:
    """Put the pieces that came back on the shelf."""
    returned = pieces_returned(event, lines)
    for line in lines:
        if quantity := returned.get(line.number):
            yield Change(line, {"returned": line.returned + quantity})
            yield Restock(stock[line.sku], quantity)


@asks(REFUND)
def refund_returned(order: Order, event: Return, lines: list[OrderLine]) -> Iterator[Command]:
    """Give back what the pieces that came back had cost."""
    returned = pieces_returned(event, lines)
    yield from _refund(order, sum(line.unit_price * returned.get(line.number, 0) for line in lines))


@asks(REFUND)
def refund_what_is_due(order: Order) -> Iterator[Command]:
    """Ask once more for what the gateway refused to give back."""
    yield from _refund(order, order.refund_due)
    yield Set(refund_due=0, attention=None)


def record_refund(order: Order, event: Refunded) -> Iterator[Command]:
    """Note what the gateway gave back."""
    yield Set(refunding=order.refunding - event.amount, refunded=order.refunded + event.amount)


def record_refund_failure(order: Order, event: RefundFailed) -> Iterator[Command]:
    """Note that the money is still with us, and that a person should look."""
    yield Set(
        refunding=order.refunding - event.amount,
        refund_due=order.refund_due + event.amount,
        attention=f"refund of {money(event.amount, order.currency)} failed: {event.reason}",
    )


def _refund(order: Order, amount: int) -> Iterator[Command]:
    if amount > 0:
        assert order.payment is not None
        arguments = RefundArguments(amount=amount, currency=order.currency, payment=order.payment, order=order.id)
        yield Call(REFUND, arguments)
        yield Set(refunding=order.refunding + amount)
