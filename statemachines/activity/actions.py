"""What follows when an activity's row is taken: each action yields what it asks for and changes nothing itself."""

import base64
import hashlib
from collections.abc import Iterator
from datetime import datetime

from statemachines.activity import occurrences
from statemachines.activity.events import CartAdd, CartRemove, ProductView, Track
from statemachines.activity.model import Activity, ActivityPolicy
from statemachines.activity.occurrences import Occurrence
from statemachines.commands import Command, Set, Withdraw
from statemachines.declaration import asks
from statemachines.letters import BasketItem, BasketReminder, ProductReminder, RewardEarned
from statemachines.messages import SEND_MAIL, mail
from statemachines.product import Product


def take_customer(event: Track) -> Iterator[Command]:
    """Note whose activity it is."""
    yield Set(customer=event.customer, email=event.email)


def take_address(event: Track) -> Iterator[Command]:
    """Take the new address, if there is one."""
    if event.email is not None:
        yield Set(email=event.email)


def note_view(activity: Activity, event: ProductView, now: datetime, policy: ActivityPolicy) -> Iterator[Command]:
    """Keep what was looked at."""
    yield _noted(activity, Occurrence(kind="product_view", sku=event.sku, at=now), now, policy)


def note_add(activity: Activity, event: CartAdd, now: datetime, policy: ActivityPolicy) -> Iterator[Command]:
    """Keep what was put into the basket."""
    added = Occurrence(kind="cart_add", sku=event.sku, quantity=event.quantity, at=now)
    yield _noted(activity, added, now, policy)


def _noted(activity: Activity, occurrence: Occurrence, now: datetime, policy: ActivityPolicy) -> Command:
    all_of_them = [*occurrences.read(activity.recent), occurrence]
    return Set(recent=occurrences.written(occurrences.kept(all_of_them, now, policy.within)), seen_at=now)


def take_interest(event: ProductView) -> Iterator[Command]:
    """Note what the customer keeps coming back to."""
    yield Set(interest=event.sku)


def lose_interest() -> Iterator[Command]:
    """Forget what the customer kept coming back to."""
    yield Set(interest=None)


def take_out(activity: Activity, event: CartRemove, now: datetime) -> Iterator[Command]:
    """Forget that it was ever put into the basket."""
    left = occurrences.without_basket(occurrences.read(activity.recent), event.sku)
    yield Set(recent=occurrences.written(left), seen_at=now)


def stamp_seen(now: datetime) -> Iterator[Command]:
    """Note when the customer last did something."""
    yield Set(seen_at=now)


def settle(activity: Activity) -> Iterator[Command]:
    """Let nothing of what was seen so far call for a reminder."""
    yield Set(recent=occurrences.written(occurrences.settled(occurrences.read(activity.recent))))


def settle_interest(activity: Activity) -> Iterator[Command]:
    """Let what was seen of the product so far call for no other reminder."""
    all_of_them = occurrences.read(activity.recent)
    yield Set(recent=occurrences.written(occurrences.settled(all_of_them, activity.interest)))


def forget() -> Iterator[Command]:
    """Forget what the customer did."""
    yield Set(recent=[])


@asks(SEND_MAIL)
def erase() -> Iterator[Command]:
    """Forget what the customer did and where to reach them; only that a reward was given is kept."""
    yield Set(recent=[], seen_at=None, email=None, interest=None)
    yield Withdraw(SEND_MAIL)


def count_reminder(activity: Activity, now: datetime) -> Iterator[Command]:
    """Note that a reminder fell due."""
    yield Set(reminders=activity.reminders + 1, reminded_at=now)


@asks(SEND_MAIL)
def write_of_product(activity: Activity, wanted: dict[str, Product]) -> Iterator[Command]:
    """Remind the customer of the product, if an address is known."""
    if activity.email:
        (product,) = (product for product in wanted.values() if product.id == activity.interest)
        yield mail(activity.email, ProductReminder(sku=product.id, name=product.name))


@asks(SEND_MAIL)
def write_of_basket(activity: Activity, wanted: dict[str, Product]) -> Iterator[Command]:
    """Remind the customer of what is still sold of the basket, if an address is known."""
    if activity.email:
        items = tuple(
            BasketItem(sku=sku, name=wanted[sku].name, quantity=quantity)
            for sku, quantity in occurrences.basket(occurrences.read(activity.recent)).items()
            if sku in wanted and wanted[sku].state == "active"
        )
        again = activity.state == "basket_reminded"
        yield mail(activity.email, BasketReminder(items=items, again=again))


@asks(SEND_MAIL)
def reward(activity: Activity, now: datetime, policy: ActivityPolicy) -> Iterator[Command]:
    """Give the customer a reward, and tell it if an address is known."""
    code = policy.reward_code or reward_code(activity, now)
    yield Set(rewards=activity.rewards + 1, rewarded_at=now, reward_code=code)
    if activity.email:
        yield mail(activity.email, RewardEarned(code=code))


def reward_code(activity: Activity, now: datetime) -> str:
    """Return a reward's code: the same whenever it is decided anew, another for each customer and reward."""
    digest = hashlib.sha256(f"{activity.id} {now.isoformat()}".encode()).digest()
    return f"THANKS-{base64.b32encode(digest)[:10].decode()}"
