"""What is in an order: placing it, changing it, ordering the same again."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from statemachines.activity import Activity, Ordered
from statemachines.commands import Add, Change, Command, Send, Set, Spawn
from statemachines.declaration import Actor, Role
from statemachines.order.events import Create, Edit, LineAsked, Reordered, ReportUnavailable
from statemachines.order.model import Order, OrderLine, shares, worth
from statemachines.order.stocking import still_to_come, waited_in_vain
from statemachines.pieces import MAX_LINES, Pieces, by_line
from statemachines.product import Product
from statemachines.shipment.model import ShipmentLine
from statemachines.stock import Backorder
from statemachines.values import MAX_AMOUNT, money

# -- only if ------------------------------------------------------------------------------------------------------


def reference_is_new(event: Create, namesakes: list[Order]) -> str | None:
    """Refuse a reference that an order has already; it is unique for ever."""
    return f"an order with the reference '{event.reference}' exists" if namesakes else None


def orders_for_itself(event: Create, actor: Actor) -> str | None:
    """Refuse a customer that orders in another's name, and an order in nobody's."""
    if actor.role is Role.CUSTOMER:
        return None if event.customer in (None, actor.id) else "a customer orders for itself only"
    return None if event.customer else "say whose order it is: 'customer' is missing"


def sells_all(event: Create | Edit, products: dict[str, Product]) -> str | None:
    """Refuse products that the catalogue does not have or no longer sells."""
    missing = [
        line.sku
        for line in lines_asked(event)
        if line.sku not in products or products[line.sku].state == "discontinued"
    ]
    return f"not in the catalogue: {', '.join(dict.fromkeys(missing))}" if missing else None


def one_currency(order: Order, event: Create | Edit, products: dict[str, Product]) -> str | None:
    """Refuse to mix currencies."""
    currencies = {products[line.sku].currency for line in lines_asked(event)} | ({order.currency} - {""})
    if len(currencies) < 2:
        return None
    return f"the products are priced in different currencies: {', '.join(sorted(currencies))}"


def shop_gives_discount(event: Create, actor: Actor) -> str | None:
    """Refuse a customer that takes something off the prices."""
    if event.discount and actor.role is Role.CUSTOMER:
        return "only the shop gives a discount"
    return None


def nobody_claims_a_reorder(event: Create, actor: Actor) -> str | None:
    """Refuse who says that this is another order again, without having asked that order."""
    if event.reorder_of and actor.role is not Role.SYSTEM:
        return "order the same again by 'reorder' of that order; leave 'reorder_of' out"
    return None


def total_in_range(event: Create, products: dict[str, Product]) -> str | None:
    """Refuse a total beyond what an order may come to."""
    price = _price(event.lines, products)
    if event.discount > price:
        return f"a discount of {event.discount} on a price of {price}"
    return None if price <= MAX_AMOUNT else f"the total {price} is above the limit of {MAX_AMOUNT}"


def changes_something(event: Edit) -> str | None:
    """Refuse a change of nothing."""
    return None if event.add or event.remove else "say what to add or to remove"


def changed_in_range(order: Order, event: Edit, lines: list[OrderLine], products: dict[str, Product]) -> str | None:
    """Refuse a change to more than an order may come to or hold."""
    if len(lines) + len(event.add) > MAX_LINES:
        return f"an order has at most {MAX_LINES} lines"
    total = changed_total(order, event, lines, products)
    return None if total <= MAX_AMOUNT else f"the total {total} is above the limit of {MAX_AMOUNT}"


def removes_what_is_there(event: Edit, lines: list[OrderLine]) -> str | None:
    """Refuse to take off lines that the order does not have, and more pieces than wait to be packed."""
    return wait_to_be_packed(event.remove, lines, "to remove")


def leaves_something(event: Edit, lines: list[OrderLine]) -> str | None:
    """Refuse to take everything off; that is what calling off is for."""
    left = sum(line.kept for line in lines) - sum(by_line(event.remove).values())
    return None if left + len(event.add) > 0 else "nothing would be left; cancel the order instead"


def are_there(event: ReportUnavailable, lines: list[OrderLine]) -> str | None:
    """Refuse to report lines that the order does not have, and more pieces than wait to be packed."""
    return wait_to_be_packed(event.lines, lines, "to report")


def something_stays(lines: list[OrderLine]) -> str | None:
    """Refuse to go on with nothing; that is what calling off is for."""
    left = sum(line.kept - line.unavailable for line in lines)
    return None if left > 0 else "nothing would be left; cancel the order instead"


def wait_to_be_packed(pieces: Iterable[Pieces], lines: list[OrderLine], purpose: str) -> str | None:
    """Refuse lines that the order does not have, and more pieces than wait to be packed."""
    known = {line.number: line for line in lines}
    for number, quantity in by_line(pieces).items():
        if number not in known:
            return f"the order has no line {number}"
        if quantity > known[number].unpacked:
            return f"line {number}: {quantity} {purpose}, {known[number].unpacked} not packed yet"
    return None


def costs_more(order: Order, event: Edit, lines: list[OrderLine], products: dict[str, Product]) -> str | None:
    """Hold if the changed order costs more than was paid or is held ready."""
    total = changed_total(order, event, lines, products)
    return None if total > order.covered else f"{money(order.covered, order.currency)} cover the changed order"


# -- then ---------------------------------------------------------------------------------------------------------


def take_down(order: Order, event: Create, actor: Actor, products: dict[str, Product]) -> Iterator[Command]:
    """Write the lines at the catalogue's prices, each with its share of the discount."""
    prices = [products[line.sku].price * line.quantity for line in event.lines]
    for number, (line, discount) in enumerate(zip(event.lines, shares(event.discount, prices), strict=True), 1):
        yield Add(_line(order, number, line, products[line.sku], discount))
    yield Set(
        reference=event.reference,
        customer=event.customer or actor.id,
        email=event.email,
        phone=event.phone,
        address=event.address.model_dump(mode="json") if event.address else None,
        currency=products[event.lines[0].sku].currency if event.lines else "",
        total=sum(prices) - event.discount,
    )


