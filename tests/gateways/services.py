"""The other sides, as strangers would write them from the descriptions of their APIs."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.gateways.peer import SILENCE, Asked, Says

TOKEN = "tok-live-5up3r53cr3t"


def problem(status: int, detail: str) -> Says:
    return Says(status, {"title": "It can't be done", "detail": detail}, {"Content-Type": "application/problem+json"})


def knows(asked: Asked) -> bool:
    return asked.headers.get("authorization") == f"Bearer {TOKEN}"


class Carrier:
    """A carrier that serves every city but a few."""

    def __init__(self) -> None:
        self.shipments: dict[str, str] = {}

    def __call__(self, asked: Asked) -> Any:
        if not knows(asked):
            return problem(401, "who are you?")
        match asked.path.split("/")[1:]:
            case ["shipments"]:
                return self.create(asked.json)
            case ["shipments", shipment, "cancel"] if self.shipments.get(shipment) == "Hurry":
                return problem(409, "it has been fetched")
            case ["shipments", shipment, "cancel"] if shipment in self.shipments:
                return Says(200, {"id": shipment, "status": "cancelled"})
        return problem(404, "no such thing")

    def create(self, shipment: dict[str, Any]) -> Any:
        match shipment["address"]["city"]:
            case "Nowhere":
                return problem(422, "the address is not served")
            case "Silence":
                return SILENCE
        name = f"S{len(self.shipments) + 1}"
        self.shipments[name] = shipment["address"]["city"]
        tracking = f"JD01460000{len(self.shipments)}"
        page = f"https://carrier.example/{tracking}"
        return Says(201, {"id": name, "tracking": tracking, "tracking_url": page, "label_url": f"{page}.pdf"})


def sms(asked: Asked) -> Any:
    """An SMS service."""
    if not knows(asked):
        return problem(401, "who are you?")
    match asked.path, asked.json:
        case "/messages", {"to": "+15550000001"}:
            return problem(422, "the number is not in use")
        case "/messages", {"to": "+15550000002"}:
            return SILENCE
        case "/messages", {"to": _, "text": _}:
            return Says(202, {"id": "m1"})
    return problem(404, "no such thing")


def chat(asked: Asked) -> Any:
    """A chat that takes messages as Slack does, and answers as briefly."""
    match asked.path, asked.json:
        case "/services/T1/B1/h00k53cr3t", {"text": "refuse"}:
            return Says(410, "channel_is_archived")
        case "/services/T1/B1/h00k53cr3t", {"text": "be silent"}:
            return SILENCE
        case "/services/T1/B1/h00k53cr3t", {"text": _}:
            return Says(200, "ok")
    return Says(404, "no_service")


def analytics(asked: Asked) -> Any:
    """An analytics service that takes batches."""
    if not knows(asked):
        return problem(401, "who are you?")
    match asked.path, asked.json:
        case "/batch", {"batch": [{"event": "refuse"}]}:
            return problem(400, "unknown event")
        case "/batch", {"batch": [{"event": "be_silent"}]}:
            return SILENCE
        case "/batch", {"batch": [{"type": "track", "messageId": _, "userId": _, "event": _, "timestamp": _}]}:
            return Says(200, {"success": True})
    return problem(404, "no such thing")


def completions(asked: Asked) -> Any:
    """A text generator that speaks as OpenAI's does, and repeats what it is told."""
    if not knows(asked):
        return Says(401, {"error": {"message": "who are you?"}})
    match asked.path, asked.json:
        case "/chat/completions", {"messages": [{"role": "system", "content": "refuse"}, _]}:
            return Says(400, {"error": {"message": "no text about this", "type": "invalid_request_error"}})
        case "/chat/completions", {"messages": [{"role": "system", "content": "be silent"}, _]}:
            return SILENCE
        case "/chat/completions", {"model": "small", "messages": [_, {"role": "user", "content": facts}]}:
            choice = {"index": 0, "message": {"role": "assistant", "content": facts}, "finish_reason": "stop"}
            return Says(200, {"object": "chat.completion", "choices": [choice]})
    return Says(404, {"error": {"message": "no such model"}})


@dataclass
class Mailbox:
    """What a mail server took, and how it answers about some addresses."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    put_off: set[str] = field(default_factory=set)
    logins: list[str] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        match address.partition("@")[0]:
            case "nobody":
                return "550 5.1.1 no such mailbox"
            case "later" if address not in self.put_off:
                self.put_off.add(address)
                return "451 4.7.1 greylisted, try again later"
            case "silent":
                await asyncio.sleep(3600)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients.append(envelope.rcpt_tos)
        return "250 OK"

    def log_in(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.logins.append(given.login.decode())
        return AuthResult(success=given.password.decode() == TOKEN, handled=False)


@asynccontextmanager
async def mail_server(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, login: bool = False
) -> AsyncIterator[Mailbox]:
    """Run a real mail server at a free port of this machine."""
    mailbox = Mailbox()

    def session() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it advises against a login without TLS, and is right
            return SMTP(
                mailbox,
                hostname="mail.example",
                tls_context=starttls,
                require_starttls=starttls is not None,
                auth_required=login,
                auth_require_tls=starttls is not None,
                authenticator=mailbox.log_in,
            )

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, ssl=tls)
    mailbox.port = server.sockets[0].getsockname()[1]
    try:
        yield mailbox
    finally:
        server.close()
