"""What a payment holds ready is taken parcel by parcel, or let go; what the gateway will not do a person looks at."""

import pytest

from statemachines.decision import Refused
from statemachines.machine import SYSTEM
from statemachines.payment import news
from statemachines.payment.events import Capture, Lapse, Retry, Settle, Void
from statemachines.payments import (
    CAPTURE,
    VOID,
    CaptureArguments,
    CaptureFailed,
    CustomerActionRequired,
    Declined,
    VoidArguments,
    Voided,
    VoidFailed,
)
from tests.statemachines.till import MERCHANT, Till

DECLINED = Declined(reason="insufficient funds", code="insufficient_funds")
ACTION = CustomerActionRequired(payment="pi_1", url="https://bank.example/confirm")
VOIDED = Voided(payment="pi_1")
VOID_FAILED = VoidFailed(payment="pi_1", reason="the bank cannot let the money go")


@pytest.fixture
def till() -> Till:
    return Till()


def capture_failed(amount: int) -> CaptureFailed:
    return CaptureFailed(amount=amount, payment="pi_1", reason="the bank no longer holds the money ready")


def refused(till: Till, event: Capture | Retry) -> str:
    decision = till.ask(event, MERCHANT if isinstance(event, Retry) else SYSTEM)
    assert isinstance(decision, Refused)
    return decision.reason


# -- parcels -------------------------------------------------------------------------------------------------------


def test_what_is_held_is_taken(till: Till) -> None:
    till.held(5000)
    till.tell(till.capture(5000))
    assert till.payment.state == "capturing"
    asked = CaptureArguments(amount=5000, currency="EUR", payment="pi_1", order="ord_1")
    assert till.asked_of(CAPTURE) == [asked]
    till.tell(till.captured(5000))
    assert (till.payment.state, till.payment.held, till.payment.captured) == ("captured", 0, 5000)
    assert till.last(news.Charged) == news.Charged(payment="pay_1", held=5000, amount=5000, currency="EUR")


def test_the_rest_is_let_go_with_the_last_parcel(till: Till) -> None:
    till.held(5000)
    till.tell(till.capture(3000))
    till.tell(till.captured(3000, held=0))
    assert (till.payment.state, till.payment.captured) == ("captured", 3000)
    assert till.last(news.Charged) == news.Charged(payment="pay_1", held=5000, amount=3000, currency="EUR")


def test_money_is_taken_parcel_by_parcel(till: Till) -> None:
    till.held(5000)
    for amount, held, state in [(2000, 3000, "partially_captured"), (1000, 2000, "partially_captured")]:
        till.tell(till.capture(amount, final=False))
        till.tell(till.captured(amount, held=held))
        assert (till.payment.state, till.payment.held) == (state, held)
    till.tell(till.capture(2000))
    till.tell(till.captured(2000))
    assert (till.payment.state, till.payment.captured, till.payment.held) == ("captured", 5000, 0)
    assert [ask.model_dump(include={"captured", "final"}) for ask in till.asked_of(CAPTURE)] == [
        {"final": False, "captured": 0},
        {"final": False, "captured": 2000},
        {"final": True, "captured": 3000},
    ]


def test_parcels_that_leave_at_once_are_taken_one_after_the_other(till: Till) -> None:
    till.held(5000)
    till.tell(till.capture(2000, final=False))
    till.tell(till.capture(1000, final=False))
    assert till.gateway == ["authorize", "capture"]
    till.tell(till.captured(2000, held=3000))
    assert (till.payment.state, till.payment.capturing) == ("capturing", 1000)
    till.tell(till.captured(1000, held=2000))
    assert (till.payment.state, till.payment.captured) == ("partially_captured", 3000)


def test_a_gateway_that_takes_it_in_one_piece_only_lets_the_rest_go(till: Till) -> None:
    till.held(5000)
    till.tell(till.capture(2000, final=False))
    till.tell(till.capture(1000, final=False))
    till.tell(till.captured(2000, held=0))
    assert (till.payment.state, till.payment.held, till.payment.capture_next) == ("captured", 0, 0)
    assert till.last(news.Charged) == news.Charged(payment="pay_1", held=2000, amount=2000, currency="EUR")
    assert till.last(news.Released).model_dump() == {
        "payment": "pay_1",
        "held": 3000,
        "reason": "the bank lets it be taken in one piece only",
    }


def test_no_more_is_taken_than_is_held(till: Till) -> None:
    till.held(5000)
    assert refused(till, till.capture(5001)) == "50.01 EUR to take, but only 50.00 EUR are held ready"
    till.tell(till.capture(3000, final=False))
    assert refused(till, till.capture(2001)) == "20.01 EUR to take, but only 20.00 EUR are held ready"


def test_a_parcel_after_the_last_one_is_too_late_if_the_rest_is_let_go(till: Till) -> None:
    till.held(5000)
    till.tell(till.capture(3000))
    till.tell(till.capture(1000))
    till.tell(till.captured(3000, held=0))
    assert (till.payment.state, till.payment.captured, till.payment.capture_next) == ("captured", 3000, 0)


