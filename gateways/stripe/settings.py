"""Which account at Stripe, and where Stripe is."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from statemachines.values import Url


def _secret_key(value: SecretStr) -> SecretStr:
    if value.get_secret_value() and not value.get_secret_value().startswith(("sk_", "rk_")):
        raise ValueError("is a key that begins with sk_ or rk_, not the publishable one")
    return value


def _private(url: str) -> str:
    parts = urlsplit(url)
    here = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not here:
        raise ValueError("begins with https://, or the key would be sent for all to read")
    return url


class StripeSettings(BaseModel):
    """The account at Stripe."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    secret_key: Annotated[SecretStr, AfterValidator(_secret_key)] = Field(
        SecretStr(""), description="the secret or restricted key"
    )
    url: Annotated[str, AfterValidator(_private)] = Field(
        "https://api.stripe.com", description="where Stripe is, or what plays it"
    )
    api_version: str = Field("2025-09-30.clover", description="the version of its API that answers are read by")
    multicapture: bool = Field(
        default=False,
        description="whether Stripe lets this account take what is held in several pieces, which is part of IC+ "
        "pricing; without it whatever is not taken with the first parcel is let go",
    )
    return_url: Url | None = Field(
        None,
        description="where banks send customers back to who had to confirm a payment; without it only cards are taken, "
        "and the shop's page has to ask for the confirmation through Stripe's own script",
    )
