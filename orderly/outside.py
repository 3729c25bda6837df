"""The gateways of one service, made from its settings."""

from datetime import timedelta
from typing import Protocol, runtime_checkable

from gateways.analytics import HttpAnalytics, SandboxAnalytics
from gateways.carrier import HttpCarrier, SandboxCarrier
from gateways.chat import SandboxChat, SlackChat
from gateways.mail import SandboxMail, SmtpMail
from gateways.port import Handlers
from gateways.sandbox import SandboxPayments
from gateways.sms import HttpSms, SandboxSms
from gateways.stripe import StripePayments
from gateways.text import ChatCompletions, SandboxText
from orderly.settings import BadSettings, Settings


class Gateway(Protocol):
    """What carries out effects."""

    @property
    def handlers(self) -> Handlers:
        """The effects that this gateway carries out."""


@runtime_checkable
class Reachable(Protocol):
    """A gateway to another machine."""

    async def reach(self, timeout: timedelta) -> None:  # noqa: ASYNC109
        """Find out whether the other side is there, and change nothing.

        Raises:
            NoAnswer: it is not; the reason says why.
        """


@runtime_checkable
class Closable(Protocol):
    """A gateway that holds connections."""

    async def aclose(self) -> None:
        """Close them."""


class Outside:
    """The outside world, as far as this service speaks to it: of each kind the gateway that was chosen.

    Raises:
        BadSettings: what was chosen cannot be used; the message holds no secret.
    """

    def __init__(self, settings: Settings) -> None:
        try:
            self.payments = (
                StripePayments(settings.payments)
                if settings.payments.gateway == "stripe"
                else SandboxPayments(settings.sandbox_slowness)
            )
            self.mail = SmtpMail(settings.mail) if settings.mail.gateway == "smtp" else SandboxMail(settings.mail)
            self.carrier = HttpCarrier(settings.carrier) if settings.carrier.gateway == "http" else SandboxCarrier()
            self.sms = HttpSms(settings.sms) if settings.sms.gateway == "http" else SandboxSms()
            self.chat = SlackChat(settings.chat) if settings.chat.gateway == "slack" else SandboxChat()
            self.analytics = (
                HttpAnalytics(settings.analytics) if settings.analytics.gateway == "http" else SandboxAnalytics()
            )
            self.text = ChatCompletions(settings.text) if settings.text.gateway == "openai" else SandboxText()
        except ValueError as error:
            raise BadSettings(f"a gateway can't be used: {error}") from error

    @property
    def gateways(self) -> dict[str, Gateway]:
        """All gateways, by the names of their groups of settings."""
        return {
            "payments": self.payments,
            "mail": self.mail,
            "carrier": self.carrier,
            "sms": self.sms,
            "chat": self.chat,
            "analytics": self.analytics,
            "text": self.text,
        }

    @property
    def handlers(self) -> Handlers:
        """Every effect that can be carried out."""
        return {name: handler for gateway in self.gateways.values() for name, handler in gateway.handlers.items()}

    async def aclose(self) -> None:
        """Close all connections."""
        for gateway in self.gateways.values():
            if isinstance(gateway, Closable):
                await gateway.aclose()
