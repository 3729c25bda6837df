"""What is asked of Stripe, and what is made of its answers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import SecretStr, ValidationError

from gateways.port import ActionRequired, Answer, Attempt, Done, NoAnswer, Refused
from gateways.stripe import StripePayments, StripeSettings
from statemachines.declaration import Effect
from statemachines.payments import AUTHORIZE, CAPTURE, CHARGE, PATIENCE, REFUND, VOID
from tests.gateways import faults
from tests.gateways.peer import apart
from tests.gateways.stripe_double import SECRET_KEY, Fault, StripeDouble

WAY_BACK = "https://shop.example/paid"
PROCESSING_ERROR = "pm_card_chargeDeclinedProcessingError"


@dataclass
class Shop:
    stripe: StripeDouble
    gateway: StripePayments

    async def ask(
        self, effect: Effect, key: str = "eff_1", number: int = 1, age: timedelta = timedelta(), **arguments: Any
    ) -> Answer:
        given = {"currency": "EUR", "order": "ord_1", "amount": 1250, "method": "pm_card_visa", **arguments}
        fitting = {name: value for name, value in given.items() if name in effect.arguments.model_fields}
        attempt = Attempt(key, effect.arguments.model_validate(fitting), number, timedelta(seconds=15), age)
        return await self.gateway.handlers[effect.name](attempt)

    async def ask_a_day_later(self, effect: Effect, key: str = "eff_1", **arguments: Any) -> Answer:
        """Ask for the same again when Stripe has forgotten the key."""
        self.stripe.kept.clear()
        return await self.ask(effect, key, age=timedelta(hours=25), **arguments)

    async def payment(self, effect: Effect, **arguments: Any) -> str:
        answer = await self.ask(effect, "eff_before", **arguments)
        assert isinstance(answer, Done)
        return str(answer.values["payment"])

    def will_say(self, status: int, body: object) -> None:
        self.stripe.faults.append(Fault(faults.says(status, body), carried_out=False))


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    with apart(StripeDouble()) as stripe:
        gateway = StripePayments(StripeSettings(secret_key=SecretStr(SECRET_KEY), url=stripe.url, return_url=WAY_BACK))
        yield Shop(stripe, gateway)
        await gateway.aclose()


def intent(**fields: Any) -> dict[str, Any]:
    paid = {"id": "pi_1", "status": "succeeded", "amount": 1250, "amount_received": 1250, "currency": "eur"}
    return {**paid, **fields}


# What is asked


async def test_tells_stripe_which_order_and_effect_a_payment_is_for(shop: Shop) -> None:
    await shop.ask(CHARGE)
    asked = shop.stripe.asked[0]
    form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
    assert (asked.method, asked.path) == ("POST", "/v1/payment_intents")
    assert form == {
        "amount": "1250",
        "currency": "eur",
        "payment_method": "pm_card_visa",
        "confirm": "true",
        "capture_method": "automatic",
        "metadata[order]": "ord_1",
        "metadata[effect]": "eff_1",
        "return_url": WAY_BACK,
    }


async def test_names_itself_the_key_and_the_version_with_every_request(shop: Shop) -> None:
    await shop.ask(AUTHORIZE)
    headers = shop.stripe.asked[0].headers
    assert headers["authorization"] == f"Bearer {SECRET_KEY}"
    assert headers["idempotency-key"] == "eff_1"
    assert headers["stripe-version"] == StripeSettings().api_version


async def test_reaches_stripe_without_changing_anything(shop: Shop) -> None:
    await shop.gateway.reach(timedelta(seconds=5))
    assert [asked.method for asked in shop.stripe.asked] == ["GET"]


# Declines


@pytest.mark.parametrize(
    ("method", "reason", "code"),
    [
        ("pm_card_visa_chargeDeclined", "the card was declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient funds", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "the card has expired", "expired_card"),
        ("pm_card_visa_chargeDeclinedLostCard", "the card was declined", "generic_decline"),
    ],
)
async def test_says_why_a_card_was_declined_unless_it_may_be_stolen(shop: Shop, method, reason, code) -> None:
    assert await shop.ask(CHARGE, method=method) == Refused({"reason": reason, "code": code})


async def test_tries_a_momentary_decline_again(shop: Shop) -> None:
    shop.stripe.bad_moments = 1
    with pytest.raises(NoAnswer, match="processing_error"):
        await shop.ask(CHARGE, method=PROCESSING_ERROR)
    assert isinstance(await shop.ask(CHARGE, number=2, method=PROCESSING_ERROR), Done)
    assert len(shop.stripe.intents) == len(shop.stripe.taken) == 1


async def test_takes_a_momentary_decline_for_final_in_the_end(shop: Shop) -> None:
    shop.stripe.bad_moments = 100
    for number in (1, 2):
        with pytest.raises(NoAnswer):
            await shop.ask(CHARGE, number=number, method=PROCESSING_ERROR)
    answer = await shop.ask(CHARGE, number=3, method=PROCESSING_ERROR)
    assert answer == Refused({"reason": "the bank cannot decide at the moment", "code": "processing_error"})


async def test_takes_money_once_although_the_answer_to_the_second_try_was_lost(shop: Shop) -> None:
    shop.stripe.bad_moments = 1
    with pytest.raises(NoAnswer):
        await shop.ask(CHARGE, method=PROCESSING_ERROR)
    shop.stripe.faults.extend([Fault(), Fault(faults.resets)])
    with pytest.raises(NoAnswer, match="reset"):
        await shop.ask(CHARGE, number=2, method=PROCESSING_ERROR)
    assert isinstance(await shop.ask(CHARGE, number=3, method=PROCESSING_ERROR), Done)
    assert len(shop.stripe.taken) == 1


# The customer's confirmation


async def test_says_where_the_customer_confirms(shop: Shop) -> None:
    answer = await shop.ask(CHARGE, method="pm_card_authenticationRequired")
    assert answer == ActionRequired({"payment": "pi_0001", "url": "https://bank.example/confirm/pi_0001"})


async def test_finds_paid_what_the_customer_has_confirmed_meanwhile(shop: Shop) -> None:
    await shop.ask(CHARGE, method="pm_card_authenticationRequired")
    shop.stripe.authenticate("pi_0001")
    answer = await shop.ask(CHARGE, number=2, method="pm_card_authenticationRequired")
    assert answer == Done({"amount": 1250, "currency": "EUR", "payment": "pi_0001"})


async def test_finds_called_off_what_was_called_off_meanwhile(shop: Shop) -> None:
    await shop.ask(CHARGE, method="pm_card_authenticationRequired")
    await shop.ask(VOID, "eff_2", payment="pi_0001")
    answer = await shop.ask(CHARGE, number=2, method="pm_card_authenticationRequired")
    assert answer == Refused({"reason": "the payment was called off"})


async def test_finds_declined_what_the_customer_failed_to_confirm(shop: Shop) -> None:
    failure = {"type": "card_error", "code": "payment_intent_authentication_failure"}
    shop.will_say(200, intent(status="requires_payment_method", last_payment_error=failure))
    answer = await shop.ask(CHARGE)
    assert isinstance(answer, Refused)
    assert answer.values["reason"] == "the customer did not confirm the payment"


# When Stripe has forgotten the key


@pytest.mark.parametrize("effect", [CHARGE, AUTHORIZE])
async def test_finds_a_payment_that_was_made_long_ago(shop: Shop, effect: Effect) -> None:
    shop.stripe.faults.append(Fault(faults.resets))
    with pytest.raises(NoAnswer):
        await shop.ask(effect)
    answer = await shop.ask_a_day_later(effect)
    assert answer == Done({"amount": 1250, "currency": "EUR", "payment": "pi_0001"})
    assert len(shop.stripe.intents) == 1


async def test_makes_a_payment_that_was_asked_for_long_ago_and_never_made(shop: Shop) -> None:
    await shop.ask(CHARGE, "eff_other")
    shop.stripe.faults.append(Fault(faults.resets, carried_out=False))
    with pytest.raises(NoAnswer):
        await shop.ask(CHARGE)
    assert isinstance(await shop.ask_a_day_later(CHARGE), Done)
    assert [made["metadata"]["effect"] for made in shop.stripe.intents.values()] == ["eff_other", "eff_1"]


async def test_looks_for_nothing_as_long_as_the_key_is_known(shop: Shop) -> None:
    await shop.ask(CHARGE, age=PATIENCE.within)
    assert [asked.method for asked in shop.stripe.asked] == ["POST"]


async def test_finds_declined_what_was_declined_long_ago(shop: Shop) -> None:
    card = "pm_card_chargeDeclinedExpiredCard"
    first = await shop.ask(CHARGE, method=card)
    assert await shop.ask_a_day_later(CHARGE, method=card) == first
    assert len(shop.stripe.intents) == 1


async def test_finds_called_off_what_was_called_off_long_ago(shop: Shop) -> None:
    await shop.ask(VOID, "eff_2", payment=await shop.payment(AUTHORIZE))
    answer = await shop.ask_a_day_later(AUTHORIZE, "eff_before")
    assert answer == Refused({"reason": "the payment was called off"})


@pytest.mark.parametrize("status", ["requires_payment_method", "requires_confirmation"])
async def test_confirms_what_was_made_long_ago_and_never_decided(shop: Shop, status: str) -> None:
    shop.stripe.bad_moments = 1
    with pytest.raises(NoAnswer):
        await shop.ask(CHARGE, method=PROCESSING_ERROR)
    shop.stripe.intents["pi_0001"]["status"] = status
    assert isinstance(await shop.ask_a_day_later(CHARGE, method=PROCESSING_ERROR), Done)
    assert len(shop.stripe.intents) == len(shop.stripe.taken) == 1


@pytest.mark.parametrize("effect", [CHARGE, AUTHORIZE])
async def test_asks_for_nothing_again_where_stripe_can_not_be_searched(shop: Shop, effect: Effect) -> None:
    await shop.ask(effect)
    shop.stripe.is_searchable = False
    with pytest.raises(NoAnswer, match=r"can't be looked up: Search is not available in your country\."):
        await shop.ask_a_day_later(effect)
    assert len(shop.stripe.intents) == 1


# What cannot be put right by asking again


async def test_says_that_a_key_was_used_for_another_request(shop: Shop) -> None:
    await shop.ask(CHARGE)
    assert await shop.ask(CHARGE, amount=1300) == Refused(
        {"reason": "the idempotency key was used before for another request"}
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"method": "pm_nobody"}, "No such PaymentMethod: 'pm_nobody'"),
        ({"currency": "ZZZ"}, "Invalid currency: zzz."),
        ({"amount": 0}, "This value must be greater than or equal to 1."),
        ({"currency": "KWD", "amount": 1251}, "Stripe takes KWD with two digits after the point, not 1.251 KWD"),
    ],
)
async def test_passes_on_why_stripe_refuses(shop: Shop, arguments, reason) -> None:
    assert await shop.ask(CHARGE, **arguments) == Refused({"reason": reason})


@pytest.mark.parametrize("message", [None, "", "card 4242 4242 4242 4242 is not for this"])
async def test_refuses_without_a_reason_that_may_be_kept(shop: Shop, message) -> None:
    shop.will_say(400, {"error": {"type": "invalid_request_error", "message": message}})
    assert await shop.ask(CHARGE) == Refused({"reason": "answered 400"})


async def test_does_not_repeat_the_secret_key(shop: Shop) -> None:
    shop.will_say(400, {"error": {"message": f"{SECRET_KEY} may not do this"}})
    assert await shop.ask(CHARGE) == Refused({"reason": "*** may not do this"})


# What a person can put right


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (401, None, "does not accept our key"),
        (403, None, "does not accept our key"),
        (400, "testmode_charges_only", "does not accept our account"),
        (400, "account_invalid", "does not accept our account"),
    ],
)
async def test_waits_until_the_account_is_put_right(shop: Shop, status, code, reason) -> None:
    shop.will_say(status, {"error": {"type": "invalid_request_error", "code": code}})
    with pytest.raises(NoAnswer, match=reason):
        await shop.ask(CHARGE)


async def test_does_not_say_a_wrong_key(shop: Shop) -> None:
    gateway = StripePayments(StripeSettings(secret_key=SecretStr("sk_test_wrong"), url=shop.stripe.url))
    with pytest.raises(NoAnswer) as caught:
        await Shop(shop.stripe, gateway).ask(CHARGE)
    assert "sk_test" not in str(caught.value)
    with pytest.raises(NoAnswer, match="does not accept our key"):
        await gateway.reach(timedelta(seconds=5))
    await gateway.aclose()


# What is not believed


@pytest.mark.parametrize(
    "said",
    [
        intent(amount=1),
        intent(amount_received=1),
        intent(currency="usd"),
        intent(status="requires_capture"),
        intent(status="a_new_state"),
        intent(id=""),
        intent(amount="much"),
        {"error": {"type": "card_error", "code": "card_declined"}},
    ],
)
async def test_believes_no_charge_of_something_else(shop: Shop, said) -> None:
    shop.will_say(200, said)
    with pytest.raises(NoAnswer):
        await shop.ask(CHARGE)


async def test_does_not_take_a_charge_for_an_authorisation(shop: Shop) -> None:
    shop.will_say(200, intent())
    with pytest.raises(NoAnswer, match="'succeeded'"):
        await shop.ask(AUTHORIZE)


@pytest.mark.parametrize("said", [intent(status="requires_capture"), intent(amount_received=1000)])
async def test_believes_no_capture_of_something_else(shop: Shop, said) -> None:
    held = await shop.payment(AUTHORIZE)
    shop.will_say(200, said)
    with pytest.raises(NoAnswer):
        await shop.ask(CAPTURE, payment=held)


@pytest.mark.parametrize("fields", [{"amount": 1}, {"currency": "usd"}, {"id": None}])
async def test_believes_no_refund_of_something_else(shop: Shop, fields) -> None:
    taken = await shop.payment(CHARGE)
    shop.will_say(200, {"id": "re_1", "status": "succeeded", "amount": 1250, "currency": "eur", **fields})
    with pytest.raises(NoAnswer):
        await shop.ask(REFUND, payment=taken)


@pytest.mark.parametrize("effect", [CAPTURE, VOID])
async def test_looks_again_at_a_payment_that_changed_meanwhile(shop: Shop, effect: Effect) -> None:
    held = await shop.payment(AUTHORIZE)
    shop.will_say(400, {"error": {"type": "invalid_request_error", "code": "payment_intent_unexpected_state"}})
    with pytest.raises(NoAnswer, match="changed meanwhile"):
        await shop.ask(effect, payment=held)


async def test_looks_at_a_payment_that_is_still_on_its_way(shop: Shop) -> None:
    shop.stripe.faults.append(Fault(lambda said: faults.says(200, {**said.body, "status": "processing"})(said)))
    assert isinstance(await shop.ask(CHARGE), Done)


@pytest.mark.parametrize("effect", [CAPTURE, VOID, REFUND])
async def test_waits_for_a_payment_that_is_still_on_its_way(shop: Shop, effect: Effect) -> None:
    held = await shop.payment(AUTHORIZE)
    shop.stripe.intents[held]["status"] = "processing"
    with pytest.raises(NoAnswer, match="'processing'"):
        await shop.ask(effect, payment=held)


# Parcel by parcel


def in_pieces(shop: Shop) -> Shop:
    settings = StripeSettings(secret_key=SecretStr(SECRET_KEY), url=shop.stripe.url, multicapture=True)
    return Shop(shop.stripe, StripePayments(settings))


async def test_lets_the_rest_go_at_once_where_stripe_takes_it_in_one_piece_only(shop: Shop) -> None:
    held = await shop.payment(AUTHORIZE)
    answer = await shop.ask(CAPTURE, payment=held, amount=500, final=False)
    assert (answer.values["amount"], answer.values["held"]) == (500, 0)


async def test_lets_the_rest_go_at_once_where_the_card_has_it_so(shop: Shop) -> None:
    shop.stripe.takes_in_pieces = False
    pieces = in_pieces(shop)
    held = await pieces.payment(AUTHORIZE)
    answer = await pieces.ask(CAPTURE, payment=held, amount=500, final=False)
    assert (answer.values["amount"], answer.values["held"]) == (500, 0)
    await pieces.gateway.aclose()


async def test_finds_a_parcel_captured_whose_answer_was_lost(shop: Shop) -> None:
    pieces = in_pieces(shop)
    held = await pieces.payment(AUTHORIZE)
    shop.stripe.faults.append(Fault(faults.resets))
    with pytest.raises(NoAnswer):
        await pieces.ask(CAPTURE, payment=held, amount=500, final=False)
    answer = await pieces.ask(CAPTURE, "eff_later", payment=held, amount=500, final=False)
    assert (answer.values["total"], answer.values["held"]) == (500, 750)
    assert shop.stripe.taken == [(held, 500, "eur")]
    await pieces.gateway.aclose()


async def test_captures_nothing_where_more_was_captured_than_is_known(shop: Shop) -> None:
    pieces = in_pieces(shop)
    held = await pieces.payment(AUTHORIZE)
    await pieces.ask(CAPTURE, payment=held, amount=500, final=False)
    answer = await pieces.ask(CAPTURE, "eff_later", payment=held, amount=600)
    assert answer.values["reason"] == "another amount was captured before"
    await pieces.gateway.aclose()


# Refunds


async def test_takes_a_refund_that_is_on_its_way_for_done(shop: Shop) -> None:
    taken = await shop.payment(CHARGE)
    shop.will_say(200, {"id": "re_1", "status": "pending", "amount": 1250, "currency": "eur"})
    answer = await shop.ask(REFUND, payment=taken)
    assert answer == Done({"amount": 1250, "currency": "EUR", "refund": "re_1"})


async def test_does_not_refund_again_what_it_was_asked_for_long_ago(shop: Shop) -> None:
    taken = await shop.payment(CHARGE)
    first = await shop.ask(REFUND, "eff_2", payment=taken)
    again = await shop.ask_a_day_later(REFUND, "eff_2", payment=taken)
    assert (again, len(shop.stripe.given_back)) == (first, 1)
    assert isinstance(await shop.ask(REFUND, "eff_3", payment=taken), Refused)


async def test_does_not_refund_again_where_it_does_not_see_all_refunds(shop: Shop) -> None:
    taken = await shop.payment(CHARGE)
    for number in range(101):
        await shop.ask(REFUND, f"eff_of_{number}", payment=taken, amount=1)
    with pytest.raises(NoAnswer, match="too many"):
        await shop.ask_a_day_later(REFUND, "eff_of_0", payment=taken, amount=1)
    assert len(shop.stripe.given_back) == 101
    assert isinstance(await shop.ask_a_day_later(REFUND, "eff_of_100", payment=taken, amount=1), Done)


async def test_says_why_a_refund_failed(shop: Shop) -> None:
    taken = await shop.payment(CHARGE)
    failed = {"id": "re_1", "status": "failed", "failure_reason": "expired_or_canceled_card"}
    shop.will_say(200, {**failed, "amount": 1250, "currency": "eur"})
    answer = await shop.ask(REFUND, payment=taken)
    assert answer == Refused({"amount": 1250, "reason": "the refund failed (expired_or_canceled_card)"})


# Amounts


@pytest.mark.parametrize(
    ("amount", "currency", "sent"),
    [(500, "JPY", 500), (5, "ISK", 500), (5, "UGX", 500), (500, "MGA", 5), (10, "KWD", 10)],
)
async def test_counts_as_stripe_does(shop: Shop, amount: int, currency: str, sent: int) -> None:
    held = await shop.payment(AUTHORIZE, amount=amount, currency=currency)
    captured = await shop.ask(CAPTURE, amount=amount, currency=currency, payment=held)
    refunded = await shop.ask(REFUND, "eff_2", amount=amount, currency=currency, payment=held)
    assert (captured.values["amount"], refunded.values["amount"]) == (amount, amount)
    assert (shop.stripe.taken, shop.stripe.given_back) == ([(held, sent, currency.lower())], [(held, sent)])


async def test_says_what_is_held_in_our_units(shop: Shop) -> None:
    held = await shop.payment(AUTHORIZE, amount=5, currency="ISK")
    answer = await shop.ask(CAPTURE, amount=6, currency="ISK", payment=held)
    assert answer.values["reason"] == "6 ISK asked, 5 ISK held ready"


# Settings


def test_takes_no_payments_without_a_key() -> None:
    with pytest.raises(ValueError, match="secret key is missing"):
        StripePayments(StripeSettings())


@pytest.mark.parametrize("key", ["pk_live_1", "whsec_1", "4242"])
def test_wants_a_secret_key_and_does_not_repeat_another(key: str) -> None:
    with pytest.raises(ValidationError, match="begins with sk_ or rk_") as caught:
        StripeSettings(secret_key=SecretStr(key))
    assert key not in str(caught.value)


def test_says_of_a_key_that_cannot_be_sent_only_that() -> None:
    with pytest.raises(ValueError, match="the header Authorization") as caught:
        StripePayments(StripeSettings(secret_key=SecretStr("sk_live_1\n")))
    assert "sk_live" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://api.stripe.com", "http://stripe.example:80", "ftp://127.0.0.1"])
def test_sends_the_key_over_no_open_line(url: str) -> None:
    with pytest.raises(ValidationError, match="https://"):
        StripeSettings(url=url)


def test_shows_no_secret() -> None:
    settings = StripeSettings(secret_key=SecretStr(SECRET_KEY))
    assert SECRET_KEY not in f"{settings!r} {settings} {settings.model_dump_json()}"
