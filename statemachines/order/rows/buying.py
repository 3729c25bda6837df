"""From the basket to the payment."""

from statemachines.approval import ApprovalOpened, Approved, Rejected
from statemachines.declaration import NEW, Guard, Transition
from statemachines.order.approving import (
    ask_approval,
    ask_no_longer,
    explain,
    is_what_was_approved,
    needs_approval,
    note_approval,
    note_rejection,
)
from statemachines.order.basket import (
    change_lines,
    changed_in_range,
    changes_something,
    leaves_something,
    nobody_claims_a_reorder,
    one_currency,
    orders_for_itself,
    reference_is_new,
    removes_what_is_there,
    sells_all,
    shop_gives_discount,
    stamp_submitted,
    take_down,
    tell_activity,
    tell_reordered,
    total_in_range,
)
from statemachines.order.events import (
    Abandon,
    Cancel,
    Create,
    Edit,
    Explain,
    RemindOfBasket,
    RemindOfBasketAgain,
    Submit,
)
from statemachines.order.holding import has_lines
from statemachines.order.notices import (
    remind_of_basket,
    remind_of_basket_again,
    tell_cancelled,
    tell_rejected,
    tell_to_pay,
)
from statemachines.order.stocking import give_back_stock, in_stock, reserve_stock

KNOWN_TO_SELL: list[Guard] = [
    orders_for_itself,
    reference_is_new,
    sells_all,
    one_currency,
    shop_gives_discount,
    nobody_claims_a_reorder,
    total_in_range,
]
GOOD_CHANGE: list[Guard] = [
    changes_something,
    sells_all,
    one_currency,
    removes_what_is_there,
    leaves_something,
    changed_in_range,
]

BUYING = [
    #          event                   from                  to                          only if                                               then
    # -- the basket
    Transition(Create,                 NEW,                  "draft",                    KNOWN_TO_SELL,                                        [take_down, tell_reordered]),
    Transition(Edit,                   "draft",              None,                       GOOD_CHANGE,                                          [change_lines]),
    Transition(RemindOfBasket,         "draft",              None,                       [],                                                   [remind_of_basket]),
    Transition(RemindOfBasketAgain,    "draft",              None,                       [],                                                   [remind_of_basket_again]),
    Transition(Abandon,                "draft",              "cancelled"),
    Transition(Cancel,                 "draft",              "cancelled"),
    Transition(Submit,                 "draft",              "awaiting_approval",        [has_lines, in_stock, needs_approval],                [stamp_submitted, reserve_stock, tell_activity, ask_approval]),
    Transition(Submit,                 "draft",              "pending",                  [has_lines, in_stock],                                [stamp_submitted, reserve_stock, tell_activity]),
    # -- approval
    Transition(ApprovalOpened,         "awaiting_approval",  None,                       [],                                                   [note_approval]),
    Transition(Explain,                "awaiting_approval",  None,                       [],                                                   [explain]),
    Transition(Approved,               "awaiting_approval",  "pending",                  [is_what_was_approved],                               [tell_to_pay]),
    Transition(Rejected,               "awaiting_approval",  "cancelled",                [],                                                   [note_rejection, give_back_stock, tell_rejected]),
    Transition(Cancel,                 "awaiting_approval",  "cancelled",                [],                                                   [ask_no_longer, give_back_stock, tell_cancelled]),
]  # fmt: skip
