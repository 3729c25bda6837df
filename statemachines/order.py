"""An order: from the basket to the parcel, and back if need be.

A draft is submitted once it has lines and every piece is in stock; the pieces are reserved. Paying asks the payment
gateway and waits for its answer. A paid order is fulfilled by the merchant and completed by the customer, or by itself
after two weeks. An unpaid order expires and gives its pieces back. A paid order that is cancelled or returned gives
the money back, never more than was taken.

Amounts, prices and ownership come from the catalogue and the key, never from the caller.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Constrained
from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from statemachines.commands import Add, Call, Change, Command, Commit, Release, Reserve, Restock, Set
from statemachines.declaration import (
    NEW,
    Actor,
    After,
    Entity,
    Event,
    Guard,
    Load,
    Policy,
    Role,
    State,
    Transition,
    asks,
)
from statemachines.machine import Machine
from statemachines.payments import (
    CHARGE,
    REFUND,
    ChargeArguments,
    Charged,
    Declined,
    RefundArguments,
    Refunded,
    RefundFailed,
)
from statemachines.product import Product
from statemachines.stock import Stock
from statemachines.values import MAX_AMOUNT, Name, PaymentToken, Quantity, Reference, Sku, Text, WholeNumber, money

MAX_LINES = 1000


class OrderPolicy(Policy):
    """The figures of orders that a shop may choose."""

    abandon_after: timedelta = timedelta(days=7)
    """How long a draft may lie before it is abandoned."""
    expire_after: timedelta = timedelta(minutes=30)
    """How long a submitted order may stay unpaid before its pieces are given back."""
    gateway_patience: timedelta = timedelta(hours=24)
    """How long an order waits for the payment gateway before a person is asked to look."""
    complete_after: timedelta = timedelta(days=14)
    """How long after fulfilment an order completes by itself."""
    return_window: timedelta = timedelta(days=30)
    """How long after completion an order may be returned."""
    payment_tries: int = 3
    """How often a payment may be declined before the order fails."""


class Order(Entity):
    """A customer's order."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("total BETWEEN 0 AND 1000000000000", name="ck_orders_total"),
        CheckConstraint("paid BETWEEN 0 AND 1000000000000", name="ck_orders_paid"),
        CheckConstraint("refunded >= 0 AND refunding >= 0 AND refund_due >= 0", name="ck_orders_refunds"),
        CheckConstraint("refunded + refunding + refund_due <= paid", name="ck_orders_refunded"),
        CheckConstraint("stock_held IN ('nothing', 'reserved', 'taken')", name="ck_orders_stock_held"),
        CheckConstraint("payment_tries >= 0", name="ck_orders_payment_tries"),
        Index("ix_orders_customer", "customer", "id"),
    )
    owner_column: ClassVar[str | None] = "customer"
    search_columns: ClassVar[tuple[str, ...]] = ("id", "reference")

    reference: str | None = Field(default=None, max_length=100, unique=True, description="the caller's own name for it")
    customer: str = Field(default="", max_length=100)
    currency: str = Field(default="", max_length=3)
    total: int = Field(default=0, description="what is to be paid, in minor units")
    paid: int = Field(default=0, description="what the gateway took")
    refunding: int = Field(default=0, description="what the gateway was asked to give back")
    refunded: int = Field(default=0, description="what the gateway gave back")
    refund_due: int = Field(default=0, description="what the gateway refused to give back, still owed")
    payment: str | None = Field(default=None, description="the gateway's name for the payment")
    payment_tries: int = Field(default=0, description="payments declined since the order was submitted")
    payment_asked: bool = Field(default=False, description="whether a charge is without an answer")
    stock_held: str = Field(default="nothing", description="nothing, reserved or taken")
    attention: str | None = Field(default=None, description="what a person should look at")
    submitted_at: datetime | None = None
    paid_at: datetime | None = None
    fulfilled_at: datetime | None = None
    completed_at: datetime | None = None


class OrderLine(SQLModel):
    """Pieces of one product in an order, at the price of the day the order was placed."""

    __tablename__ = "order_lines"
    __table_args__ = (
        CheckConstraint("quantity BETWEEN 1 AND 1000000", name="ck_order_lines_quantity"),
        CheckConstraint("unit_price BETWEEN 0 AND 1000000000000", name="ck_order_lines_unit_price"),
        CheckConstraint("returned BETWEEN 0 AND quantity", name="ck_order_lines_returned"),
        Index("ix_order_lines_sku", "sku"),
    )

    order_id: str = Field(primary_key=True, foreign_key="orders.id")
    number: int = Field(primary_key=True)
    sku: str = Field(max_length=64, foreign_key="products.id")
    quantity: int
    unit_price: int = Field(description="per piece, in minor units of the order's currency")
    returned: int = Field(default=0, description="pieces that came back")


