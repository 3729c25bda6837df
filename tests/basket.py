"""A basket whose pieces are kept until it is paid: what a holder of reservations does, in the place of orders."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from statemachines.commands import Command, Send, Set, Spawn
from statemachines.declaration import NEW, Event, Load, Role, State, Transition
from statemachines.machine import Machine
from statemachines.order import Order
from statemachines.reservation import (
    Backordered,
    BackorderFilled,
    Extend,
    Hold,
    HoldMore,
    PiecesOf,
    Release,
    Reservation,
    ReservationExpired,
    Restock,
    Take,
)

PATIENCE = timedelta(hours=1)
"""How long pieces are kept for what is not paid."""


class Fill(Event, by=[Role.MERCHANT]):
    """Put pieces into a new basket."""

    pieces: tuple[PiecesOf, ...]
    patient: bool = False
    """Whether the customer waits for what is not there."""
    paid: bool = False
    """Whether it is paid already."""


class Wish(Event, by=[Role.MERCHANT]):
    """Put in more pieces."""

    pieces: tuple[PiecesOf, ...]
    patient: bool = False


class Keep(Event, by=[Role.MERCHANT]):
    """Keep the pieces for another hour."""


class Pay(Event, by=[Role.MERCHANT]):
    """Pay for everything."""


class PutBack(Event, by=[Role.MERCHANT]):
    """Think better of pieces, or of all of them."""

    pieces: tuple[PiecesOf, ...] = ()


class BringBack(Event, by=[Role.MERCHANT]):
    """Bring back what was bought."""

    pieces: tuple[PiecesOf, ...]


def own_id(basket: Order) -> list[str]:
    return [basket.id]


def is_paid(event: Fill) -> str | None:
    return None if event.paid else "it is not paid"


def reserve(basket: Order, event: Fill, now: datetime) -> Iterator[Command]:
    yield Set(customer="anna", currency="EUR")
    hold = Hold(
        order=basket.id,
        customer="anna",
        pieces=event.pieces,
        allow_backorder=event.patient,
        paid=event.paid,
        until=None if event.paid else now + PATIENCE,
    )
    yield Spawn("reservation", hold)


def want_more(event: Wish, reservations: list[Reservation]) -> Iterator[Command]:
    wanted = HoldMore(pieces=event.pieces, allow_backorder=event.patient)
    yield from (Send("reservation", each.id, wanted) for each in reservations)


def keep(reservations: list[Reservation], now: datetime) -> Iterator[Command]:
    yield from (Send("reservation", each.id, Extend(until=now + PATIENCE)) for each in reservations)


def take(reservations: list[Reservation]) -> Iterator[Command]:
    yield from (Send("reservation", each.id, Take()) for each in reservations)


def put_back(event: PutBack, reservations: list[Reservation]) -> Iterator[Command]:
    yield from (Send("reservation", each.id, Release(pieces=event.pieces)) for each in reservations)


def bring_back(event: BringBack, reservations: list[Reservation]) -> Iterator[Command]:
    yield from (Send("reservation", each.id, Restock(pieces=event.pieces)) for each in reservations)


def note_missing(event: Backordered) -> Iterator[Command]:
    missing = ", ".join(f"{each.quantity} {each.sku}" for each in event.missing)
    yield Set(attention=f"waits for {missing}")


def note_arrival(event: BackorderFilled) -> Iterator[Command]:
    yield Set(attention=f"waits for {event.missing} more" if event.missing else None)


def note_expiry(event: ReservationExpired) -> Iterator[Command]:
    yield Set(attention=f"{event.reservation} expired")


OPEN = ["filled", "paid"]

basket = Machine(
    Order,
    plural="baskets",
    prefix="ord",
    loads=[Load("reservations", Reservation, by="order_id", keys=own_id, lock=True)],
    states=[
        State("filled"),
        State("paid", final=True),
        State("dropped", final=True),
    ],
    transitions=[
        Transition(Fill, NEW, "paid", [is_paid], [reserve]),
        Transition(Fill, NEW, "filled", [], [reserve]),
        Transition(Backordered, OPEN, None, [], [note_missing]),
        Transition(BackorderFilled, OPEN, None, [], [note_arrival]),
        Transition(ReservationExpired, "filled", "dropped", [], [note_expiry]),
        Transition(Wish, OPEN, None, [], [want_more]),
        Transition(Keep, "filled", None, [], [keep]),
        Transition(Pay, "filled", "paid", [], [take]),
        Transition(PutBack, OPEN, None, [], [put_back]),
        Transition(BringBack, "paid", None, [], [bring_back]),
    ],
)
"""Its name is ``order``: reservations tell their news to the order."""
