"""Refunds from the request to the gateway's answer: who has to agree, and who is told."""

from datetime import timedelta

import pytest

from statemachines.approval import Approve, Approved, RequestChanges, Withdraw
from statemachines.declaration import Actor, Role
from statemachines.letters import RefundRefused
from statemachines.pieces import Pieces
from statemachines.refund import Accept, Cancel, Explain, Owe, Refuse, refund
from tests.statemachines.desk import PAYMENT, RETURN, Desk
from tests.statemachines.office import approver
from tests.statemachines.shop import ANNA, BEN, MERCHANT, NOON, accepted, refused

COLLEAGUE = Actor("colin", Role.MERCHANT)
LATE = NOON - timedelta(days=61)


# -- asking


def test_a_small_refund_goes_to_the_gateway_at_once():
    desk = Desk()
    asked = desk.asked(1000)
    assert (asked.state, asked.attempts, asked.payment) == ("processing", 1, "pi_1")
    (call,) = desk.calls("refund")
    assert vars(call.arguments) == {"amount": 1000, "currency": "EUR", "payment": "pi_1", "order": "ord_1"}


def test_the_payment_is_told_what_is_asked_of_it():
    desk = Desk()
    desk.asked(1000)
    (told,) = desk.told
    assert (told.machine, told.id) == ("payment", PAYMENT)
    assert told.event.model_dump() == {"refund": desk.refund.id, "amount": 1000}


def test_a_refund_keeps_what_it_was_asked_for():
    asked = Desk().asked(1000, reason="broken", lines=(Pieces(number=1, quantity=2),), return_case=RETURN, called="A-1")
    assert (asked.order_id, asked.payment_id, asked.customer, asked.called) == ("ord_1", PAYMENT, "anna", "A-1")
    assert (asked.reason, asked.lines, asked.return_case) == ("broken", [{"number": 1, "quantity": 2}], RETURN)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"payment": "pay_2"}, "order 'ord_1' has no payment 'pay_2'"),
        ({"order": "ord_2"}, f"order 'ord_2' has no payment '{PAYMENT}'"),
        ({"currency": "USD"}, f"payment '{PAYMENT}' is in EUR, not in USD"),
    ],
)
def test_nothing_is_given_back_that_was_paid_otherwise(asked, reason):
    assert refused(Desk().ask(1000, **asked)).reason == reason


def test_what_the_gateway_gave_is_refunded():
    desk = Desk()
    asked = desk.asked(1000)
    accepted(desk.gives("re_1"))
    assert (asked.state, asked.refund, asked.processed_at) == ("succeeded", "re_1", NOON)
    assert (desk.heard(), desk.heard("payment")) == (["refunded"], ["refund_asked", "refund_made"])


def test_a_return_hears_what_its_order_hears():
    desk = Desk()
    desk.asked(return_case=RETURN)
    desk.gives()
    assert desk.heard("return") == desk.heard("order") == ["refunded"]


# -- approval


@pytest.mark.parametrize(
    ("amount", "taken_at", "owed", "state"),
    [
        (50_000, NOON, False, "processing"),
        (50_001, NOON, False, "awaiting_approval"),
        (50_001, NOON, True, "processing"),
        (1000, NOON - timedelta(days=60), False, "processing"),
        (1000, LATE, False, "awaiting_approval"),
        (1000, LATE, True, "processing"),
    ],
)
def test_what_is_large_or_late_and_not_owed_is_approved_first(amount, taken_at, owed, state):
    assert Desk().asked(amount, taken_at=taken_at, owed=owed).state == state


def test_small_refunds_of_one_order_are_approved_once_they_are_large_together():
    desk = Desk()
    given, dropped, owed = desk.asked(20_000), desk.asked_by_customer(20_000), desk.asked(40_000, owed=True)
    accepted(desk.tell(dropped, Cancel(), ANNA))
    assert (given.state, owed.state) == ("processing", "processing")
    assert desk.asked(30_000).state == "processing"
    assert desk.asked(1).state == "awaiting_approval"


def test_what_is_accepted_counts_once():
    desk = Desk()
    asked = desk.asked_by_customer(50_000)
    accepted(desk.say(Accept(), MERCHANT))
    assert asked.state == "processing"


