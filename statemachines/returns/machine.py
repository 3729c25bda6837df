"""A return: pieces of an order on their way back, until they are looked at and what is owed for them is given.

The order asks for it on the customer's behalf. The shop approves it or not, or its policy does for small ones. With a
label, of the carrier or of the shop's own making, or without any, the customer sends the pieces. Those that are not
sent in time, the customer keeps. What arrives is inspected line by line: every piece is accepted, damaged or refused.
Accepted pieces go back on the shelf, and the order says what it gives: money, other pieces, or nothing. What was
given may still come back from a bank; then the shop owes it again.
"""

from statemachines.carrier import CancellationRefused, ShipmentCancelled, ShipmentCreated, ShipmentRefused
from statemachines.declaration import NEW, After, Guard, Load, Role, State, Transition
from statemachines.machine import Machine
from statemachines.refund.news import (
    RefundDropped,
    Refunded,
    RefundFailed,
    RefundRetried,
    RefundReturned,
    RefundSettled,
)
from statemachines.returns.actions import (
    approve,
    approve_small,
    await_no_label,
    call_off_late_label,
    depart,
    do_without_label,
    drop_cancelled,
    drop_expired,
    drop_lost,
    drop_rejected,
    expect_refund,
    keep_label,
    keep_own_label,
    look_no_longer,
    note_came_back,
    note_dropped,
    note_failed,
    note_findings,
    note_given,
    note_retried,
    note_settled,
    note_tracking,
    open_case,
    receive,
    tell_settled,
    withdraw_label,
    withdraw_unused_label,
)
from statemachines.returns.events import (
    Approve,
    Cancel,
    Depart,
    Expire,
    Inspect,
    Lose,
    NothingOwed,
    Overdue,
    Receive,
    RefundBegun,
    Reject,
    Remind,
    ReplacementRefused,
    ReplacementSent,
    Request,
    SendLabel,
)
from statemachines.returns.guards import (
    accounts_for_every_piece,
    fits_the_shelf,
    more_is_to_come,
    names_each_line_once,
    something_was_given,
    the_carrier_says_so,
    the_label_is_awaited,
    the_shop_decides,
    was_announced,
)
from statemachines.returns.model import ReturnCase, ReturnLine, ReturnPolicy
from statemachines.returns.notices import (
    ask_about_loss,
    ask_for_own_label,
    ask_shop,
    ask_to_look,
    remind,
    tell_approved,
    tell_approved_small,
    tell_cancelled,
    tell_expired,
    tell_label,
    tell_lost,
    tell_received,
    tell_rejected,
    tell_result,
    warn_of_parcel,
)
from statemachines.stock import Stock


def own_id(case: ReturnCase) -> list[str]:
    """Name the return itself."""
    return [case.id]


def skus_announced(lines: list[ReturnLine]) -> list[str]:
    """Name the SKUs on the return's lines."""
    return [line.sku for line in lines]


GOOD_RESULT: list[Guard] = [names_each_line_once, was_announced, accounts_for_every_piece, fits_the_shelf]
TO_SEND = ["approved", "label_sent"]
SENT = ["label_sent", "in_transit"]
AT_REST = ["requested", "in_transit", "received", "refunding"]
ENDED = ["refunded", "exchanged", "closed"]
PAST_LABEL = [*SENT, "received", "inspected", "refunding", *ENDED, "expired", "cancelled"]

