"""When something may happen to an order: each guard is a sentence that holds, or returns the reason why not."""

from datetime import datetime

from statemachines.declaration import Actor, Role
from statemachines.order.events import Create, Return, pieces_returned
from statemachines.order.model import Order, OrderLine, OrderPolicy, pieces_of
from statemachines.payments import Charged, Refunded, RefundFailed
from statemachines.product import Product
from statemachines.stock import Stock
from statemachines.values import MAX_AMOUNT, money


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
    for sku, quantity in pieces_of(lines).items():
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
    for number, quantity in pieces_returned(event, lines).items():
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
    return None if pieces_returned(event, lines) else "everything was returned before"


def returns_the_rest(event: Return, lines: list[OrderLine]) -> str | None:
    """Hold if nothing stays with the customer."""
    left = sum(line.quantity - line.returned for line in lines) - sum(pieces_returned(event, lines).values())
    return None if left == 0 else f"{left} pieces stay with the customer"


def has_refund_due(order: Order) -> str | None:
    """Refuse if nothing is owed that the gateway refused to give back."""
    return None if order.refund_due else "no refund has failed"


def is_being_refunded(order: Order, event: Refunded | RefundFailed) -> str | None:
    """Refuse an answer about more than is being refunded."""
    if event.amount <= order.refunding:
        return None
    return f"{money(event.amount, order.currency)} answered, {money(order.refunding, order.currency)} asked"
