"""Which gateway speaks to each part of the outside world: by default a sandbox within the process, or a real one."""

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from gateways.bearer import BearerSettings
from gateways.chat import ChatSettings
from gateways.mail import SmtpSettings
from gateways.stripe import StripeSettings
from gateways.text import TextSettings


class Payments(StripeSettings):
    """Who takes payments."""

    gateway: Literal["sandbox", "stripe"] = Field("sandbox", description="who takes payments")


class Mail(SmtpSettings):
    """Who sends mails."""

    gateway: Literal["sandbox", "smtp"] = Field("sandbox", description="who sends mails")


class Carrier(BearerSettings):
    """Who fetches parcels."""

    gateway: Literal["sandbox", "http"] = Field("sandbox", description="who fetches parcels")


class Sms(BearerSettings):
    """Who sends SMS."""

    gateway: Literal["sandbox", "http"] = Field("sandbox", description="who sends SMS")


class Chat(ChatSettings):
    """Who posts to the chat."""

    gateway: Literal["sandbox", "slack"] = Field("sandbox", description="who posts to the shop's chat channel")


class Analytics(BearerSettings):
    """Who counts events."""

    gateway: Literal["sandbox", "http"] = Field("sandbox", description="who counts what happens")


class Text(TextSettings):
    """Who writes texts."""

    gateway: Literal["sandbox", "openai"] = Field("sandbox", description="who tells the daily report in words")


NEEDS: Mapping[str, tuple[str, ...]] = {
    "payments": ("secret_key",),
    "mail": ("host", "sender"),
    "carrier": ("url", "token"),
    "sms": ("url", "token"),
    "chat": ("url",),
    "analytics": ("url",),
    "text": ("url", "model"),
}
"""What has to be set for the real gateway of each group."""


def lacks(group: str, choice: BaseModel) -> Iterator[str]:
    """Yield the names of the settings that a group's gateway needs and that are empty."""
    if getattr(choice, "gateway", "sandbox") == "sandbox":
        return
    for name in NEEDS[group]:
        value = getattr(choice, name)
        if not (value.get_secret_value() if isinstance(value, SecretStr) else value):
            yield name
