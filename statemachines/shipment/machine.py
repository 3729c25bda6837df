"""A shipment: pieces of an order that travel together, from the house to the customer, and back if need be.

An order prepares it. Either the carrier is asked to fetch it, and it waits with its label until that happens, or somebody
of the shop takes it away. What the carrier refuses waits for a person, who puts the address right or sends it another
way. A parcel is under way until it is delivered, lost or back in the house; one that was lost may still turn up.

A shipment that is not wanted any more is cancelled for as long as it has not left. A carrier that knows it is asked
first. What has left can only be called back: the carrier is asked, and if it agrees, the parcel comes back some day. A
carrier's answer that comes too late is never lost: what was booked in vain is called off.

The order is told of each step in the same transaction: that it left, and how that ended; or that it never left.
"""

from datetime import timedelta

from statemachines.carrier import CancellationRefused, ShipmentCancelled, ShipmentCreated, ShipmentRefused
from statemachines.declaration import NEW, Action, After, Load, Role, State, Transition
from statemachines.machine import Machine
from statemachines.shipment.actions import (
    book,
    book_if_wanted,
    book_no_longer,
    book_now_if_wanted,
    call_off,
    call_off_booking,
    call_off_in_vain,
    note_answer,
    note_back,
    note_booked_in_vain,
    note_booking,
    note_delivered,
    note_lost,
    note_no_booking,
    note_off,
    note_recall,
    note_refusal,
    note_return,
    note_sent,
    note_tracking,
    put_down,
    put_down_as_sent,
)
from statemachines.shipment.events import (
    Arrived,
    Book,
    Cancel,
    Deliver,
    Dispatch,
    Lose,
    Overdue,
    Prepare,
    Recall,
    SendBack,
)
from statemachines.shipment.guards import (
    carrier_is_not_asked,
    carrier_knows_it,
    goes_another_way,
    has_an_address,
    is_in_the_house,
    is_its_own,
    is_not_there_yet,
    is_what_was_sent,
)
from statemachines.shipment.model import SENT, UNDER_WAY, Shipment, ShipmentLine, ShipmentPolicy
from statemachines.shipment.notices import (
    OVERDUE,
    alert_back,
    alert_booked_in_vain,
    alert_lost,
    alert_nobody_to_ask,
    alert_not_called_off,
    alert_refused,
    ask_somebody,
    write_back,
    write_delivered,
    write_lost,
    write_sent,
    write_sent_at_once,
)
from statemachines.shipment.telling import (
    tell_back,
    tell_delivered,
    tell_dispatched,
    tell_lost,
    tell_nobody_to_ask,
    tell_off,
    tell_recall_refused,
    tell_sent,
    tell_sent_at_once,
    tell_too_late,
)


def own_id(shipment: Shipment) -> list[str]:
    """Name the shipment itself."""
    return [shipment.id]


def answer_or_leave_within(shipment: Shipment, policy: ShipmentPolicy) -> timedelta:
    """Wait for the carrier's answer if it was asked, otherwise for somebody to take it away."""
    return policy.carrier_patience if shipment.carrier_asked else policy.dispatch_within


HERE = ("pending", "refused")
"""The states in which it is in the house, and no carrier is known to know it."""

WAITING = ("backordered", *HERE)
"""The states in which nobody but the shop knows it."""

BOOKED = ("label", "cancelling")
"""The states in which it is in the house, and a carrier knows it."""

ENDS = ("delivered", "lost", "returned_to_sender")
"""The states in which a parcel that left is under way no longer."""

ASKED = (*HERE, *BOOKED, *SENT, "cancelled")
"""The states in which a carrier may have been asked something."""

CALLED_OFF = ("cancelling", "recalling", "returning")
"""The states in which it is not wanted any more."""

LATER = (*BOOKED, *SENT, "cancelled")
"""The states in which an answer to being booked comes late."""

OFF: list[Action] = [note_off, tell_off]
GONE: list[Action] = [note_sent, tell_dispatched, write_sent]
ARRIVED: list[Action] = [note_delivered, tell_delivered, write_delivered]
LOST: list[Action] = [note_lost, tell_lost, write_lost, alert_lost]
BACK: list[Action] = [note_back, tell_back, write_back, alert_back]
GOES_ON: list[Action] = [note_refusal, tell_recall_refused, alert_not_called_off]

