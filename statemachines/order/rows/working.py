"""A paid order that is worked on: holds, changes, what can't be delivered."""

from statemachines.declaration import Action, Guard, Transition
from statemachines.order.approving import stays_within_limit
from statemachines.order.basket import (
    are_there,
    change_lines,
    costs_more,
    note_unavailable,
    something_stays,
    take_off_unavailable,
)
from statemachines.order.compensation import begin_to_undo
from statemachines.order.events import (
    Clear,
    CustomerSilent,
    Dismiss,
    Edit,
    ExtraUnpaid,
    Fail,
    GoOnWithout,
    Hold,
    Pay,
    ReportUnavailable,
    ReviewOverdue,
    Suspect,
)
from statemachines.order.holding import (
    asks_for_attention,
    note_extra_unpaid,
    note_reason,
    note_review,
    note_silence,
    settle_attention,
)
from statemachines.order.notices import (
    alert_attention,
    alert_failure,
    alert_review,
    ask_about_unavailable,
    tell_declined,
    tell_to_pay,
    tell_to_pay_more,
    tell_unanswered,
)
from statemachines.order.paying import (
    count_decline,
    covers_total,
    is_to_be_reviewed,
    lapsed,
    leaves_that_to_pay,
    pay,
    record_payment,
)
from statemachines.order.refunding import give_back_excess, give_back_overpaid, give_back_unavailable
from statemachines.order.rows.buying import GOOD_CHANGE
from statemachines.order.rows.phases import ARRIVED, OUT
from statemachines.order.shipping import (
    everything_arrived,
    everything_left,
    nothing_is_packed,
    some_are_delivered,
    something_left,
    stamp_sent_meanwhile,
    take_for_rest,
    the_rest_arrived,
    the_rest_left,
)
from statemachines.order.stocking import added_in_stock, move_changed_stock, wait_no_longer
from statemachines.payment.news import Authorized, Charged, Declined

PAID_CHANGE: list[Guard] = [*GOOD_CHANGE, nothing_is_packed, added_in_stock, stays_within_limit]
REVIEW: list[Action] = [note_review, alert_review]
WITHOUT: list[Action] = [wait_no_longer, take_off_unavailable, give_back_unavailable]
WITHOUT_AND_SENT: list[Action] = [*WITHOUT, take_for_rest, stamp_sent_meanwhile]

WORKING = [
    #          event                   from                  to                          only if                                               then
    Transition(Hold,                   "processing",         "on_hold",                  [],                                                   [note_reason]),
    Transition(Suspect,                "processing",         "fraud_hold",               [],                                                   [note_reason]),
    Transition(Clear,                  "fraud_hold",         "payment_due",              [lapsed],                                             [settle_attention, tell_to_pay]),
    Transition(Clear,                  "fraud_hold",         "delivered",                [everything_arrived, some_are_delivered],             [settle_attention, stamp_sent_meanwhile]),
    Transition(Clear,                  "fraud_hold",         "partially_delivered",      [everything_left, some_are_delivered],                [settle_attention, stamp_sent_meanwhile]),
    Transition(Clear,                  "fraud_hold",         "fulfilled",                [everything_left],                                    [settle_attention, stamp_sent_meanwhile]),
    Transition(Clear,                  "fraud_hold",         "partially_shipped",        [something_left],                                     [settle_attention]),
    Transition(Clear,                  "fraud_hold",         "processing",               [],                                                   [settle_attention]),
    Transition(ReviewOverdue,          "fraud_hold",         None,                       [],                                                   [alert_review]),
    Transition(Fail,                   "processing",         "failed",                   [nothing_is_packed],                                  [note_reason, alert_failure]),
    Transition(Edit,                   ["processing", "on_hold"], "payment_due",         [*PAID_CHANGE, costs_more],                           [change_lines, move_changed_stock, tell_to_pay_more]),
    Transition(Edit,                   ["processing", "on_hold"], None,                  PAID_CHANGE,                                          [change_lines, move_changed_stock, give_back_excess]),
    Transition(Edit,                   "payment_due",        "payment_due",              [*PAID_CHANGE, costs_more],                           [change_lines, move_changed_stock, tell_to_pay_more]),
    Transition(Edit,                   "payment_due",        "processing",               PAID_CHANGE,                                          [change_lines, move_changed_stock, give_back_excess]),
    Transition(Pay,                    "payment_due",        None,                       [leaves_that_to_pay],                                 [pay]),
    Transition(Charged,                "payment_due",        "fraud_hold",               [covers_total, is_to_be_reviewed],                    [record_payment, give_back_overpaid, *REVIEW]),
    Transition(Charged,                "payment_due",        "processing",               [covers_total],                                       [record_payment, give_back_overpaid]),
    Transition(Authorized,             "payment_due",        "fraud_hold",               [covers_total, is_to_be_reviewed],                    [record_payment, *REVIEW]),
    Transition(Authorized,             "payment_due",        "processing",               [covers_total],                                       [record_payment]),
    Transition(Declined,               "payment_due",        None,                       [],                                                   [count_decline, tell_declined]),
    Transition(ExtraUnpaid,            "payment_due",        "on_hold",                  [],                                                   [note_extra_unpaid, alert_attention]),
    Transition(ReportUnavailable,      ["processing", "partially_shipped"], "customer_action_required", [are_there],                           [note_unavailable, ask_about_unavailable]),
    Transition(GoOnWithout,            "customer_action_required", "payment_due",        [something_stays, lapsed],                            [wait_no_longer, take_off_unavailable, tell_to_pay]),
    Transition(GoOnWithout,            "customer_action_required", "delivered",          [something_stays, the_rest_arrived, some_are_delivered], WITHOUT_AND_SENT),
    Transition(GoOnWithout,            "customer_action_required", "partially_delivered", [something_stays, the_rest_left, some_are_delivered], WITHOUT_AND_SENT),
    Transition(GoOnWithout,            "customer_action_required", "fulfilled",          [something_stays, the_rest_left],                     WITHOUT_AND_SENT),
    Transition(GoOnWithout,            "customer_action_required", "partially_shipped",  [something_stays, something_left],                    WITHOUT),
    Transition(GoOnWithout,            "customer_action_required", "processing",         [something_stays],                                    WITHOUT),
    Transition(CustomerSilent,         "customer_action_required", None,                 [something_left],                                     [note_silence, alert_attention]),
    Transition(CustomerSilent,         "customer_action_required", "cancelling",         [],                                                   [begin_to_undo, tell_unanswered]),
    Transition(Dismiss,                ["pending", "processing", "payment_due", *OUT, *ARRIVED, "cancelled"], None, [asks_for_attention],      [settle_attention]),
]  # fmt: skip
