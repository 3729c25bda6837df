"""Calling an order off, and what to do if that can't be finished."""

from statemachines.declaration import Guard, Transition
from statemachines.order.basket import note_reorder, order_the_same
from statemachines.order.compensation import (
    begin_to_undo,
    finish,
    give_money_back,
    go_on,
    no_parcel_is_out,
    note_arrival,
    note_overdue,
    note_refused_recall,
    nothing_is_undone,
    put_back_reserved,
    put_back_taken,
    recall_parcels,
    resume,
    step_is_finished,
)
from statemachines.order.events import (
    Cancel,
    CompensationOverdue,
    Reorder,
    Reordered,
    Resume,
    Retry,
    Undone,
    UndoPayment,
    UndoReservation,
    UndoShipping,
    UndoTaking,
)
from statemachines.order.holding import settle_attention
from statemachines.order.ledger import record
from statemachines.order.notices import (
    alert_attention,
    alert_recall,
    tell_cancelled,
    tell_refunded,
    tell_to_pay,
)
from statemachines.order.paying import before_capture, lapsed, let_go_late, note_stuck, record_late_payment
from statemachines.order.refunding import (
    forget_failure,
    free_refunds,
    give_back_late,
    record_dropped_refund,
    record_refund_failure,
)
from statemachines.order.rows.phases import CALLED_OFF, IN_WORK
from statemachines.order.shipping import (
    count_back,
    count_delivered,
    count_lost,
    count_sent,
    count_unsent,
    everything_arrived,
    everything_left,
    nothing_is_delivered,
    restock_found,
    some_are_delivered,
    something_left,
    stamp_sent_meanwhile,
    take_for_sent,
)
from statemachines.payment.news import (
    Authorized,
    Charged,
    Declined,
    DisputeClosed,
    PaymentDisputed,
    PaymentStuck,
    Released,
)
from statemachines.refund.news import RefundDropped, Refunded, RefundFailed, RefundReturned, RefundSettled
from statemachines.shipment.news import (
    RecallRefused,
    ShipmentCancelled,
    ShipmentDelivered,
    ShipmentLost,
    ShipmentReturned,
    ShipmentSent,
)

UNSENT: list[Guard] = [before_capture, nothing_is_delivered]

