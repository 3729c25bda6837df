"""A refund: money of one payment that is given back, in full or in part.

An order asks for it, and sees to it that no more is asked for than was taken. What a customer asks for waits until the
shop accepts or refuses it; if the shop does neither in time, those who approve refunds are asked instead, so that every
customer gets an answer from a person. What is large, or was taken long ago, has to be approved; what the shop owes
has not. Then the gateway is asked, unless the customer's bank is about to take the money back itself.

A refund that the gateway refuses is still owed: a person has it tried again, or gives the money back in another way. If
the gateway does not answer at all, nobody may do so before it is known whether it gave the money.
"""

from statemachines.approval import ApprovalOpened, ApprovalVote, Approved, Rejected
from statemachines.declaration import NEW, After, Guard, Load, Role, State, Transition
from statemachines.machine import Machine
from statemachines.payment.model import Payment
from statemachines.payments import Refunded, RefundFailed, RefundReturned
from statemachines.refund.actions import (
    ask_approvers,
    ask_approvers_from_the_start,
    ask_gateway,
    ask_no_longer,
    ask_other_approvers,
    become_owed,
    call_off,
    count_answer,
    explain,
    give_up,
    look_again,
    note_acceptance,
    note_approval,
    note_decision,
    note_late_success,
    note_wrong_amount,
    proceed,
    record_error,
    record_failure,
    record_late_failure,
    record_return,
    record_second_gift,
    record_silence,
    record_success,
    record_that_it_was_given,
    record_that_it_was_not_given,
    record_wrong_amount,
    refuse,
    remind_again,
    settle,
    take_down,
    tell_retried,
    turn_down,
)
from statemachines.refund.events import (
    Accept,
    Cancel,
    Clarify,
    Explain,
    Lapse,
    Owe,
    Proceed,
    Refuse,
    Remind,
    Request,
    Resume,
    Retry,
    Settle,
    Unanswered,
)
from statemachines.refund.guards import (
    accepts_for_another,
    enough_is_left,
    is_of_a_payment_of_the_order,
    is_the_shop,
    is_unanswered,
    is_what_was_approved,
    is_what_was_asked,
    is_what_was_given,
    it_is_the_last_answer,
    may_call_it_off,
    needs_no_approval,
    needs_no_approval_from_the_start,
    no_dispute_stands,
    outcome_is_known,
    the_customer_asks,
    was_approved_by_others,
    was_given,
    was_told_before,
    was_withdrawn,
)
from statemachines.refund.model import NOT_GIVEN, Refund, RefundPolicy
from statemachines.refund.notices import (
    alert_failure,
    alert_late_failure,
    alert_second_gift,
    alert_silence,
    alert_wrong_amount,
    announce,
    remind_of_dispute,
    remind_of_failure,
    remind_of_request,
    tell_called_off,
    tell_given_up,
    tell_refused,
)


def payment_asked_of(event: Request) -> list[str]:
    """Name the payment of which a new refund asks to give back."""
    return [event.payment]


def own_payment(refund: Refund) -> list[str]:
    """Name the payment of which it is given back."""
    return [refund.payment_id]


def order_asked_of(event: Request) -> list[str]:
    """Name the order that asks for a new refund."""
    return [event.order]


def own_order(refund: Refund) -> list[str]:
    """Name the order that it is for."""
    return [refund.order_id]


def own_approval(refund: Refund) -> list[str]:
    """Name the approval that it waits for."""
    return [refund.approval] if refund.approval else []


OF_PAYMENT: list[Guard] = [is_of_a_payment_of_the_order]
AS_APPROVED: list[Guard] = [is_what_was_approved, was_approved_by_others]
SHOP: list[Guard] = [is_the_shop]
KNOWN: list[Guard] = [outcome_is_known]
UNDECIDED = ["requested", "awaiting_approval"]
BEING_GIVEN = ["approved", "processing"]
"""In these the gateway may answer: it is asked, or was before a dispute began and owes an answer."""
BEYOND_RECALL = ["processing", "succeeded", *NOT_GIVEN]

