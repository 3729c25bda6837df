"""How an order's pieces are put into parcels: those that are here into one, those still to come into another."""

from collections import Counter
from collections.abc import Iterator, Mapping

from statemachines.carrier import Address
from statemachines.commands import Change, Command, Send, Set, Spawn
from statemachines.order.basket import wait_to_be_packed
from statemachines.order.events import Fulfill, Ship
from statemachines.order.model import Order, OrderLine
from statemachines.order.stocking import still_to_come
from statemachines.pieces import NamedPieces, by_line
from statemachines.reservation.events import BackorderFilled
from statemachines.shipment.events import Arrived, Prepare
from statemachines.shipment.model import Shipment, ShipmentLine
from statemachines.stock import Backorder

# -- only if ------------------------------------------------------------------------------------------------------


def can_be_packed(event: Ship, lines: list[OrderLine]) -> str | None:
    """Refuse lines that the order does not have, more pieces than wait, and a parcel of nothing."""
    return wait_to_be_packed(event.lines, lines, "to ship") if event.lines else something_waits(lines)


def something_waits(lines: list[OrderLine]) -> str | None:
    """Refuse if everything is packed already."""
    return None if any(line.unpacked > 0 for line in lines) else "everything is packed already"


def nothing_is_awaited(event: BackorderFilled) -> str | None:
    """Hold if with these pieces everything has come in."""
    return f"{event.missing} pieces have not come in yet" if event.missing else None


# -- then ---------------------------------------------------------------------------------------------------------


def prepare_parcels(
    order: Order,
    event: Ship,
    lines: list[OrderLine],
    backorders: list[Backorder],
    awaited_lines: list[ShipmentLine],
) -> Iterator[Command]:
    """Have a parcel made of what was named, or of everything that waits; what is not here yet goes into another."""
    wanted = by_line(event.lines) if event.lines else _waiting(lines)
    here, awaited = _divide(lines, wanted, still_to_come(backorders, awaited_lines))
    yield from _pack(
        order,
        lines,
        wanted,
        [
            *([shipment_of(order, lines, here)] if here else []),
            *([shipment_of(order, lines, awaited, awaited=True)] if awaited else []),
        ],
    )


def send_the_rest(order: Order, event: Fulfill, lines: list[OrderLine]) -> Iterator[Command]:
    """Note a parcel of everything that waits, which has left already."""
    if waiting := _waiting(lines):
        yield from _pack(order, lines, waiting, [shipment_of(order, lines, waiting, gone=event)])


def call_in(shipments: list[Shipment]) -> Iterator[Command]:
    """Let parcels go on whose pieces have come in."""
    yield from (Send("shipment", each.id, Arrived()) for each in shipments if each.state == "backordered")


def _waiting(lines: list[OrderLine]) -> Counter[int]:
    return +Counter({line.number: line.unpacked for line in lines})


def _divide(lines: list[OrderLine], wanted: Counter[int], awaited: Counter[str]) -> tuple[Counter[int], Counter[int]]:
    """Divide pieces into those that are here, the first lines first, and the others."""
    here, left = Counter[int](), Counter[str]()
    for line in lines:
        left[line.sku] += line.unpacked
    left -= awaited
    for line in lines:
        here[line.number] = min(wanted[line.number], left[line.sku])
        left[line.sku] -= here[line.number]
    return +here, wanted - here


def _pack(order: Order, lines: list[OrderLine], packed: Counter[int], parcels: list[Prepare]) -> Iterator[Command]:
    for line in lines:
        if packed[line.number]:
            yield Change(line, {"packed": line.packed + packed[line.number]})
    yield from (Spawn("shipment", parcel) for parcel in parcels)
    yield Set(parcels=order.parcels + len(parcels))


def shipment_of(
    order: Order,
    lines: list[OrderLine],
    packed: Mapping[int, int],
    *,
    gone: Fulfill | None = None,
    awaited: bool = False,
) -> Prepare:
    """Return what asks for a shipment.

    Args:
        order: whose pieces they are.
        lines: its lines.
        packed: how many pieces of which line.
        gone: how it left, if it left already.
        awaited: whether its pieces have not come in yet.
    """
    return Prepare(
        order=order.id,
        called=order.called,
        customer=order.customer,
        email=order.email,
        phone=order.phone,
        address=Address.model_validate(order.address) if order.address else None,
        lines=tuple(
            NamedPieces(number=line.number, quantity=packed[line.number], sku=line.sku, name=line.name)
            for line in lines
            if packed.get(line.number)
        ),
        gone=gone is not None,
        tracking=gone.tracking if gone else None,
        backordered=awaited,
    )
