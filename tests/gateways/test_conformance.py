"""What every gateway promises, sandbox and real one alike, against real servers on the other side."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from gateways.analytics import HttpAnalytics, SandboxAnalytics
from gateways.bearer import BearerSettings
from gateways.carrier import HttpCarrier, SandboxCarrier
from gateways.chat import ChatSettings, SandboxChat, SlackChat
from gateways.mail import SandboxMail, SmtpMail, SmtpSettings
from gateways.port import Answer, Attempt, Done, NoAnswer, Refused
from gateways.sms import HttpSms, SandboxSms
from gateways.text import ChatCompletions, SandboxText, TextSettings
from statemachines.analytics import TRACK, Occurrence
from statemachines.carrier import CREATE_SHIPMENT, CreateShipment
from statemachines.declaration import Effect
from statemachines.letters import OrderShipped
from statemachines.messages import POST_MESSAGE, SEND_MAIL, SEND_SMS, PostMessage, SendMail, SendSms
from statemachines.texts import WRITE_TEXT, WriteText
from tests.gateways import services
from tests.gateways.peer import playing

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def shipment(city: str) -> CreateShipment:
    address = {"name": "Ann", "lines": ["Long Street 1"], "postal_code": "12345", "city": city, "country": "DE"}
    return CreateShipment(
        order="ord_1", reference="shp_1", address=address, contents=[{"sku": "MUG-BLUE", "quantity": 2}]
    )


def to(local_part: str) -> SendMail:
    return SendMail(to=f"{local_part}@shop.example", message=OrderShipped(order="ord_1"))


def event(name: str) -> Occurrence:
    return Occurrence(name=name, subject="ord_1", at=NOON, figures={"pieces": 2})


@dataclass(frozen=True)
class Kind:
    """An effect, arguments by how they end, and the gateways that carry it out."""

    effect: Effect
    agreed: BaseModel
    refused: BaseModel
    unanswered: BaseModel
    sandbox: Callable[[], Any]
    kept: str
    """Where the sandbox keeps what it did."""
    real: Callable[[str], Any]
    service: Callable[[], Any]
    knows_keys: bool = True


KINDS = {
    "carrier": Kind(
        CREATE_SHIPMENT,
        shipment("Berlin"),
        shipment("Nowhere"),
        shipment("Silence"),
        SandboxCarrier,
        "created",
        lambda url: HttpCarrier(BearerSettings(url=url, token=services.TOKEN)),
        services.Carrier,
    ),
    "sms": Kind(
        SEND_SMS,
        SendSms(to="+491701234567", text="on its way"),
        SendSms(to="+15550000001", text="on its way"),
        SendSms(to="+15550000002", text="on its way"),
        SandboxSms,
        "sent",
        lambda url: HttpSms(BearerSettings(url=url, token=services.TOKEN)),
        lambda: services.sms,
    ),
    "chat": Kind(
        POST_MESSAGE,
        PostMessage(text="MUG-BLUE runs out"),
        PostMessage(text="refuse"),
        PostMessage(text="be silent"),
        SandboxChat,
        "sent",
        lambda url: SlackChat(ChatSettings(url=f"{url}/services/T1/B1/h00k53cr3t")),
        lambda: services.chat,
        knows_keys=False,
    ),
    "analytics": Kind(
        TRACK,
        event("order.fulfilled"),
        event("refuse"),
        event("be_silent"),
        SandboxAnalytics,
        "sent",
        lambda url: HttpAnalytics(BearerSettings(url=url, token=services.TOKEN)),
        lambda: services.analytics,
    ),
    "text": Kind(
        WRITE_TEXT,
        WriteText(instructions="Tell the day.", facts="3 orders"),
        WriteText(instructions="refuse", facts="3 orders"),
        WriteText(instructions="be silent", facts="3 orders"),
        SandboxText,
        "asked",
        lambda url: ChatCompletions(TextSettings(url=url, token=services.TOKEN, model="small")),
        lambda: services.completions,
    ),
    "mail": Kind(
        SEND_MAIL,
        to("ann"),
        to("nobody"),
        to("silent"),
        lambda: SandboxMail(SmtpSettings()),
        "sent",
        lambda port: SmtpMail(SmtpSettings(host="127.0.0.1", port=port, security="none", sender="orders@shop.example")),
        lambda: None,
        knows_keys=False,
    ),
}


@dataclass
class Played:
    """A gateway and the other side, ready to be tried."""

    kind: Kind
    gateway: Any
    count: Callable[[], int]
    """How many things were done on the other side."""
    knows_keys: bool = True
    """Whether it does what comes under one key once."""

    async def attempt(self, arguments: BaseModel, *, key: str = "eff_1", number: int = 1) -> Answer:
        timeout = timedelta(seconds=5 if arguments is not self.kind.unanswered else 0.2)
        return await self.gateway.handlers[self.kind.effect.name](Attempt(key, arguments, number, timeout))


@pytest.fixture(params=[f"{name}-{which}" for name in KINDS for which in ("sandbox", "real")])
async def played(request: pytest.FixtureRequest) -> AsyncIterator[Played]:
    name, which = request.param.split("-")
    kind = KINDS[name]
    async with AsyncExitStack() as stack:
        if which == "sandbox":
            gateway = kind.sandbox()
            yield Played(kind, gateway, lambda: len(getattr(gateway, kind.kept)))
        elif name == "mail":
            mailbox = await stack.enter_async_context(services.mail_server())
            yield Played(kind, kind.real(mailbox.port), lambda: len(mailbox.mails), kind.knows_keys)
        else:
            peer = await stack.enter_async_context(playing(kind.service()))
            gateway = kind.real(peer.url)
            stack.push_async_callback(gateway.aclose)
            yield Played(kind, gateway, lambda: len(peer.done), kind.knows_keys)


def fits(event: type[BaseModel] | None, values: Mapping[str, Any]) -> bool:
    """Whether values fill an event; where none is raised, any do."""
    if event is not None:
        event.model_validate(dict(values))
    return True


async def test_what_is_agreed_to_is_done_and_fills_the_event_of_success(played: Played) -> None:
    answer = await played.attempt(played.kind.agreed)
    assert isinstance(answer, Done)
    assert fits(played.kind.effect.ok, answer.values)
    assert played.count() == 1


async def test_a_refusal_is_final_and_says_why(played: Played) -> None:
    answer = await played.attempt(played.kind.refused)
    assert isinstance(answer, Refused)
    assert len(answer.values["reason"]) > 5
    assert fits(played.kind.effect.failed, answer.values)
    assert played.count() == 0


async def test_silence_ends_in_time_and_says_nothing_of_the_outcome(played: Played) -> None:
    with pytest.raises(NoAnswer):
        await played.attempt(played.kind.unanswered)


async def test_a_repeated_attempt_is_answered_the_same_and_done_once_where_keys_are_known(played: Played) -> None:
    first = await played.attempt(played.kind.agreed)
    again = await played.attempt(played.kind.agreed, number=2)
    assert again == first
    assert played.count() == (1 if played.knows_keys else 2)


async def test_another_key_is_another_call(played: Played) -> None:
    await played.attempt(played.kind.agreed)
    await played.attempt(played.kind.agreed, key="eff_2")
    assert played.count() == 2


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
async def test_the_real_one_says_nothing_of_the_outcome_when_nobody_is_there(kind: Kind) -> None:
    gateway = kind.real(1 if kind.effect is SEND_MAIL else "http://127.0.0.1:1")
    with pytest.raises(NoAnswer):
        await gateway.handlers[kind.effect.name](Attempt("eff_1", kind.agreed, 1, timedelta(seconds=5)))
