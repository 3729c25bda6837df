"""Whatever customers do, in whatever order and at whatever pace: nobody is reminded or rewarded too often."""

from collections import Counter
from datetime import datetime, timedelta
from random import Random

from hypothesis import given, note, settings
from hypothesis import strategies as st

from statemachines.activity import (
    RECENT_LIMIT,
    ActivityPolicy,
    CartAdd,
    CartRemove,
    Ordered,
    ProductView,
    Resume,
    Stop,
    Track,
    activity,
)
from statemachines.activity.occurrences import basket, read
from statemachines.declaration import Event
from statemachines.letters import BasketReminder, RewardEarned
from statemachines.product import Discontinue, Relist
from tests.statemachines.shop import ANNA, MERCHANT, Shop, accepted

STEPS = 80
SKUS = ("MUG", "JUG", "POT")
POLICY = ActivityPolicy(views=2, basket_adds=2, reward_products=3, reward_again_after=timedelta(days=3))


class AnyWeek:
    """A customer does what it likes in a small shop, sometimes at once and sometimes days apart."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.shop = Shop(activity=POLICY)
        for sku in SKUS:
            self.shop.sells(sku)
        accepted(self.shop.create("activity", Track(customer="anna", email="anna@home.example"), ANNA))
        self.anna = self.shop.last("activity")
        self.rewarded: list[datetime] = []
        self.reminded: list[datetime] = []

    def step(self) -> str:
        """Let one thing happen and say what."""
        if self.random.random() < 0.3:
            return self.time_passes()
        if self.random.random() < 0.03:
            sku = self.random.choice(SKUS)
            return f"{sku} {self.shop.tell(self.shop.product(sku), self.random.choice([Discontinue(), Relist()]))}"
        event = self.event()
        decision = self.shop.tell(self.anna, event, MERCHANT if isinstance(event, Ordered) else ANNA)
        self.keep_books()
        return f"{event!r}: {decision}"

    def event(self) -> Event:
        sku = self.random.choice(SKUS)
        often: list[Event] = [ProductView(sku=sku), CartAdd(sku=sku, quantity=self.random.randint(1, 3))]
        seldom = [CartRemove(sku=sku), CartRemove(), Ordered(), Track(customer="anna", email="anna@home.example")]
        return self.random.choice([*often * 6, *seldom, Resume(), Resume(), Stop()])

    def time_passes(self) -> str:
        minutes = self.random.choice([1, 30, 60, 125, 60 * 12, 60 * 24, 60 * 100])
        for _ in range(minutes):
            self.shop.wait(minutes=1)
            self.keep_books()
            if not self.shop.world.timers:
                self.shop.wait(minutes=minutes)
                break
        return f"{minutes} minutes pass"

    def keep_books(self) -> None:
        """Note when reminders and rewards came about."""
        if self.anna.reminders > len(self.reminded):
            self.reminded.append(self.shop.now)
        if self.anna.rewards > len(self.rewarded):
            self.rewarded.append(self.shop.now)


@given(st.randoms(use_true_random=True))
@settings(max_examples=60, deadline=None)
def test_whatever_a_customer_does_nobody_is_reminded_or_rewarded_too_often(random: Random):
    week = AnyWeek(random)

    for _ in range(STEPS):
        note(week.step())

        a_state_has_just_its_timers(week)
        a_state_says_what_is_known(week)
        rewards_are_a_period_apart(week)
        reminders_wait_until_the_customer_is_away(week)
        letters_are_as_many_as_was_noted(week)


def a_state_has_just_its_timers(week: AnyWeek) -> None:
    assert week.anna.state in activity.states
    assert set(week.shop.timers(week.anna)) == set(activity.timer_names(week.anna.state))


def a_state_says_what_is_known(week: AnyWeek) -> None:
    anna = week.anna
    occurrences = read(anna.recent)
    assert len(occurrences) <= RECENT_LIMIT
    assert [each.at for each in occurrences] == sorted(each.at for each in occurrences)
    assert (anna.interest is not None) == (anna.state == "interested")
    if anna.state in ("quiet", "opted_out"):
        assert occurrences == []
    if anna.state in ("basket_filled", "basket_reminded"):
        assert basket(occurrences)
    if anna.state == "opted_out":
        assert (anna.email, anna.seen_at) == (None, None)


def rewards_are_a_period_apart(week: AnyWeek) -> None:
    assert POLICY.reward_again_after is not None
    for earlier, later in zip(week.rewarded, week.rewarded[1:], strict=False):
        assert later - earlier >= POLICY.reward_again_after


def reminders_wait_until_the_customer_is_away(week: AnyWeek) -> None:
    for earlier, later in zip(week.reminded, week.reminded[1:], strict=False):
        assert later - earlier >= POLICY.basket_reminder_after
    if week.reminded and week.anna.state in ("browsing", "basket_reminded") and week.anna.seen_at is not None:
        assert week.reminded[-1] <= week.anna.seen_at or (
            week.reminded[-1] - week.anna.seen_at >= POLICY.basket_reminder_after
        )


def letters_are_as_many_as_was_noted(week: AnyWeek) -> None:
    """Every letter was noted, and of no basket there are more than two."""
    letters = week.shop.letters()
    kinds = Counter(type(letter) for letter in letters)
    assert kinds[RewardEarned] <= week.anna.rewards
    assert len(letters) - kinds[RewardEarned] <= week.anna.reminders
    again = 0
    for letter in letters:
        if isinstance(letter, BasketReminder):
            again = 0 if not letter.again else again + 1
            assert again <= 1
