"""Mail: over SMTP, or within the process for trying things out."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from email.message import EmailMessage
from typing import Annotated, Literal, Self

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
)
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from gateways.letters import compose
from gateways.port import Answer, Attempt, Done, Handlers, NoAnswer, Refused
from gateways.privacy import stays_here
from gateways.quoting import quoted
from gateways.sent import Sent
from statemachines.messages import SEND_MAIL, MailAddress, SendMail

PARTING = 1.0
"""How many seconds a server may take to say goodbye, once it has taken the mail."""


class SmtpSettings(BaseModel):
    """The mail server and how to speak to it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str = Field("", description="the mail server")
    port: int = Field(0, ge=0, le=65535, description="its port; 0 for the usual one")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="how the connection is encrypted: after a greeting, from the start, or not at all"
    )
    user: str = Field("", description="whom to log in as; empty for no login")
    password: SecretStr = Field(SecretStr(""), description="its password")
    sender: MailAddress | Literal[""] = Field("", description="the address that mails come from")
    shop: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,100}$")] = Field(
        "The shop", description="the name that mails come from and are signed with"
    )

    @model_validator(mode="after")
    def _keeps_the_password_private(self) -> Self:
        if self.password.get_secret_value() and self.security == "none" and not stays_here(self.host):
            raise ValueError("sends its password for all to read: choose `starttls` or `tls` as its security")
        return self


class SmtpMail:
    """Hands mails to a mail server.

    What the server says of a mail is final if it is a permanent error (5yz: RFC 5321, 4.2.1); whatever it says of us,
    a refused login for example, is put right by a person, so the mail is tried again.
    """

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._tls = None if settings.security == "none" else ssl.create_default_context()

    @property
    def handlers(self) -> Handlers:
        """The effects that this gateway carries out."""
        return {SEND_MAIL.name: self.send}

    async def send(self, attempt: Attempt) -> Answer:
        """Send one mail.

        Raises:
            NoAnswer: the server was not reached, did not answer in time, or wants to be asked later.
        """
        asked = attempt.arguments
        assert isinstance(asked, SendMail)
        sender = self._settings.sender
        try:
            mail = compose(asked, attempt.key, sender, self._settings.shop)
        except ValueError:
            return Refused({"reason": "a line break in the subject or an address"})
        async with self._session(attempt.timeout) as client:
            try:
                await client.send_message(mail, sender=sender, recipients=asked.to)
            except (SMTPResponseException, SMTPRecipientsRefused) as error:
                return self._verdict(error)
        return Done({})

    async def reach(self, timeout: timedelta) -> None:  # noqa: ASYNC109  (the caller's patience, kept below)
        """Connect, log in and part again.

        Raises:
            NoAnswer: it was not possible; the reason says why.
        """
        async with self._session(timeout) as client:
            await client.noop()

    @asynccontextmanager
    async def _session(self, timeout: timedelta) -> AsyncIterator[SMTP]:  # noqa: ASYNC109
        """Connect, and part at the end.

        Raises:
            NoAnswer: something went wrong, or took longer than `timeout`, on the way or in between.
        """
        client = self._client(timeout)
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await self._connect(client)
                yield client
            await _part(client)
        except TimeoutError as error:
            raise NoAnswer(f"no answer within {timeout.total_seconds():g} s") from error
        except (SMTPException, OSError) as error:
            raise NoAnswer(quoted(str(error))) from error
        finally:
            client.close()

    def _client(self, timeout: timedelta) -> SMTP:
        settings = self._settings
        return SMTP(
            hostname=settings.host,
            port=settings.port or None,
            local_hostname=settings.sender.partition("@")[2],
            username=settings.user or None,
            password=settings.password.get_secret_value() or None,
            timeout=timeout.total_seconds(),
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            tls_context=self._tls,
        )

    async def _connect(self, client: SMTP) -> None:
        """Connect and log in. An answer here is repeated by its code alone: it may hold what we sent."""
        try:
            await client.connect()
        except SMTPAuthenticationError as error:
            raise NoAnswer(f"the mail server refused the login ({error.code})") from None
        except SMTPResponseException as error:
            raise NoAnswer(f"the mail server answered {error.code}") from None

    def _verdict(self, error: SMTPResponseException | SMTPRecipientsRefused) -> Refused:
        """Tell a refusal for good from one for now.

        Raises:
            NoAnswer: the server wants to be asked later.
        """
        answer = error.recipients[0] if isinstance(error, SMTPRecipientsRefused) else error
        reason = quoted(f"{answer.code} {answer.message}", [self._settings.password])
        if answer.code >= 500:
            return Refused({"reason": reason})
        raise NoAnswer(reason) from None


async def _part(client: SMTP) -> None:
    """Say goodbye. What becomes of it no longer matters: the server has taken the mail."""
    with suppress(SMTPException, OSError):
        await client.quit(timeout=PARTING)


class SandboxMail:
    """Mails that reach nobody: they are kept in memory to be looked at. The address says what happens.

    | address | a mail |
    | --- | --- |
    | ``nobody@…`` | is refused |
    | ``later@…`` | is put off at the first attempt and taken at the second |
    | ``silent@…`` | is never answered |

    To any other address it is sent.
    """

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self.sent: Sent[EmailMessage] = Sent()

    @property
    def handlers(self) -> Handlers:
        """The effects that this gateway carries out."""
        return {SEND_MAIL.name: self.send}

    async def send(self, attempt: Attempt) -> Answer:
        """Keep one mail.

        Raises:
            NoAnswer: the address asks for it.
        """
        asked = attempt.arguments
        assert isinstance(asked, SendMail)
        try:
            mail = compose(asked, attempt.key, self._settings.sender or "orders@shop.example", self._settings.shop)
        except ValueError:
            return Refused({"reason": "a line break in the subject or an address"})
        match asked.to.partition("@")[0]:
            case "nobody":
                return Refused({"reason": "550 no such mailbox"})
            case "later" if attempt.number == 1:
                raise NoAnswer("451 try again later")
            case "silent":
                raise NoAnswer("the sandbox does not answer")
        self.sent.add(attempt.key, mail)
        return Done({})
