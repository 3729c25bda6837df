"""What every payment gateway promises: the sandbox, and Stripe's against two others that play Stripe.

`localstripe` is an independent fake that runs as a program of its own. It ignores idempotency keys and gives back more
than was taken, so what follows from those is not asked of it. The double in `stripe_double` does both as Stripe does.
"""

import asyncio
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from socket import create_server
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr

from gateways.port import ActionRequired, Answer, Attempt, Done, Refused
from gateways.sandbox import SandboxPayments
from gateways.stripe import StripePayments, StripeSettings
from statemachines.declaration import Effect
from statemachines.payments import AUTHORIZE, CAPTURE, CHARGE, REFUND, VOID
from tests.gateways.peer import apart
from tests.gateways.stripe_double import SECRET_KEY, StripeDouble

PRICE = 1250
NUMBERS = count(1)


@dataclass
class Shop:
    """A gateway, and what to say to it."""

    gateway: Any
    approved: str
    declined: str
    asking: str
    """A payment method whose bank wants to hear from the customer."""
    unknown: str
    honours_keys: bool = True
    counts_refunds: bool = True
    takes_in_pieces: bool = True

    async def ask(self, effect: Effect, *, key: str = "", number: int = 1, **arguments: Any) -> Answer:
        """Make an attempt, and check that the answer fits the effect's events."""
        given = {"currency": "EUR", "order": "ord_1", **arguments}
        fitting = {name: value for name, value in given.items() if name in effect.arguments.model_fields}
        attempt = Attempt(
            key or f"eff_{next(NUMBERS)}", effect.arguments.model_validate(fitting), number, timedelta(seconds=15)
        )
        answer: Answer = await self.gateway.handlers[effect.name](attempt)
        event = {Done: effect.ok, Refused: effect.failed, ActionRequired: AUTHORIZE.action}[type(answer)]
        assert event is not None
        event.model_validate(dict(answer.values))
        return answer

    async def charged(self, amount: int = PRICE) -> str:
        answer = await self.ask(CHARGE, amount=amount, method=self.approved)
        assert isinstance(answer, Done)
        return str(answer.values["payment"])

    async def held(self, amount: int = PRICE) -> str:
        answer = await self.ask(AUTHORIZE, amount=amount, method=self.approved)
        assert isinstance(answer, Done)
        return str(answer.values["payment"])


def free_port() -> int:
    with create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="session")
