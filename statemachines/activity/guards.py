"""When something may happen to an activity: each guard is a sentence that holds, or returns the reason why not."""

from datetime import datetime, timedelta

from statemachines.activity import occurrences
from statemachines.activity.events import CartAdd, CartRemove, ProductView, Track
from statemachines.activity.model import Activity, ActivityPolicy
from statemachines.activity.occurrences import Occurrence
from statemachines.declaration import Actor, Role
from statemachines.product import Product


def tracks_itself(event: Track, actor: Actor) -> str | None:
    """Refuse a customer that begins an activity for somebody else."""
    if actor.role is Role.CUSTOMER and event.customer != actor.id:
        return "a customer's activity is kept for itself only"
    return None


def wants_to_be_tracked(activity: Activity) -> str | None:
    """Refuse to track whoever does not want to be tracked."""
    return "the customer does not want to be tracked" if activity.state == "opted_out" else None


def is_in_catalogue(event: ProductView | CartAdd, seen: dict[str, Product]) -> str | None:
    """Refuse a product that the catalogue does not have."""
    return None if event.sku in seen else f"not in the catalogue: {event.sku}"


def keeps_coming_back(activity: Activity, event: ProductView, now: datetime, policy: ActivityPolicy) -> str | None:
    """Hold if the product was looked at so often, lies in no basket, and the customer was not reminded of it yet."""
    lately = _lately(activity, now, policy)
    asked = Occurrence(kind="product_view", sku=event.sku, at=now)
    views = occurrences.views_without_adding([*lately, asked], event.sku)
    if 0 < policy.views <= views:
        return None
    wanted = policy.views or "none"
    return f"{views} views of {event.sku} within {_hours(policy.within)}; {wanted} call for a reminder"


def fills_a_basket(activity: Activity, now: datetime, policy: ActivityPolicy) -> str | None:
    """Hold if something was put into the basket so often, this time included, without an order."""
    adds = occurrences.adds_without_order(_lately(activity, now, policy)) + 1
    if 0 < policy.basket_adds <= adds:
        return None
    wanted = policy.basket_adds or "none"
    return f"put into the basket {adds} times within {_hours(policy.within)}; {wanted} call for a reminder"


def earns_a_reward(activity: Activity, event: CartAdd, now: datetime, policy: ActivityPolicy) -> str | None:
    """Hold if so many different products were put into the basket, this one included, and no reward was given yet."""
    if activity.rewarded_at is not None and (
        policy.reward_again_after is None or now < activity.rewarded_at + policy.reward_again_after
    ):
        return f"rewarded on {activity.rewarded_at:%Y-%m-%d} already"
    products = len(occurrences.different_products_added(_lately(activity, now, policy)) | {event.sku})
    if 0 < policy.reward_products <= products:
        return None
    wanted = policy.reward_products or "none"
    return f"{products} different products within {_hours(policy.within)}; {wanted} earn a reward"


def is_of_interest(activity: Activity, event: CartAdd) -> str | None:
    """Hold if it is the product that the customer keeps coming back to."""
    return None if event.sku == activity.interest else f"the customer keeps coming back to {activity.interest}"


def lies_in_the_basket(activity: Activity, event: CartRemove) -> str | None:
    """Refuse to take out what nobody put in."""
    in_basket = occurrences.basket(occurrences.read(activity.recent))
    if event.sku is None:
        return None if in_basket else "the basket is empty"
    return None if event.sku in in_basket else f"{event.sku} is not in the basket"


def empties_the_basket(activity: Activity, event: CartRemove) -> str | None:
    """Hold if nothing is left in the basket."""
    if event.sku is None:
        return None
    left = occurrences.basket(occurrences.read(activity.recent)).keys() - {event.sku}
    return f"{len(left)} other products stay in the basket" if left else None


def still_sells_it(activity: Activity, wanted: dict[str, Product]) -> str | None:
    """Refuse to remind of a product that is sold no longer."""
    if any(product.id == activity.interest and product.state == "active" for product in wanted.values()):
        return None
    return f"{activity.interest} is sold no longer"


def still_sells_some(wanted: dict[str, Product]) -> str | None:
    """Refuse to remind of a basket of which nothing is sold any longer."""
    if any(product.state == "active" for product in wanted.values()):
        return None
    return "nothing of the basket is sold any longer"


def _lately(activity: Activity, now: datetime, policy: ActivityPolicy) -> list[Occurrence]:
    return occurrences.since(occurrences.read(activity.recent), now - policy.within)


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):g} hours"
