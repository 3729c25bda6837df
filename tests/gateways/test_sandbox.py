"""The sandbox gateway: the token says what happens, and the same attempt again has the same answer."""

import time
from datetime import timedelta

import pytest

from gateways.port import Answer, Attempt, Done, NoAnswer, Refused
from gateways.sandbox import SandboxPayments
from statemachines.payments import CHARGE, REFUND, ChargeArguments, RefundArguments

SANDBOX = SandboxPayments(slowness=timedelta(seconds=0.05))


async def charge(method: str, *, key: str = "eff_1", number: int = 1) -> Answer:
    arguments = ChargeArguments(amount=1250, currency="EUR", method=method, order="ord_1")
    return await SANDBOX.charge(Attempt(key, arguments, number, timedelta(seconds=15)))


async def refund(payment: str) -> Answer:
    arguments = RefundArguments(amount=500, currency="EUR", payment=payment, order="ord_1")
    return await SANDBOX.refund(Attempt("eff_2", arguments, 1, timedelta(seconds=15)))


async def test_carries_out_every_payment_effect() -> None:
    assert set(SANDBOX.handlers) == {CHARGE.name, REFUND.name}


@pytest.mark.parametrize("method", ["tok_approve", "tok_slow", "tok_no_refund"])
async def test_approves_the_amount_that_was_asked(method) -> None:
    answer = await charge(method)
    assert isinstance(answer, Done)
    assert (answer.values["amount"], answer.values["currency"]) == (1250, "EUR")
    CHARGE.ok.model_validate(dict(answer.values))


@pytest.mark.parametrize(("method", "reason"), [("tok_decline", "insufficient"), ("tok_stolen", "'tok_stolen'")])
async def test_declines_with_a_reason(method, reason) -> None:
    answer = await charge(method)
    assert isinstance(answer, Refused)
    assert reason in answer.values["reason"]
    CHARGE.failed.model_validate(dict(answer.values))


async def test_takes_its_time_over_a_slow_token() -> None:
    started = time.monotonic()
    await charge("tok_slow")
    assert time.monotonic() - started >= 0.05


@pytest.mark.parametrize("number", [1, 2, 8])
async def test_never_answers_about_a_token_that_times_out(number) -> None:
    with pytest.raises(NoAnswer):
        await charge("tok_timeout", number=number)


async def test_fails_once_and_approves_the_second_attempt() -> None:
    with pytest.raises(NoAnswer):
        await charge("tok_fail_once")
    assert isinstance(await charge("tok_fail_once", number=2), Done)


async def test_answers_the_same_attempt_the_same_again() -> None:
    assert await charge("tok_approve") == await charge("tok_approve", number=2)
    assert await charge("tok_approve") != await charge("tok_approve", key="eff_3")


async def test_gives_back_what_a_payment_took() -> None:
    taken = await charge("tok_approve")
    answer = await refund(taken.values["payment"])
    assert isinstance(answer, Done)
    assert REFUND.ok.model_validate(dict(answer.values)).amount == 500


async def test_keeps_the_money_of_a_payment_that_cannot_be_refunded() -> None:
    taken = await charge("tok_no_refund")
    answer = await refund(taken.values["payment"])
    assert isinstance(answer, Refused)
    assert REFUND.failed.model_validate(dict(answer.values)).amount == 500
