"""What the gateway answers to a refund, and when: late, twice, never, or otherwise than asked."""

from datetime import timedelta

import pytest

from statemachines.declaration import Event
from statemachines.machine import SYSTEM
from statemachines.payments import Refunded, RefundFailed, RefundReturned
from statemachines.refund import Accept, Cancel, Clarify, Owe, RefundPolicy, Refuse, Resume, Retry, Settle
from statemachines.refund.events import Unanswered
from tests.statemachines.desk import Desk, Ledger
from tests.statemachines.shop import ANNA, MERCHANT, NOON, accepted, refused

RETURNED = RefundReturned(amount=1000, refund="re_1", reason="the account is closed")
BY_TRANSFER = Settle(reason="by bank transfer")


def amounts(desk: Desk) -> dict[str, int]:
    return dict(Ledger(desk).amounts(desk.refund))


# -- refused


def test_what_the_gateway_refuses_is_still_owed():
    desk = Desk()
    failed = desk.failed()
    assert (failed.state, failed.attention, failed.unanswered) == ("failed", "the card is closed", False)
    assert (amounts(desk), desk.heard("payment")) == ({"due": 1000}, ["refund_asked"])
    assert desk.posts()[-1].endswith("needs attention: the card is closed")


def test_the_shop_is_reminded_of_what_it_owes():
    desk = Desk()
    desk.failed()
    desk.wait(days=2)
    assert [post.endswith("still not given back: the card is closed") for post in desk.posts()] == [False, True, True]


def test_what_failed_is_tried_again():
    desk = Desk()
    failed = desk.failed()
    accepted(desk.say(Retry(), MERCHANT))
    assert (failed.state, failed.attempts, failed.attention) == ("processing", 2, None)
    assert (amounts(desk), desk.asked_of_gateway()) == ({"pending": 1000}, 2)
    desk.gives("re_2")
    assert amounts(desk) == {"refunded": 1000}


def test_what_failed_is_given_in_another_way():
    desk = Desk()
    failed = desk.failed()
    accepted(desk.say(BY_TRANSFER, MERCHANT))
    assert (failed.state, failed.decided_because, failed.processed_at) == ("succeeded", "by bank transfer", NOON)
    assert (amounts(desk), desk.heard("payment")[-1]) == ({"refunded": 1000}, "refund_made")


def test_what_failed_may_be_given_up():
    desk = Desk()
    failed = desk.failed()
    accepted(desk.say(Cancel(reason="the customer renounced it"), MERCHANT))
    assert (failed.state, amounts(desk), desk.heard("payment")[-1]) == ("cancelled", {}, "refund_dropped")


# -- silent


def test_a_gateway_that_does_not_answer_leaves_a_refund_to_a_person():
    desk = Desk()
    silent = desk.silent()
    assert (silent.state, silent.unanswered, silent.attention) == ("failed", True, "no answer from the payment gateway")
    assert amounts(desk) == {"due": 1000}


@pytest.mark.parametrize("event", [Retry(), BY_TRANSFER, Cancel()])
def test_what_may_have_been_given_is_not_given_twice(event):
    desk = Desk()
    desk.silent()
    assert refused(desk.say(event, MERCHANT)).guard == "outcome_is_known"
    assert desk.asked_of_gateway() == 1


def test_a_late_answer_counts():
    desk = Desk()
    silent = desk.silent()
    accepted(desk.gives("re_1"))
    assert (silent.state, silent.unanswered, silent.attention, silent.refund) == ("succeeded", False, None, "re_1")
    assert (amounts(desk), desk.heard()[-2:]) == ({"refunded": 1000}, ["refund_retried", "refunded"])


def test_after_a_late_refusal_it_may_be_tried_again():
    desk = Desk()
    silent = desk.silent()
    accepted(desk.fails("the card is closed"))
    assert (silent.state, silent.unanswered, silent.attention) == ("failed", False, "the card is closed")
    assert desk.posts()[-1].endswith("it was not given: the card is closed")
    assert amounts(desk) == {"due": 1000}
    accepted(desk.say(Retry(), MERCHANT))
    assert desk.state == "processing"


def test_a_person_says_what_the_gateway_shows():
    desk = Desk()
    silent = desk.silent()
    accepted(desk.say(Clarify(given=True, reason="seen in the dashboard"), MERCHANT))
    assert (silent.state, silent.decided_because) == ("succeeded", "seen in the dashboard")
    assert amounts(desk) == {"refunded": 1000}


