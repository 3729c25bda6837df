"""A reservation: pieces that are kept for an order, from the moment it is placed until they leave the stock.

Pieces are promised at the locations that a stated rule chooses. If some are missing and the order may wait, they are
backordered: they come as they arrive, to everybody in the order in which they asked, and nobody overtakes. What is not
taken in time expires and goes to the next who waits. Once the order is paid the pieces are taken out of the stock, those
still missing as they arrive. Whatever is given back returns to the stock from which it came.

The order raises the events, and hears what it could not know: that pieces are missing, have arrived, or expired.
"""

from datetime import datetime, timedelta

from statemachines.declaration import NEW, After, Load, Role, State, Transition
from statemachines.machine import Machine
from statemachines.reservation.actions import (
    give_back,
    hold_more,
    hold_pieces,
    keep_longer,
    note_order,
    offer_next,
    pass_on,
    put_aside,
    put_back,
    queue_up,
    remind_shop,
    take_at_once,
    take_more,
    take_pieces,
    tell_expired,
)
from statemachines.reservation.events import Expire, Extend, Hold, HoldMore, Release, Remind, Restock, Take, Wake, Want
from statemachines.reservation.guards import (
    all_has_arrived,
    all_is_in_stock,
    gives_all_back,
    is_paid,
    keeps_so_many,
    may_wait,
    took_so_many,
    waits_no_longer,
    will_come,
)
from statemachines.reservation.model import OVER, PAID, UNPAID, Reservation, ReservationLine, ReservationPolicy
from statemachines.stock import Backorder, PiecesArrived, Stock


def own_id(reservation: Reservation) -> list[str]:
    """Name the reservation itself."""
    return [reservation.id]


def skus_asked(event: Want) -> list[str]:
    """Name the products that an order wants."""
    return list(dict.fromkeys(each.sku for each in event.pieces))


def where_pieces_are(event: Take | PiecesArrived, lines: list[ReservationLine]) -> list[str]:
    """Name the stocks from which pieces are taken."""
    arrived = [each.stock for each in event.pieces] if isinstance(event, PiecesArrived) else []
    return list(dict.fromkeys([*arrived, *(line.stock_id for line in lines if line.state == "held")]))


def where_pieces_go(lines: list[ReservationLine], waiting: list[Backorder]) -> list[str]:
    """Name the stocks to which pieces go back, and those that keep the queues for them."""
    stocks = [name for line in lines for name in (line.stock_id, line.sku)]
    return list(dict.fromkeys([*stocks, *(each.sku for each in waiting)]))


def until_it_expires(reservation: Reservation, now: datetime) -> timedelta:
    """Wait until the moment that the order named."""
    assert reservation.expires_at is not None
    return reservation.expires_at - now


ALIVE = [*UNPAID, *PAID]
ANY = [*ALIVE, *OVER]

reservation = Machine(
    Reservation,
    plural="reservations",
    prefix="rsv",
    policy=ReservationPolicy(),
    readers=[Role.CUSTOMER, Role.MERCHANT, Role.APPROVER, Role.ADMIN, Role.SYSTEM],
    loads=[
        Load("offers", Stock, by="sku", keys=skus_asked, lock=True),
        Load("lines", ReservationLine, by="reservation_id", keys=own_id, lock=True),
        Load("waiting", Backorder, by="reservation_id", keys=own_id, lock=True),
        Load("shelves", Stock, by="id", keys=where_pieces_are, lock=True),
        Load("queues", Stock, by="id", keys=where_pieces_go, lock=True),
    ],
    states=[
        State("held", [After(until_it_expires, Expire)]),
        State("backordered", [After(until_it_expires, Expire)]),
        State("taken"),
        State("partly_taken", [After("remind_after", Remind)]),
        State("released", final=True),
        State("expired", final=True),
    ],
    transitions=[
        #          event          from            to              only if                           then
        Transition(Hold,          NEW,            "taken",        [is_paid, all_is_in_stock],       [note_order, take_at_once]),
        Transition(Hold,          NEW,            "partly_taken", [is_paid, may_wait],              [note_order, take_at_once, queue_up]),
        Transition(Hold,          NEW,            "held",         [all_is_in_stock],                [note_order, hold_pieces]),
        Transition(Hold,          NEW,            "backordered",  [may_wait, will_come],            [note_order, hold_pieces, queue_up]),
        Transition(HoldMore,      UNPAID,         None,           [all_is_in_stock],                [hold_more]),
        Transition(HoldMore,      "held",         "backordered",  [may_wait, will_come],            [hold_more, queue_up]),
        Transition(HoldMore,      "backordered",  None,           [may_wait, will_come],            [hold_more, queue_up]),
        Transition(HoldMore,      PAID,           None,           [all_is_in_stock],                [take_more]),
        Transition(HoldMore,      "taken",        "partly_taken", [may_wait, will_come],            [take_more, queue_up]),
        Transition(HoldMore,      "partly_taken", None,           [may_wait, will_come],            [take_more, queue_up]),
        Transition(PiecesArrived, "backordered",  "held",         [all_has_arrived],                [put_aside]),
        Transition(PiecesArrived, "backordered",  None,           [],                               [put_aside]),
        Transition(PiecesArrived, "partly_taken", "taken",        [all_has_arrived],                [pass_on]),
        Transition(PiecesArrived, "partly_taken", None,           [],                               [pass_on]),
        Transition(Extend,        UNPAID,         None,           [],                               [keep_longer]),
        Transition(Extend,        PAID,           None),
        Transition(Take,          "held",         "taken",        [],                               [take_pieces]),
        Transition(Take,          "backordered",  "partly_taken", [],                               [take_pieces]),
        Transition(Take,          PAID,           None),
        Transition(Release,       ALIVE,          "released",     [keeps_so_many, gives_all_back],  [give_back]),
        Transition(Release,       "backordered",  "held",         [keeps_so_many, waits_no_longer], [give_back]),
        Transition(Release,       "partly_taken", "taken",        [keeps_so_many, waits_no_longer], [give_back]),
        Transition(Release,       ALIVE,          None,           [keeps_so_many],                  [give_back]),
        Transition(Release,       OVER,           None),
        Transition(Restock,       PAID,           None,           [took_so_many],                   [put_back]),
        Transition(Expire,        UNPAID,         "expired",      [],                               [give_back, tell_expired]),
        Transition(Remind,        "partly_taken", None,           [],                               [remind_shop]),
        Transition(Wake,          ANY,            None,           [],                               [offer_next]),
    ],
)  # fmt: skip
