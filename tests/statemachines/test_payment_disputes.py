"""Disputes: the bank takes money back for now, decides, and the order always knows how much of it is gone."""

import pytest

from statemachines.decision import Refused
from statemachines.payment import news
from statemachines.payment.events import RefundDropped, RefundMade, Void
from statemachines.payments import Voided
from tests.statemachines.till import Till


@pytest.fixture
def till() -> Till:
    return Till()


def test_the_bank_takes_money_back(till: Till) -> None:
    till.charged(5000)
    till.tell(till.claim(5000))
    assert (till.payment.state, till.payment.charged_back) == ("disputed", 5000)
    assert till.last(news.PaymentDisputed) == news.PaymentDisputed(payment="pay_1", amount=5000, reason="fraudulent")
    assert till.chat == [
        "Payment pay_1 of order ord_1 needs attention: the bank claims 50.00 EUR back: fraudulent",
    ]


def test_what_is_disputed_is_not_refunded(till: Till) -> None:
    till.disputed(5000, claim=3000)
    decision = till.ask(till.refund(2001))
    assert isinstance(decision, Refused)
    assert decision.reason == "20.01 EUR asked back, but only 20.00 EUR of 50.00 EUR are left"
    till.tell(till.refund(2000))


def test_a_dispute_that_is_won_brings_the_money_back(till: Till) -> None:
    till.disputed()
    till.tell(till.won(5000))
    assert (till.payment.state, till.payment.charged_back, till.payment.attention) == ("dispute_won", 0, None)
    assert till.last(news.DisputeClosed) == news.DisputeClosed(payment="pay_1", amount=5000, won=True)
    assert till.chat[-1] == "Payment pay_1 of order ord_1: the dispute about 50.00 EUR is won"
    till.tell(till.refund(5000))


def test_a_dispute_that_is_lost_takes_the_money_for_good(till: Till) -> None:
    till.disputed(5000, claim=3000)
    till.tell(till.lost(3000))
    assert (till.payment.state, till.payment.charged_back, till.payment.lost) == ("dispute_lost", 3000, 3000)
    assert till.last(news.DisputeClosed) == news.DisputeClosed(payment="pay_1", amount=3000, won=False)
    assert till.chat[-1] == "Payment pay_1 of order ord_1: the dispute about 30.00 EUR is lost"
    till.tell(till.refund(2000))


def test_refunds_on_their_way_arrive_although_it_is_disputed(till: Till) -> None:
    till.charged(5000)
    till.tell(till.refund(2000))
    till.tell(till.claim(5000))
    assert (till.payment.charged_back, till.last(news.PaymentDisputed).amount) == (3000, 3000)
    till.tell(RefundMade(refund="rfd_1", amount=2000))
    till.tell(till.lost(5000))
    assert (till.payment.refunded, till.payment.charged_back) == (2000, 3000)


def test_what_a_refund_leaves_the_bank_takes(till: Till) -> None:
    till.charged(5000)
    till.tell(till.refund(2000))
    till.tell(till.claim(5000))
    till.tell(RefundDropped(refund="rfd_1", amount=2000))
    assert (till.payment.charged_back, till.last(news.PaymentDisputed).amount) == (5000, 2000)
    assert till.is_in_step()


def test_what_a_refund_leaves_after_the_loss_is_lost_too(till: Till) -> None:
    till.charged(5000)
    till.tell(till.refund(2000))
    till.tell(till.claim(5000))
    till.tell(till.lost(5000))
    till.tell(RefundDropped(refund="rfd_1", amount=2000))
    assert till.told[-2:] == [
        news.PaymentDisputed(payment="pay_1", amount=2000, reason="the bank claims more than was taken at first"),
        news.DisputeClosed(payment="pay_1", amount=2000, won=False),
    ]


def test_a_bank_that_only_asks_takes_nothing(till: Till) -> None:
    till.charged(5000)
    till.tell(till.claim(0))
    assert (till.payment.state, till.payment.charged_back) == ("disputed", 0)
    assert till.chat[-1].endswith("the bank asks: fraudulent")
    till.tell(till.refund(5000))
    till.tell(till.won(0))
    assert till.payment.state == "dispute_won"


def test_a_question_becomes_serious(till: Till) -> None:
    till.disputed(5000, claim=0)
    till.tell(till.claim(5000))
    assert till.payment.charged_back == 5000


def test_a_dispute_that_is_told_twice_counts_once(till: Till) -> None:
    till.disputed(5000, claim=3000)
    assert till.tell(till.claim(3000)).commands == []
    assert till.payment.charged_back == 3000


@pytest.mark.parametrize(("decision", "state"), [("won", "dispute_won"), ("lost", "dispute_lost")])
def test_the_decision_may_be_heard_of_first(till: Till, decision: str, state: str) -> None:
    till.charged(5000)
    till.tell(till.won(3000) if decision == "won" else till.lost(3000))
    assert till.payment.state == state
    till.tell(till.claim(3000))
    assert till.payment.state == state
    assert till.payment.charged_back == (0 if decision == "won" else 3000)


def test_a_loss_that_is_told_twice_counts_once(till: Till) -> None:
    till.disputed(5000, claim=2000)
    for _ in range(2):
        till.tell(till.lost(2000))
    assert (till.payment.state, till.payment.charged_back) == ("dispute_lost", 2000)


def test_two_disputes_are_decided_one_by_one(till: Till) -> None:
    till.disputed(5000, claim=2000)
    till.tell(till.claim(1000, dispute="du_2"))
    assert till.payment.charged_back == 3000
    till.tell(till.won(1000, dispute="du_2"))
    assert (till.payment.state, till.payment.charged_back) == ("disputed", 2000)
    till.tell(till.lost(2000, dispute="du_1"))
    assert (till.payment.state, till.payment.charged_back) == ("dispute_lost", 2000)


def test_what_is_claimed_in_another_currency_counts_as_everything(till: Till) -> None:
    till.charged(5000)
    till.tell(till.claim(7000, currency="USD"))
    assert till.payment.charged_back == 5000


def test_the_rest_is_still_held_while_a_parcel_is_disputed(till: Till) -> None:
    till.held(5000)
    till.tell(till.capture(2000, final=False))
    till.tell(till.captured(2000, held=3000))
    till.tell(till.claim(2000))
    assert (till.payment.state, till.payment.charged_back, till.payment.held) == ("partially_captured", 2000, 3000)
    till.tell(Void())
    till.tell(Voided(payment="pi_1"))
    assert (till.payment.state, till.payment.held) == ("disputed", 0)
    till.tell(till.won(2000))
    assert till.payment.state == "dispute_won"


def test_a_dispute_about_what_was_never_taken_is_for_a_person(till: Till) -> None:
    till.held(5000)
    decision = till.ask(till.claim(5000))
    assert isinstance(decision, Refused)