returns = Machine(
    ReturnCase,
    name="return",
    plural="returns",
    prefix="ret",
    policy=ReturnPolicy(),
    readers=[Role.CUSTOMER, Role.MERCHANT, Role.APPROVER, Role.ADMIN, Role.SYSTEM],
    loads=[
        Load("lines", ReturnLine, by="return_id", keys=own_id, lock=True),
        Load("stock", Stock, by="id", keys=skus_announced, lock=True),
    ],
    states=[
        State("requested", [After("answer_within", Overdue)], exit=[look_no_longer]),
        State("approved", [After("send_within", Expire), After("remind_after", Remind)], exit=[look_no_longer, await_no_label]),
        State("label_sent", [After("send_within", Expire), After("remind_after", Remind)]),
        State("in_transit", [After("arrive_within", Overdue)], exit=[look_no_longer]),
        State("received", [After("answer_within", Overdue)], exit=[look_no_longer]),
        State("inspected"),
        State("refunding", [After("refund_within", Overdue)], exit=[look_no_longer]),
        State("refunded"),
        State("exchanged", final=True),
        State("closed", final=True),
        State("rejected", final=True),
        State("expired", final=True),
        State("cancelled", final=True),
    ],
    transitions=[
        #          event                from         to            only if                                 then
        Transition(Request,             NEW,         "requested",  [the_shop_decides],                     [open_case, ask_shop]),
        Transition(Request,             NEW,         "approved",   [],                                     [open_case, approve_small, tell_approved_small]),
        Transition(Approve,             "requested", "approved",   [],                                     [approve, tell_approved]),
        Transition(Reject,              "requested", "rejected",   [],                                     [drop_rejected, tell_rejected]),
        Transition(Cancel,              "requested", "cancelled",  [],                                     [drop_cancelled, tell_cancelled]),
        Transition(ShipmentCreated,     "approved",  "label_sent", [],                                     [keep_label, tell_label]),
        Transition(ShipmentRefused,     "approved",  None,         [],                                     [do_without_label, ask_for_own_label]),
        Transition(SendLabel,           TO_SEND,     "label_sent", [],                                     [withdraw_label, keep_own_label, tell_label]),
        Transition(Remind,              TO_SEND,     None,         [],                                     [remind]),
        Transition(Expire,              TO_SEND,     "expired",    [],                                     [withdraw_label, drop_expired, tell_expired]),
        Transition(Cancel,              TO_SEND,     "cancelled",  [],                                     [withdraw_label, drop_cancelled, tell_cancelled]),
        Transition(Depart,              "approved",  "in_transit", [],                                     [withdraw_unused_label, depart]),
        Transition(Depart,              "label_sent", "in_transit", [],                                    [depart]),
        Transition(Depart,              "in_transit", None,        [],                                     [note_tracking]),
        Transition(Receive,             "approved",  "received",   [],                                     [withdraw_unused_label, receive, tell_received]),
        Transition(Receive,             SENT,        "received",   [],                                     [receive, tell_received]),
        Transition(Lose,                "in_transit", None,        [the_carrier_says_so],                  [ask_about_loss]),
        Transition(Lose,                "in_transit", "closed",    [],                                     [drop_lost, tell_lost]),
        Transition(Inspect,             "received",  "inspected",  GOOD_RESULT,                            [note_findings, tell_settled]),
        Transition(RefundBegun,         "inspected", "refunding",  [],                                     [expect_refund, tell_result]),
        Transition(ReplacementRefused,  "inspected", "refunding",  [],                                     [expect_refund, tell_result]),
        Transition(ReplacementSent,     "inspected", "exchanged",  [],                                     [tell_result]),
        Transition(NothingOwed,         "inspected", "closed",     [],                                     [tell_result]),
        Transition(Refunded,            "refunding", None,         [more_is_to_come],                      [note_given]),
        Transition(Refunded,            "refunding", "refunded",   [],                                     [note_given]),
        Transition(RefundSettled,       "refunding", None,         [more_is_to_come],                      [note_settled]),
        Transition(RefundSettled,       "refunding", "refunded",   [],                                     [note_settled]),
        Transition(RefundDropped,       "refunding", None,         [more_is_to_come],                      [note_dropped]),
        Transition(RefundDropped,       "refunding", "refunded",   [something_was_given],                  [note_dropped]),
        Transition(RefundDropped,       "refunding", "closed",     [],                                     [note_dropped]),
        Transition(RefundFailed,        "refunding", None,         [],                                     [note_failed]),
        Transition(RefundRetried,       "refunding", None,         [],                                     [note_retried]),
        Transition(RefundReturned,      "refunding", None,         [],                                     [note_came_back]),
        Transition(RefundReturned,      "refunded",  "refunding",  [],                                     [note_came_back]),
        Transition(Overdue,             [*AT_REST, "approved"], None, [],                                  [ask_to_look]),
        # What the carrier says of a label that is in use already, or wanted no longer.
        Transition(ShipmentCreated,     PAST_LABEL,  None,         [the_label_is_awaited],                 [keep_label]),
        Transition(ShipmentCreated,     PAST_LABEL,  None,         [],                                     [call_off_late_label]),
        Transition(ShipmentRefused,     PAST_LABEL,  None,         [],                                     [do_without_label]),
        Transition(ShipmentCancelled,   PAST_LABEL,  None),
        Transition(CancellationRefused, PAST_LABEL,  None,         [],                                     [warn_of_parcel]),
    ],
)  # fmt: skip