def test_what_is_accepted_counts_with_what_was_given_before():
    desk = Desk()
    desk.asked(30_000)
    asked = desk.asked_by_customer(30_000)
    accepted(desk.say(Accept(), MERCHANT))
    assert asked.state == "awaiting_approval"


def test_a_shop_may_do_without_approvals():
    desk = Desk(approval_above=0, approval_after=timedelta())
    assert desk.asked(10**8, taken_at=LATE).state == "processing"


def test_others_approve_just_this_amount():
    desk = Desk()
    asked = desk.asked(60_000, requested_by="shop")
    assert (desk.approval.kind, desk.approval.amount, desk.approval.currency) == ("refund", 60_000, "EUR")
    assert (desk.approval.requested_by, desk.approval.reference, asked.approval) == ("shop", asked.id, desk.approval.id)
    desk.approve("eve")
    assert (asked.state, asked.decided_at) == ("processing", NOON)


@pytest.mark.parametrize("amount", [59_999, 60_001])
def test_an_approval_of_another_amount_is_none(amount):
    desk = Desk()
    asked = desk.asked(60_000)
    other = Approved(approval=desk.approval.id, amount=amount, currency="EUR")
    assert refused(desk.say(other)).guard == "is_what_was_approved"
    assert asked.state == "awaiting_approval"


def test_what_is_not_approved_is_rejected_and_everybody_told():
    desk = Desk()
    asked = desk.asked(60_000)
    desk.reject(reason="too dear")
    assert (asked.state, asked.decided_because) == ("rejected", "too dear")
    assert (desk.heard(), desk.heard("payment")) == (["refund_dropped"], ["refund_asked", "refund_dropped"])


def test_what_nobody_decides_on_is_rejected():
    desk = Desk()
    asked = desk.asked(60_000)
    desk.wait(hours=72)
    assert (asked.state, asked.decided_because) == ("rejected", "nobody decided in time")


def test_whoever_asked_may_withdraw_the_approval():
    desk = Desk()
    asked = desk.asked(60_000)
    accepted(desk.tell(desk.approval, Withdraw(), MERCHANT))
    assert (asked.state, desk.heard()) == ("cancelled", ["refund_dropped"])


def test_the_shop_explains_what_was_sent_back():
    desk = Desk()
    asked = desk.asked(60_000)
    accepted(desk.tell(desk.approval, RequestChanges(round=1, reason="why so much?"), approver("eve")))
    accepted(desk.say(Explain(reason="it burnt down"), MERCHANT))
    assert (desk.approval.state, desk.approval.round) == ("pending", 2)
    assert desk.approval.description == "a refund to anna for order ord_1: it burnt down"
    desk.approve("eve")
    assert asked.state == "processing"


# -- customers


def test_what_a_customer_asks_for_waits_for_the_shop():
    desk = Desk()
    asked = desk.asked_by_customer(1000)
    assert (asked.state, desk.asked_of_gateway()) == ("requested", 0)
    assert desk.posts() == [
        f"Refund {asked.id} of 10.00 EUR for order ord_1 needs attention: the customer asks for it; accept or refuse it"
    ]


def test_the_shop_accepts():
    desk = Desk()
    asked = desk.asked_by_customer(1000)
    accepted(desk.say(Accept(), MERCHANT))
    assert (asked.state, asked.accepted_by, asked.decided_at) == ("processing", "shop", NOON)


def test_nobody_accepts_their_own_refund():
    desk = Desk()
    desk.asked_by_customer(1000)
    anna = Actor("anna", Role.MERCHANT)
    assert refused(desk.say(Accept(), anna)).reason == "'anna' asked for this; nobody accepts their own refund"


def test_what_one_accepts_another_approves():
    desk = Desk()
    asked = desk.asked_by_customer(60_000)
    accepted(desk.say(Accept(), COLLEAGUE))
    assert (asked.state, desk.approval.requested_by) == ("awaiting_approval", "colin")
    voted = desk.tell(desk.approval, _approve(desk), approver("colin"))
    assert refused(voted).reason == "'colin' asked for this; nobody decides on their own request"


