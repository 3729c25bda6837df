"""Subscriptions: which addresses and events they take, when they are told of what happens, and who hears when not."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from statemachines.commands import Call, Set
from statemachines.decision import Accepted, Refused, decide
from statemachines.declaration import NEW, Event, Role
from statemachines.messages import SEND_MAIL
from statemachines.patterns import first_unknown, matches
from statemachines.subscription import (
    Create,
    Disable,
    Pause,
    Ping,
    Redeliver,
    RedeliverSince,
    Remove,
    Resume,
    RotateSecret,
    Subscription,
    SubscriptionPolicy,
    Update,
    give_notice,
    subscription,
    take_changes,
)
from statemachines.verification import verify
from tests.conftest import NOON

URL = "https://shop.example/hook"


def decided(event: Event, state: str = "active", policy: SubscriptionPolicy | None = None, **columns: object):
    machine = subscription.with_policy(policy) if policy else subscription
    row = Subscription(id="whs_1", state=state, version=1, url=URL, patterns=["*"], **columns)
    return decide(machine, row, event, NOON)


def refusal(event: Event, state: str = "active", policy: SubscriptionPolicy | None = None) -> str:
    decision = decided(event, state, policy)
    assert isinstance(decision, Refused), decision
    return decision.reason


def test_nothing_about_it_is_suspicious() -> None:
    assert verify(subscription) == []


def test_it_begins_with_an_address_and_hears_of_everything_unless_told_otherwise() -> None:
    decision = decided(Create(url=URL), NEW)
    assert isinstance(decision, Accepted)
    assert (decision.target, decision.changes["url"], decision.changes["patterns"]) == ("active", URL, ["*"])


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://shop.example", "the address must begin with https://"),
        ("https://127.0.0.1/", "127.0.0.1 is not a public address"),
        ("https://[::1]:80/", "::1 is not a public address"),
        ("https://localhost", "localhost is a name within a network"),
        ("https://2130706433/", "2130706433 is no address in the usual notation"),
        ("https://shop.example:99999", "the address can't be read"),
        ("https://shop.example:0", "the address has no port to speak of"),
        ("https://[1::2::3]/", "the address can't be read"),
    ],
)
@pytest.mark.parametrize("state", [NEW, "active"])
def test_an_address_where_nobody_may_be_sent_is_refused(url: str, reason: str, state: str) -> None:
    event = Create(url=url) if state == NEW else Update(url=url)
    assert refusal(event, state) == reason


@pytest.mark.parametrize("url", ["http://localhost:8080/x", "http://10.0.0.1", "https://printer"])
def test_a_shop_may_allow_addresses_of_its_own(url: str) -> None:
    allowing = SubscriptionPolicy(allow_http=True, allow_private=True)
    assert isinstance(decided(Create(url=url), NEW, allowing), Accepted)


def test_events_that_there_are_not_are_refused() -> None:
    for pattern in ("order.payed", "odrer.*", "odrer.charged"):
        assert refusal(Create(url=URL, patterns=("*", pattern)), NEW) == f"there is no event '{pattern}'"
    assert refusal(Update(patterns=("order.payed",))) == "there is no event 'order.payed'"


@pytest.mark.parametrize(
    "pattern", ["", "order", "order.", ".charged", "*.charged", "order.ch*", "Order.*", "order.*.x"]
)
def test_a_pattern_that_means_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError):
        Create(url=URL, patterns=(pattern,))


@pytest.mark.parametrize(
    ("pattern", "means"),
    [
        ("*", {"order.pay", "order.charged", "stock.receive"}),
        ("order.*", {"order.pay", "order.charged"}),
        ("order.pay", {"order.pay"}),
    ],
)
def test_a_pattern_means_one_event_or_those_of_a_machine_or_all(pattern: str, means: set[str]) -> None:
    there_are = ["order.pay", "order.charged", "stock.receive"]
    assert {event for event in there_are if matches([pattern], *event.split("."))} == means
    assert first_unknown([pattern]) is None


def test_an_update_changes_what_it_names_and_nothing_else() -> None:
    assert list(take_changes(Update(description=None))) == [Set(description=None)]
    assert list(take_changes(Update(patterns=("order.*",)))) == [Set(patterns=["order.*"])]
    assert list(take_changes(Update(url=None, description="x"))) == [Set(description="x")]
    assert refusal(Update()) == "says neither an address nor events nor a description"


def test_a_new_secret_takes_over_now() -> None:
    decision = decided(RotateSecret(), secret_generation=3)
    assert isinstance(decision, Accepted)
    assert decision.changes == {"secret_generation": 4, "secret_rotated_at": NOON}


@pytest.mark.parametrize(
    ("state", "takes"),
    [
        ("active", {"update", "pause", "rotate_secret", "ping", "redeliver", "redeliver_since", "disable", "remove"}),
        ("paused", {"update", "resume", "rotate_secret", "redeliver", "redeliver_since", "disable", "remove"}),
        ("disabled", {"update", "resume", "rotate_secret", "remove"}),
        ("removed", set()),
    ],
)
def test_what_can_happen_depends_on_whether_it_is_told_of_things(state: str, takes: set[str]) -> None:
    assert set(subscription.events_of(state)) == takes


def test_only_the_service_itself_disables_and_only_merchants_do_the_rest() -> None:
    assert Disable.raised_by == frozenset()
    others = [Create, Update, Pause, Resume, RotateSecret, Ping, Redeliver, RedeliverSince, Remove]
    assert {event.raised_by for event in others} == {frozenset({Role.MERCHANT})}
    assert subscription.readers == {Role.MERCHANT, Role.ADMIN, Role.SYSTEM}


@pytest.mark.parametrize(
    ("since", "reason"),
    [
        (NOON + timedelta(seconds=1), "lies in the future"),
        (NOON - timedelta(days=30, seconds=1), "lies more than 30 days back"),
    ],
)
def test_what_is_too_far_back_or_yet_to_come_is_not_redelivered(since, reason: str) -> None:
    assert refusal(RedeliverSince(since=since)) == reason


def test_whoever_gets_the_reports_gets_notice_when_it_is_disabled() -> None:
    row = Subscription(id="whs_1", url="https://shop.example/secret?token=x")
    event = Disable(reason="answered 410 Gone", failing_since=NOON)
    policy = SubscriptionPolicy().with_notices_to(["ann@shop.example", "ben@shop.example"])
    calls = list(give_notice(row, event, policy))
    assert [(type(call), call.effect) for call in calls] == [(Call, SEND_MAIL)] * 2
    message = calls[0].arguments.message
    assert (message.host, message.reason, message.failing_since) == ("shop.example", "answered 410 Gone", NOON)
    assert "secret" not in calls[0].arguments.model_dump_json()
    assert list(give_notice(row, event, SubscriptionPolicy())) == []


def test_nobody_is_told_who_gets_notice() -> None:
    policy = SubscriptionPolicy().with_notices_to(["ann@shop.example"])
    assert "ann" not in repr(policy) + policy.model_dump_json()


def test_why_it_was_disabled_stands_in_it_until_it_is_resumed() -> None:
    disabled = decided(Disable(reason="nothing got through", failing_since=NOON))
    resumed = decided(Resume(), "disabled")
    assert isinstance(disabled, Accepted)
    assert isinstance(resumed, Accepted)
    assert disabled.changes == {"disabled_because": "nothing got through"}
    assert resumed.changes == {"disabled_because": None}
