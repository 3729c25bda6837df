"""Secrets of gateways get into no error, no log and no picture of an object, however the other side behaves."""

import asyncio
import base64
import io
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from traceback import format_exception
from typing import Any

import pytest
import structlog
from pydantic import BaseModel

from gateways.port import Attempt
from orderly import logs
from orderly.outside import Outside, Reachable
from orderly.reference import rows_of
from orderly.settings import Settings
from statemachines import payments
from statemachines.analytics import TRACK, Occurrence
from statemachines.carrier import CANCEL_SHIPMENT, CREATE_SHIPMENT, Address, CancelShipment, Contents, CreateShipment
from statemachines.letters import OrderShipped
from statemachines.messages import POST_MESSAGE, SEND_MAIL, SEND_SMS, PostMessage, SendMail, SendSms
from statemachines.texts import WRITE_TEXT, WriteText
from tests.gateways.peer import SILENCE, Asked, Peer, Says, playing

SECRETS = {
    "payments": "sk_test_5tr1p353cr3t",
    "mail": "m41lp455w0rd",
    "carrier": "c4rr13rt0k3n",
    "sms": "5m5t0k3n",
    "chat": "ch4th00k",
    "analytics": "4n4lyt1c5t0k3n",
    "text": "t3xtt0k3n",
}

TAKE = {"amount": 1250, "currency": "EUR", "method": "pm_card_visa", "order": "ord_1"}
MOVE = {"amount": 1250, "currency": "EUR", "payment": "pi_1", "order": "ord_1"}
ARGUMENTS: dict[str, BaseModel] = {
    payments.CHARGE.name: payments.ChargeArguments.model_validate(TAKE),
    payments.AUTHORIZE.name: payments.AuthorizeArguments.model_validate(TAKE),
    payments.CAPTURE.name: payments.CaptureArguments.model_validate(MOVE),
    payments.VOID.name: payments.VoidArguments(payment="pi_1", order="ord_1"),
    payments.REFUND.name: payments.RefundArguments.model_validate(MOVE),
    SEND_MAIL.name: SendMail(to="ann@shop.example", message=OrderShipped(order="ord_1")),
    CREATE_SHIPMENT.name: CreateShipment(
        order="ord_1",
        reference="shp_1",
        address=Address(name="Ann", lines=("Long Street 1",), city="Berlin", country="DE"),
        contents=(Contents(sku="MUG-BLUE", quantity=2),),
    ),
    CANCEL_SHIPMENT.name: CancelShipment(shipment="S1", order="ord_1"),
    SEND_SMS.name: SendSms(to="+491701234567", text="on its way"),
    POST_MESSAGE.name: PostMessage(text="MUG-BLUE runs out"),
    TRACK.name: Occurrence(name="order.fulfilled", subject="ord_1", at=datetime(2026, 1, 5, tzinfo=UTC)),
    WRITE_TEXT.name: WriteText(instructions="Tell the day.", facts="3 orders"),
}


def everything(asked: Asked) -> str:
    """Repeat a whole request, as a careless service might."""
    return json.dumps([asked.path, asked.headers, asked.body.decode()])


def stripes(asked: Asked) -> dict[str, object]:
    error = {"type": "invalid_request_error", "message": everything(asked), "code": everything(asked)}
    return {"error": {**error, "decline_code": everything(asked)}, "detail": everything(asked)}


MISDEEDS: dict[str, Callable[[Asked], Any]] = {
    "falls silent": lambda asked: SILENCE,
    "hangs up": lambda asked: b"",
    "speaks another protocol": lambda asked: f"220 {everything(asked)}\r\n".encode(),
    "repeats all in a refusal": lambda asked: Says(422, stripes(asked)),
    "repeats all in Stripe's words": lambda asked: Says(402, stripes(asked)),
    "repeats all in plain text": lambda asked: Says(400, everything(asked)),
    "repeats all because of the token": lambda asked: Says(401, stripes(asked)),
    "repeats all in its trouble": lambda asked: Says(
        503, stripes(asked), {"X-Asked": asked.headers.get("authorization", "")}
    ),
    "repeats all and agrees": lambda asked: Says(200, {"id": everything(asked), "choices": everything(asked)}),
    "writes all": lambda asked: Says(200, {"choices": [{"message": {"content": everything(asked)}}]}),
    "redirects with all": lambda asked: Says(302, "", {"Location": f"http://127.0.0.1:1{asked.path}?{asked.headers}"}),
}