shipment = Machine(
    Shipment,
    plural="shipments",
    prefix="shp",
    policy=ShipmentPolicy(),
    readers=[Role.CUSTOMER, Role.MERCHANT, Role.APPROVER, Role.ADMIN, Role.SYSTEM],
    loads=[Load("lines", ShipmentLine, by="shipment_id", keys=own_id)],
    states=[
        State("backordered", [After("arrive_within", Overdue)]),
        State("pending", [After(answer_or_leave_within, Overdue)]),
        State("refused", [After("dispatch_within", Overdue)]),
        State("label", [After("dispatch_within", Overdue)]),
        State("cancelling", [After("carrier_patience", Overdue)]),
        State("in_transit", [After("deliver_within", Overdue)]),
        State("recalling", [After("carrier_patience", Overdue)]),
        State("returning", [After("deliver_within", Overdue)]),
        State("lost"),
        State("delivered", final=True),
        State("returned_to_sender", final=True),
        State("cancelled", final=True),
    ],
    transitions=[
        #          event                from                                         to                    only if                                 then
        Transition(Prepare,             NEW,                                         "pending",            [is_in_the_house],                      [put_down, book_if_wanted]),
        Transition(Prepare,             NEW,                                         "backordered",        [is_not_there_yet],                     [put_down]),
        Transition(Prepare,             NEW,                                         "in_transit",         [],                                     [put_down, put_down_as_sent, tell_sent_at_once, write_sent_at_once]),
        Transition(Arrived,             "backordered",                               "pending",            [],                                     [book_now_if_wanted]),
        Transition(Book,                HERE,                                        "pending",            [carrier_is_not_asked, has_an_address], [book]),
        Transition(ShipmentCreated,     HERE,                                        "label",              [],                                     [note_booking]),
        Transition(ShipmentRefused,     "pending",                                   "refused",            [],                                     [note_no_booking, alert_refused]),
        Transition(Dispatch,            HERE,                                        "in_transit",         [],                                     [book_no_longer, *GONE]),
        Transition(Dispatch,            "label",                                     "in_transit",         [goes_another_way],                     [call_off_booking, *GONE]),
        Transition(Dispatch,            "label",                                     "in_transit",         [],                                     GONE),
        Transition(Dispatch,            "cancelling",                                "recalling",          [],                                     GONE),
        Transition(Deliver,             HERE,                                        "delivered",          [],                                     [book_no_longer, tell_sent, *ARRIVED]),
        Transition(Deliver,             BOOKED,                                      "delivered",          [],                                     [tell_sent, *ARRIVED]),
        Transition(Deliver,             ("lost", *UNDER_WAY),                        "delivered",          [],                                     ARRIVED),
        Transition(Lose,                BOOKED,                                      "lost",               [],                                     [tell_sent, *LOST]),
        Transition(Lose,                UNDER_WAY,                                   "lost",               [],                                     LOST),
        Transition(SendBack,            BOOKED,                                      "returned_to_sender", [],                                     [tell_sent, *BACK]),
        Transition(SendBack,            ("lost", *UNDER_WAY),                        "returned_to_sender", [],                                     BACK),
        Transition(Cancel,              WAITING,                                     "cancelled",          [],                                     [book_no_longer, *OFF]),
        Transition(Cancel,              "label",                                     "cancelling",         [],                                     [call_off]),
        Transition(Cancel,              "cancelling",                                "cancelled",          [],                                     OFF),
        Transition(Recall,              WAITING,                                     "cancelled",          [],                                     [book_no_longer, *OFF]),
        Transition(Recall,              "label",                                     "cancelling",         [],                                     [call_off, note_recall]),
        Transition(Recall,              "in_transit",                                "recalling",          [carrier_knows_it],                     [call_off, note_recall]),
        Transition(Recall,              "in_transit",                                None,                 [],                                     [tell_nobody_to_ask, alert_nobody_to_ask]),
        Transition(Recall,              CALLED_OFF,                                  None,                 [],                                     [note_recall]),
        Transition(Recall,              ("delivered", "lost"),                       None,                 [],                                     [tell_too_late]),
        Transition(Recall,              ("returned_to_sender", "cancelled"),         None),
        Transition(ShipmentCancelled,   "cancelling",                                "cancelled",          [is_its_own],                           OFF),
        Transition(ShipmentCancelled,   "recalling",                                 "returning",          [is_its_own],                           [note_return]),
        Transition(CancellationRefused, "cancelling",                                "label",              [is_its_own],                           GOES_ON),
        Transition(CancellationRefused, "recalling",                                 "in_transit",         [is_its_own],                           GOES_ON),
        Transition(Overdue,             tuple(OVERDUE),                              None,                 [],                                     [ask_somebody]),
        # what comes twice, late, or about what was booked in vain
        Transition(Dispatch,            UNDER_WAY,                                   None,                 [],                                     [note_tracking]),
        Transition(Dispatch,            ENDS,                                        None),
        Transition(Deliver,             "delivered",                                 None),
        Transition(Lose,                "lost",                                      None),
        Transition(SendBack,            "returned_to_sender",                        None),
        Transition(ShipmentCreated,     LATER,                                       None,                 [is_its_own]),
        Transition(ShipmentCreated,     ("in_transit", *ENDS),                       None,                 [is_what_was_sent],                     [note_booking]),
        Transition(ShipmentCreated,     LATER,                                       None,                 [],                                     [call_off_in_vain]),
        Transition(ShipmentRefused,     ("refused", *LATER),                         None,                 [],                                     [note_answer]),
        Transition(ShipmentCancelled,   ASKED,                                       None),
        Transition(CancellationRefused, ("label", "in_transit", "returning", *ENDS), None,                 [is_its_own]),
        Transition(CancellationRefused, ASKED,                                       None,                 [],                                     [note_booked_in_vain, alert_booked_in_vain]),
    ],
)  # fmt: skip