def localstripe() -> Iterator[str]:
    """The address of a localstripe that runs as a program of its own."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    program = [sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"]
    with subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 30
            while True:
                try:
                    urllib.request.urlopen(f"{url}/js.stripe.com/v3/", timeout=5).close()
                    break
                except urllib.error.URLError:
                    assert process.poll() is None
                    assert time.monotonic() < end, "localstripe did not start"
                    time.sleep(0.1)
            yield url
        finally:
            process.kill()


def asking_card(url: str) -> str:
    """Have localstripe make a payment method whose bank wants to hear from the customer, as Stripe's own pages do."""
    card = {"number": "4000002500003155", "exp_month": "12", "exp_year": "2030", "cvc": "123"}
    form = {"type": "card", **{f"card[{name}]": value for name, value in card.items()}}
    request = urllib.request.Request(
        f"{url}/v1/payment_methods", urlencode(form).encode(), {"Authorization": f"Bearer {SECRET_KEY}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["id"])


@pytest.fixture(params=["sandbox", "localstripe", "double"])
async def shop(request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    if request.param == "sandbox":
        yield Shop(SandboxPayments(), "tok_approve", "tok_decline", "tok_action", "tok_nobody")
        return
    with ExitStack() as stack:
        if request.param == "localstripe":
            url = request.getfixturevalue("localstripe")
            shop = Shop(
                None, "pm_card_visa", "pm_card_chargeCustomerFail", asking_card(url), "pm_nobody", False, False, False
            )
        else:
            url = stack.enter_context(apart(StripeDouble())).url
            asking = "pm_card_authenticationRequired"
            shop = Shop(None, "pm_card_visa", "pm_card_visa_chargeDeclined", asking, "pm_nobody")
        settings = StripeSettings(secret_key=SecretStr(SECRET_KEY), url=url, multicapture=shop.takes_in_pieces)
        shop.gateway = StripePayments(settings)
        yield shop
        await shop.gateway.aclose()


def honouring_keys(shop: Shop) -> None:
    if not shop.honours_keys:
        pytest.skip("not applicable: localstripe ignores idempotency keys")


def counting_refunds(shop: Shop) -> None:
    if not shop.counts_refunds:
        pytest.skip("not applicable: localstripe gives back more than was taken")


def taking_in_pieces(shop: Shop) -> None:
    if not shop.takes_in_pieces:
        pytest.skip("not applicable: localstripe takes what it holds in one piece")


async def test_carries_out_every_payment_effect(shop: Shop) -> None:
    assert set(shop.gateway.handlers) == {effect.name for effect in (CHARGE, AUTHORIZE, CAPTURE, VOID, REFUND)}


@pytest.mark.parametrize("effect", [CHARGE, AUTHORIZE])
async def test_approves_the_amount_that_was_asked(shop: Shop, effect: Effect) -> None:
    answer = await shop.ask(effect, amount=PRICE, method=shop.approved)
    assert isinstance(answer, Done)
    assert (answer.values["amount"], answer.values["currency"]) == (PRICE, "EUR")


@pytest.mark.parametrize("effect", [CHARGE, AUTHORIZE])
async def test_declines_with_a_reason(shop: Shop, effect: Effect) -> None:
    answer = await shop.ask(effect, amount=PRICE, method=shop.declined)
    assert isinstance(answer, Refused)
    assert answer.values["reason"]
    assert answer.values["code"]


@pytest.mark.parametrize("effect", [CHARGE, AUTHORIZE])
async def test_declines_an_unknown_payment_method(shop: Shop, effect: Effect) -> None:
    assert isinstance(await shop.ask(effect, amount=PRICE, method=shop.unknown), Refused)


@pytest.mark.parametrize("effect", [CHARGE, AUTHORIZE])
async def test_says_which_payment_waits_for_the_customer(shop: Shop, effect: Effect) -> None:
    answer = await shop.ask(effect, amount=PRICE, method=shop.asking)
    assert isinstance(answer, ActionRequired)
    assert answer.values["payment"]


async def test_calls_a_payment_off_that_waits_for_the_customer(shop: Shop) -> None:
    waiting = await shop.ask(CHARGE, amount=PRICE, method=shop.asking)
    assert isinstance(await shop.ask(VOID, payment=waiting.values["payment"]), Done)


async def test_takes_nothing_of_a_payment_that_waits_for_the_customer(shop: Shop) -> None:
    waiting = await shop.ask(AUTHORIZE, amount=PRICE, method=shop.asking)
    assert isinstance(await shop.ask(CAPTURE, amount=PRICE, payment=waiting.values["payment"]), Refused)


@pytest.mark.parametrize("amount", [PRICE, 1000, 1])
async def test_captures_all_or_a_part_of_what_it_holds(shop: Shop, amount: int) -> None:
    held = await shop.held()
    answer = await shop.ask(CAPTURE, amount=amount, payment=held)
    assert answer == Done({"amount": amount, "currency": "EUR", "payment": held, "total": amount, "held": 0})


async def test_captures_parcel_by_parcel(shop: Shop) -> None:
    taking_in_pieces(shop)
    held, taken = await shop.held(), 0
    for amount, left in [(500, 750), (250, 500), (500, 0)]:
        asked = {"amount": amount, "final": not left, "captured": taken}
        taken += amount
        answer = await shop.ask(CAPTURE, payment=held, **asked)
        assert answer == Done({"amount": amount, "currency": "EUR", "payment": held, "total": taken, "held": left})


async def test_lets_the_rest_go_with_the_last_parcel(shop: Shop) -> None:
    taking_in_pieces(shop)
    held = await shop.held()
    await shop.ask(CAPTURE, amount=500, final=False, payment=held)
    answer = await shop.ask(CAPTURE, amount=250, captured=500, payment=held)
    assert (answer.values["total"], answer.values["held"]) == (750, 0)
    assert isinstance(await shop.ask(CAPTURE, amount=500, captured=750, payment=held), Refused)


async def test_captures_no_more_than_is_left(shop: Shop) -> None:
    taking_in_pieces(shop)
    held = await shop.held()
    await shop.ask(CAPTURE, amount=500, final=False, payment=held)
    answer = await shop.ask(CAPTURE, amount=751, captured=500, payment=held)
    assert isinstance(answer, Refused)
    assert answer.values["reason"] == "7.51 EUR asked, 7.50 EUR held ready"


async def test_lets_go_what_is_left_and_keeps_what_it_captured(shop: Shop) -> None:
    taking_in_pieces(shop)
    held = await shop.held()
    await shop.ask(CAPTURE, amount=500, final=False, payment=held)
    for _ in range(2):
        assert await shop.ask(VOID, payment=held, captured=500) == Done({"payment": held})
    assert isinstance(await shop.ask(CAPTURE, amount=250, captured=500, payment=held), Refused)
    assert isinstance(await shop.ask(REFUND, amount=501, payment=held), Refused)
    assert isinstance(await shop.ask(REFUND, amount=500, payment=held), Done)


async def test_finds_captured_what_was_captured_under_another_key(shop: Shop) -> None:
    honouring_keys(shop)
    held = await shop.held()
    answers = [await shop.ask(CAPTURE, amount=1000, payment=held) for _ in range(2)]
    assert answers[0] == answers[1]


async def test_captures_no_more_than_it_holds(shop: Shop) -> None:
    answer = await shop.ask(CAPTURE, amount=PRICE + 1, payment=await shop.held())
    assert isinstance(answer, Refused)
    assert answer.values["reason"] == "12.51 EUR asked, 12.50 EUR held ready"


async def test_captures_nothing_of_what_it_let_go(shop: Shop) -> None:
    held = await shop.held()
    await shop.ask(VOID, payment=held)
    assert isinstance(await shop.ask(CAPTURE, amount=PRICE, payment=held), Refused)


async def test_lets_go_what_it_holds(shop: Shop) -> None:
    held = await shop.held()
    assert await shop.ask(VOID, payment=held) == Done({"payment": held})


async def test_finds_let_go_what_was_let_go_before(shop: Shop) -> None:
    held = await shop.held()
    await shop.ask(VOID, payment=held)
    assert await shop.ask(VOID, payment=held) == Done({"payment": held})


async def test_lets_nothing_go_that_it_captured(shop: Shop) -> None:
    held = await shop.held()
    await shop.ask(CAPTURE, amount=PRICE, payment=held)
    assert isinstance(await shop.ask(VOID, payment=held), Refused)


@pytest.mark.parametrize("amounts", [[PRICE], [500], [500, 750], [1, 1, 1]])
async def test_gives_back_all_or_parts_of_what_it_took(shop: Shop, amounts: list[int]) -> None:
    taken = await shop.charged()
    for amount in amounts:
        answer = await shop.ask(REFUND, amount=amount, payment=taken)
        assert isinstance(answer, Done)
        assert (answer.values["amount"], answer.values["currency"]) == (amount, "EUR")


async def test_gives_back_what_it_captured(shop: Shop) -> None:
    held = await shop.held()
    await shop.ask(CAPTURE, amount=1000, payment=held)
    assert isinstance(await shop.ask(REFUND, amount=1000, payment=held), Done)


@pytest.mark.parametrize("amounts", [[PRICE + 1], [500, 751], [PRICE, 1]])
async def test_gives_back_no_more_than_it_took(shop: Shop, amounts: list[int]) -> None:
    counting_refunds(shop)
    taken = await shop.charged()
    answers = [await shop.ask(REFUND, amount=amount, payment=taken) for amount in amounts]
    assert isinstance(answers[-1], Refused)
    assert answers[-1].values["reason"]


async def test_gives_back_no_more_than_it_captured(shop: Shop) -> None:
    counting_refunds(shop)
    held = await shop.held()
    await shop.ask(CAPTURE, amount=1000, payment=held)
    assert isinstance(await shop.ask(REFUND, amount=1001, payment=held), Refused)


async def test_gives_nothing_back_of_what_it_only_holds(shop: Shop) -> None:
    assert isinstance(await shop.ask(REFUND, amount=PRICE, payment=await shop.held()), Refused)


@pytest.mark.parametrize(("effect", "amount"), [(CAPTURE, 1), (VOID, None), (REFUND, 1)])
@pytest.mark.parametrize("payment", ["pi_nobody", "../refunds", "sbx_taken"])
async def test_knows_no_payment_that_it_did_not_make(shop: Shop, effect: Effect, amount: int, payment: str) -> None:
    answer = await shop.ask(effect, amount=amount, payment=payment)
    assert isinstance(answer, Refused)
    assert answer.values["reason"] == "unknown payment"


async def test_gives_nothing_back_in_another_currency(shop: Shop) -> None:
    answer = await shop.ask(REFUND, amount=500, currency="USD", payment=await shop.charged())
    assert isinstance(answer, Refused)
    assert answer.values["reason"] == "the payment is in EUR, not in USD"


async def test_captures_nothing_in_another_currency(shop: Shop) -> None:
    answer = await shop.ask(CAPTURE, amount=500, currency="USD", payment=await shop.held())
    assert isinstance(answer, Refused)
    assert answer.values["reason"] == "the payment is in EUR, not in USD"


@pytest.mark.parametrize("effect", [CHARGE, AUTHORIZE])
async def test_pays_once_however_often_the_attempt_is_repeated(shop: Shop, effect: Effect) -> None:
    honouring_keys(shop)
    asked = {"amount": PRICE, "method": shop.approved, "key": "eff_again"}
    first, second = [await shop.ask(effect, number=number, **asked) for number in (1, 2)]
    assert first == second


async def test_captures_once_however_often_the_attempt_is_repeated(shop: Shop) -> None:
    honouring_keys(shop)
    held = await shop.held()
    answers = [await shop.ask(CAPTURE, key="eff_again", number=n, amount=1000, payment=held) for n in (1, 2)]
    assert answers == [Done({"amount": 1000, "currency": "EUR", "payment": held, "total": 1000, "held": 0})] * 2


async def test_gives_back_once_however_often_the_attempt_is_repeated(shop: Shop) -> None:
    honouring_keys(shop)
    taken = await shop.charged()
    answers = [await shop.ask(REFUND, key="eff_again", number=n, amount=PRICE, payment=taken) for n in (1, 2, 3)]
    assert isinstance(answers[0], Done)
    assert answers == [answers[0]] * 3


async def test_keeps_many_payments_apart(shop: Shop) -> None:
    payments = await asyncio.gather(*(shop.charged(amount) for amount in range(100, 120)))
    assert len(set(payments)) == 20
