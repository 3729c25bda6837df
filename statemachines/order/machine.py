"""An order: from the basket to the parcel, and back if need be.

A draft is submitted once it has lines and every piece is in stock; the pieces are reserved. Paying asks the payment
gateway and waits for its answer. A paid order is fulfilled by the merchant and completed by the customer, or by itself
after two weeks. An unpaid order expires and gives its pieces back. A paid order that is cancelled or returned gives
the money back, never more than was taken.

Amounts, prices and ownership come from the catalogue and the key, never from the caller.
"""

from datetime import timedelta

from statemachines.declaration import NEW, After, Guard, Load, Role, State, Transition
from statemachines.machine import Machine
from statemachines.order.actions import (
    ask_customer,
    carry_on,
    charge,
    count_decline,
    give_back_stock,
    note_failure,
    note_silence,
    record_payment,
    record_refund,
    record_refund_failure,
    record_wrong_payment,
    refund_returned,
    refund_what_is_due,
    refund_what_is_left,
    reserve_stock,
    restock_returned,
    stamp_completed,
    stamp_fulfilled,
    stamp_submitted,
    start_over,
    take_down,
    take_stock,
)
from statemachines.order.events import (
    Abandon,
    Cancel,
    Complete,
    Create,
    Expire,
    Fail,
    Fulfill,
    Pay,
    RefundAgain,
    Retry,
    Return,
    Submit,
    Unanswered,
)
from statemachines.order.guards import (
    before_capture,
    covers_total,
    has_lines,
    has_refund_due,
    in_stock,
    is_being_refunded,
    is_paid_in_full,
    no_more_than_bought,
    nothing_is_paid,
    one_currency,
    orders_for_itself,
    payment_is_known,
    payment_is_open,
    reference_is_new,
    returns_something,
    returns_the_rest,
    sells_all,
    still_holds_stock,
    total_in_range,
    tries_left,
    within_return_window,
)
from statemachines.order.model import Order, OrderLine, OrderPolicy
from statemachines.order.notices import (
    alert_failure,
    alert_refund_failure,
    alert_silence,
    alert_wrong_payment,
    confirm,
    tell_cancelled,
    tell_declined,
    tell_expired,
    tell_refunded,
    tell_shipped,
)
from statemachines.payments import Charged, CustomerActionRequired, Declined, Refunded, RefundFailed
from statemachines.product import Product
from statemachines.stock import Stock


def own_id(order: Order) -> list[str]:
    """Name the order itself."""
    return [order.id]


def skus_bought(lines: list[OrderLine]) -> list[str]:
    """Name the SKUs on the order's lines."""
    return [line.sku for line in lines]


def skus_asked(event: Create) -> list[str]:
    """Name the SKUs that a new order asks for."""
    return [line.sku for line in event.lines]


def reference_asked(event: Create) -> list[str]:
    """Name the reference that a new order asks for."""
    return [event.reference] if event.reference else []


def abandon_after(policy: OrderPolicy) -> timedelta:
    """Wait as long as the shop's policy says."""
    return policy.abandon_after


def expire_after(policy: OrderPolicy) -> timedelta:
    """Wait as long as the shop's policy says."""
    return policy.expire_after


def gateway_patience(policy: OrderPolicy) -> timedelta:
    """Wait as long as the shop's policy says."""
    return policy.gateway_patience


def complete_after(policy: OrderPolicy) -> timedelta:
    """Wait as long as the shop's policy says."""
    return policy.complete_after


KNOWN_TO_SELL: list[Guard] = [orders_for_itself, reference_is_new, sells_all, one_currency, total_in_range]
GOOD_RETURN: list[Guard] = [within_return_window, returns_something, no_more_than_bought]
UNPAID: list[Guard] = [payment_is_known, nothing_is_paid]
AFTER_PAYMENT = ["processing", "fulfilled", "completed", "cancelled", "failed", "returned"]

