"""Parcels leave, and the order follows them."""

from statemachines.declaration import Transition
from statemachines.order.events import Complete, Fulfill, Ship
from statemachines.order.notices import alert_attention
from statemachines.order.packing import can_be_packed, prepare_parcels, send_the_rest
from statemachines.order.rows.phases import ARRIVED, IN_WORK, LATER, OUT
from statemachines.order.shipping import (
    count_back,
    count_delivered,
    count_lost,
    count_sent,
    count_unsent,
    delivers_the_rest,
    no_parcel_waits,
    note_loss,
    note_return,
    others_are_out,
    ships_the_rest,
    some_are_delivered,
    stamp_completed,
    stamp_fulfilled,
    take_for_parcel,
)
from statemachines.order.stocking import everything_is_here
from statemachines.shipment.news import (
    RecallRefused,
    ShipmentCancelled,
    ShipmentDelivered,
    ShipmentLost,
    ShipmentReturned,
    ShipmentSent,
)

SHIPPING = [
    #          event                   from                  to                          only if                                               then
    Transition(Ship,                   ["processing", "partially_shipped"], None,        [can_be_packed],                                      [prepare_parcels]),
    Transition(Fulfill,                ["processing", "partially_shipped"], "fulfilled", [everything_is_here, no_parcel_waits],                [send_the_rest, stamp_fulfilled]),
    Transition(ShipmentSent,           ["processing", "partially_shipped"], "partially_delivered", [ships_the_rest, some_are_delivered],       [count_sent, take_for_parcel, stamp_fulfilled]),
    Transition(ShipmentSent,           ["processing", "partially_shipped"], "fulfilled", [ships_the_rest],                                     [count_sent, take_for_parcel, stamp_fulfilled]),
    Transition(ShipmentSent,           "processing",         "partially_shipped",        [],                                                   [count_sent, take_for_parcel]),
    Transition(ShipmentSent,           ["partially_shipped", *OUT[1:], *IN_WORK[1:], *ARRIVED, "failed"], None, [],                             [count_sent, take_for_parcel]),
    Transition(ShipmentDelivered,      ["fulfilled", "partially_delivered"], "delivered", [delivers_the_rest],                                 [count_delivered]),
    Transition(ShipmentDelivered,      "fulfilled",          "partially_delivered",      [],                                                   [count_delivered]),
    Transition(ShipmentDelivered,      ["partially_delivered", "partially_shipped", *IN_WORK, *ARRIVED, "failed"], None, [],                    [count_delivered]),
    Transition(ShipmentLost,           [*LATER, "failed"],   None,                       [],                                                   [count_lost, note_loss, alert_attention]),
    Transition(ShipmentReturned,       [*OUT, "delivered"],  "partially_shipped",        [others_are_out],                                     [count_back, note_return, alert_attention]),
    Transition(ShipmentReturned,       [*OUT, "delivered"],  "processing",               [],                                                   [count_back, note_return, alert_attention]),
    Transition(ShipmentReturned,       [*IN_WORK, "completed", "returned", "failed"], None, [],                                                [count_back, note_return, alert_attention]),
    Transition(ShipmentCancelled,      [*LATER, "failed"],   None,                       [],                                                   [count_unsent]),
    Transition(RecallRefused,          [*LATER, "failed", "cancellation_failed", "cancelled"], None),
    Transition(Complete,               ["fulfilled", "partially_delivered", "delivered"], "completed", [],                                      [stamp_completed]),
]  # fmt: skip
