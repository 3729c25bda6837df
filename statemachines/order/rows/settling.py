"""News of money and returns that may come at any time."""

from statemachines.declaration import Guard, Transition
from statemachines.order.events import Refund, RefundAgain, RequestReturn, Return
from statemachines.order.ledger import record
from statemachines.order.notices import (
    alert_attention,
    tell_refunded,
    tell_to_pay,
)
from statemachines.order.packing import call_in, nothing_is_awaited
from statemachines.order.paying import is_not_needed, note_dispute, note_lapse, note_stuck, record_answer
from statemachines.order.refunding import (
    ask_refund,
    forget_failure,
    free_refunds,
    give_back_overpaid,
    has_refund_due,
    names_one_measure,
    no_more_than_taken,
    record_dropped_refund,
    record_refund_failure,
    refunds_lines_it_has,
    try_refunds_again,
)
from statemachines.order.returning import (
    keep_pieces,
    no_more_than_bought,
    open_return,
    pieces_for_exchange,
    refund_return,
    refund_returned,
    restock_returned,
    restock_sound,
    returns_something,
    returns_the_rest,
    send_instead,
    settles_the_rest,
    within_return_window,
)
from statemachines.order.rows.phases import ARRIVED, CALLED_OFF, IN_WORK, LATER, OUT, UNPAID
from statemachines.order.stocking import note_expired_reservation
from statemachines.payment.news import (
    Authorized,
    Charged,
    Declined,
    DisputeClosed,
    PaymentDisputed,
    PaymentStuck,
    Released,
)
from statemachines.refund.news import (
    RefundDropped,
    Refunded,
    RefundFailed,
    RefundRetried,
    RefundReturned,
    RefundSettled,
)
from statemachines.reservation.events import Backordered, BackorderFilled, ReservationExpired
from statemachines.returns.news import ReturnDropped, ReturnSettled

GOOD_RETURN: list[Guard] = [within_return_window, returns_something, no_more_than_bought]
GOOD_REFUND: list[Guard] = [names_one_measure, refunds_lines_it_has, no_more_than_taken]

SETTLING = [
    #          event                   from                  to                          only if                                               then
    # -- money, and news of it at any time
    Transition(Charged,                LATER,                None,                       [],                                                   [record_answer, give_back_overpaid]),
    Transition(Authorized,             LATER,                None,                       [],                                                   [record_answer]),
    Transition(Declined,               [*IN_WORK[:-1], *OUT, *ARRIVED, "cancelled"], None, [],                                                 [record_answer]),
    Transition(Released,               LATER,                None,                       [is_not_needed],                                      [record]),
    Transition(Released,               "processing",         "payment_due",              [],                                                   [note_lapse, alert_attention, tell_to_pay]),
    Transition(Released,               [*IN_WORK[1:], *OUT, *ARRIVED], None,             [],                                                   [note_lapse, alert_attention]),
    Transition(Released,               ["pending", "paying", "failed", "cancelled"], None, [],                                                 [record]),
    Transition(PaymentStuck,           ["pending", "failed", *LATER, "cancellation_failed", "cancelled"], None, [],                            [note_stuck]),
    Transition(PaymentDisputed,        ["pending", "failed", *LATER, "cancellation_failed", "cancelled"], None, [],                            [record, note_dispute]),
    Transition(DisputeClosed,          ["pending", "paying", "failed", *LATER, "cancellation_failed"], None, [],                               [record, free_refunds]),
    Transition(PaymentDisputed,        "paying",             None,                       [],                                                   [record, note_dispute]),
    Transition(Refund,                 ["failed", *LATER, "cancelled"], None,            GOOD_REFUND,                                          [ask_refund]),
    Transition(RefundAgain,            ["pending", "failed", *LATER, "cancelled"], None, [has_refund_due],                                     [try_refunds_again]),
    Transition(Refunded,               ["pending", "paying", "failed", *LATER, "cancelled"], None, [],                                         [record, tell_refunded]),
    Transition(RefundFailed,           ["pending", "paying", "failed", *LATER, "cancelled"], None, [],                                         [record_refund_failure]),
    Transition(RefundReturned,         ["pending", "paying", "failed", *LATER, "cancelled"], None, [],                                         [record_refund_failure]),
    Transition(RefundRetried,          ["pending", "paying", "failed", *LATER, *CALLED_OFF, "cancelled"], None, [],                            [record, forget_failure]),
    Transition(RefundSettled,          ["pending", "paying", "failed", *LATER, "cancelled"], None, [],                                         [record, forget_failure]),
    Transition(RefundDropped,          ["pending", "paying", "failed", *LATER, "cancelled"], None, [],                                         [record_dropped_refund]),
    # -- returns
    Transition(Return,                 "completed",          "returned",                 [*GOOD_RETURN, returns_the_rest],                     [restock_returned, refund_returned]),
    Transition(Return,                 "completed",          None,                       GOOD_RETURN,                                          [restock_returned, refund_returned]),
    Transition(RequestReturn,          ["delivered", "completed"], None,                 GOOD_RETURN,                                          [open_return]),
    Transition(ReturnSettled,          ["delivered", "completed"], None,                 [pieces_for_exchange],                                [restock_sound, send_instead]),
    Transition(ReturnSettled,          ["delivered", "completed"], "returned",           [settles_the_rest],                                   [restock_sound, refund_return]),
    Transition(ReturnSettled,          LATER,                None,                       [],                                                   [restock_sound, refund_return]),
    Transition(ReturnDropped,          LATER,                None,                       [],                                                   [keep_pieces]),
    # -- pieces that are kept or waited for
    Transition(Backordered,            [*UNPAID, *LATER],    None),
    Transition(BackorderFilled,        [*UNPAID, *LATER, *CALLED_OFF], None,             [nothing_is_awaited],                                 [call_in]),
    Transition(BackorderFilled,        [*UNPAID, *LATER, *CALLED_OFF, "cancelled"], None),
    Transition(ReservationExpired,     [*UNPAID, *CALLED_OFF], None,                     [],                                                   [note_expired_reservation]),
]  # fmt: skip