refund = Machine(
    Refund,
    plural="refunds",
    prefix="rfd",
    policy=RefundPolicy(),
    readers=[Role.CUSTOMER, Role.MERCHANT, Role.APPROVER, Role.ADMIN, Role.SYSTEM],
    loads=[
        Load("asked_of", Payment, by="id", keys=payment_asked_of),
        Load("payments", Payment, by="id", keys=own_payment),
        Load("asked_before", Refund, by="order_id", keys=order_asked_of),
        Load("of_the_order", Refund, by="order_id", keys=own_order),
        Load("votes", ApprovalVote, by="approval_id", keys=own_approval),
    ],
    states=[
        State("requested", [After("remind_every", Remind), After("answer_within", Lapse)]),
        State("awaiting_approval"),
        State("approved", [After("remind_every", Proceed), After("dispute_patience", Remind)]),
        State("processing", [After("gateway_patience", Unanswered)]),
        State("succeeded"),
        State("failed", [After("remind_every", Remind)]),
        State("rejected", final=True),
        State("cancelled", final=True),
    ],
    transitions=[
        #          event           from                 to                   only if                                         then
        Transition(Request,        NEW,                 "requested",         [*OF_PAYMENT, the_customer_asks],               [take_down, announce]),
        Transition(Request,        NEW,                 "approved",          [*OF_PAYMENT, needs_no_approval_from_the_start], [take_down, proceed]),
        Transition(Request,        NEW,                 "awaiting_approval", OF_PAYMENT,                                     [take_down, ask_approvers_from_the_start]),
        Transition(Accept,         "requested",         "approved",          [accepts_for_another, needs_no_approval],       [note_acceptance, proceed]),
        Transition(Accept,         "requested",         "awaiting_approval", [accepts_for_another],                          [note_acceptance, ask_other_approvers]),
        Transition(Refuse,         "requested",         "rejected",          [],                                             [refuse, tell_refused]),
        Transition(Remind,         "requested",         None,                [],                                             [remind_of_request, remind_again]),
        Transition(Lapse,          "requested",         "awaiting_approval", [],                                             [ask_approvers]),
        Transition(ApprovalOpened, "awaiting_approval", None,                [],                                             [note_approval]),
        Transition(Explain,        "awaiting_approval", None,                [],                                             [explain]),
        Transition(Approved,       "awaiting_approval", "approved",          AS_APPROVED,                                    [note_decision, proceed]),
        Transition(Rejected,       "awaiting_approval", "cancelled",         [was_withdrawn],                                [turn_down, tell_refused]),
        Transition(Rejected,       "awaiting_approval", "rejected",          [],                                             [turn_down, tell_refused]),
        Transition(Owe,            "requested",         "approved",          [],                                             [become_owed, proceed]),
        Transition(Owe,            "awaiting_approval", "approved",          [],                                             [become_owed, ask_no_longer, proceed]),
        Transition(Proceed,        "approved",          "processing",        [no_dispute_stands, enough_is_left],            [ask_gateway]),
        Transition(Proceed,        "approved",          "cancelled",         [no_dispute_stands],                            [give_up, tell_given_up]),
        Transition(Proceed,        "approved",          None,                [],                                             [look_again]),
        Transition(Resume,         "approved",          None,                [],                                             [proceed]),
        Transition(Remind,         "approved",          None,                [],                                             [remind_of_dispute, remind_again]),
        Transition(Refunded,       BEING_GIVEN,         "succeeded",         [is_what_was_asked],                            [record_success]),
        Transition(Refunded,       BEING_GIVEN,         "failed",            [],                                             [record_wrong_amount, alert_wrong_amount]),
        Transition(RefundFailed,   "processing",        "failed",            [],                                             [record_failure, alert_failure]),
        Transition(Unanswered,     "processing",        "failed",            [],                                             [record_silence, alert_silence]),
        Transition(Remind,         "failed",            None,                [],                                             [remind_of_failure, remind_again]),
        Transition(Retry,          "failed",            "approved",          KNOWN,                                          [tell_retried, proceed]),
        Transition(Settle,         "failed",            "succeeded",         KNOWN,                                          [settle]),
        Transition(Clarify,        "failed",            "succeeded",         [is_unanswered, was_given],                     [tell_retried, record_that_it_was_given]),
        Transition(Clarify,        "failed",            None,                [is_unanswered],                                [record_that_it_was_not_given]),
        Transition(Refunded,       "failed",            "succeeded",         [is_what_was_asked],                            [tell_retried, record_success]),
        Transition(Refunded,       "failed",            None,                [],                                             [note_wrong_amount, alert_wrong_amount]),
        Transition(RefundFailed,   "failed",            None,                [is_unanswered],                                [record_late_failure, alert_late_failure]),
        Transition(RefundFailed,   "failed",            None,                [],                                             [count_answer]),
        Transition(Refunded,       "succeeded",         None,                [is_unanswered],                                [note_late_success]),
        Transition(Refunded,       "succeeded",         None,                [was_told_before],                              []),
        Transition(Refunded,       ["succeeded", *NOT_GIVEN], None,          [],                                             [record_second_gift, alert_second_gift]),
        Transition(RefundFailed,   "succeeded",         "failed",            [is_unanswered, it_is_the_last_answer],         [record_error, alert_failure]),
        Transition(RefundFailed,   ["approved", "succeeded", *NOT_GIVEN], None, [],                                          [count_answer]),
        Transition(RefundReturned, "succeeded",         "failed",            [is_what_was_given],                            [record_return, alert_failure]),
        Transition(RefundReturned, "succeeded",         None),
        Transition(RefundReturned, ["failed", "approved", "processing", *NOT_GIVEN], None),
        Transition(Cancel,         "requested",         "cancelled",         [may_call_it_off],                              [call_off, tell_called_off]),
        Transition(Cancel,         "awaiting_approval", "cancelled",         [may_call_it_off],                              [call_off, ask_no_longer, tell_called_off]),
        Transition(Cancel,         "approved",          "cancelled",         SHOP,                                           [call_off, tell_called_off]),
        Transition(Cancel,         "failed",            "cancelled",         [*SHOP, *KNOWN],                                [call_off, tell_called_off]),
        Transition(Resume,         [*UNDECIDED, "failed", *BEYOND_RECALL], None),
        Transition(Owe,            ["approved", "failed", *BEYOND_RECALL], None),
    ],
)  # fmt: skip
