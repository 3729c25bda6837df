"""JSON over HTTP behind a bearer token, and how a refusal is told from what is our own fault."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, model_validator

from gateways.http import READ_TIMEOUT, HttpAnswer, HttpPeer
from gateways.port import Attempt, NoAnswer, Refused
from gateways.privacy import is_private
from gateways.quoting import quoted

OUR_FAULT = frozenset({401, 403, 407})
"""Statuses that speak of our credentials: as with a redirection, a person corrects the settings and all is well."""


class BearerSettings(BaseModel):
    """Where an API is, and the token it knows us by."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str = Field("", description="where the API's paths begin, as `https://api.example.com/v1`")
    token: SecretStr = Field(SecretStr(""), description="the bearer token")

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        if self.url:
            BearerApi(self)
            if self.token.get_secret_value() and not is_private(self.url):
                raise ValueError("sends its token for all to read: the address has to begin with https://")
        return self


def judged(answer: HttpAnswer, secrets: Iterable[SecretStr]) -> HttpAnswer | Refused:
    """Return the answer if it says yes, and why not if it says no for good.

    The reason is taken from problem details (RFC 9457) or from the other usual places in a JSON body.

    Raises:
        NoAnswer: it says that our address or our credentials are wrong.
    """
    if 200 <= answer.status < 300:
        return answer
    said = f"answered {answer.status}"
    if answer.status < 400 or answer.status in OUR_FAULT:
        raise NoAnswer(f"{said}: check the address and the credentials")
    return Refused({"reason": quoted(_reason(answer), secrets) or said})


def _reason(answer: HttpAnswer) -> str:
    if answer.headers.get("Content-Type", "").startswith("text/plain"):
        return answer.body.decode(errors="replace")
    try:
        body: JsonValue = answer.json()
    except NoAnswer:
        return ""
    match body:
        case (
            {"detail": str(found)}
            | {"error": {"message": str(found)}}
            | {"error": str(found)}
            | {"message": str(found)}
            | {"reason": str(found)}
            | {"title": str(found)}
        ):
            return found
    return ""


class BearerApi:
    """One JSON API.

    Args:
        settings: where it is.
        silence: how long it may be silent.

    Raises:
        ValueError: the address or the token cannot be used; the message holds neither.
    """

    def __init__(self, settings: BearerSettings, silence: timedelta = READ_TIMEOUT) -> None:
        self._token = settings.token
        token = settings.token.get_secret_value()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._peer = HttpPeer(settings.url, headers=headers, silence=silence)

    async def post(self, path: str, body: Mapping[str, JsonValue], attempt: Attempt) -> HttpAnswer | Refused:
        """Post a body under the attempt's idempotency key.

        Raises:
            NoAnswer: what became of it is not known, or it is to be tried again.
        """
        key = {"Idempotency-Key": attempt.key}
        answer = await self._peer.request("POST", path, timeout=attempt.timeout, json=body, headers=key)
        return judged(answer, [self._token])

    async def reach(self, timeout: timedelta) -> None:  # noqa: ASYNC109  (kept by the peer)
        """Ask for the head of the API's own address; any answer shows that it is there.

        Raises:
            NoAnswer: it is not, or it does not know our token.
        """
        answer = await self._peer.request("HEAD", "", timeout=timeout)
        if answer.status in OUR_FAULT:
            raise NoAnswer(f"answered {answer.status}: check the token")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._peer.aclose()
