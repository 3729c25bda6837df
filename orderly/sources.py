"""Who may send messages by webhook, how they sign them, and what other programs may ask for in the inbox."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from gateways.incoming import Source
from gateways.signatures import HmacScheme, Scheme, StandardScheme, StripeScheme
from gateways.stripe.webhooks import STRIPE
from gateways.tracking import CARRIER
from statemachines.registry import MACHINES

SOURCES: Final[Mapping[str, Source]] = {"stripe": STRIPE, "carrier": CARRIER}
"""What messages mean, by who sends them."""


class Secrets(BaseModel):
    """What a source signs its messages with."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    secrets: SecretStr = Field(
        SecretStr(""),
        description="what messages are signed with; several secrets, with spaces between, while one takes the other's "
        "place. Without one nothing is taken from this source",
    )

    @property
    def known_secrets(self) -> list[str]:
        """The secrets, each of which holds."""
        return self.secrets.get_secret_value().split()


class StripeSigning(Secrets):
    """How Stripe signs its messages."""

    def verifier(self) -> Scheme | None:
        """Return what verifies messages, or None if there is no secret."""
        return StripeScheme(secrets) if (secrets := self.known_secrets) else None


class Signing(Secrets):
    """How a source signs its messages."""

    scheme: Literal["standard", "hmac"] = Field(
        "standard", description="how messages are signed: as Standard Webhooks says, or by an HMAC in a header"
    )
    header: str = Field("", description="for `hmac`: the header that holds the signature")
    algorithm: Literal["sha256", "sha512"] = Field("sha256", description="for `hmac`: what the HMAC is made with")
    encoding: Literal["hex", "base64"] = Field("hex", description="for `hmac`: how the signature is written")
    prefix: str = Field("", description="for `hmac`: what stands before the signature, as `sha256=`")
    timestamp_header: str = Field(
        "", description="for `hmac`: a header with the time in seconds, signed with a dot before the body"
    )

    @model_validator(mode="after")
    def _can_be_verified(self) -> Self:
        self.verifier()
        return self

    def verifier(self) -> Scheme | None:
        """Return what verifies messages, or None if there is no secret.

        Raises:
            ValueError: the settings do not suffice for the scheme.
        """
        secrets = self.known_secrets
        if not secrets:
            return None
        if self.scheme == "standard":
            return StandardScheme(secrets)
        if not self.header:
            raise ValueError("with the scheme `hmac` say in which `header` the signature stands")
        return HmacScheme(
            secrets,
            self.header.lower(),
            algorithm=self.algorithm,
            encoding=self.encoding,
            prefix=self.prefix,
            timestamp_header=self.timestamp_header.lower(),
        )


class Webhooks(BaseModel):
    """Who may send messages by webhook."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stripe: StripeSigning = StripeSigning()
    carrier: Signing = Signing()

    def verifiers(self) -> dict[str, Scheme]:
        """Return what verifies messages, by who sends them; those without a secret are left out."""
        found = {name: getattr(self, name).verifier() for name in SOURCES}
        return {name: verifier for name, verifier in found.items() if verifier is not None}


def _words(value: object) -> object:
    return value.split() if isinstance(value, str) else value


def _are_events(names: tuple[str, ...]) -> tuple[str, ...]:
    known = {f"{machine.name}.{event}" for machine in MACHINES for event in machine.events}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"there is no event {', '.join(unknown)}; say machine.event, as order.fulfill")
    return names


AllowedEvents = Annotated[tuple[str, ...], BeforeValidator(_words), AfterValidator(_are_events)]
"""Names of events, as ``order.fulfill``; in a variable with spaces between."""
