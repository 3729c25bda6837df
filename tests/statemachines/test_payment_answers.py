"""The gateway answers late, twice, out of order, or about something else: every answer is taken, none counts twice."""

import pytest

from statemachines.payment import news
from statemachines.payment.events import Retry, Void
from statemachines.payments import CaptureFailed, CustomerActionRequired, Declined, Voided, VoidFailed
from tests.statemachines.till import MERCHANT, Till

DECLINED = Declined(reason="insufficient funds")
ACTION = CustomerActionRequired(payment="pi_1", url="https://bank.example/confirm")
VOIDED = Voided(payment="pi_1")


@pytest.fixture
def till() -> Till:
    return Till()


def silent(till: Till, **how: object) -> None:
    """Let a day pass without an answer."""
    till.begun(**how)
    till.wait(hours=24)


def given_up(till: Till, **how: object) -> None:
    """Let the order ask no longer after a day without an answer."""
    silent(till, **how)
    till.tell(Void())
    assert till.payment.state == "voided"
    till.told.clear()


# -- late ----------------------------------------------------------------------------------------------------------


def test_money_that_was_taken_after_all_is_told(till: Till) -> None:
    silent(till)
    till.tell(till.taken())
    assert (till.payment.state, till.payment.attention) == ("captured", None)
    assert till.last(news.Charged).asked == 5000


def test_money_that_is_held_after_all_is_told(till: Till) -> None:
    silent(till, take="later")
    till.tell(till.ready())
    assert (till.payment.state, till.last(news.Authorized).asked) == ("authorized", 5000)


def test_a_late_decline_is_told(till: Till) -> None:
    silent(till)
    till.tell(DECLINED)
    assert (till.payment.state, till.last(news.Declined).asked) == ("declined", 5000)


def test_the_bank_may_ask_the_customer_late(till: Till) -> None:
    silent(till)
    till.tell(ACTION)
    assert till.payment.state == "requires_action"


def test_money_that_was_given_up_is_told_as_taken(till: Till) -> None:
    given_up(till)
    till.tell(till.taken())
    assert till.payment.state == "captured"
    assert till.told == [news.Charged(payment="pay_1", asked=0, amount=5000, currency="EUR")]


def test_money_that_was_given_up_is_let_go_when_it_is_held(till: Till) -> None:
    given_up(till, take="later")
    till.tell(till.ready())
    assert (till.payment.state, till.told[0]) == (
        "voiding",
        news.Authorized(payment="pay_1", asked=0, amount=5000, currency="EUR"),
    )
    till.tell(VOIDED)
    assert (till.payment.state, till.last(news.Released).held) == ("voided", 5000)


def test_what_the_bank_wants_confirmed_after_it_was_given_up_is_called_off(till: Till) -> None:
    given_up(till)
    till.tell(ACTION)
    till.tell(VOIDED)
    assert (till.payment.state, till.told) == ("voided", [])


def test_a_decline_of_what_was_given_up_changes_no_amount(till: Till) -> None:
    given_up(till)
    till.tell(DECLINED)
    assert (till.payment.state, till.told) == ("declined", [])


def test_a_capture_is_answered_late(till: Till) -> None:
    till.held()
    till.tell(till.capture(2000, final=False))
    till.wait(hours=24)
    assert till.payment.state == "failed"
    till.tell(till.captured(2000, held=3000))
    assert (till.payment.state, till.payment.attention) == ("partially_captured", None)


def test_a_capture_is_answered_after_it_was_called_off(till: Till) -> None:
    till.held()
    till.tell(till.capture(2000))
    till.wait(hours=24)
    till.tell(Void())
    till.tell(till.captured(2000))
    assert (till.payment.state, till.last(news.Charged).held) == ("captured", 5000)
    till.tell(VoidFailed(payment="pi_1", reason="captured before"))
    assert till.payment.state == "captured"


