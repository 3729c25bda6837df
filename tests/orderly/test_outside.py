"""The outside world is what the settings say it is."""

from typing import Any

import pytest

from gateways.analytics import HttpAnalytics
from gateways.carrier import HttpCarrier
from gateways.chat import SlackChat
from gateways.mail import SmtpMail
from gateways.sms import HttpSms
from gateways.stripe import StripePayments
from gateways.text import ChatCompletions
from orderly.outside import Outside, Reachable
from orderly.settings import BadSettings, Settings
from statemachines.analytics import TRACK
from statemachines.carrier import CANCEL_SHIPMENT, CREATE_SHIPMENT
from statemachines.messages import POST_MESSAGE, SEND_MAIL, SEND_SMS
from statemachines.registry import MACHINES
from statemachines.texts import WRITE_TEXT

HTTP = {"gateway": "http", "url": "https://api.example", "token": "t0k3n"}
REAL: dict[str, tuple[dict[str, Any], type]] = {
    "payments": ({"gateway": "stripe", "secret_key": "sk_test_1"}, StripePayments),
    "mail": ({"gateway": "smtp", "host": "mail.example", "sender": "orders@shop.example"}, SmtpMail),
    "carrier": (HTTP, HttpCarrier),
    "sms": (HTTP, HttpSms),
    "chat": ({"gateway": "slack", "url": "https://chat.example/services/T1"}, SlackChat),
    "analytics": (HTTP, HttpAnalytics),
    "text": ({"gateway": "openai", "url": "https://text.example/v1", "model": "small"}, ChatCompletions),
}


async def test_every_effect_that_may_be_asked_of_a_gateway_is_carried_out() -> None:
    outside = Outside(Settings())
    effects = [effect for machine in MACHINES for effect in machine.effects]
    effects += [TRACK, CREATE_SHIPMENT, CANCEL_SHIPMENT, POST_MESSAGE, SEND_MAIL, SEND_SMS, WRITE_TEXT]
    asked = {effect.name for effect in effects if effect.destination in outside.gateways}
    assert asked <= outside.handlers.keys()


async def test_a_sandbox_and_its_real_gateway_carry_out_the_same_effects() -> None:
    sandboxes = Outside(Settings())
    real = Outside(Settings(**{group: given for group, (given, _) in REAL.items()}))
    assert sandboxes.handlers.keys() == real.handlers.keys()
    await real.aclose()


@pytest.mark.parametrize("group", REAL)
async def test_one_group_is_real_and_the_others_stay_sandboxes(group: str) -> None:
    given, kind = REAL[group]
    outside = Outside(Settings(**{group: given}))
    assert isinstance(outside.gateways[group], kind)
    assert [name for name, gateway in outside.gateways.items() if isinstance(gateway, Reachable)] == [group]
    await outside.aclose()


async def test_every_choice_has_its_gateway() -> None:
    assert Outside(Settings()).gateways.keys() == REAL.keys()


def test_a_gateway_that_cannot_be_made_is_a_matter_of_settings() -> None:
    with pytest.raises(BadSettings, match="the header Authorization") as caught:
        Outside(Settings(payments={"gateway": "stripe", "secret_key": "sk_test_hunter2\n"}))
    assert "hunter2" not in str(caught.value)
