"""What messages mean, by the declarations of those who send them."""

from typing import Any

import pytest
from pydantic import ValidationError

from gateways.incoming import Known, Reply, Request, Source, Unroutable
from gateways.port import Done, Refused
from gateways.stripe.webhooks import STRIPE
from gateways.tracking import CARRIER
from statemachines.declaration import Event
from statemachines.order import Complete, Fulfill
from statemachines.payment.events import Dispute, DisputeLost, DisputeWon, Lapse
from statemachines.payments import Charged, Declined, Refunded, RefundFailed
from statemachines.returns.events import Depart, Receive
from statemachines.returns.events import Lose as LoseReturn
from statemachines.shipment import Deliver, Dispatch, Lose, SendBack
from tests.engine.messages import Json, dispute, intent, parcel, refund

CLAIM: Any = {"dispute": "du_1", "amount": 1250, "currency": "EUR"}
QUESTION: Any = {**CLAIM, "amount": 0}


def meaning(source: Source, message: Json) -> Reply | Request | None:
    return source.kinds[message["type"]](message)


def paid(amount: int, currency: str, **members: Any) -> Json:
    return intent("succeeded", "eff_1", "pi_1", amount=amount, currency=currency, **members)


@pytest.mark.parametrize(
    ("message", "amount", "currency"),
    [
        (paid(1250, "eur"), 1250, "EUR"),
        (paid(500, "jpy"), 500, "JPY"),
        (paid(50_000, "isk"), 500, "ISK"),
        (paid(1250, "eur", amount_received=1000), 1000, "EUR"),
        (paid(1250, "eur", amount_received=None), 1250, "EUR"),
    ],
)
def test_a_payment_is_told_in_minor_units(message: Json, amount: int, currency: str) -> None:
    reply = meaning(STRIPE, message)
    assert reply == Reply("eff_1", Done({"amount": amount, "currency": currency, "payment": "pi_1"}))
    Charged.model_validate(reply.answer.values)


def test_what_was_held_ready_first_is_told_when_it_is_held_and_not_when_it_is_taken() -> None:
    held = intent("amount_capturable_updated", "eff_1", "pi_1", capture_method="manual", amount_capturable=1250)
    values = {"amount": 1250, "currency": "EUR", "payment": "pi_1"}
    assert meaning(STRIPE, held) == Reply("eff_1", Done(values))
    assert meaning(STRIPE, paid(1250, "eur", capture_method="manual")) is None


def test_what_stays_held_when_some_of_it_is_taken_is_known_already() -> None:
    held = {"capture_method": "manual", "amount_capturable": 750, "amount_received": 500}
    assert meaning(STRIPE, intent("amount_capturable_updated", "eff_1", "pi_1", **held)) is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"}, "insufficient_funds"),
        ({"type": "card_error", "code": "card_declined", "decline_code": "stolen_card"}, "generic_decline"),
        ({"type": "card_error", "code": "expired_card"}, "expired_card"),
        (None, "generic_decline"),
    ],
)
def test_a_decline_is_told_in_words_that_harm_nobody(error: Json | None, code: str) -> None:
    reply = meaning(STRIPE, intent("payment_failed", "eff_1", "pi_1", last_payment_error=error))
    assert isinstance(reply, Reply)
    assert isinstance(reply.answer, Refused)
    assert Declined.model_validate(reply.answer.values).code == code


def test_a_refund_is_told_when_it_arrives_or_fails() -> None:
    arrived = meaning(STRIPE, refund("succeeded", "eff_1", name="evt_1"))
    assert arrived == Reply("eff_1", Done({"amount": 1250, "currency": "EUR", "refund": "re_1"}))
    Refunded.model_validate(arrived.answer.values)
    for status in ("failed", "canceled"):
        failed = meaning(STRIPE, refund(status, "eff_1", name="evt_1"))
        assert isinstance(failed.answer, Refused)
        assert RefundFailed.model_validate(failed.answer.values).reason == f"the refund failed ({status})"
    for status in ("pending", "requires_action"):
        assert meaning(STRIPE, refund(status, "eff_1", name="evt_1")) is None


@pytest.mark.parametrize("metadata", [{}, None, {"effect": 7}, {"order": "ord_1"}])
def test_what_names_no_effect_of_ours_is_for_a_person(metadata: Json | None) -> None:
    message = refund("succeeded", "", name="evt_1")
    message["data"]["object"]["metadata"] = metadata
    with pytest.raises(Unroutable):
        meaning(STRIPE, message)


