"""How an order is paid, and what becomes of one that is not."""

from statemachines.declaration import Action, Guard, Transition
from statemachines.order.compensation import begin_to_undo, something_to_undo
from statemachines.order.events import Cancel, Expire, Pay, Retry
from statemachines.order.holding import note_review, settle_attention
from statemachines.order.notices import (
    alert_paid_in_part,
    alert_review,
    alert_wrong_payment,
    confirm,
    confirm_late,
    tell_cancelled,
    tell_declined,
    tell_declined_for_good,
    tell_expired,
)
from statemachines.order.paying import (
    another_payment_is_open,
    ask_customer,
    before_capture,
    costs_nothing,
    count_decline,
    covers_total,
    is_as_asked,
    is_covered,
    is_to_be_reviewed,
    leaves_that_to_pay,
    note_stuck,
    pay,
    payments_are_known,
    record_late_payment,
    record_payment,
    record_wrong_payment,
    stamp_paid,
    stamp_paid_late,
    start_over,
    tries_left,
)
from statemachines.order.rows.phases import CALLED_OFF, LATER
from statemachines.order.stocking import (
    give_back_stock,
    in_stock,
    reserve_stock,
    still_holds_stock,
    take_stock,
    take_stock_anew,
)
from statemachines.payment.news import Authorized, Charged, CustomerActionRequired, Declined, PaymentStuck

COVERED: list[Guard] = [is_as_asked, covers_total]
TAKE: list[Action] = [take_stock, stamp_paid, confirm]
PAID: list[Action] = [record_payment, *TAKE]
PAID_LATE: list[Action] = [stamp_paid_late, settle_attention, confirm_late]

PAYING = [
    #          event                   from                  to                          only if                                               then
    # -- payment
    Transition(Pay,                    "pending",            "processing",               [costs_nothing],                                      TAKE),
    Transition(Pay,                    "pending",            "paying",                   [leaves_that_to_pay],                                 [pay]),
    Transition(Pay,                    "paying",             None,                       [leaves_that_to_pay],                                 [pay]),
    Transition(Expire,                 "pending",            "cancelling",               [something_to_undo],                                  [begin_to_undo, tell_expired]),
    Transition(Expire,                 "pending",            "cancelled",                [],                                                   [give_back_stock, tell_expired]),
    Transition(Cancel,                 "pending",            "cancelling",               [before_capture, something_to_undo],                  [begin_to_undo, tell_cancelled]),
    Transition(Cancel,                 "pending",            "cancelled",                [before_capture],                                     [give_back_stock, tell_cancelled]),
    Transition(Cancel,                 "paying",             "cancelling",               [before_capture],                                     [begin_to_undo, tell_cancelled]),
    Transition(CustomerActionRequired, ["pending", "paying", "failed", *LATER], None,    [],                                                   [ask_customer]),
    Transition(CustomerActionRequired, [*CALLED_OFF, "cancelled"], None),
    Transition(Charged,                ["pending", "paying"], "fraud_hold",              [*COVERED, is_to_be_reviewed],                        [*PAID, note_review, alert_review]),
    Transition(Charged,                ["pending", "paying"], "processing",              COVERED,                                              PAID),
    Transition(Charged,                "paying",             None,                       [is_as_asked, another_payment_is_open],               [record_payment]),
    Transition(Charged,                "paying",             "pending",                  [is_as_asked],                                        [record_payment]),
    Transition(Charged,                "paying",             "failed",                   [],                                                   [record_wrong_payment, alert_wrong_payment]),
    Transition(Charged,                "pending",            None,                       [],                                                   [record_payment]),
    Transition(Authorized,             ["pending", "paying"], "fraud_hold",              [*COVERED, is_to_be_reviewed],                        [*PAID, note_review, alert_review]),
    Transition(Authorized,             ["pending", "paying"], "processing",              COVERED,                                              PAID),
    Transition(Authorized,             "paying",             None,                       [is_as_asked, another_payment_is_open],               [record_payment]),
    Transition(Authorized,             "paying",             "pending",                  [is_as_asked],                                        [record_payment]),
    Transition(Authorized,             "paying",             "failed",                   [],                                                   [record_wrong_payment, alert_wrong_payment]),
    Transition(Authorized,             "pending",            None,                       [],                                                   [record_payment]),
    Transition(Declined,               "paying",             None,                       [another_payment_is_open],                            [count_decline, tell_declined]),
    Transition(Declined,               "paying",             "pending",                  [tries_left],                                         [count_decline, tell_declined]),
    Transition(Declined,               "paying",             "failed",                   [],                                                   [count_decline, give_back_stock, tell_declined_for_good, alert_paid_in_part]),
    Transition(Declined,               "pending",            None,                       [],                                                   [count_decline, tell_declined]),
    Transition(Declined,               "failed",             None,                       [],                                                   [count_decline, tell_declined_for_good]),
    Transition(PaymentStuck,           "paying",             "failed",                   [],                                                   [note_stuck]),
    # -- failed
    Transition(Charged,                "failed",             "fraud_hold",               [*COVERED, still_holds_stock, is_to_be_reviewed],     [*PAID, note_review, alert_review]),
    Transition(Charged,                "failed",             "processing",               [*COVERED, still_holds_stock],                        PAID),
    Transition(Charged,                "failed",             None,                       [],                                                   [record_late_payment, alert_wrong_payment]),
    Transition(Authorized,             "failed",             "fraud_hold",               [*COVERED, still_holds_stock, is_to_be_reviewed],     [*PAID, note_review, alert_review]),
    Transition(Authorized,             "failed",             "processing",               [*COVERED, still_holds_stock],                        PAID),
    Transition(Authorized,             "failed",             None,                       [],                                                   [record_late_payment, alert_wrong_payment]),
    Transition(Retry,                  "failed",             "processing",               [is_covered, still_holds_stock],                      [take_stock, *PAID_LATE]),
    Transition(Retry,                  "failed",             "processing",               [is_covered, in_stock],                               [take_stock_anew, *PAID_LATE]),
    Transition(Retry,                  "failed",             "pending",                  [payments_are_known, still_holds_stock],              [start_over]),
    Transition(Retry,                  "failed",             "pending",                  [payments_are_known, in_stock],                       [reserve_stock, start_over]),
    Transition(Cancel,                 "failed",             "cancelling",               [before_capture, something_to_undo],                  [begin_to_undo, tell_cancelled]),
    Transition(Cancel,                 "failed",             "cancelled",                [before_capture],                                   [give_back_stock, tell_cancelled]),
]  # fmt: skip