# -- events --------------------------------------------------------------------------------------------------------

BUYERS = [Role.CUSTOMER, Role.MERCHANT]


class LineAsked(BaseModel):
    """Pieces of one product. Its price comes from the catalogue."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: Sku
    quantity: Quantity


class LineReturned(BaseModel):
    """Pieces of one order line that came back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: Annotated[int, WholeNumber, Constrained(ge=1, le=MAX_LINES)]
    quantity: Quantity


class Create(Event, by=BUYERS):
    """Place a draft order."""

    lines: tuple[LineAsked, ...] = Constrained(default=(), max_length=MAX_LINES)
    reference: Reference | None = None
    customer: Name | None = None
    """Whose order it is; a customer orders for itself and leaves this out."""


class Submit(Event, by=BUYERS):
    """Ask for the order to be taken: its pieces are reserved until it is paid or expires."""


class Pay(Event, by=BUYERS):
    """Ask the gateway for the order's total; the answer comes back as `charged` or `declined`."""

    method: PaymentToken


class Fulfill(Event, by=[Role.MERCHANT]):
    """The parcel left the house."""

    tracking: Name | None = None


class Complete(Event, by=BUYERS):
    """The parcel arrived and all is well."""


class Cancel(Event, by=BUYERS):
    """Call the order off; what was reserved, taken or paid is given back."""

    reason: Text | None = None


class Fail(Event, by=[Role.MERCHANT]):
    """The order can't be fulfilled as it should."""

    reason: Text


class RefundAgain(Event, by=[Role.MERCHANT]):
    """Ask the gateway once more for what it refused to give back."""


class Unanswered(Event):
    """The gateway has not said whether it took the money."""


class Retry(Event, by=[Role.MERCHANT]):
    """Take a failed order up again where it stood."""


class Return(Event, by=[Role.MERCHANT]):
    """Pieces came back: all that are left, or some by line and quantity. They are restocked and refunded."""

    lines: tuple[LineReturned, ...] = Constrained(default=(), max_length=MAX_LINES)
    """What came back; empty for everything that has not come back before."""
    reason: Text | None = None


class Expire(Event):
    """The order was not paid in time."""


class Abandon(Event):
    """The draft was not submitted in time."""


# -- guards: sentences that hold, or the reason why not ------------------------------------------------------------


def reference_is_new(event: Create, namesakes: list[Order]) -> str | None:
    """Refuse a reference that an order has already; it is unique for ever."""
    return f"an order with the reference '{event.reference}' exists" if namesakes else None


def orders_for_itself(event: Create, actor: Actor) -> str | None:
    """Refuse a customer that orders in another's name, and an order in nobody's."""
    if actor.role is Role.CUSTOMER:
        return None if event.customer in (None, actor.id) else "a customer orders for itself only"
    return None if event.customer else "say whose order it is: 'customer' is missing"


def sells_all(event: Create, products: dict[str, Product]) -> str | None:
    """Refuse products that the catalogue does not have or no longer sells."""
    missing = [
        line.sku for line in event.lines if line.sku not in products or products[line.sku].state == "discontinued"
    ]
    return f"not in the catalogue: {', '.join(dict.fromkeys(missing))}" if missing else None


def one_currency(event: Create, products: dict[str, Product]) -> str | None:
    """Refuse to mix currencies."""
    currencies = sorted({products[line.sku].currency for line in event.lines})
    return None if len(currencies) < 2 else f"the products are priced in different currencies: {', '.join(currencies)}"


def total_in_range(event: Create, products: dict[str, Product]) -> str | None:
    """Refuse a total beyond what an order may come to."""
    total = sum(products[line.sku].price * line.quantity for line in event.lines)
    return None if total <= MAX_AMOUNT else f"the total {total} is above the limit of {MAX_AMOUNT}"


def has_lines(lines: list[OrderLine]) -> str | None:
    """Refuse an empty order."""
    return None if lines else "the order has no lines"


def in_stock(lines: list[OrderLine], stock: dict[str, Stock]) -> str | None:
    """Refuse unless every piece is available."""
    short = []
    for sku, quantity in _pieces(lines).items():
        shelf = stock[sku]
        if shelf.state != "stocked":
            short.append(f"{sku}: its stock is {shelf.state}")
        elif shelf.available < quantity:
            short.append(f"{sku}: {quantity} asked, {shelf.available} available")
    return "not in stock: " + "; ".join(short) if short else None