def change_lines(order: Order, event: Edit, lines: list[OrderLine], products: dict[str, Product]) -> Iterator[Command]:
    """Take pieces off, and write added lines at today's prices."""
    removed = by_line(event.remove)
    for line in lines:
        if removed[line.number]:
            yield Change(line, {"removed": line.removed + removed[line.number]})
    for number, asked in enumerate(event.add, max((line.number for line in lines), default=0) + 1):
        yield Add(_line(order, number, asked, products[asked.sku]))
    currency = order.currency or (products[event.add[0].sku].currency if event.add else "")
    yield Set(total=changed_total(order, event, lines, products), currency=currency)


def note_unavailable(event: ReportUnavailable, lines: list[OrderLine]) -> Iterator[Command]:
    """Note what can't be delivered."""
    missing = by_line(event.lines)
    for line in lines:
        yield Change(line, {"unavailable": missing[line.number]})
    yield Set(attention=event.reason or "the customer is asked whether to go on without what can't be delivered")


def take_off_unavailable(
    order: Order, lines: list[OrderLine], backorders: list[Backorder], awaited_lines: list[ShipmentLine]
) -> Iterator[Command]:
    """Take off what can't be delivered; the stock keeps no count of pieces that should be there and are not."""
    yield Set(total=order.total - unavailable_worth(lines), attention=None)
    in_vain = waited_in_vain(lines, still_to_come(backorders, awaited_lines))
    for line in lines:
        if line.unavailable:
            missing = line.missing + line.unavailable - in_vain[line.number]
            yield Change(line, {"removed": line.removed + line.unavailable, "missing": missing, "unavailable": 0})


def order_the_same(order: Order, lines: list[OrderLine]) -> Iterator[Command]:
    """Place a draft of the same pieces for the same customer, without those that were taken off."""
    left = [(line.sku, line.quantity - line.removed) for line in lines]
    wanted = tuple(LineAsked(sku=sku, quantity=quantity) for sku, quantity in left if quantity)
    yield Spawn(
        "order",
        Create.model_validate(
            {
                "lines": wanted,
                "customer": order.customer,
                "email": order.email,
                "phone": order.phone,
                "address": order.address,
                "reorder_of": order.id,
            }
        ),
    )


def tell_reordered(order: Order, event: Create) -> Iterator[Command]:
    """Tell the order whose pieces these are which one this is."""
    if event.reorder_of:
        yield Send("order", event.reorder_of, Reordered(order=order.id))


def note_reorder(event: Reordered) -> Iterator[Command]:
    """Note by which order the same was ordered again."""
    yield Set(reordered_as=event.order)


def stamp_submitted(now: datetime) -> Iterator[Command]:
    """Note when the order was asked for."""
    yield Set(submitted_at=now)


def tell_activity(order: Order, activities: dict[str, Activity]) -> Iterator[Command]:
    """Let a customer's activity know that what was in the basket is ordered."""
    yield from (Send("activity", each, Ordered(order=order.id)) for each in activities)


def unavailable_worth(lines: list[OrderLine]) -> int:
    """Return what the pieces that can't be delivered had cost, in minor units."""
    return sum(worth(line, line.unavailable) for line in lines)


def lines_asked(event: Create | Edit) -> tuple[LineAsked, ...]:
    """Return the lines that an event asks for."""
    return event.lines if isinstance(event, Create) else event.add


def _line(order: Order, number: int, asked: LineAsked, product: Product, discount: int = 0) -> OrderLine:
    return OrderLine(
        order_id=order.id,
        number=number,
        sku=asked.sku,
        name=product.name,
        quantity=asked.quantity,
        unit_price=product.price,
        discount=discount,
    )


def _price(lines: Iterable[LineAsked], products: dict[str, Product]) -> int:
    return sum(products[line.sku].price * line.quantity for line in lines)


def changed_total(order: Order, event: Edit, lines: list[OrderLine], products: dict[str, Product]) -> int:
    """Return the order's total after a change, in minor units."""
    removed = by_line(event.remove)
    return order.total + _price(event.add, products) - sum(worth(line, removed[line.number]) for line in lines)