CANCELLING = [
    #          event                   from                  to                          only if                                               then
    # -- calling it off
    Transition(Cancel,                 [*IN_WORK, "partially_shipped", "fulfilled"], "cancelling", UNSENT,                                     [begin_to_undo, tell_cancelled]),
    Transition(UndoShipping,           "cancelling",         None,                       [],                                                   [recall_parcels]),
    Transition(UndoTaking,             "cancelling",         None,                       [],                                                   [put_back_taken]),
    Transition(UndoPayment,            "cancelling",         None,                       [],                                                   [give_money_back]),
    Transition(UndoReservation,        "cancelling",         None,                       [],                                                   [put_back_reserved]),
    Transition(Undone,                 "cancelling",         "cancelled",                [],                                                   [finish]),
    Transition(ShipmentSent,           CALLED_OFF,           None,                       [],                                                   [count_sent]),
    Transition(ShipmentCancelled,      "cancelling",         None,                       [],                                                   [count_unsent, go_on]),
    Transition(ShipmentReturned,       "cancelling",         None,                       [],                                                   [count_back, restock_found, go_on]),
    Transition(ShipmentLost,           "cancelling",         None,                       [],                                                   [count_lost, go_on]),
    Transition(ShipmentDelivered,      "cancelling",         "cancellation_failed",      [],                                                   [count_delivered, note_arrival, alert_attention]),
    Transition(RecallRefused,          "cancelling",         None,                       [no_parcel_is_out]),
    Transition(RecallRefused,          "cancelling",         "cancellation_failed",      [],                                                   [note_refused_recall, alert_recall]),
    Transition(Charged,                "cancelling",         None,                       [],                                                   [record, give_back_late, go_on]),
    Transition(Authorized,             "cancelling",         None,                       [],                                                   [record]),
    Transition(Declined,               "cancelling",         None,                       [],                                                   [record, go_on]),
    Transition(Released,               "cancelling",         None,                       [],                                                   [record, go_on]),
    Transition(Refunded,               "cancelling",         None,                       [],                                                   [record, tell_refunded, go_on]),
    Transition(RefundSettled,          "cancelling",         None,                       [],                                                   [record, forget_failure, go_on]),
    Transition(PaymentDisputed,        "cancelling",         None,                       [],                                                   [record, go_on]),
    Transition(DisputeClosed,          ["cancelling", "cancelled"], None,                [],                                                   [record, free_refunds, give_back_late]),
    Transition(PaymentStuck,           "cancelling",         "cancellation_failed",      [],                                                   [note_stuck]),
    Transition(RefundFailed,           "cancelling",         "cancellation_failed",      [],                                                   [record_refund_failure]),
    Transition(RefundReturned,         "cancelling",         "cancellation_failed",      [],                                                   [record_refund_failure]),
    Transition(RefundDropped,          "cancelling",         "cancellation_failed",      [],                                                   [record_dropped_refund, alert_attention]),
    Transition(CompensationOverdue,    "cancelling",         "cancellation_failed",      [],                                                   [note_overdue, alert_attention]),
    Transition(ShipmentCancelled,      "cancellation_failed", "cancelling",              [step_is_finished],                                   [count_unsent, go_on]),
    Transition(ShipmentCancelled,      "cancellation_failed", None,                      [],                                                   [count_unsent]),
    Transition(ShipmentReturned,       "cancellation_failed", "cancelling",              [step_is_finished],                                   [count_back, restock_found, go_on]),
    Transition(ShipmentReturned,       "cancellation_failed", None,                      [],                                                   [count_back, restock_found]),
    Transition(ShipmentLost,           "cancellation_failed", None,                      [],                                                   [count_lost]),
    Transition(ShipmentDelivered,      "cancellation_failed", None,                      [],                                                   [count_delivered, note_arrival]),
    Transition(Charged,                "cancellation_failed", None,                      [],                                                   [record_late_payment, alert_attention]),
    Transition(Authorized,             "cancellation_failed", None,                      [],                                                   [record]),
    Transition(Declined,               "cancellation_failed", "cancelling",              [step_is_finished],                                   [record, go_on]),
    Transition(Declined,               "cancellation_failed", None,                      [],                                                   [record]),
    Transition(Released,               "cancellation_failed", "cancelling",              [step_is_finished],                                   [record, go_on]),
    Transition(Released,               "cancellation_failed", None,                      [],                                                   [record]),
    Transition(Refunded,               "cancellation_failed", "cancelling",              [step_is_finished],                                   [record, tell_refunded, go_on]),
    Transition(Refunded,               "cancellation_failed", None,                      [],                                                   [record, tell_refunded]),
    Transition(RefundSettled,          "cancellation_failed", "cancelling",              [step_is_finished],                                   [record, forget_failure, go_on]),
    Transition(RefundSettled,          "cancellation_failed", None,                      [],                                                   [record, forget_failure]),
    Transition(RefundFailed,           "cancellation_failed", None,                      [],                                                   [record_refund_failure]),
    Transition(RefundReturned,         "cancellation_failed", None,                      [],                                                   [record_refund_failure]),
    Transition(RefundDropped,          "cancellation_failed", None,                      [],                                                   [record_dropped_refund]),
    Transition(UndoTaking,             "cancellation_failed", None),
    Transition(UndoPayment,            "cancellation_failed", None),
    Transition(UndoReservation,        "cancellation_failed", None),
    Transition(Undone,                 "cancellation_failed", None),
    Transition(Retry,                  "cancellation_failed", "cancelling",              [],                                                   [begin_to_undo]),
    Transition(Charged,                "cancelled",          None,                       [],                                                   [record, give_back_late]),
    Transition(Authorized,             "cancelled",          None,                       [],                                                   [record, let_go_late]),
    Transition(ShipmentSent,           "cancelled",          None,                       [],                                                   [count_sent]),
    Transition(ShipmentReturned,       "cancelled",          None,                       [],                                                   [count_back, restock_found]),
    Transition(ShipmentLost,           "cancelled",          None,                       [],                                                   [count_lost]),
    Transition(ShipmentDelivered,      "cancelled",          None,                       [],                                                   [count_delivered]),
    # -- going on
    Transition(Resume,                 "cancellation_failed", "delivered",               [nothing_is_undone, everything_arrived, some_are_delivered], [resume, take_for_sent, stamp_sent_meanwhile]),
    Transition(Resume,                 "cancellation_failed", "partially_delivered",     [nothing_is_undone, everything_left, some_are_delivered], [resume, take_for_sent, stamp_sent_meanwhile]),
    Transition(Resume,                 "cancellation_failed", "fulfilled",               [nothing_is_undone, everything_left],                 [resume, take_for_sent, stamp_sent_meanwhile]),
    Transition(Resume,                 "cancellation_failed", "partially_shipped",       [nothing_is_undone, something_left],                  [resume, take_for_sent]),
    Transition(Resume,                 "cancellation_failed", "payment_due",             [nothing_is_undone, lapsed],                          [resume, tell_to_pay]),
    Transition(Resume,                 "cancellation_failed", "processing",              [nothing_is_undone],                                  [resume]),
    Transition(Resume,                 "on_hold",            "fulfilled",                [everything_left],                                    [settle_attention, stamp_sent_meanwhile]),
    Transition(Resume,                 "on_hold",            "partially_shipped",        [something_left],                                     [settle_attention]),
    Transition(Resume,                 "on_hold",            "processing",               [],                                                   [settle_attention]),
    Transition(Reorder,                ["fulfilled", "delivered", "completed", "cancelled", "returned"], None, [],                              [order_the_same]),
    Transition(Reordered,              ["fulfilled", "delivered", "completed", "cancelled", "returned"], None, [],                              [note_reorder]),
]  # fmt: skip
