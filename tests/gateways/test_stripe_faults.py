"""What becomes of money when Stripe misbehaves, over real sockets: nothing lost, nothing taken or given back twice."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from gateways.port import Answer, Attempt, Done, NoAnswer, Refused
from gateways.stripe import StripePayments, StripeSettings
from statemachines.declaration import Effect
from statemachines.payments import AUTHORIZE, CAPTURE, CHARGE, REFUND, VOID
from tests.gateways import faults
from tests.gateways.peer import Says, apart
from tests.gateways.stripe_double import SECRET_KEY, Fault, StripeDouble

PATIENCE = timedelta(seconds=10)
IMPATIENCE = timedelta(seconds=0.9)
"""How long to wait for what will not come."""

SLOW = {"hangs", "late", "drips"}

UNANSWERED: dict[str, Callable[[Says], Any]] = {
    "resets": faults.resets,
    "hangs": faults.hangs,
    "hangs up": faults.hangs_up,
    "garbage": faults.speaks_garbage,
    "breaks off": faults.breaks_off,
    "breaks off early": faults.breaks_off_early,
    "html": faults.says_no_json,
    "drips": faults.drips(0.02),
    "late": faults.is_late(1.2),
    "200 with an error": faults.says(200, {"error": {"type": "api_error", "message": "We are sorry."}}),
    "200 with nothing": faults.says(200),
    "200 with a list": faults.says(200, []),
    "302": faults.says(302, Location="http://127.0.0.1:1/"),
    "408": faults.says(408),
    "409": faults.says(409, {"error": {"type": "idempotency_error", "code": "idempotency_key_in_use"}}),
    "418": faults.says(418),
    "424": faults.says(424),
    "429": faults.says(429),
    "500": faults.says(500, {"error": {"type": "api_error"}}),
    "502 html": faults.says(502, "<html>Bad Gateway</html>"),
    "400 html": faults.says(400, "<html>Bad Request</html>"),
}
"""The ways not to answer."""


@dataclass
class Shop:
    stripe: StripeDouble
    gateway: StripePayments
    patience: timedelta = PATIENCE

    async def ask(self, effect: Effect, key: str, number: int = 1, **arguments: Any) -> Answer:
        given = {"currency": "EUR", "order": "ord_1", "amount": 1250, "method": "pm_card_visa", **arguments}
        fitting = {name: value for name, value in given.items() if name in effect.arguments.model_fields}
        attempt = Attempt(key, effect.arguments.model_validate(fitting), number, self.patience)
        return await self.gateway.handlers[effect.name](attempt)

    async def payment(self, effect: Effect) -> str:
        answer = await self.ask(effect, "eff_before")
        assert isinstance(answer, Done)
        return str(answer.values["payment"])


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    with apart(StripeDouble()) as stripe:
        gateway = StripePayments(StripeSettings(secret_key=SecretStr(SECRET_KEY), url=stripe.url))
        yield Shop(stripe, gateway)
        await gateway.aclose()


@pytest.fixture(params=[True, False], ids=["carried out", "not carried out"])
def carried_out(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=UNANSWERED)
def fault(request: pytest.FixtureRequest, carried_out: bool, shop: Shop) -> None:
    shop.stripe.faults.append(Fault(UNANSWERED[request.param], carried_out))
    shop.patience = IMPATIENCE if request.param in SLOW else PATIENCE


@pytest.mark.usefixtures("fault")
async def test_takes_money_once(shop: Shop) -> None:
    with pytest.raises(NoAnswer):
        await shop.ask(CHARGE, "eff_1")
    answer = await shop.ask(CHARGE, "eff_1", number=2)
    assert isinstance(answer, Done)
    assert shop.stripe.taken == [(answer.values["payment"], 1250, "eur")]


@pytest.mark.parametrize("way", ["resets", "late", "200 with an error", "500"])
@pytest.mark.parametrize("effect", [CAPTURE, REFUND, VOID])
async def test_moves_held_money_once(shop: Shop, effect: Effect, way: str, carried_out: bool) -> None:
    payment = await shop.payment(CHARGE if effect is REFUND else AUTHORIZE)
    shop.stripe.faults.append(Fault(UNANSWERED[way], carried_out))
    shop.patience = IMPATIENCE if way in SLOW else PATIENCE
    with pytest.raises(NoAnswer):
        await shop.ask(effect, "eff_1", payment=payment, amount=1000)
    assert isinstance(await shop.ask(effect, "eff_1", number=2, payment=payment, amount=1000), Done)
    moved = {CAPTURE.name: shop.stripe.taken, REFUND.name: shop.stripe.given_back, VOID.name: []}[effect.name]
    assert [each[:2] for each in moved] == ([] if effect is VOID else [(payment, 1000)])


async def test_finds_the_charge_whose_answer_came_too_late(shop: Shop) -> None:
    shop.stripe.faults.extend([Fault(faults.is_late(1.2))] * 3)
    shop.patience = IMPATIENCE
    for number in (1, 2, 3):
        with pytest.raises(NoAnswer, match=r"no answer within 0\.9 s"):
            await shop.ask(CHARGE, "eff_1", number=number)
    answer = await shop.ask(CHARGE, "eff_1", number=4)
    assert isinstance(answer, Done)
    assert len(shop.stripe.taken) == 1


async def test_finds_captured_what_was_captured_although_the_key_is_forgotten(shop: Shop) -> None:
    held = await shop.payment(AUTHORIZE)
    shop.stripe.faults.append(Fault(faults.resets))
    with pytest.raises(NoAnswer):
        await shop.ask(CAPTURE, "eff_1", payment=held, amount=1000)
    shop.stripe.kept.clear()
    assert isinstance(await shop.ask(CAPTURE, "eff_1", number=2, payment=held, amount=1000), Done)
    assert len(shop.stripe.taken) == 1


async def test_finds_let_go_what_was_let_go_although_the_key_is_forgotten(shop: Shop) -> None:
    held = await shop.payment(AUTHORIZE)
    shop.stripe.faults.append(Fault(faults.resets))
    with pytest.raises(NoAnswer):
        await shop.ask(VOID, "eff_1", payment=held)
    shop.stripe.kept.clear()
    assert isinstance(await shop.ask(VOID, "eff_1", number=2, payment=held), Done)


async def test_does_not_take_another_amount_for_the_one_that_was_asked(shop: Shop) -> None:
    held = await shop.payment(AUTHORIZE)
    await shop.ask(CAPTURE, "eff_1", payment=held, amount=1000)
    answer = await shop.ask(CAPTURE, "eff_2", payment=held, amount=900)
    assert isinstance(answer, Refused)
    assert answer.values["reason"] == "another amount was captured before"


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("Sat, 03 Jan 2026 10:00:30 GMT", 30), ("999999", 3600)])
async def test_passes_on_how_long_to_leave_it_alone(shop: Shop, header: str, seconds: int) -> None:
    slow_down = faults.says(429, Retry_After=header, Date="Sat, 03 Jan 2026 10:00:00 GMT")
    shop.stripe.faults.append(Fault(slow_down, carried_out=False))
    with pytest.raises(NoAnswer, match="answered 429") as caught:
        await shop.ask(CHARGE, "eff_1")
    assert caught.value.retry_after == timedelta(seconds=seconds)


async def test_waits_for_a_stripe_that_is_down(shop: Shop) -> None:
    gateway = StripePayments(StripeSettings(secret_key=SecretStr(SECRET_KEY), url="http://127.0.0.1:9"))
    with pytest.raises(NoAnswer, match="connection refused"):
        await Shop(shop.stripe, gateway).ask(CHARGE, "eff_1")


async def test_stands_a_bad_hour(shop: Shop) -> None:
    """Whatever goes wrong, in whatever order: each of many charges is taken once, as soon as Stripe answers."""
    ways = [way for way in UNANSWERED if way not in SLOW]
    for number, way in enumerate(ways * 2):
        shop.stripe.faults.append(Fault(UNANSWERED[way], carried_out=number % 2 == 0))
    taken = 0
    for charge in range(20):
        for number in range(1, 100):
            try:
                answer = await shop.ask(CHARGE, f"eff_{charge}", number=number)
            except NoAnswer:
                continue
            assert isinstance(answer, Done)
            taken += 1
            break
    assert taken == len(shop.stripe.taken) == 20
    assert not shop.stripe.faults