def test_the_gateway_may_still_say_what_a_person_has_found_out():
    desk = Desk()
    silent = desk.silent()
    accepted(desk.say(Clarify(given=True, reason="seen in the dashboard"), MERCHANT))
    accepted(desk.gives("re_1"))
    assert (silent.refund, silent.attention, amounts(desk)) == ("re_1", None, {"refunded": 1000})
    accepted(desk.gives("re_1"))
    assert (silent.attention, amounts(desk)) == (None, {"refunded": 1000})


def test_the_gateway_knows_better_than_a_person():
    desk = Desk()
    silent = desk.silent()
    accepted(desk.say(Clarify(given=True, reason="seen in the dashboard"), MERCHANT))
    accepted(desk.fails("the card is closed"))
    assert (silent.state, silent.attention, amounts(desk)) == ("failed", "the card is closed", {"due": 1000})


def test_what_a_person_did_not_find_may_be_tried_again():
    desk = Desk()
    silent = desk.silent()
    accepted(desk.say(Clarify(given=False, reason="not in the dashboard"), MERCHANT))
    assert (silent.state, silent.attention, amounts(desk)) == ("failed", "not in the dashboard", {"due": 1000})
    accepted(desk.say(Retry(), MERCHANT))
    assert amounts(desk) == {"pending": 1000}


def test_there_is_nothing_to_clarify_once_the_gateway_answered():
    desk = Desk()
    desk.failed()
    refusal = refused(desk.say(Clarify(given=True, reason="seen"), MERCHANT))
    assert refusal.reason == "the gateway has answered"


def test_nobody_is_asked_to_look_while_the_gateway_is_still_tried():
    with pytest.raises(ValueError, match="gateway_patience"):
        RefundPolicy(gateway_patience=timedelta(hours=22))


def test_an_answer_that_may_be_an_earlier_call_s_is_not_taken_for_the_last():
    desk = Desk()
    asked = desk.silent()
    accepted(desk.say(Clarify(given=False, reason="not in the dashboard"), MERCHANT))
    accepted(desk.say(Retry(), MERCHANT))
    accepted(desk.fails("the first call's answer, at last"))
    assert (asked.state, asked.unanswered) == ("failed", True)
    assert refused(desk.say(Retry(), MERCHANT)).guard == "outcome_is_known"
    accepted(desk.gives("re_2"))
    assert (asked.state, asked.awaited, amounts(desk)) == ("succeeded", 0, {"refunded": 1000})


def test_a_late_answer_counts_while_a_dispute_stands():
    desk = Desk()
    asked = desk.silent()
    accepted(desk.say(Clarify(given=False, reason="not in the dashboard"), MERCHANT))
    desk.disputed()
    accepted(desk.say(Retry(), MERCHANT))
    assert asked.state == "approved"
    accepted(desk.gives("re_1"))
    assert (asked.state, amounts(desk)) == ("succeeded", {"refunded": 1000})


# -- otherwise than asked, twice, and never asked for


@pytest.mark.parametrize(("amount", "currency"), [(999, "EUR"), (1001, "EUR"), (1000, "USD")])
def test_another_amount_is_for_a_person_to_look_at(amount, currency):
    desk = Desk()
    asked = desk.asked(1000)
    accepted(desk.gives("re_1", amount, currency))
    assert (asked.state, asked.unanswered, amounts(desk)) == ("failed", True, {"due": 1000})
    accepted(desk.gives("re_1", amount, currency))
    assert (asked.state, asked.unanswered, amounts(desk)) == ("failed", True, {"due": 1000})


def test_the_same_answer_again_changes_nothing():
    desk = Desk()
    desk.asked()
    desk.gives("re_1")
    before = list(desk.told)
    accepted(desk.gives("re_1"))
    accepted(desk.fails())
    assert (desk.state, desk.told, desk.refund.attention) == ("succeeded", before, None)


def test_a_refusal_again_changes_nothing():
    desk = Desk()
    desk.failed()
    before = list(desk.told)
    accepted(desk.fails("other words"))
    assert (desk.told, desk.refund.attention) == (before, "the card is closed")


@pytest.mark.parametrize("end", [BY_TRANSFER, Cancel()])
def test_money_for_which_nobody_waited_is_for_a_person_to_look_at(end):
    desk = Desk()
    ended = desk.failed()
    accepted(desk.say(end, MERCHANT))
    before = list(desk.told)
    accepted(desk.gives("re_9"))
    assert ended.attention == "10.00 EUR more than was asked for was given back, as 're_9'"
    assert (desk.told, desk.posts()[-1].endswith("as 're_9'")) == (before, True)


# -- given, and back again