def test_a_capture_is_answered_after_everything_was_let_go(till: Till) -> None:
    till.held()
    till.tell(till.capture(2000))
    till.wait(hours=24)
    till.tell(Void())
    till.tell(VOIDED)
    till.tell(till.captured(2000))
    assert (till.payment.state, till.payment.captured) == ("captured", 2000)
    assert till.last(news.Charged) == news.Charged(payment="pay_1", held=0, amount=2000, currency="EUR")


def test_a_call_off_is_answered_late(till: Till) -> None:
    till.held()
    till.tell(Void())
    till.wait(hours=24)
    assert till.payment.state == "failed"
    till.tell(VOIDED)
    assert (till.payment.state, till.last(news.Released).held) == ("voided", 5000)


# -- twice ---------------------------------------------------------------------------------------------------------


def test_money_taken_is_counted_once(till: Till) -> None:
    till.charged()
    assert till.tell(till.taken()).commands == []
    assert till.payment.captured == 5000


def test_money_held_is_counted_once(till: Till) -> None:
    till.held()
    assert till.tell(till.ready()).commands == []
    assert till.payment.held == 5000


def test_a_capture_that_two_calls_found_done_is_counted_once(till: Till) -> None:
    till.held()
    till.tell(till.capture(2000, final=False))
    till.wait(hours=24)
    till.tell(Retry(), MERCHANT)
    done = till.captured(2000, held=3000)
    till.tell(done)
    till.tell(till.capture(1000, final=False))
    assert till.tell(done).commands == []
    assert (till.payment.captured, till.payment.capturing) == (2000, 1000)


@pytest.mark.parametrize(
    "late",
    [
        DECLINED,
        ACTION,
        VOIDED,
        VoidFailed(payment="pi_1", reason="captured before"),
        CaptureFailed(amount=5000, payment="pi_1", reason="not now"),
    ],
)
@pytest.mark.parametrize("state", ["captured", "declined", "expired", "disputed", "dispute_won", "dispute_lost"])
def test_what_is_settled_is_not_moved_by_an_old_answer(till: Till, state: str, late) -> None:
    till.charged()
    till.payment.state = state
    taken = till.tell(late)
    assert (taken.target, taken.changes, taken.commands) == (state, {}, [])


# -- about something else ------------------------------------------------------------------------------------------


def test_another_amount_is_for_the_order_to_decide(till: Till) -> None:
    till.begun(5000)
    till.tell(till.taken(4000))
    assert (till.payment.state, till.payment.captured) == ("captured", 4000)
    assert till.payment.attention == "40.00 EUR taken, 50.00 EUR asked"
    assert till.last(news.Charged) == news.Charged(payment="pay_1", asked=5000, amount=4000, currency="EUR")


def test_another_amount_may_be_held(till: Till) -> None:
    till.begun(5000, take="later")
    till.tell(till.ready(4000))
    assert (till.payment.state, till.last(news.Authorized).amount) == ("authorized", 4000)


@pytest.mark.parametrize("take", ["now", "later"])
@pytest.mark.parametrize(("amount", "currency"), [(5000, "USD"), (0, "EUR")])
def test_other_money_than_ours_is_for_a_person(till: Till, take: str, amount: int, currency: str) -> None:
    till.begun(5000, take=take)
    till.tell(till.taken(amount, currency) if take == "now" else till.ready(amount, currency))
    assert (till.payment.state, till.payment.captured, till.payment.held) == ("failed", 0, 0)
    assert till.payment.asked == 5000
    assert till.last(news.PaymentStuck).reason.endswith("50.00 EUR asked")
    assert len(till.chat) == 1


def test_other_money_that_was_captured_is_for_a_person(till: Till) -> None:
    till.held()
    till.tell(till.capture(5000))
    till.tell(till.captured(5000, currency="USD"))
    assert (till.payment.state, till.payment.captured, till.payment.held) == ("failed", 0, 5000)
    assert till.last(news.PaymentStuck).reason == "50.00 USD taken, 50.00 EUR asked"


def test_more_may_be_captured_than_was_asked(till: Till) -> None:
    till.held(5000)
    till.tell(till.capture(2000))
    till.tell(till.captured(2500))
    assert (till.payment.captured, till.last(news.Charged).amount) == (2500, 2500)