def covers_total(order: Order, event: Charged) -> str | None:
    """Refuse an answer about another amount than was asked for."""
    if (event.amount, event.currency) == (order.total, order.currency):
        return None
    return f"{money(event.amount, event.currency)} taken, {money(order.total, order.currency)} asked"


def tries_left(order: Order, policy: OrderPolicy) -> str | None:
    """Refuse once the last try has been declined."""
    tries = order.payment_tries + 1
    return None if tries < policy.payment_tries else f"declined {tries} times; the limit is {policy.payment_tries}"


def before_capture(order: Order, actor: Actor) -> str | None:
    """Refuse a customer once the money was taken; from there on the merchant cancels."""
    if actor.role is not Role.CUSTOMER or order.paid_at is None:
        return None
    return "the order is paid; ask the merchant to cancel it"


def payment_is_known(order: Order) -> str | None:
    """Refuse while nobody knows whether the gateway took the money."""
    if not order.payment_asked:
        return None
    return f"a charge of {money(order.total, order.currency)} has no known outcome yet"


def payment_is_open(order: Order) -> str | None:
    """Refuse an answer to a charge that nobody waits for."""
    return None if order.payment_asked else "no charge is waiting for an answer"


def is_paid_in_full(order: Order) -> str | None:
    """Refuse an order whose total was not taken."""
    if order.paid_at and order.paid == order.total:
        return None
    return f"{money(order.paid, order.currency)} of {money(order.total, order.currency)} are paid"


def nothing_is_paid(order: Order) -> str | None:
    """Refuse an order of which some money was taken."""
    if order.paid == 0:
        return None
    return f"{money(order.paid, order.currency)} were taken, not the total; cancel the order to give them back"


def still_holds_stock(order: Order) -> str | None:
    """Refuse an order that gave its pieces back."""
    return None if order.stock_held != "nothing" else "the order's pieces were given back"


def within_return_window(order: Order, now: datetime, policy: OrderPolicy) -> str | None:
    """Refuse once the return window has closed."""
    assert order.completed_at is not None
    passed, window = now - order.completed_at, policy.return_window
    return None if passed <= window else f"completed {passed.days} days ago; the return window is {window.days} days"


def no_more_than_bought(event: Return, lines: list[OrderLine]) -> str | None:
    """Refuse lines that the order does not have, and more pieces than are left to return."""
    bought = {line.number: line for line in lines}
    for number, quantity in _returned(event, lines).items():
        line = bought.get(number)
        if line is None:
            return f"the order has no line {number}"
        if quantity > line.quantity - line.returned:
            return (
                f"line {number}: {quantity} to return, but {line.quantity} bought and {line.returned} returned before"
            )
    return None


def returns_something(event: Return, lines: list[OrderLine]) -> str | None:
    """Refuse a return of nothing."""
    return None if _returned(event, lines) else "everything was returned before"


def returns_the_rest(event: Return, lines: list[OrderLine]) -> str | None:
    """Hold if nothing stays with the customer."""
    left = sum(line.quantity - line.returned for line in lines) - sum(_returned(event, lines).values())
    return None if left == 0 else f"{left} pieces stay with the customer"


def has_refund_due(order: Order) -> str | None:
    """Refuse if nothing is owed that the gateway refused to give back."""
    return None if order.refund_due else "no refund has failed"


def is_being_refunded(order: Order, event: Refunded | RefundFailed) -> str | None:
    """Refuse an answer about more than is being refunded."""
    if event.amount <= order.refunding:
        return None
    return f"{money(event.amount, order.currency)} answered, {money(order.refunding, order.currency)} asked"


# -- actions: what is asked for when a row is taken ----------------------------------------------------------------


def take_down(order: Order, event: Create, actor: Actor, products: dict[str, Product]) -> Iterator[Command]:
    """Write the lines at the catalogue's prices."""
    for number, line in enumerate(event.lines, 1):
        price = products[line.sku].price
        yield Add(OrderLine(order_id=order.id, number=number, sku=line.sku, quantity=line.quantity, unit_price=price))
    yield Set(
        reference=event.reference,
        customer=event.customer or actor.id,
        currency=products[event.lines[0].sku].currency if event.lines else "",
        total=sum(products[line.sku].price * line.quantity for line in event.lines),
    )


