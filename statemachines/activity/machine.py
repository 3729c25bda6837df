"""A customer's activity: what is looked at and put into the basket, and the reminders and rewards that follow.

Whoever is new is quiet, and becomes so again a day after they were last seen. A customer who looks at one product again
and again without putting it into the basket is interested in it, and is reminded of it two hours after they were last
seen. A basket that is not ordered is reminded of after an hour, and once more after a day. Whatever the customer does
meanwhile moves the reminder; an order or an empty basket calls it off. A basket goes before an interest: there is one
reminder at a time. Whoever puts many different products into the basket within a day earns a reward, once.

The customer can opt out at any time. What was kept is forgotten then, and only the customer can opt in again.
"""

from datetime import datetime, timedelta

from statemachines.activity import occurrences
from statemachines.activity.actions import (
    count_reminder,
    erase,
    forget,
    lose_interest,
    note_add,
    note_view,
    reward,
    settle,
    settle_interest,
    stamp_seen,
    take_address,
    take_customer,
    take_interest,
    take_out,
    write_of_basket,
    write_of_product,
)
from statemachines.activity.events import (
    CartAdd,
    CartRemove,
    Forget,
    Ordered,
    ProductView,
    RemindOfBasket,
    RemindOfBasketAgain,
    RemindOfProduct,
    Resume,
    Stop,
    Track,
)
from statemachines.activity.guards import (
    earns_a_reward,
    empties_the_basket,
    fills_a_basket,
    is_in_catalogue,
    is_of_interest,
    keeps_coming_back,
    lies_in_the_basket,
    still_sells_it,
    still_sells_some,
    tracks_itself,
    wants_to_be_tracked,
)
from statemachines.activity.model import Activity, ActivityPolicy, activity_id
from statemachines.declaration import NEW, After, Guard, Load, Role, State, Transition
from statemachines.machine import Machine
from statemachines.product import Product


def sku_seen(event: ProductView | CartAdd) -> list[str]:
    """Name the product that was looked at or put into the basket."""
    return [event.sku]


def skus_wanted(activity: Activity) -> list[str]:
    """Name the products that the customer might be reminded of."""
    in_basket = occurrences.basket(occurrences.read(activity.recent))
    return [*in_basket, *([activity.interest] if activity.interest and activity.interest not in in_basket else [])]


def forget_after(activity: Activity, now: datetime, policy: ActivityPolicy) -> timedelta:
    """Wait as long as the shop's policy says, from when the customer was last seen."""
    return _since_seen(activity, policy.within, now)


def product_reminder_after(activity: Activity, now: datetime, policy: ActivityPolicy) -> timedelta:
    """Wait as long as the shop's policy says, from when the customer was last seen."""
    return _since_seen(activity, policy.product_reminder_after, now)


def basket_reminder_after(activity: Activity, now: datetime, policy: ActivityPolicy) -> timedelta:
    """Wait as long as the shop's policy says, from when the customer was last seen."""
    return _since_seen(activity, policy.basket_reminder_after, now)


def basket_reminder_again_after(activity: Activity, now: datetime, policy: ActivityPolicy) -> timedelta:
    """Wait as long as the shop's policy says, from when the customer was last seen."""
    return _since_seen(activity, policy.basket_reminder_again_after, now)


def _since_seen(activity: Activity, span: timedelta, now: datetime) -> timedelta:
    assert activity.seen_at is not None
    return activity.seen_at + span - now


KNOWN: list[Guard] = [is_in_catalogue]
COMES_BACK: list[Guard] = [is_in_catalogue, keeps_coming_back]
EARNS: list[Guard] = [is_in_catalogue, earns_a_reward]
FILLS: list[Guard] = [is_in_catalogue, fills_a_basket]
LAST: list[Guard] = [lies_in_the_basket, empties_the_basket]

LITTLE = ["quiet", "browsing"]
CALM = [*LITTLE, "interested"]
BASKET = ["basket_filled", "basket_reminded"]
SEEN = ["browsing", "interested", *BASKET]
TRACKED = ["quiet", *SEEN]

