"""Reservations: the pieces that are kept for an order, or that it waits for."""

from statemachines.reservation.events import (
    Backordered,
    BackorderFilled,
    Extend,
    Hold,
    HoldMore,
    PiecesOf,
    Release,
    ReservationExpired,
    Restock,
    Take,
    as_pieces,
)
from statemachines.reservation.machine import reservation
from statemachines.reservation.model import Reservation, ReservationLine, ReservationPolicy

__all__ = [
    "BackorderFilled",
    "Backordered",
    "Extend",
    "Hold",
    "HoldMore",
    "PiecesOf",
    "Release",
    "Reservation",
    "ReservationExpired",
    "ReservationLine",
    "ReservationPolicy",
    "Restock",
    "Take",
    "as_pieces",
    "reservation",
]
