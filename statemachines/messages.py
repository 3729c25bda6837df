"""Messages to people: by mail, by SMS, to a chat channel.

A mail is a template and the values it shows. Each template is a class in `letters`, so that an action can't ask for a
mail with a value missing: ``yield mail("ann@shop.example", OrderShipped(order="ord_1", tracking="JD0146"))``. Its words
stand in `gateways/templates/`, in files of the same name.
"""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from statemachines.commands import Call
from statemachines.declaration import Effect, Retry
from statemachines.letters import AnyTemplate
from statemachines.privacy import PRIVATE
from statemachines.values import Paragraphs

MailAddress = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
        r"@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$",
        max_length=254,
        examples=["ann@shop.example"],
    ),
    PRIVATE,
]
"""One mail address without a display name: what the HTML standard takes as one (4.10.5.1.5), within SMTP's lengths."""

PhoneNumber = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$", examples=["+491701234567"]), PRIVATE]
"""A telephone number in E.164: a plus sign, the country's code and the rest, 15 digits at most."""


class SendMail(BaseModel):
    """Send one mail to one person."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: MailAddress
    message: AnyTemplate
    reply_to: MailAddress | None = None


class SendSms(BaseModel):
    """Send a short text to a telephone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: PhoneNumber
    text: Annotated[Paragraphs, Field(min_length=1, max_length=600)]


class PostMessage(BaseModel):
    """Post a text to the shop's chat channel."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Paragraphs = Field(min_length=1)


SEND_MAIL = Effect(
    "mail.send",
    SendMail,
    # A server that greylists wants to be asked again after minutes, one that is down may be so for a night.
    retry=Retry(
        attempts=8,
        first_delay=timedelta(minutes=1),
        factor=3,
        longest_delay=timedelta(hours=12),
        within=timedelta(hours=24),
    ),
    editable=("to", "reply_to"),
)
SEND_SMS = Effect("sms.send", SendSms, editable=("to",))
POST_MESSAGE = Effect("chat.post", PostMessage)


def mail(to: str, message: AnyTemplate, reply_to: str | None = None) -> Call:
    """Return the command that sends `message` to one address; an action that yields it is marked ``@asks(SEND_MAIL)``.

    Raises:
        ValidationError: an address is none.
    """
    return Call(SEND_MAIL, SendMail(to=to, message=message, reply_to=reply_to))