activity = Machine(
    Activity,
    plural="activities",
    key=lambda event: activity_id(event.customer),
    policy=ActivityPolicy(),
    readers=[Role.CUSTOMER, Role.MERCHANT, Role.ADMIN, Role.SYSTEM],
    loads=[
        Load("seen", Product, by="id", keys=sku_seen),
        Load("wanted", Product, by="id", keys=skus_wanted),
    ],
    states=[
        State("quiet"),
        State("browsing", [After(forget_after, Forget)], entry=[lose_interest]),
        State("interested", [After(product_reminder_after, RemindOfProduct)]),
        State("basket_filled", [After(basket_reminder_after, RemindOfBasket)], entry=[lose_interest]),
        State("basket_reminded", [After(basket_reminder_again_after, RemindOfBasketAgain)]),
        State("opted_out"),
    ],
    transitions=[
        #          event                from                    to                 only if                               then
        Transition(Track,               NEW,                    "quiet",           [tracks_itself],                      [take_customer]),
        Transition(Track,               [*TRACKED, "opted_out"], None,             [tracks_itself, wants_to_be_tracked], [take_address]),
        Transition(ProductView,         CALM,                   "interested",      COMES_BACK,                           [note_view, take_interest]),
        Transition(ProductView,         LITTLE,                 "browsing",        KNOWN,                                [note_view]),
        Transition(ProductView,         "interested",           "interested",      KNOWN,                                [note_view]),
        Transition(ProductView,         "basket_filled",        "basket_filled",   KNOWN,                                [note_view]),
        Transition(ProductView,         "basket_reminded",      "basket_reminded", KNOWN,                                [note_view]),
        Transition(CartAdd,             [*CALM, "basket_filled"], "basket_filled", EARNS,                                [note_add, reward]),
        Transition(CartAdd,             CALM,                   "basket_filled",   FILLS,                                [note_add]),
        Transition(CartAdd,             LITTLE,                 "browsing",        KNOWN,                                [note_add]),
        Transition(CartAdd,             "interested",           "browsing",        [*KNOWN, is_of_interest],             [note_add]),
        Transition(CartAdd,             "interested",           "interested",      KNOWN,                                [note_add]),
        Transition(CartAdd,             "basket_filled",        "basket_filled",   KNOWN,                                [note_add]),
        Transition(CartAdd,             "basket_reminded",      "basket_reminded", EARNS,                                [note_add, reward]),
        Transition(CartAdd,             "basket_reminded",      "basket_reminded", KNOWN,                                [note_add]),
        Transition(CartRemove,          BASKET,                 "browsing",        LAST,                                 [take_out]),
        Transition(CartRemove,          "basket_filled",        "basket_filled",   [lies_in_the_basket],                 [take_out]),
        Transition(CartRemove,          "basket_reminded",      "basket_reminded", [lies_in_the_basket],                 [take_out]),
        Transition(CartRemove,          LITTLE,                 "browsing",        [lies_in_the_basket],                 [take_out]),
        Transition(CartRemove,          "interested",           "interested",      [lies_in_the_basket],                 [take_out]),
        Transition(Ordered,             SEEN,                   "browsing",        [],                                   [stamp_seen, settle]),
        Transition(Ordered,             ["quiet", "opted_out"], None),
        Transition(RemindOfProduct,     "interested",           "browsing",        [still_sells_it],                     [settle_interest, count_reminder, write_of_product]),
        Transition(RemindOfProduct,     "interested",           "browsing",        [],                                   [settle_interest]),
        Transition(RemindOfBasket,      "basket_filled",        "basket_reminded", [still_sells_some],                   [count_reminder, write_of_basket]),
        Transition(RemindOfBasket,      "basket_filled",        "browsing",        [],                                   [settle]),
        Transition(RemindOfBasketAgain, "basket_reminded",      "browsing",        [still_sells_some],                   [settle, count_reminder, write_of_basket]),
        Transition(RemindOfBasketAgain, "basket_reminded",      "browsing",        [],                                   [settle]),
        Transition(Forget,              "browsing",             "quiet",           [],                                   [forget]),
        Transition(Stop,                TRACKED,                "opted_out",       [],                                   [erase]),
        Transition(Resume,              "opted_out",            "quiet"),
    ],
)  # fmt: skip