async def mail_server(misdeed: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak SMTP, and misbehave once the password has come."""
    heard: list[str] = []
    writer.write(b"220 mail.example\r\n")
    try:
        while line := (await reader.readline()).decode().strip():
            heard.append(line)
            command = line.split()[0].upper()
            if command in ("EHLO", "NOOP", "RSET"):
                writer.write(b"250-mail.example\r\n250 AUTH PLAIN LOGIN\r\n")
            elif command == "AUTH" and misdeed == "repeats all because of the token":
                writer.write(f"535 {heard}\r\n".encode())
            elif command == "AUTH" and misdeed == "hangs up":
                return
            elif command == "AUTH" and misdeed == "falls silent":
                await reader.read()
            elif command == "AUTH" and misdeed == "speaks another protocol":
                writer.write(f"HTTP/1.1 400 {heard}\r\n".encode())
            elif command == "AUTH":
                heard.append(base64.b64decode(line.split()[-1]).decode())
                writer.write(b"235 welcome\r\n")
            elif command == "QUIT":
                writer.write(b"221 bye\r\n")
            else:
                code = 451 if misdeed == "repeats all in its trouble" else 550
                writer.write(f"{code} {heard[-2:]}\r\n".encode())
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.fixture
def written() -> Iterator[io.BytesIO]:
    """The log at its most talkative."""
    file, root = io.BytesIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure(Settings(log_level="debug"), file)
    yield file
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level


def all_real(peer: Peer, mail_port: int) -> Settings:
    def http(name: str) -> dict[str, str]:
        return {"gateway": "http", "url": peer.url, "token": SECRETS[name]}

    return Settings(
        payments={"gateway": "stripe", "url": peer.url, "secret_key": SECRETS["payments"]},
        mail={
            "gateway": "smtp",
            "host": "127.0.0.1",
            "port": mail_port,
            "security": "none",
            "user": "shop",
            "password": SECRETS["mail"],
            "sender": "orders@shop.example",
        },
        carrier=http("carrier"),
        sms=http("sms"),
        chat={"gateway": "slack", "url": f"{peer.url}/services/{SECRETS['chat']}"},
        analytics=http("analytics"),
        text={"gateway": "openai", "url": peer.url, "token": SECRETS["text"], "model": "small"},
    )


@pytest.fixture(params=[*MISDEEDS, "is not there"])
async def settings(request: pytest.FixtureRequest) -> AsyncIterator[Settings]:
    """Every gateway a real one, and the other side bad in one way."""
    async with AsyncExitStack() as stack:
        if request.param == "is not there":
            yield all_real(Peer(lambda asked: SILENCE, "http://127.0.0.1:1"), 1)
            return
        peer = await stack.enter_async_context(playing(MISDEEDS[request.param]))
        server = await asyncio.start_server(
            lambda reader, writer: mail_server(request.param, reader, writer), "127.0.0.1", 0
        )
        stack.callback(server.close)
        yield all_real(peer, server.sockets[0].getsockname()[1])


def given_away(text: str) -> list[str]:
    """Return which gateways' secrets stand in a text, as they are or as mail servers get to read them."""
    spelled = {
        name: [secret, base64.b64encode(f"\0shop\0{secret}".encode()).decode()] for name, secret in SECRETS.items()
    }
    return [name for name, spellings in spelled.items() if any(each in text for each in spellings)]


async def test_no_secret_is_given_away_when_things_go_wrong(settings: Settings, written: io.BytesIO) -> None:
    log = structlog.get_logger("orderly.test")
    outside = Outside(settings)
    ended: list[object] = []
    for name, handler in outside.handlers.items():
        try:
            ended.append(await handler(Attempt(f"eff_{name}", ARGUMENTS[name], 1, timedelta(seconds=0.3))))
        except Exception as error:
            ended.append("".join(format_exception(error)))
            log.exception("effect_failed", effect=name)
    for gateway in outside.gateways.values():
        assert isinstance(gateway, Reachable)
        try:
            await gateway.reach(timedelta(seconds=0.3))
        except Exception as error:  # noqa: BLE001
            ended.append("".join(format_exception(error)))
    await outside.aclose()
    assert len(ended) >= len(ARGUMENTS)
    assert given_away(repr(ended)) == []
    assert given_away(written.getvalue().decode()) == []


async def test_no_secret_is_given_away_by_looking_at_things(settings: Settings) -> None:
    outside = Outside(settings)
    seen = [settings, outside, *outside.gateways.values(), *outside.handlers.values(), rows_of(settings)]
    seen += [vars(gateway) for gateway in outside.gateways.values()]
    assert given_away(repr(seen)) == []
    assert given_away(str(seen)) == []
    assert given_away(settings.model_dump_json()) == []
    await outside.aclose()