def test_the_shop_refuses_and_says_why():
    desk = Desk()
    asked = desk.asked_by_customer(1000, email="anna@home.example", called="A-1")
    accepted(desk.say(Refuse(reason="worn"), MERCHANT))
    assert (asked.state, asked.decided_because, desk.heard()) == ("rejected", "worn", ["refund_dropped"])
    (mail,) = desk.mails()
    assert (mail.to, mail.message) == (
        "anna@home.example",
        RefundRefused(order="A-1", amount=1000, currency="EUR", reason="worn"),
    )


def test_customers_do_not_hear_of_what_they_did_not_ask_for():
    desk = Desk()
    desk.asked(60_000, email="anna@home.example")
    desk.reject()
    assert desk.mails() == []


def test_the_shop_is_reminded_every_day():
    desk = Desk()
    desk.asked_by_customer()
    desk.wait(days=2)
    assert len(desk.posts()) == 3


def test_the_approvers_answer_a_customer_whom_the_shop_leaves_waiting():
    desk = Desk()
    asked = desk.asked_by_customer(1000, email="anna@home.example")
    desk.wait(days=3)
    assert (asked.state, desk.approval.requested_by) == ("awaiting_approval", "anna")
    desk.reject(reason="worn")
    assert [mail.message.template for mail in desk.mails()] == ["refund_refused"]


def test_nobody_approves_a_refund_to_themselves():
    desk = Desk()
    desk.asked_by_customer(200_000)
    accepted(desk.say(Accept(), MERCHANT))
    desk.approve("anna")
    answer = Approved(approval=desk.approval.id, amount=200_000, currency="EUR")
    assert refused(desk.say(answer)).reason == "'anna' asked for this refund; nobody approves their own"


# -- the order is called off


def test_once_its_order_is_called_off_nobody_has_to_accept_a_refund():
    desk = Desk()
    asked = desk.asked_by_customer(1000)
    accepted(desk.say(Owe()))
    assert (asked.state, asked.owed, asked.decided_at) == ("processing", True, NOON)


def test_once_its_order_is_called_off_nobody_has_to_approve_a_refund():
    desk = Desk()
    asked = desk.asked(60_000)
    accepted(desk.say(Owe()))
    assert (asked.state, desk.approval.state) == ("processing", "withdrawn")


# -- calling it off


def test_a_customer_calls_off_what_was_asked_for():
    desk = Desk()
    asked = desk.asked_by_customer(1000, email="anna@home.example")
    accepted(desk.say(Cancel(), ANNA))
    assert (asked.state, desk.heard(), desk.mails()) == ("cancelled", ["refund_dropped"], [])
    assert desk.heard("payment") == ["refund_asked", "refund_dropped"]


def test_a_customer_does_not_call_off_what_the_shop_gives():
    desk = Desk()
    desk.asked(60_000)
    assert refused(desk.say(Cancel(), ANNA)).reason == "the shop gives this back of its own accord"


def test_the_approval_of_what_is_called_off_is_withdrawn():
    desk = Desk()
    desk.asked(60_000)
    accepted(desk.say(Cancel(reason="a mistake"), MERCHANT))
    assert (desk.state, desk.approval.state) == ("cancelled", "withdrawn")


def test_the_customer_is_told_what_the_shop_calls_off():
    desk = Desk()
    desk.asked_by_customer(1000, email="anna@home.example")
    accepted(desk.say(Cancel(reason="asked for twice"), MERCHANT))
    (mail,) = desk.mails()
    assert vars(mail.message)["reason"] == "asked for twice"


def test_what_the_gateway_was_asked_for_is_not_called_off():
    desk = Desk()
    desk.asked()
    assert refused(desk.say(Cancel(), MERCHANT)).guard is None
    assert (desk.state, desk.heard()) == ("processing", [])


def test_a_customer_sees_its_own_refunds_alone():
    asked = Desk().asked().entity
    assert (refund.shows(asked, ANNA), refund.shows(asked, BEN)) == (True, False)


def _approve(desk: Desk) -> Approve:
    return Approve(round=desk.approval.round)