def test_what_was_given_and_came_back_is_owed_again():
    desk = Desk()
    asked = desk.asked()
    desk.gives("re_1")
    accepted(desk.say(RETURNED))
    assert (asked.state, asked.attention, asked.processed_at) == ("failed", "the account is closed", None)
    assert (amounts(desk), desk.heard("payment")[-1]) == ({"due": 1000}, "refund_returned")
    accepted(desk.say(BY_TRANSFER, MERCHANT))
    assert amounts(desk) == {"refunded": 1000}


def test_what_came_back_counts_once():
    desk = Desk()
    asked = desk.asked()
    desk.gives("re_1")
    accepted(desk.say(RETURNED))
    accepted(desk.say(RETURNED))
    accepted(desk.say(Retry(), MERCHANT))
    accepted(desk.say(RETURNED))
    assert (asked.state, amounts(desk)) == ("processing", {"pending": 1000})
    accepted(desk.gives("re_2"))
    accepted(desk.say(RETURNED))
    assert (asked.state, amounts(desk)) == ("succeeded", {"refunded": 1000})


# -- disputes


def disputed() -> Desk:
    desk = Desk()
    desk.disputed()
    return desk


def test_nothing_is_given_back_while_the_payment_is_disputed():
    desk = disputed()
    assert (desk.asked().state, desk.asked_of_gateway()) == ("approved", 0)


def test_a_refund_goes_on_once_the_dispute_is_won():
    desk = disputed()
    asked = desk.asked()
    desk.won()
    accepted(desk.say(Resume()))
    assert (asked.state, desk.asked_of_gateway()) == ("processing", 1)


def test_a_refund_looks_every_day_whether_the_dispute_is_over():
    desk = disputed()
    asked = desk.asked()
    desk.wait(days=3)
    assert asked.state == "approved"
    desk.won()
    desk.wait(days=1)
    assert asked.state == "processing"


def test_what_the_bank_gave_back_is_not_given_twice():
    desk = Desk(captured=1500)
    asked = desk.asked_by_customer(1000)
    desk.disputed()
    accepted(desk.say(Accept(), MERCHANT))
    desk.lost(1000)
    accepted(desk.say(Resume()))
    assert (asked.state, asked.decided_because) == ("cancelled", "the bank gave the money back")
    assert (amounts(desk), desk.heard("payment")[-1], desk.asked_of_gateway()) == ({}, "refund_dropped", 0)


def test_of_what_the_bank_left_no_two_refunds_take_the_same():
    desk = Desk(captured=1500)
    first, second = desk.asked_by_customer(600), desk.asked_by_customer(600)
    desk.disputed(500)
    desk.disputed(500)
    for each in (first, second):
        accepted(desk.tell(each, Accept(), MERCHANT))
    desk.lost(500)
    desk.won()
    for each in (first, second):
        accepted(desk.tell(each, Resume(), SYSTEM))
    assert (first.state, second.state) == ("cancelled", "processing")


def test_a_dispute_that_does_not_end_is_for_a_person_to_look_at():
    desk = disputed()
    desk.asked()
    desk.wait(days=120)
    assert desk.posts()[-1].endswith("it has waited long for the end of a dispute")


def test_what_failed_is_not_tried_again_while_the_payment_is_disputed():
    desk = Desk()
    failed = desk.failed()
    desk.disputed()
    accepted(desk.say(Retry(), MERCHANT))
    assert (failed.state, amounts(desk), desk.asked_of_gateway()) == ("approved", {"pending": 1000}, 1)


# -- whatever comes, whenever


ANSWERS = [Refunded(amount=1000, currency="EUR", refund="re_1"), RefundFailed(amount=1000, reason="no"), RETURNED]
REQUESTS = [Owe(), Resume()]


def _in(state: str) -> Desk:
    desk = Desk()
    desk.asked(by_customer=state in ("requested", "rejected"), requested_by="anna")
    ends: dict[str, tuple[Event, ...]] = {
        "rejected": (Refuse(reason="worn"),),
        "succeeded": (ANSWERS[0],),
        "failed": (ANSWERS[1],),
        "silent": (Unanswered(),),
        "cancelled": (ANSWERS[1], Cancel()),
    }
    for event in ends.get(state, ()):
        accepted(desk.say(event, MERCHANT if event.raised_by else SYSTEM))
    return desk


@pytest.mark.parametrize("state", ["processing", "succeeded", "failed", "silent", "rejected", "cancelled"])
@pytest.mark.parametrize("event", [*ANSWERS, *REQUESTS], ids=lambda event: event.event_name)
def test_no_answer_and_no_request_of_the_order_is_refused(state, event):
    accepted(_in(state).say(event))


def test_a_customer_may_not_call_off_what_the_gateway_was_asked_for():
    desk = _in("failed")
    assert refused(desk.say(Cancel(), ANNA)).guard == "is_the_shop"