order = Machine(
    Order,
    plural="orders",
    prefix="ord",
    policy=OrderPolicy(),
    readers=[Role.CUSTOMER, Role.MERCHANT, Role.APPROVER, Role.ADMIN, Role.SYSTEM],
    loads=[
        Load("namesakes", Order, by="reference", keys=reference_asked),
        Load("products", Product, by="id", keys=skus_asked),
        Load("lines", OrderLine, by="order_id", keys=own_id),
        Load("stock", Stock, by="id", keys=skus_bought, lock=True),
    ],
    states=[
        State("draft", [After(abandon_after, Abandon)]),
        State("pending", [After(expire_after, Expire)]),
        State("paying", [After(gateway_patience, Unanswered)]),
        State("processing"),
        State("fulfilled", [After(complete_after, Complete)]),
        State("completed"),
        State("failed"),
        State("cancelled", final=True),
        State("returned", final=True),
    ],
    transitions=[
        #          event                   from           to            only if                               then
        Transition(Create,                 NEW,           "draft",      KNOWN_TO_SELL,                        [take_down]),
        Transition(Submit,                 "draft",       "pending",    [has_lines, in_stock],                [stamp_submitted, reserve_stock]),
        Transition(Abandon,                "draft",       "cancelled"),
        Transition(Cancel,                 "draft",       "cancelled"),
        Transition(Pay,                    "pending",     "paying",     [],                                   [charge]),
        Transition(Expire,                 "pending",     "cancelled",  [],                                   [give_back_stock, tell_expired]),
        Transition(Cancel,                 "pending",     "cancelled",  [],                                   [give_back_stock, tell_cancelled]),
        Transition(CustomerActionRequired, "paying",      None,         [payment_is_open],                    [ask_customer]),
        Transition(Charged,                "paying",      "processing", [payment_is_open, covers_total],      [record_payment, take_stock, confirm]),
        Transition(Declined,               "paying",      "pending",    [payment_is_open, tries_left],        [count_decline, tell_declined]),
        Transition(Declined,               "paying",      "failed",     [payment_is_open],                    [count_decline, give_back_stock, tell_declined]),
        Transition(Charged,                "paying",      "failed",     [payment_is_open],                    [record_wrong_payment, alert_wrong_payment]),
        Transition(Unanswered,             "paying",      "failed",     [],                                   [note_silence, alert_silence]),
        Transition(Fulfill,                "processing",  "fulfilled",  [],                                   [stamp_fulfilled, tell_shipped]),
        Transition(Fail,                   "processing",  "failed",     [],                                   [note_failure, alert_failure]),
        Transition(Cancel,                 "processing",  "cancelled",  [before_capture],                     [give_back_stock, refund_what_is_left, tell_cancelled]),
        Transition(Complete,               "fulfilled",   "completed",  [],                                   [stamp_completed]),
        Transition(Return,                 "completed",   "returned",   [*GOOD_RETURN, returns_the_rest],     [restock_returned, refund_returned]),
        Transition(Return,                 "completed",   None,         GOOD_RETURN,                          [restock_returned, refund_returned]),
        Transition(Retry,                  "failed",      "processing", [is_paid_in_full],                    [carry_on]),
        Transition(Retry,                  "failed",      "pending",    [*UNPAID, still_holds_stock],         [start_over]),
        Transition(Retry,                  "failed",      "pending",    [*UNPAID, in_stock],                  [reserve_stock, start_over]),
        Transition(CustomerActionRequired, "failed",      None,         [payment_is_open],                    [ask_customer]),
        Transition(Charged,                "failed",      "processing", [payment_is_open, covers_total],      [record_payment, take_stock, confirm]),
        Transition(Charged,                "failed",      None,         [payment_is_open],                    [record_wrong_payment, alert_wrong_payment]),
        Transition(Declined,               "failed",      None,         [payment_is_open],                    [count_decline, tell_declined]),
        Transition(Cancel,                 "failed",      "cancelled",  [payment_is_known, before_capture],   [give_back_stock, refund_what_is_left, tell_cancelled]),
        Transition(RefundAgain,            AFTER_PAYMENT, None,         [has_refund_due],                     [refund_what_is_due]),
        Transition(Refunded,               AFTER_PAYMENT, None,         [is_being_refunded],                  [record_refund, tell_refunded]),
        Transition(RefundFailed,           AFTER_PAYMENT, None,         [is_being_refunded],                  [record_refund_failure, alert_refund_failure]),
    ],
)  # fmt: skip
