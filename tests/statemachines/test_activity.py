"""What customers do in the shop: patterns in it call for a reminder or a reward, once."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

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
    activity_id,
)
from statemachines.activity.occurrences import Occurrence, basket, kept
from statemachines.declaration import Event
from statemachines.letters import BasketReminder, ProductReminder, RewardEarned
from statemachines.machine import SYSTEM
from statemachines.privacy import disclosed
from statemachines.product import Discontinue
from statemachines.values import MAX_QUANTITY
from statemachines.verification import verify
from tests.statemachines.shop import BEN, MERCHANT, NOON, Shop, accepted, refused
from tests.statemachines.visit import SKUS, Visit

# -- whose it is


def test_an_activity_is_found_by_the_customers_name_and_does_not_show_it():
    visit = Visit()
    assert (visit.anna.id, visit.anna.customer, visit.state) == (activity_id("anna"), "anna", "quiet")
    assert "anna" not in visit.anna.id
    assert activity_id("anna") != activity_id("ben")


def test_tracking_again_takes_a_new_address_and_nothing_else():
    visit = Visit(email=None).adds("MUG")
    visit.does(Track(customer="anna", email="anna@work.example")).does(Track(customer="anna"))
    assert (visit.anna.email, visit.state) == ("anna@work.example", "basket_filled")


def test_a_customer_tracks_only_itself_and_the_shop_anybody():
    shop = Shop()
    refusal = refused(shop.create("activity", Track(customer="anna"), BEN))
    assert (refusal.guard, refusal.reason) == ("tracks_itself", "a customer's activity is kept for itself only")
    accepted(shop.create("activity", Track(customer="anna"), MERCHANT))


@pytest.mark.parametrize("event", [ProductView(sku="VASE"), CartAdd(sku="VASE")])
def test_what_is_not_in_the_catalogue_is_refused(event: Event):
    refusal = refused(Visit().tell(event))
    assert (refusal.guard, refusal.reason) == ("is_in_catalogue", "not in the catalogue: VASE")


# -- a product that somebody keeps coming back to


def test_who_keeps_coming_back_to_a_product_is_reminded_of_it_two_hours_after():
    visit = Visit().views("MUG", 3)
    assert (visit.state, visit.anna.interest, visit.timers) == (
        "interested",
        "MUG",
        {"remind_of_product": timedelta(hours=2)},
    )
    visit.waits(hours=1, minutes=59)
    assert visit.mails == []
    visit.waits(minutes=1)
    assert visit.mails == [ProductReminder(sku="MUG", name="Mug")]
    assert (visit.state, visit.anna.interest, visit.anna.reminders) == ("browsing", None, 1)


def test_views_of_different_products_are_no_pattern():
    assert Visit().views("MUG", 2).views("JUG", 2).state == "browsing"


def test_views_further_apart_than_a_day_are_no_pattern():
    visit = Visit().views("MUG", 2).waits(hours=20).views("JUG").waits(hours=5)
    assert visit.views("MUG").state == "browsing"


def test_views_of_what_lies_in_a_basket_are_no_pattern():
    assert Visit(basket_adds=2).adds("MUG").views("MUG", 5).state == "browsing"


@pytest.mark.parametrize("event", [ProductView(sku="MUG"), ProductView(sku="JUG"), CartAdd(sku="JUG")])
def test_whatever_the_customer_does_moves_the_reminder(event: Event):
    visit = Visit(basket_adds=2).views("MUG", 3).waits(hours=1).does(event)
    assert visit.timers == {"remind_of_product": timedelta(hours=2)}
    assert visit.waits(hours=2).mails == [ProductReminder(sku="MUG", name="Mug")]


def test_who_keeps_coming_back_to_another_product_is_reminded_of_that_one():
    visit = Visit().views("MUG", 3).views("JUG", 3).waits(hours=2)
    assert visit.mails == [ProductReminder(sku="JUG", name="Jug")]


def test_a_product_is_reminded_of_once_a_day():
    visit = Visit().views("MUG", 3).waits(hours=2).views("MUG", 10)
    assert (visit.state, len(visit.mails)) == ("browsing", 1)
    assert visit.waits(hours=21).views("MUG").state == "browsing"
    assert visit.waits(hours=2).views("MUG").state == "interested"


def test_putting_the_product_into_the_basket_calls_its_reminder_off():
    visit = Visit(basket_adds=2).views("MUG", 3).adds("MUG")
    assert (visit.state, visit.anna.interest) == ("browsing", None)
    assert "remind_of_product" not in visit.timers


def test_a_product_that_is_sold_no_longer_is_not_reminded_of():
    visit = Visit().views("MUG", 3)
    accepted(visit.shop.tell(visit.shop.product("MUG"), Discontinue()))
    visit.waits(hours=2)
    assert (visit.mails, visit.state, visit.anna.reminders) == ([], "browsing", 0)


# -- a basket that is left behind


def test_a_basket_is_reminded_of_after_an_hour_and_once_more_after_a_day():
    visit = Visit().adds("MUG", "JUG", "MUG").waits(minutes=59)
    assert (visit.state, visit.mails) == ("basket_filled", [])
    visit.waits(minutes=1)
    (first,) = visit.mails
    assert isinstance(first, BasketReminder)
    assert [(item.sku, item.quantity, first.again) for item in first.items] == [("MUG", 2, False), ("JUG", 1, False)]
    assert visit.state == "basket_reminded"
    assert len(visit.waits(hours=22, minutes=59).mails) == 1
    _, second = visit.waits(minutes=1).mails
    assert second == first.model_copy(update={"again": True})
    assert (visit.state, visit.anna.reminders) == ("quiet", 2)
    assert len(visit.waits(days=30).mails) == 2


def test_what_was_reminded_of_twice_is_reminded_of_no_more():
    visit = Visit(basket_reminder_again_after="PT3H").adds("MUG").waits(hours=3)
    assert (visit.state, visit.timers) == ("browsing", {"forget": timedelta(hours=21)})
    last = visit.adds("JUG").waits(hours=1).mails[-1]
    assert isinstance(last, BasketReminder)
    assert [item.sku for item in last.items] == ["JUG"]


@pytest.mark.parametrize("event", [ProductView(sku="POT"), CartAdd(sku="POT"), CartRemove(sku="MUG")])
def test_whatever_the_customer_does_moves_the_reminders_of_a_basket(event: Event):
    visit = Visit().adds("MUG", "JUG").waits(minutes=30).does(event)
    assert visit.timers == {"remind_of_basket": timedelta(hours=1)}
    visit.waits(hours=2).does(ProductView(sku="POT"))
    assert (visit.state, visit.timers) == ("basket_reminded", {"remind_of_basket_again": timedelta(hours=24)})


def test_a_basket_that_grows_after_its_reminder_is_not_reminded_of_at_once_again():
    visit = Visit().adds("MUG").waits(hours=2).adds("JUG").waits(hours=23)
    assert len(visit.mails) == 1
    visit.waits(hours=1)
    last = visit.mails[-1]
    assert isinstance(last, BasketReminder)
    assert [item.sku for item in last.items] == ["MUG", "JUG"]


@pytest.mark.parametrize("end", [Ordered(order="ord_1"), CartRemove(), CartRemove(sku="MUG")])
@pytest.mark.parametrize("hours", [0.5, 2])
def test_an_order_or_an_empty_basket_calls_the_reminders_off(end: Event, hours: float):
    visit = Visit().adds("MUG").waits(hours=hours)
    told = len(visit.mails)
    visit.does(end, by=MERCHANT)
    assert (visit.state, set(visit.timers)) == ("browsing", {"forget"})
    assert len(visit.waits(days=3).mails) == told


def test_what_was_ordered_lies_in_the_basket_no_longer():
    visit = Visit().adds("MUG").does(Ordered(), by=MERCHANT).adds("JUG").waits(hours=1)
    (reminder,) = visit.mails
    assert isinstance(reminder, BasketReminder)
    assert [item.sku for item in reminder.items] == ["JUG"]


def test_what_was_taken_out_is_not_reminded_of_and_not_taken_out_twice():
    visit = Visit().adds("MUG", "JUG").does(CartRemove(sku="MUG"))
    refusal = refused(visit.tell(CartRemove(sku="MUG")))
    assert (refusal.guard, refusal.reason) == ("lies_in_the_basket", "MUG is not in the basket")
    visit.does(CartRemove())
    assert refused(visit.tell(CartRemove())).reason == "the basket is empty"


def test_a_basket_that_is_worth_a_reminder_is_as_full_as_the_shop_says():
    visit = Visit(basket_adds=3).adds("MUG", "MUG")
    assert visit.state == "browsing"
    assert visit.adds("MUG").state == "basket_filled"


def test_things_put_into_the_basket_further_apart_than_a_day_are_no_pattern():
    visit = Visit(basket_adds=2).adds("MUG").waits(hours=20).views("POT").waits(hours=5)
    assert visit.adds("JUG").state == "browsing"


def test_a_basket_goes_before_an_interest():
    visit = Visit().views("MUG", 3).adds("JUG")
    assert (visit.state, visit.anna.interest) == ("basket_filled", None)
    assert visit.views("MUG", 3).state == "basket_filled"


def test_what_is_sold_no_longer_is_left_out_of_a_reminder():
    visit = Visit().adds("MUG", "JUG")
    accepted(visit.shop.tell(visit.shop.product("MUG"), Discontinue()))
    (reminder,) = visit.waits(hours=1).mails
    assert isinstance(reminder, BasketReminder)
    assert [item.sku for item in reminder.items] == ["JUG"]
    accepted(visit.shop.tell(visit.shop.product("JUG"), Discontinue()))
    assert len(visit.waits(hours=23).mails) == 1


def test_the_largest_basket_can_be_reminded_of():
    visit = Visit().does(*[CartAdd(sku="MUG", quantity=MAX_QUANTITY)] * 50).waits(hours=1)
    (reminder,) = visit.mails
    assert isinstance(reminder, BasketReminder)
    assert reminder.items[0].quantity == 50 * MAX_QUANTITY


# -- a reward


def test_many_different_products_in_the_basket_earn_a_reward():
    visit = Visit().adds("MUG", "JUG", "POT", "CUP")
    assert visit.mails == []
    visit.adds("PAN")
    assert (visit.anna.rewards, visit.anna.rewarded_at, visit.state) == (1, NOON, "basket_filled")
    assert visit.mails == [RewardEarned(code=visit.anna.reward_code or "")]
    assert (visit.anna.reward_code or "").startswith("THANKS-")


def test_the_same_product_again_and_again_earns_nothing():
    assert Visit().adds(*["MUG"] * 20).anna.rewards == 0


def test_products_put_into_the_basket_further_apart_than_a_day_earn_nothing():
    visit = Visit().adds("MUG", "JUG").waits(hours=20).adds("POT").waits(hours=5)
    assert visit.adds("CUP", "PAN").anna.rewards == 0


def test_what_was_ordered_meanwhile_counts_and_what_was_taken_out_does_not():
    ordered = Visit().adds("MUG", "JUG", "POT").does(Ordered(), by=MERCHANT).adds("CUP", "PAN")
    assert ordered.anna.rewards == 1
    assert Visit().adds("MUG", "JUG", "POT", "CUP").does(CartRemove(sku="MUG")).adds("PAN").anna.rewards == 0


def test_a_reward_is_earned_once_for_ever():
    visit = Visit().adds(*SKUS).adds(*SKUS)
    for _ in range(3):
        visit.waits(days=200).adds(*SKUS)
    assert visit.anna.rewards == 1


def test_a_reward_is_earned_once_in_a_period_if_the_shop_says_so():
    visit = Visit(reward_again_after="P30D").adds(*SKUS).waits(days=29, hours=12).adds(*SKUS)
    assert visit.anna.rewards == 1
    first = visit.anna.reward_code
    visit.waits(hours=12).adds("MUG")
    assert visit.anna.rewards == 2
    assert visit.anna.reward_code != first


def test_a_reward_bears_the_code_that_the_shop_gives():
    assert Visit(reward_code="SPRING-26").adds(*SKUS).anna.reward_code == "SPRING-26"


def test_opting_out_and_in_again_earns_no_second_reward():
    visit = Visit().adds(*SKUS).does(Stop(), Resume()).adds(*SKUS)
    assert visit.anna.rewards == 1


# -- without an address, and without consent


def test_without_an_address_reminders_and_rewards_are_only_noted():
    visit = Visit(email=None).adds(*SKUS).waits(days=1)
    assert visit.mails == []
    assert (visit.anna.reminders, visit.anna.rewards, visit.anna.reminded_at) == (2, 1, NOON + timedelta(days=1))


def test_who_opts_out_is_forgotten():
    visit = Visit().views("MUG", 2).adds("JUG").does(Stop())
    assert (visit.anna.recent, visit.anna.email, visit.anna.interest, visit.anna.seen_at) == ([], None, None, None)
    assert (visit.state, visit.timers) == ("opted_out", {})
    assert visit.waits(days=30).mails == []


def test_a_letter_that_has_not_left_yet_is_called_back_by_opting_out():
    assert Visit().adds("MUG").waits(hours=1).does(Stop()).mails == []


@pytest.mark.parametrize("event", [ProductView(sku="MUG"), CartAdd(sku="MUG"), CartRemove()])
def test_nothing_is_kept_of_who_opted_out(event: Event):
    refusal = refused(Visit().does(Stop()).tell(event, MERCHANT))
    assert refusal.reason.startswith("activity in state 'opted_out' takes no ")


def test_only_the_customer_can_opt_in_again():
    visit = Visit().does(Stop(), by=MERCHANT)
    refusal = refused(visit.tell(Track(customer="anna"), MERCHANT))
    assert (refusal.guard, refusal.reason) == ("wants_to_be_tracked", "the customer does not want to be tracked")
    assert {str(role) for role in Resume.raised_by} == {"customer"}
    assert visit.does(Resume()).state == "quiet"


@pytest.mark.parametrize("events", [[], [Stop()]])
def test_an_order_is_never_refused_for_what_is_tracked(events: list[Event]):
    visit = Visit().does(*events)
    before = visit.state
    assert visit.does(Ordered(order="ord_1"), by=SYSTEM).state == before


def test_a_day_after_the_last_visit_everything_is_forgotten():
    visit = Visit(views=0).views("MUG", 5)
    assert (visit.state, visit.timers) == ("browsing", {"forget": timedelta(hours=24)})
    visit.waits(hours=24)
    assert (visit.state, visit.anna.recent, visit.timers) == ("quiet", [], {})


@pytest.mark.parametrize(
    ("event", "public"),
    [
        (Track(customer="anna", email="anna@home.example"), {}),
        (ProductView(sku="MUG"), {}),
        (CartAdd(sku="MUG", quantity=2), {"quantity": 2}),
        (CartRemove(sku="MUG"), {}),
        (Ordered(order="ord_1"), {"order": "ord_1"}),
    ],
)
def test_what_a_customer_looks_at_stays_in_the_house(event: Event, public: dict[str, object]):
    assert disclosed(type(event), event.model_dump()) == public


# -- limits, and the figures


def test_no_more_is_kept_than_the_limit_and_the_basket_is_kept_longest():
    visit = Visit(views=0).adds("MUG").views("JUG", RECENT_LIMIT + 20)
    assert len(visit.anna.recent) == RECENT_LIMIT
    assert visit.anna.recent[0]["sku"] == "MUG"
    visit.adds(*["POT"] * RECENT_LIMIT)
    assert len(visit.anna.recent) == RECENT_LIMIT
    assert {each["sku"] for each in visit.anna.recent} == {"POT"}


def test_what_lies_in_the_basket_is_kept_longer_than_a_day():
    old = [Occurrence(kind=kind, sku="MUG", at=NOON - timedelta(days=2)) for kind in ("product_view", "cart_add")]
    assert kept(old, NOON, timedelta(days=1)) == old[1:]
    assert basket(old) == {"MUG": 1}


@pytest.mark.parametrize("figures", [{"views": 0}, {"basket_adds": 0}, {"reward_products": 0}])
def test_a_pattern_of_zero_never_comes_about(figures: dict[str, int]):
    visit = Visit(**{"views": 0, "basket_adds": 0, "reward_products": 0, **figures})
    visit.views("MUG", 5).adds(*SKUS).waits(days=1)
    assert (visit.mails, visit.anna.rewards, visit.state) == ([], 0, "quiet")


@pytest.mark.parametrize(
    "figures",
    [
        {"basket_reminder_after": "PT24H"},
        {"views": RECENT_LIMIT + 1},
        {"reward_products": -1},
        {"product_reminder_after": "PT0S"},
        {"reward_again_after": "PT1M"},
        {"reward_code": "A CODE"},
    ],
)
def test_figures_that_make_no_sense_are_refused(figures: dict[str, object]):
    with pytest.raises(ValidationError):
        ActivityPolicy.model_validate(figures)


def test_nothing_is_suspicious_in_it():
    assert verify(activity) == []