def test_a_parcel_that_leaves_while_the_money_is_let_go_takes_nothing(till: Till) -> None:
    till.held(5000)
    till.tell(Void(), MERCHANT)
    assert till.tell(till.capture(3000)).changes == {}


def test_money_is_held_for_a_week(till: Till) -> None:
    till.held(5000)
    till.wait(days=7)
    assert (till.payment.state, till.payment.held) == ("expired", 0)
    assert till.last(news.Released).held == 5000
    assert till.gateway == ["authorize", "void"]
    till.tell(VOIDED)
    assert till.payment.state == "expired"


@pytest.mark.parametrize("state", ["authorizing", "capturing", "voiding", "voided", "captured", "expired", "failed"])
def test_what_lapses_where_nothing_is_held_changes_nothing(till: Till, state: str) -> None:
    till.begun()
    till.payment.state = state
    assert till.tell(Lapse()).changes == {}


def test_taking_part_of_it_does_not_prolong_the_week(till: Till) -> None:
    till.held(5000)
    till.wait(days=4)
    till.tell(till.capture(2000, final=False))
    till.tell(till.captured(2000, held=3000))
    till.wait(days=2, hours=23)
    assert till.payment.state == "partially_captured"
    till.wait(hours=1)
    assert (till.payment.state, till.payment.captured, till.payment.held) == ("captured", 2000, 0)
    assert till.last(news.Released).held == 3000


# -- letting go ----------------------------------------------------------------------------------------------------


def test_a_payment_that_was_not_begun_is_let_go_at_once(till: Till) -> None:
    till.begun(method=None)
    till.tell(Void(reason="too dear"))
    assert (till.payment.state, till.last(news.Declined).reason, till.gateway) == ("voided", "too dear", [])


def test_what_is_held_is_let_go(till: Till) -> None:
    till.held(5000)
    till.tell(Void())
    assert (till.payment.state, till.payment.held) == ("voiding", 5000)
    till.tell(VOIDED)
    assert (till.payment.state, till.payment.held) == ("voided", 0)
    assert till.last(news.Released) == news.Released(payment="pay_1", held=5000, reason="it was called off")


def test_what_is_left_is_let_go_and_what_was_taken_stays(till: Till) -> None:
    till.held(5000)
    till.tell(till.capture(2000, final=False))
    till.tell(till.captured(2000, held=3000))
    till.tell(Void())
    assert till.asked_of(VOID) == [VoidArguments(payment="pi_1", order="ord_1", captured=2000)]
    till.tell(VOIDED)
    assert (till.payment.state, till.payment.captured, till.payment.held) == ("captured", 2000, 0)
    assert till.last(news.Released).held == 3000


def test_what_is_held_too_late_is_let_go_at_once(till: Till) -> None:
    till.begun(take="later")
    till.tell(Void())
    assert till.gateway == ["authorize"]
    till.tell(till.ready())
    assert (till.payment.state, till.gateway) == ("voiding", ["authorize", "void"])
    till.tell(VOIDED)
    assert till.payment.state == "voided"
    assert [type(each) for each in till.told] == [news.Authorized, news.Released]


def test_what_is_taken_too_late_is_for_the_order_to_give_back(till: Till) -> None:
    till.begun()
    till.tell(Void())
    till.tell(till.taken())
    assert (till.payment.state, [type(each) for each in till.told]) == ("captured", [news.Charged])


def test_a_decline_ends_what_was_called_off(till: Till) -> None:
    till.begun(take="later")
    till.tell(Void())
    till.tell(DECLINED)
    assert (till.payment.state, till.gateway) == ("declined", ["authorize"])


def test_what_the_bank_wants_confirmed_too_late_is_called_off_at_once(till: Till) -> None:
    till.begun(email="anna@shop.example")
    till.tell(Void())
    till.tell(ACTION)
    assert (till.payment.state, till.gateway, till.mails) == ("voiding", ["charge", "void"], [])


def test_what_waits_for_the_customer_is_called_off_at_the_gateway(till: Till) -> None:
    till.begun()
    till.tell(ACTION)
    till.tell(Void())
    till.tell(VOIDED)
    assert (till.payment.state, till.last(news.Declined).asked) == ("voided", 5000)


def test_the_customer_may_be_quicker_than_the_call_off(till: Till) -> None:
    till.begun()
    till.tell(ACTION)
    till.tell(Void())
    till.tell(till.taken())
    till.tell(VOID_FAILED)
    assert (till.payment.state, till.payment.captured) == ("captured", 5000)


def test_parcels_that_left_are_taken_before_the_rest_is_let_go(till: Till) -> None:
    till.held(5000)
    till.tell(till.capture(2000, final=False))
    till.tell(till.capture(1000, final=False))
    till.tell(Void())
    till.tell(till.captured(2000, held=3000))
    assert till.asked_of(CAPTURE)[-1].model_dump(include={"amount", "final"}) == {"amount": 1000, "final": True}
    till.tell(till.captured(1000, held=0))
    assert (till.payment.state, till.payment.captured) == ("captured", 3000)


