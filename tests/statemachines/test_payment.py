"""A payment: money is asked for, taken at once or held ready, and given back."""

import pytest
from pydantic import ValidationError

from statemachines.decision import Refused
from statemachines.messages import POST_MESSAGE
from statemachines.payment import news, payment
from statemachines.payment.events import Begin, Confirm, RefundDropped, RefundMade
from statemachines.payments import (
    AUTHORIZE,
    CHARGE,
    VOID,
    AuthorizeArguments,
    ChargeArguments,
    CustomerActionRequired,
    Declined,
    VoidArguments,
    Voided,
)
from statemachines.verification import verify
from tests.statemachines.till import ANNA, Till

DECLINED = Declined(reason="insufficient funds", code="insufficient_funds")
ACTION = CustomerActionRequired(payment="pi_1", url="https://bank.example/confirm")
VOIDED = Voided(payment="pi_1")


@pytest.fixture
def till() -> Till:
    return Till()


# -- asking --------------------------------------------------------------------------------------------------------


def test_money_is_taken_at_once(till: Till) -> None:
    paid = till.begun(5000)
    assert (paid.state, paid.asked) == ("capturing", 5000)
    assert till.asked_of(CHARGE) == [ChargeArguments(amount=5000, currency="EUR", method="tok_approve", order="ord_1")]
    till.tell(till.taken(5000))
    assert (till.payment.state, till.payment.captured, till.payment.taken_at) == ("captured", 5000, till.now)
    assert till.last(news.Charged) == news.Charged(payment="pay_1", asked=5000, amount=5000, currency="EUR")


def test_money_is_held_ready_first(till: Till) -> None:
    assert till.begun(5000, take="later").state == "authorizing"
    asked = AuthorizeArguments(amount=5000, currency="EUR", method="tok_approve", order="ord_1")
    assert till.asked_of(AUTHORIZE) == [asked]
    till.tell(till.ready(5000))
    assert (till.payment.state, till.payment.held, till.payment.asked) == ("authorized", 5000, 0)
    assert till.last(news.Authorized) == news.Authorized(payment="pay_1", asked=5000, amount=5000, currency="EUR")


def test_a_declined_payment_is_over(till: Till) -> None:
    till.begun(5000)
    till.tell(DECLINED)
    assert (till.payment.state, till.payment.asked, till.payment.reason) == ("declined", 0, "insufficient funds")
    assert till.last(news.Declined) == news.Declined(payment="pay_1", asked=5000, reason="insufficient funds")


@pytest.mark.parametrize(("take", "state"), [("now", "capturing"), ("later", "authorizing")])
def test_the_customer_says_with_what_it_is_paid(till: Till, take: str, state: str) -> None:
    assert till.begun(method=None, take=take).state == "created"
    assert till.gateway == []
    till.tell(Confirm(method="tok_approve"), ANNA)
    assert (till.payment.state, till.payment.method, len(till.gateway)) == (state, "tok_approve", 1)


def test_a_payment_expires_if_nobody_says_with_what_it_is_paid(till: Till) -> None:
    till.begun(method=None)
    till.wait(hours=1)
    assert till.payment.state == "expired"
    assert till.last(news.Declined).reason == "nobody said in time with what it is paid"


@pytest.mark.parametrize("amount", [0, -1, 10**12 + 1, 2**63, True, "100", 1.0])
def test_no_payment_is_begun_of_what_is_no_amount(amount: object) -> None:
    with pytest.raises(ValidationError, match="amount"):
        Begin.model_validate({"order": "ord_1", "customer": "anna", "amount": amount, "currency": "EUR"})


@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD"])
def test_money_of_any_currency_is_counted_in_its_minor_units(till: Till, currency: str) -> None:
    till.begun(1001, currency)
    till.tell(till.taken(1001, currency))
    assert (till.payment.captured, till.last(news.Charged).currency) == (1001, currency)


# -- the customer's bank -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("take", ["now", "later"])
def test_the_customer_has_to_confirm_it(till: Till, take: str) -> None:
    till.begun(take=take, email="anna@shop.example", called="A-17")
    till.tell(ACTION)
    assert (till.payment.state, till.payment.payment_url) == ("requires_action", "https://bank.example/confirm")
    assert till.last(news.CustomerActionRequired).url == "https://bank.example/confirm"
    (mail,) = till.mails
    assert (mail.to, mail.message.template, mail.message.model_dump()["order"]) == (
        "anna@shop.example",
        "payment_action_required",
        "A-17",
    )


def test_nobody_is_written_to_whose_address_is_unknown(till: Till) -> None:
    till.begun()
    till.tell(ACTION)
    assert till.mails == []


def test_a_confirmed_payment_is_taken(till: Till) -> None:
    till.begun()
    till.tell(ACTION)
    till.tell(till.taken())
    assert (till.payment.state, till.payment.payment_url) == ("captured", None)


def test_a_payment_that_is_not_confirmed_is_called_off_at_the_gateway_too(till: Till) -> None:
    till.begun()
    till.tell(ACTION)
    till.wait(hours=1)
    assert (till.payment.state, till.payment.asked) == ("voiding", 5000)
    assert till.asked_of(VOID) == [VoidArguments(payment="pi_1", order="ord_1")]
    till.tell(VOIDED)
    assert till.payment.state == "voided"
    assert till.last(news.Declined).reason == "the customer did not confirm it in time"


# -- refunds -------------------------------------------------------------------------------------------------------


def test_refunds_share_what_was_taken(till: Till) -> None:
    till.charged(5000)
    till.tell(till.refund(3000))
    decision = till.ask(till.refund(2001))
    assert isinstance(decision, Refused)
    assert decision.reason == "20.01 EUR asked back, but only 20.00 EUR of 50.00 EUR are left"
    till.tell(till.refund(2000))


def test_a_refund_that_is_made_stays_made(till: Till) -> None:
    till.charged(5000)
    till.tell(till.refund(3000))
    till.tell(RefundMade(refund="rfd_1", amount=3000))
    assert (till.payment.refunding, till.payment.refunded) == (0, 3000)
    assert isinstance(till.ask(till.refund(2001)), Refused)


def test_a_refund_that_is_dropped_leaves_the_money_to_others(till: Till) -> None:
    till.charged(5000)
    till.tell(till.refund(3000))
    till.tell(RefundDropped(refund="rfd_1", amount=3000))
    till.tell(till.refund(5000))
    assert (till.payment.refunding, till.payment.refunded) == (5000, 0)


def test_a_refund_that_nobody_asked_for_is_for_a_person(till: Till) -> None:
    till.charged(5000)
    till.tell(RefundMade(refund="rfd_1", amount=3000))
    assert till.payment.attention == "30.00 EUR given back that nobody asked for (rfd_1)"
    assert len(till.asked_of(POST_MESSAGE)) == 1


# -- the declaration -----------------------------------------------------------------------------------------------


def test_nothing_about_payments_is_suspicious() -> None:
    assert verify(payment) == []


def test_tokens_and_addresses_are_kept_in_no_public_account() -> None:
    private = {"method", "email", "payment_url"}
    fields = payment.entity.model_fields
    assert {name for name in fields if any("PRIVATE" in repr(part) for part in fields[name].metadata)} == private