def stamp_submitted(now: datetime) -> Iterator[Command]:
    """Note when the order was asked for."""
    yield Set(submitted_at=now)


def reserve_stock(lines: list[OrderLine], stock: dict[str, Stock]) -> Iterator[Command]:
    """Promise the pieces to this order."""
    yield from (Reserve(stock[sku], quantity) for sku, quantity in _pieces(lines).items())
    yield Set(stock_held="reserved")


def give_back_stock(order: Order, lines: list[OrderLine], stock: dict[str, Stock]) -> Iterator[Command]:
    """Give back what the order holds: a promise is released, taken pieces return to the shelf."""
    if order.stock_held != "nothing":
        movement = Release if order.stock_held == "reserved" else Restock
        yield from (movement(stock[sku], quantity) for sku, quantity in _pieces(lines).items())
    yield Set(stock_held="nothing")


@asks(CHARGE)
def charge(order: Order, event: Pay) -> Iterator[Command]:
    """Ask the gateway for the money; the answer comes back as charged or declined."""
    yield Call(
        CHARGE,
        ChargeArguments(amount=order.total, currency=order.currency, method=event.method, order=order.id),
    )
    yield Set(payment_asked=True, attention=None)


def record_payment(event: Charged, now: datetime) -> Iterator[Command]:
    """Note what the gateway took."""
    yield Set(paid=event.amount, payment=event.payment, paid_at=now, payment_asked=False, attention=None)


def record_wrong_payment(order: Order, event: Charged, now: datetime) -> Iterator[Command]:
    """Note money that is not what was asked for, for a person to settle."""
    ours = event.amount if event.currency == order.currency else 0
    yield Set(
        paid=ours,
        paid_at=now if ours else None,
        payment=event.payment,
        payment_asked=False,
        attention=f"{money(event.amount, event.currency)} taken, {money(order.total, order.currency)} asked",
    )


def take_stock(lines: list[OrderLine], stock: dict[str, Stock]) -> Iterator[Command]:
    """Take the promised pieces out of the stock."""
    yield from (Commit(stock[sku], quantity) for sku, quantity in _pieces(lines).items())
    yield Set(stock_held="taken")


def count_decline(order: Order, event: Declined) -> Iterator[Command]:
    """Note the refusal and why."""
    yield Set(payment_tries=order.payment_tries + 1, payment_asked=False, attention=f"declined: {event.reason}")


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
    returned = _returned(event, lines)
    for line in lines:
        if quantity := returned.get(line.number):
            yield Change(line, {"returned": line.returned + quantity})
            yield Restock(stock[line.sku], quantity)


@asks(REFUND)
def refund_returned(order: Order, event: Return, lines: list[OrderLine]) -> Iterator[Command]:
    """Give back what the pieces that came back had cost."""
    returned = _returned(event, lines)
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


def _pieces(lines: list[OrderLine]) -> Counter[str]:
    """Sum the pieces by SKU; an order may name a product on several lines."""
    pieces: Counter[str] = Counter()
    for line in lines:
        pieces[line.sku] += line.quantity - line.returned
    return +pieces


def _returned(event: Return, lines: list[OrderLine]) -> Counter[int]:
    """Sum what comes back by line; a return without lines is of everything left."""
    if not event.lines:
        return +Counter({line.number: line.quantity - line.returned for line in lines})
    returned: Counter[int] = Counter()
    for line in event.lines:
        returned[line.number] += line.quantity
    return returned


# -- what has to be loaded, and by which keys ----------------------------------------------------------------------


def own_id(order: Order) -> list[str]:
    """Name the order itself."""
    return [order.id]


def skus_bought(lines: list[OrderLine]) -> list[str]:
    """Name the SKUs on the order's lines."""
    return [line.sku for line in lines]


def skus_asked(event: Create) -> list[str]:
    """Name the SKUs that a new order asks for."""
    return [line.sku for line in event.lines]


def reference_asked(event: Create) -> list[str]:
    """Name the reference that a new order asks for."""
    return [event.reference] if event.reference else []


# -- the machine ---------------------------------------------------------------------------------------------------


def abandon_after(policy: OrderPolicy) -> timedelta:
    """Wait as long as the shop's policy says."""
    return policy.abandon_after


def expire_after(policy: OrderPolicy) -> timedelta:
    """Wait as long as the shop's policy says."""
    return policy.expire_after


def gateway_patience(policy: OrderPolicy) -> timedelta:
    """Wait as long as the shop's policy says."""
    return policy.gateway_patience


