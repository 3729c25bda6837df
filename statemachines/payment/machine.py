"""A payment: money for an order, from asking for it to its end.

It is taken at once, or held ready first and taken when parcels leave, in one piece or in several. What is no longer
wanted is let go. The customer may have to confirm it with the bank. What was taken may be claimed back by the bank:
then it is disputed, and won or lost.

The gateway may answer late, twice, or about something else than was asked. Every answer is taken in every state in
which it can come, and whatever moves, the order is told in the same transaction. Where nothing is left to do, a row
without a target says so. A payment that needs a person has failed, and still takes late answers.
"""

from datetime import datetime, timedelta

from statemachines.declaration import NEW, After, Guard, Role, State, Transition
from statemachines.machine import Machine
from statemachines.payment.actions import (
    ask_customer,
    authorize,
    charge,
    let_expire,
    note_silence,
    record_charge,
    record_decline,
    record_hold,
    record_wrong_answer,
    record_wrong_capture,
    take_down,
)
from statemachines.payment.captures import (
    call_off,
    call_off_unconfirmed,
    capture,
    capture_again,
    drop_capture,
    forget_captures,
    let_go,
    let_go_at_once,
    note_call_off,
    note_capture,
    note_refused_capture,
    note_refused_void,
    record_capture,
    record_lapse,
    record_release,
    settle,
    take_next,
)
from statemachines.payment.claims import (
    drop_refund,
    note_stray_refund,
    record_dispute,
    record_loss,
    record_refund,
    record_refund_asked,
    record_win,
    take_refund_back,
)
from statemachines.payment.events import (
    Begin,
    Capture,
    Confirm,
    Dispute,
    DisputeLost,
    DisputeWon,
    Expire,
    Lapse,
    NotConfirmed,
    RefundAsked,
    RefundDropped,
    RefundMade,
    RefundReturned,
    Retry,
    Settle,
    Unanswered,
    Void,
)
from statemachines.payment.guards import (
    is_asked_for,
    is_awaited,
    is_being_refunded,
    is_being_taken,
    is_called_off,
    is_disputed,
    is_held_ready,
    is_in_its_currency,
    is_left_to_refund,
    is_news,
    is_open_or_new,
    is_real_money,
    is_still_wanted,
    is_taken_now,
    money_was_taken,
    more_is_to_be_taken,
    more_was_taken,
    nobody_said_with_what,
    nothing_was_lost,
    others_are_open,
    some_stays_held,
    something_is_to_be_taken,
    the_gateway_has_it,
    was_refunded,
)
from statemachines.payment.model import Payment, PaymentPolicy
from statemachines.payment.notices import (
    alert_dispute,
    alert_refusal,
    alert_silence,
    alert_stray_refund,
    alert_wrong_answer,
    tell_decision,
    write_to_confirm,
)
from statemachines.payments import (
    Authorized,
    Captured,
    CaptureFailed,
    Charged,
    CustomerActionRequired,
    Declined,
    Voided,
    VoidFailed,
)


def until_it_lapses(payment: Payment, now: datetime) -> timedelta:
    """Wait until the bank no longer holds the money ready, whatever was taken of it meanwhile."""
    assert payment.expires_at is not None
    return max(payment.expires_at - now, timedelta())


ASKED = ["authorizing", "capturing"]
HELD = ["authorized", "partially_captured"]
TAKING = ["capturing", "failed"]
ENDING = ["voiding", "voided"]
OPEN = [*ASKED, "requires_action", "failed", "voided"]
LATE = [*OPEN, "voiding"]
"""Where the gateway may yet say, be it late, whether there is money."""
TAKEN = ["captured", "disputed", "dispute_won", "dispute_lost"]
IN_PART = ["capturing", "partially_captured", "voiding", "failed"]
"""Where some may be taken while the rest is not settled."""
PAID = [*TAKEN, *IN_PART]
OVER = [*ENDING, *TAKEN, "declined", "expired"]
BEGUN = [*dict.fromkeys([*LATE, *HELD, *OVER])]
NOT_HELD = [state for state in BEGUN if state not in HELD]
KEPT = [state for state in BEGUN if state not in ("voiding", "failed")]
"""Where nothing is to be let go."""

GOOD: list[Guard] = [is_awaited, is_real_money]
TOOK: list[Guard] = [more_was_taken, is_in_its_currency]

