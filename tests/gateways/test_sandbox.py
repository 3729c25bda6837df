"""The sandbox gateway: the token says what happens. What it promises beside stands in the conformance suite."""

import time
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from gateways import sandbox
from gateways.port import Answer, Attempt, Done, NoAnswer, Refused
from gateways.sandbox import SandboxPayments
from statemachines.payments import (
    AUTHORIZE,
    CAPTURE,
    CHARGE,
    REFUND,
    VOID,
    AuthorizeArguments,
    CaptureArguments,
    ChargeArguments,
    RefundArguments,
    VoidArguments,
)

SANDBOX = SandboxPayments(slowness=timedelta(seconds=0.05))
NUMBERS = count(1)


async def charge(method: str, *, key: str = "eff_1", number: int = 1, at: SandboxPayments = SANDBOX) -> Answer:
    arguments = ChargeArguments(amount=1250, currency="EUR", method=method, order="ord_1")
    return await at.charge(Attempt(key, arguments, number, timedelta(seconds=15)))


async def authorize(method: str, *, at: SandboxPayments = SANDBOX) -> Answer:
    arguments = AuthorizeArguments(amount=1250, currency="EUR", method=method, order="ord_1")
    return await at.authorize(Attempt(f"eff_held_{next(NUMBERS)}", arguments, 1, timedelta(seconds=15)))


async def capture(payment: str, *, at: SandboxPayments = SANDBOX, **how: Any) -> Answer:
    asked = {"amount": 500, "currency": "EUR", "payment": payment, "order": "ord_1", **how}
    arguments = CaptureArguments.model_validate(asked)
    return await at.capture(Attempt(f"eff_captured_{next(NUMBERS)}", arguments, 1, timedelta(seconds=15)))


async def refund(payment: str, *, at: SandboxPayments = SANDBOX) -> Answer:
    arguments = RefundArguments(amount=500, currency="EUR", payment=payment, order="ord_1")
    return await at.refund(Attempt(f"eff_back_{next(NUMBERS)}", arguments, 1, timedelta(seconds=15)))


@pytest.mark.parametrize("method", ["tok_approve", "tok_slow", "tok_no_refund", "tok_no_capture", "tok_no_void"])
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


async def test_answers_another_attempt_otherwise() -> None:
    assert await charge("tok_approve") != await charge("tok_approve", key="eff_3")


async def test_shows_where_the_customer_confirms() -> None:
    answer = await authorize("tok_action")
    assert (
        AUTHORIZE.action.model_validate(dict(answer.values)).url
        == f"https://sandbox.invalid/confirm/{answer.values['payment']}"
    )


async def test_keeps_the_money_of_a_payment_that_cannot_be_refunded() -> None:
    taken = await charge("tok_no_refund")
    answer = await refund(taken.values["payment"])
    assert isinstance(answer, Refused)
    assert REFUND.failed.model_validate(dict(answer.values)).amount == 500


async def test_takes_nothing_of_a_payment_that_cannot_be_captured() -> None:
    held = await authorize("tok_no_capture")
    answer = await capture(held.values["payment"])
    assert isinstance(answer, Refused)
    assert CAPTURE.failed.model_validate(dict(answer.values)).amount == 500


async def test_lets_nothing_go_of_a_payment_that_cannot_be_let_go() -> None:
    held = await authorize("tok_no_void")
    answer = await SANDBOX.void(
        Attempt("eff_void", VoidArguments(payment=str(held.values["payment"]), order="ord_1"), 1, timedelta(seconds=15))
    )
    assert isinstance(answer, Refused)
    assert VOID.failed.model_validate(dict(answer.values)).reason == "the bank cannot let the money go"


async def test_captures_what_another_process_left() -> None:
    other, held = SandboxPayments(), await authorize("tok_approve")
    payment = str(held.values["payment"])
    await capture(payment, final=False)
    second = await capture(payment, at=other, captured=500, final=False)
    third = await capture(payment, captured=1000, amount=250)
    assert [answer.values.get("held") for answer in (second, third)] == [250, 0]


async def test_knows_the_payments_of_another_process() -> None:
    other = SandboxPayments()
    taken, held = await charge("tok_approve"), await authorize("tok_approve")
    assert isinstance(await refund(taken.values["payment"], at=other), Done)
    assert isinstance(await capture(held.values["payment"], at=other), Done)


async def test_remembers_only_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "MEMORY", 3)
    gateway = SandboxPayments()
    for _ in range(5):
        held = await authorize("tok_approve", at=gateway)
        await capture(held.values["payment"], at=gateway)
    assert (len(gateway._payments), len(gateway._answers)) == (3, 3)
