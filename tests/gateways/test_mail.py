"""Mails reach a real mail server, over TLS or not, and whatever it does is told apart."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest
import trustme

from gateways.mail import SandboxMail, SmtpMail, SmtpSettings
from gateways.port import Answer, Attempt, Done, NoAnswer, Refused
from statemachines.letters import OrderShipped
from statemachines.messages import SendMail
from tests.gateways.services import TOKEN, mail_server

SHIPPED = OrderShipped(order="ord_1", tracking="JD0146")


def over_smtp(port: int, **settings: object) -> SmtpMail:
    chosen = {"security": "none", "sender": "orders@shop.example", "shop": "Mug & Jug", **settings}
    return SmtpMail(SmtpSettings.model_validate({"host": "127.0.0.1", "port": port, **chosen}))


async def send(
    gateway: SmtpMail | SandboxMail, to: str = "ann@shop.example", *, number: int = 1, seconds: float = 5
) -> Answer:
    asked = SendMail(to=to, message=SHIPPED)
    return await gateway.send(Attempt("eff_1", asked, number, timedelta(seconds=seconds)))


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A certificate authority that this machine trusts."""
    made = trustme.CA()
    file = tmp_path / "authority.pem"
    made.cert_pem.write_to_path(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return made


def certified(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_a_mail_arrives_as_it_was_composed() -> None:
    async with mail_server() as mailbox:
        assert await send(over_smtp(mailbox.port)) == Done({})
    (mail,) = mailbox.mails
    assert mailbox.recipients == [["ann@shop.example"]]
    assert mail["Subject"] == "Your order ord_1 is on its way"
    assert mail["From"].addresses[0].display_name == "Mug & Jug"
    assert mail["Message-ID"] == "<eff_1@shop.example>"
    plain, html = mail.iter_parts()
    assert "JD0146" in plain.get_content()
    assert "<b>JD0146</b>" in html.get_content()


async def test_a_greylisted_mail_is_taken_at_the_second_attempt() -> None:
    async with mail_server() as mailbox:
        gateway = over_smtp(mailbox.port)
        with pytest.raises(NoAnswer, match=r"^451 4\.7\.1 greylisted"):
            await send(gateway, "later@shop.example")
        assert await send(gateway, "later@shop.example", number=2) == Done({})


async def test_the_sandbox_puts_a_mail_off_once_too() -> None:
    sandbox = SandboxMail(SmtpSettings())
    with pytest.raises(NoAnswer):
        await send(sandbox, "later@shop.example")
    assert await send(sandbox, "later@shop.example", number=2) == Done({})
    (mail,) = sandbox.sent
    assert mail["Subject"] == "Your order ord_1 is on its way"


async def test_an_unknown_mailbox_is_refused_in_the_servers_words() -> None:
    async with mail_server() as mailbox:
        answer = await send(over_smtp(mailbox.port), "nobody@shop.example")
    assert answer == Refused({"reason": "550 5.1.1 no such mailbox"})


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_login_and_mail_travel_encrypted(authority: trustme.CA, security: str) -> None:
    protected = {security: certified(authority)}
    async with mail_server(**protected, login=security == "starttls") as mailbox:
        login = {"user": "shop", "password": TOKEN} if security == "starttls" else {}
        assert await send(over_smtp(mailbox.port, security=security, **login)) == Done({})
    assert len(mailbox.mails) == 1
    assert set(mailbox.logins) == ({"shop"} if login else set())


async def test_a_server_without_starttls_gets_neither_login_nor_mail() -> None:
    async with mail_server(login=True) as mailbox:
        with pytest.raises(NoAnswer, match="STARTTLS"):
            await send(over_smtp(mailbox.port, security="starttls", user="shop", password=TOKEN))
    assert (mailbox.logins, mailbox.mails) == ([], [])


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_with_a_strange_certificate_gets_nothing(authority: trustme.CA, security: str) -> None:
    protected = {security: certified(authority, "mail.elsewhere.example")}
    async with mail_server(**protected) as mailbox:
        with pytest.raises(NoAnswer, match="certificate"):
            await send(over_smtp(mailbox.port, security=security))
    assert mailbox.mails == []


async def test_a_refused_login_is_a_matter_of_settings_and_not_of_the_mail() -> None:
    async with mail_server(login=True) as mailbox:
        with pytest.raises(NoAnswer, match=r"^the mail server refused the login \(535\)$"):
            await send(over_smtp(mailbox.port, user="shop", password="wrong"))


@asynccontextmanager
async def saying(*lines: str) -> AsyncIterator[int]:
    """Run a server that says its lines, one for each command that it hears, and then falls silent."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for line in lines:
                writer.write(f"{line}\r\n".encode())
                await (reader.readuntil(b"\r\n.\r\n") if line.startswith("354") else reader.readline())
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


GREETED = ["220 mail.example", "250 OK"]


@pytest.mark.parametrize("lines", [[], GREETED[:1], GREETED, [*GREETED, "250 OK", "250 OK", "354 go on"]])
async def test_a_server_that_hangs_is_left_in_time(lines: list[str]) -> None:
    async with saying(*lines) as port:
        started = monotonic()
        with pytest.raises(NoAnswer, match=r"no answer within 0\.3 s|Timed out"):
            await send(over_smtp(port), seconds=0.3)
        assert monotonic() - started < 5


async def test_a_mail_that_was_taken_is_sent_even_if_the_server_hangs_afterwards() -> None:
    async with saying(*GREETED, "250 OK", "250 OK", "354 go on", "250 taken") as port:
        assert await send(over_smtp(port)) == Done({})


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["554 no service for you"], "answered 554"),
        (["421 too busy"], "answered 421"),
        (["HTTP/1.1 400 Bad Request"], "answered"),
        ([*GREETED, "421 shutting down"], "421 shutting down"),
        ([*GREETED, "451 later", "250 OK", "221 bye"], "451 later"),
    ],
)
async def test_a_server_that_turns_us_away_is_asked_again(lines: list[str], reason: str) -> None:
    async with saying(*lines) as port:
        with pytest.raises(NoAnswer, match=reason):
            await send(over_smtp(port), seconds=0.5)


async def test_a_sender_or_content_that_is_refused_is_refused_for_good() -> None:
    async with saying(*GREETED, "552 too large", "250 OK", "221 bye") as port:
        assert await send(over_smtp(port)) == Refused({"reason": "552 too large"})


async def test_a_server_that_is_down_is_asked_again() -> None:
    with pytest.raises(NoAnswer, match=r"127\.0\.0\.1"):
        await send(over_smtp(1))


async def test_reaching_a_server_tries_the_login_and_sends_nothing() -> None:
    async with mail_server(login=True) as mailbox:
        await over_smtp(mailbox.port, user="shop", password=TOKEN).reach(timedelta(seconds=3))
        with pytest.raises(NoAnswer, match="535"):
            await over_smtp(mailbox.port, user="shop", password="wrong").reach(timedelta(seconds=3))
    assert mailbox.mails == []