@pytest.mark.parametrize(
    ("kind", "status", "event"),
    [
        ("created", "needs_response", Dispute(reason="product_not_received", **CLAIM)),
        ("funds_withdrawn", "needs_response", Dispute(reason="product_not_received", **CLAIM)),
        ("created", "warning_needs_response", Dispute(reason="product_not_received", **QUESTION)),
        ("closed", "won", DisputeWon(**CLAIM)),
        ("closed", "warning_closed", DisputeWon(**QUESTION)),
        ("closed", "lost", DisputeLost(**CLAIM)),
    ],
)
def test_a_dispute_moves_the_payment_that_bears_the_name_it_tells(kind: str, status: str, event: Event) -> None:
    told = meaning(STRIPE, dispute(kind, "pi_1", status=status))
    assert told == Request("payment", Known("payment", "pi_1"), event)


def test_what_is_let_go_at_stripe_is_held_no_longer() -> None:
    told = meaning(STRIPE, intent("canceled", "eff_1", "pi_1", status="canceled", amount=1250, currency="eur"))
    assert told == Request("payment", Known("payment", "pi_1"), Lapse())


def test_a_dispute_that_is_closed_otherwise_says_nothing() -> None:
    assert meaning(STRIPE, dispute("closed", "pi_1", status="prevented")) is None


def test_a_dispute_that_names_no_payment_is_for_a_person() -> None:
    with pytest.raises(Unroutable, match="names no payment"):
        meaning(STRIPE, dispute("created", None))


@pytest.mark.parametrize(
    ("news", "event"),
    [
        ("shipped", Dispatch(tracking="JD014600003RU")),
        ("delivered", Deliver()),
        ("lost", Lose(reason="the van burnt")),
        ("returned", SendBack(reason="the van burnt")),
    ],
)
def test_a_parcel_moves_its_shipment(news: str, event: Event) -> None:
    told = parcel(news, "ord_1", reference="shp_1", tracking="JD014600003RU", reason="the van burnt", weight=7)
    assert meaning(CARRIER, told) == Request("shipment", "shp_1", event)


@pytest.mark.parametrize(
    ("news", "event"),
    [
        ("shipped", Depart(tracking="JD014600003RU")),
        ("delivered", Receive()),
        ("lost", LoseReturn(reason="the van burnt")),
    ],
)
def test_a_parcel_of_the_customer_moves_its_return(news: str, event: Event) -> None:
    told = parcel(news, "ord_1", reference="ret_1", tracking="JD014600003RU", reason="the van burnt")
    assert meaning(CARRIER, told) == Request("return", "ret_1", event)


def test_a_parcel_without_a_reference_moves_its_order() -> None:
    shipped = meaning(CARRIER, parcel("shipped", "ord_1", tracking="JD014600003RU"))
    assert shipped == Request("order", "ord_1", Fulfill(tracking="JD014600003RU"))
    assert meaning(CARRIER, parcel("shipped", "ord_1")) == Request("order", "ord_1", Fulfill())
    assert meaning(CARRIER, parcel("delivered", "ord_1")) == Request("order", "ord_1", Complete())


@pytest.mark.parametrize(
    ("news", "about"),
    [("lost", {}), ("returned", {}), ("returned", {"reference": "ret_1"}), ("shipped", {"reference": "pay_1"})],
)
def test_what_can_not_be_told_of_a_thing_is_for_a_person(news: str, about: Json) -> None:
    with pytest.raises(Unroutable):
        meaning(CARRIER, parcel(news, "ord_1", **about))


@pytest.mark.parametrize("data", [None, [], {}, {"order": 7}, {"order": "ord_1", "tracking": "<script>"}])
def test_a_parcel_of_nothing_has_no_meaning(data: Any) -> None:
    with pytest.raises(ValidationError):
        meaning(CARRIER, {"type": "shipment.shipped", "data": data})


def test_what_must_not_be_kept_is_left_out_wherever_it_stands() -> None:
    source = Source({}, hidden=frozenset({"client_secret"}))
    message = {"client_secret": 1, "a": [{"client_secret": 2, "b": {"client_secret": 3}}], "c": "client_secret"}
    assert source.without_secrets(message) == {"a": [{"b": {}}], "c": "client_secret"}