def complete_after(policy: OrderPolicy) -> timedelta:
    """Wait as long as the shop's policy says."""
    return policy.complete_after


KNOWN_TO_SELL: list[Guard] = [orders_for_itself, reference_is_new, sells_all, one_currency, total_in_range]
GOOD_RETURN: list[Guard] = [within_return_window, returns_something, no_more_than_bought]
UNPAID: list[Guard] = [payment_is_known, nothing_is_paid]
AFTER_PAYMENT = ["processing", "fulfilled", "completed", "cancelled", "failed", "returned"]

order = Machine(
    Order,
    plural="orders",
    prefix="ord",
    policy=OrderPolicy(),
    readers=[Role.CUSTOMER, Role.MERCHANT, Role.APPROVER, Role.ADMIN, Role.SYSTEM],
    loads=[
        Load("namesakes", Order, by="reference", keys=reference_asked),
        Load("products", Product, by="id", keys=skus_asked),
        Load("lines", OrderLine, by="order_id", keys=own_id),
        Load("stock", Stock, by="id", keys=skus_bought, lock=True),
    ],
    states=[
        State("draft", [After(abandon_after, Abandon)]),
        State("pending", [After(expire_after, Expire)]),
        State("paying", [After(gateway_patience, Unanswered)]),
        State("processing"),
        State("fulfilled", [After(complete_after, Complete)]),
        State("completed"),
        State("failed"),
        State("cancelled", final=True),
        State("returned", final=True),
    ],
    transitions=[
        #          event         from           to            only if                               then
        Transition(Create,       NEW,           "draft",      KNOWN_TO_SELL,                        [take_down]),
        Transition(Submit,       "draft",       "pending",    [has_lines, in_stock],                [stamp_submitted, reserve_stock]),
        Transition(Abandon,      "draft",       "cancelled"),
        Transition(Cancel,       "draft",       "cancelled"),
        Transition(Pay,          "pending",     "paying",     [],                                   [charge]),
        Transition(Expire,       "pending",     "cancelled",  [],                                   [give_back_stock]),
        Transition(Cancel,       "pending",     "cancelled",  [],                                   [give_back_stock]),
        Transition(Charged,      "paying",      "processing", [payment_is_open, covers_total],      [record_payment, take_stock]),
        Transition(Declined,     "paying",      "pending",    [payment_is_open, tries_left],        [count_decline]),
        Transition(Declined,     "paying",      "failed",     [payment_is_open],                    [count_decline, give_back_stock]),
        Transition(Charged,      "paying",      "failed",     [payment_is_open],                    [record_wrong_payment]),
        Transition(Unanswered,   "paying",      "failed",     [],                                   [note_silence]),
        Transition(Fulfill,      "processing",  "fulfilled",  [],                                   [stamp_fulfilled]),
        Transition(Fail,         "processing",  "failed",     [],                                   [note_failure]),
        Transition(Cancel,       "processing",  "cancelled",  [before_capture],                     [give_back_stock, refund_what_is_left]),
        Transition(Complete,     "fulfilled",   "completed",  [],                                   [stamp_completed]),
        Transition(Return,       "completed",   "returned",   [*GOOD_RETURN, returns_the_rest],     [restock_returned, refund_returned]),
        Transition(Return,       "completed",   None,         GOOD_RETURN,                          [restock_returned, refund_returned]),
        Transition(Retry,        "failed",      "processing", [is_paid_in_full],                    [carry_on]),
        Transition(Retry,        "failed",      "pending",    [*UNPAID, still_holds_stock],         [start_over]),
        Transition(Retry,        "failed",      "pending",    [*UNPAID, in_stock],                  [reserve_stock, start_over]),
        Transition(Charged,      "failed",      "processing", [payment_is_open, covers_total],      [record_payment, take_stock]),
        Transition(Charged,      "failed",      None,         [payment_is_open],                    [record_wrong_payment]),
        Transition(Declined,     "failed",      None,         [payment_is_open],                    [count_decline]),
        Transition(Cancel,       "failed",      "cancelled",  [payment_is_known, before_capture],   [give_back_stock, refund_what_is_left]),
        Transition(RefundAgain,  AFTER_PAYMENT, None,         [has_refund_due],                     [refund_what_is_due]),
        Transition(Refunded,     AFTER_PAYMENT, None,         [is_being_refunded],                  [record_refund]),
        Transition(RefundFailed, AFTER_PAYMENT, None,         [is_being_refunded],                  [record_refund_failure]),
    ],
)  # fmt: skip