def test_the_rest_is_let_go_once_the_parcel_is_paid(till: Till) -> None:
    till.held(5000)
    till.tell(till.capture(2000, final=False))
    till.tell(Void())
    till.tell(till.captured(2000, held=3000))
    assert (till.payment.state, till.gateway) == ("voiding", ["authorize", "capture", "void"])


def test_what_can_no_longer_be_taken_and_is_not_wanted_is_let_go(till: Till) -> None:
    till.held(5000)
    till.tell(till.capture(2000, final=False))
    till.tell(Void())
    till.tell(capture_failed(2000))
    till.tell(VOIDED)
    assert (till.payment.state, till.payment.held, till.payment.captured) == ("voided", 0, 0)


@pytest.mark.parametrize("state", ["voiding", "voided", "captured", "declined", "expired", "disputed", "dispute_won"])
def test_calling_off_what_is_settled_changes_nothing(till: Till, state: str) -> None:
    till.charged()
    till.payment.state = state
    assert till.tell(Void()).changes == {}


# -- a person ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("take", ["now", "later"])
def test_a_gateway_that_says_nothing_for_a_day_is_for_a_person(till: Till, take: str) -> None:
    till.begun(take=take, called="A-17")
    till.wait(hours=24)
    assert (till.payment.state, till.payment.asked) == ("failed", 5000)
    assert till.last(news.PaymentStuck).reason == "no answer from the payment gateway"
    assert till.chat == ["Payment pay_1 of order A-17 needs attention: no answer from the payment gateway"]


def test_what_the_bank_will_not_give_is_for_a_person(till: Till) -> None:
    till.held()
    till.tell(till.capture(5000))
    till.tell(capture_failed(5000))
    assert (till.payment.state, till.payment.held) == ("failed", 5000)
    assert till.last(news.PaymentStuck).reason == "the bank no longer holds the money ready"
    assert len(till.chat) == 1


def test_a_failed_capture_is_tried_again(till: Till) -> None:
    till.held()
    till.tell(till.capture(2000, final=False))
    till.tell(capture_failed(2000))
    till.tell(Retry(), MERCHANT)
    assert till.asked_of(CAPTURE)[0] == till.asked_of(CAPTURE)[1]
    till.tell(till.captured(2000, held=3000))
    assert (till.payment.state, till.payment.captured) == ("partially_captured", 2000)


def test_parcels_that_leave_meanwhile_are_taken_with_it(till: Till) -> None:
    till.held()
    till.tell(till.capture(2000, final=False))
    till.tell(capture_failed(2000))
    till.tell(till.capture(1000, final=False))
    till.tell(Retry(), MERCHANT)
    assert till.payment.capturing == 3000


def test_a_capture_without_an_answer_is_asked_for_alone_so_that_the_gateway_can_find_it_done(till: Till) -> None:
    till.held()
    till.tell(till.capture(2000, final=False))
    till.wait(hours=24)
    till.tell(till.capture(1000, final=False))
    till.tell(Retry(), MERCHANT)
    assert (till.payment.capturing, till.payment.capture_next) == (2000, 1000)


def test_a_failed_call_off_is_tried_again(till: Till) -> None:
    till.held()
    till.tell(Void())
    till.tell(VOID_FAILED)
    assert (till.payment.state, till.payment.held) == ("failed", 5000)
    till.tell(Retry(), MERCHANT)
    till.tell(VOIDED)
    assert (till.payment.state, till.payment.attention) == ("voided", None)


def test_nothing_is_tried_again_that_nobody_has_an_answer_to(till: Till) -> None:
    till.begun()
    till.wait(hours=24)
    assert refused(till, Retry()) == "there is nothing to try again: ask the gateway what became of the payment"


def test_a_stuck_payment_is_let_go_by_the_order(till: Till) -> None:
    till.held()
    till.tell(till.capture(5000))
    till.tell(capture_failed(5000))
    till.tell(Void())
    till.tell(VOIDED)
    assert (till.payment.state, till.last(news.Released).held) == ("voided", 5000)


def test_a_payment_that_nobody_knows_of_is_given_up(till: Till) -> None:
    till.begun()
    till.wait(hours=24)
    till.tell(Void())
    assert (till.payment.state, till.payment.asked, till.last(news.Declined).asked) == ("voided", 0, 5000)


def test_what_a_person_notes_who_settles_is_not_told_to_the_customer(till: Till) -> None:
    till.begun()
    till.wait(hours=24)
    till.tell(Settle(reason="an odd customer"), MERCHANT)
    assert (till.payment.reason, till.last(news.Declined).reason) == ("an odd customer", "it did not come about")


def test_a_person_settles_what_the_gateway_can_not(till: Till) -> None:
    till.held()
    till.tell(Void())
    till.tell(VOID_FAILED)
    till.tell(Settle(reason="seen in the bank's own list"), MERCHANT)
    assert (till.payment.state, till.payment.held) == ("voided", 0)
    assert till.last(news.Released).reason == "seen in the bank's own list"