payment = Machine(
    Payment,
    plural="payments",
    prefix="pay",
    policy=PaymentPolicy(),
    readers=[Role.CUSTOMER, Role.MERCHANT, Role.APPROVER, Role.ADMIN, Role.SYSTEM],
    states=[
        State("created", [After("method_within", Expire)]),
        State("authorizing", [After("gateway_patience", Unanswered)]),
        State("requires_action", [After("confirm_within", NotConfirmed)]),
        State("authorized", [After(until_it_lapses, Lapse)]),
        State("capturing", [After("gateway_patience", Unanswered)]),
        State("partially_captured", [After(until_it_lapses, Lapse)]),
        State("captured"),
        State("voiding", [After("gateway_patience", Unanswered)]),
        State("voided"),
        State("declined", final=True),
        State("expired", final=True),
        State("failed"),
        State("disputed"),
        State("dispute_won"),
        State("dispute_lost", final=True),
    ],
    transitions=[
        #          event                   from                                       to                    only if                                  then
        # -- asking
        Transition(Begin,                  NEW,                                       "created",            [nobody_said_with_what],                 [take_down]),
        Transition(Begin,                  NEW,                                       "capturing",          [is_taken_now],                          [take_down, charge]),
        Transition(Begin,                  NEW,                                       "authorizing",        [],                                      [take_down, authorize]),
        Transition(Confirm,                "created",                                 "capturing",          [is_taken_now],                          [charge]),
        Transition(Confirm,                "created",                                 "authorizing",        [],                                      [authorize]),
        Transition(Expire,                 "created",                                 "expired",            [],                                      [let_expire]),
        # -- the customer's bank
        Transition(CustomerActionRequired, [*ASKED, "failed"],                        "voiding",            [is_awaited, is_called_off],             [let_go_at_once]),
        Transition(CustomerActionRequired, "voided",                                  "voiding",            [is_awaited],                            [let_go_at_once]),
        Transition(CustomerActionRequired, [*ASKED, "failed"],                        "requires_action",    [is_awaited],                            [ask_customer, write_to_confirm]),
        Transition(CustomerActionRequired, BEGUN,                                     None),
        Transition(NotConfirmed,           "requires_action",                         "voiding",            [],                                      [call_off_unconfirmed, let_go]),
        # -- the gateway's answer
        Transition(Authorized,             OPEN,                                      "authorized",         [*GOOD, is_still_wanted],                [record_hold]),
        Transition(Authorized,             OPEN,                                      "voiding",            GOOD,                                    [record_hold, let_go_at_once]),
        Transition(Authorized,             "voiding",                                 None,                 GOOD,                                    [record_hold]),
        Transition(Charged,                LATE,                                      "captured",           GOOD,                                    [record_charge]),
        Transition(Authorized,             LATE,                                      "failed",             [is_awaited],                            [record_wrong_answer, alert_wrong_answer]),
        Transition(Charged,                LATE,                                      "failed",             [is_awaited],                            [record_wrong_answer, alert_wrong_answer]),
        Transition(Declined,               LATE,                                      "declined",           [is_awaited],                            [record_decline]),
        Transition(Authorized,             BEGUN,                                     None),
        Transition(Charged,                BEGUN,                                     None),
        Transition(Declined,               BEGUN,                                     None),
        # -- taking what is held
        Transition(Capture,                HELD,                                      "capturing",          [is_held_ready],                         [capture]),
        Transition(Capture,                TAKING,                                    None,                 [is_held_ready],                         [note_capture]),
        Transition(Capture,                "voiding",                                 None),
        Transition(Captured,               TAKING,                                    "capturing",          [*TOOK, more_is_to_be_taken],            [record_capture, take_next]),
        Transition(Captured,               TAKING,                                    "voiding",            [*TOOK, some_stays_held, is_called_off], [record_capture, let_go_at_once]),
        Transition(Captured,               TAKING,                                    "partially_captured", [*TOOK, some_stays_held],                [record_capture]),
        Transition(Captured,               "voiding",                                 None,                 [*TOOK, some_stays_held],                [record_capture]),
        Transition(Captured,               [*TAKING, *ENDING],                        "disputed",           [*TOOK, is_disputed],                    [record_capture, forget_captures]),
        Transition(Captured,               [*TAKING, *ENDING],                        "captured",           TOOK,                                    [record_capture, forget_captures]),
        Transition(Captured,               [*TAKING, *ENDING],                        "failed",             [more_was_taken],                        [record_wrong_capture, alert_wrong_answer]),
        Transition(Captured,               BEGUN,                                     None),
        Transition(CaptureFailed,          "capturing",                               "voiding",            [is_being_taken, is_called_off],         [drop_capture, let_go]),
        Transition(CaptureFailed,          "capturing",                               "failed",             [is_being_taken],                        [note_refused_capture, alert_refusal]),
        Transition(CaptureFailed,          "failed",                                  None,                 [is_being_taken],                        [note_refused_capture]),
        Transition(CaptureFailed,          ENDING,                                    None,                 [is_being_taken],                        [drop_capture]),
        Transition(CaptureFailed,          BEGUN,                                     None),
        Transition(Lapse,                  "authorized",                              "expired",            [],                                      [record_lapse, let_go]),
        Transition(Lapse,                  "partially_captured",                      "disputed",           [is_disputed],                           [record_lapse, let_go]),
        Transition(Lapse,                  "partially_captured",                      "captured",           [],                                      [record_lapse, let_go]),
        Transition(Lapse,                  NOT_HELD,                                  None),
        # -- letting go
        Transition(Void,                   "created",                                 "voided",             [],                                      [call_off]),
        Transition(Void,                   ASKED,                                     None,                 [],                                      [note_call_off]),
        Transition(Void,                   ["requires_action", *HELD],                "voiding",            [],                                      [note_call_off, let_go]),
        Transition(Void,                   "failed",                                  "voiding",            [the_gateway_has_it],                    [note_call_off, let_go]),
        Transition(Void,                   "failed",                                  "voided",             [is_asked_for],                          [call_off]),
        Transition(Void,                   ["failed", *OVER],                         None),
        Transition(Voided,                 ["voiding", "failed"],                     "disputed",           [is_disputed],                           [record_release]),
        Transition(Voided,                 ["voiding", "failed"],                     "captured",           [money_was_taken],                       [record_release]),
        Transition(Voided,                 ["voiding", "failed"],                     "voided",             [],                                      [record_release]),
        Transition(Voided,                 KEPT,                                      None),
        Transition(VoidFailed,             "voiding",                                 "failed",             [],                                      [note_refused_void, alert_refusal]),
        Transition(VoidFailed,             [*KEPT, "failed"],                         None),
        # -- what needs a person
        Transition(Unanswered,             [*ASKED, "voiding"],                       "failed",             [],                                      [note_silence, alert_silence]),
        Transition(Retry,                  "failed",                                  "voiding",            [is_called_off, the_gateway_has_it],     [let_go]),
        Transition(Retry,                  "failed",                                  "capturing",          [something_is_to_be_taken],              [capture_again]),
        Transition(Settle,                 "failed",                                  "disputed",           [is_disputed],                           [settle]),
        Transition(Settle,                 "failed",                                  "captured",           [money_was_taken],                       [settle]),
        Transition(Settle,                 "failed",                                  "voided",             [],                                      [settle]),
        # -- refunds
        Transition(RefundAsked,            PAID,                                      None,                 [is_left_to_refund],                     [record_refund_asked]),
        Transition(RefundMade,             PAID,                                      None,                 [is_being_refunded],                     [record_refund]),
        Transition(RefundMade,             PAID,                                      None,                 [],                                      [note_stray_refund, alert_stray_refund]),
        Transition(RefundReturned,         PAID,                                      None,                 [was_refunded],                          [take_refund_back]),
        Transition(RefundReturned,         PAID,                                      None),
        Transition(RefundDropped,          PAID,                                      None,                 [is_being_refunded],                     [drop_refund]),
        Transition(RefundDropped,          PAID,                                      None),
        # -- disputes
        Transition(Dispute,                ["captured", "dispute_won"],               "disputed",           [is_news],                               [record_dispute, alert_dispute]),
        Transition(Dispute,                ["disputed", "dispute_lost", *IN_PART],    None,                 [is_news],                               [record_dispute, alert_dispute]),
        Transition(Dispute,                PAID,                                      None),
        Transition(DisputeWon,             "disputed",                                None,                 [others_are_open],                       [record_win, tell_decision]),
        Transition(DisputeWon,             "disputed",                                "dispute_won",        [nothing_was_lost],                      [record_win, tell_decision]),
        Transition(DisputeWon,             "disputed",                                "dispute_lost",       [],                                      [record_win, tell_decision]),
        Transition(DisputeWon,             "captured",                                "dispute_won",        [],                                      [record_win, tell_decision]),
        Transition(DisputeWon,             ["dispute_won", "dispute_lost", *IN_PART], None,                 [],                                      [record_win, tell_decision]),
        Transition(DisputeLost,            "disputed",                                None,                 [others_are_open],                       [record_loss, tell_decision]),
        Transition(DisputeLost,            ["captured", "disputed", "dispute_won"],   "dispute_lost",       [is_open_or_new],                        [record_loss, tell_decision]),
        Transition(DisputeLost,            ["dispute_lost", *IN_PART],                None,                 [is_open_or_new],                        [record_loss, tell_decision]),
        Transition(DisputeLost,            PAID,                                      None),
    ],
)  # fmt: skip
