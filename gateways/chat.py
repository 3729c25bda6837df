"""Chat: by an incoming webhook in Slack's format, or within the process for trying things out."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from gateways.bearer import OUR_FAULT, judged
from gateways.http import HttpPeer
from gateways.port import Answer, Attempt, Done, Handlers, NoAnswer, Refused
from gateways.privacy import is_private
from gateways.sent import Sent
from statemachines.messages import POST_MESSAGE, PostMessage

_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""What Slack wants escaped, so that no product's name can call a whole channel (``<!channel>``)."""


def _usable(url: SecretStr) -> SecretStr:
    if text := url.get_secret_value():
        HttpPeer(text)
        if not is_private(text):
            raise ValueError("is a secret sent for all to read: it has to begin with https://")
    return url


class ChatSettings(BaseModel):
    """The channel that is written to."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: Annotated[SecretStr, AfterValidator(_usable)] = Field(
        SecretStr(""), description="an incoming webhook in Slack's format; who knows it can post, so it is a secret"
    )


class SlackChat:
    """A channel behind an incoming webhook. It knows no idempotency keys, so a message may come twice."""

    def __init__(self, settings: ChatSettings) -> None:
        self._url = settings.url
        self._peer = HttpPeer(settings.url.get_secret_value())
        self.aclose = self._peer.aclose

    @property
    def handlers(self) -> Handlers:
        """The effects that this gateway carries out."""
        return {POST_MESSAGE.name: self.post}

    async def post(self, attempt: Attempt) -> Answer:
        """Post one text.

        Raises:
            NoAnswer: what became of it is not known, or it is to be tried again.
        """
        asked = attempt.arguments
        assert isinstance(asked, PostMessage)
        body = {"text": asked.text.translate(_MARKUP)}
        answer = judged(await self._peer.request("POST", "", timeout=attempt.timeout, json=body), self._secrets())
        return answer if isinstance(answer, Refused) else Done({})

    def _secrets(self) -> list[SecretStr]:
        """Return the address, its path and the end of that: each is as good as the whole."""
        path = self._url.get_secret_value().partition("://")[2].partition("/")[2]
        return [self._url, SecretStr(path), SecretStr(path.rpartition("/")[2])]

    async def reach(self, timeout: timedelta) -> None:  # noqa: ASYNC109  (kept by the peer)
        """Ask for the head of the webhook, which posts nothing.

        Raises:
            NoAnswer: it is not there.
        """
        answer = await self._peer.request("HEAD", "", timeout=timeout)
        if answer.status in OUR_FAULT:
            raise NoAnswer(f"answered {answer.status}: check the address")


class SandboxChat:
    """Messages to a channel that nobody reads. ``refuse`` is refused and ``be silent`` never answered."""

    def __init__(self) -> None:
        self.sent: Sent[PostMessage] = Sent()

    @property
    def handlers(self) -> Handlers:
        """The effects that this gateway carries out."""
        return {POST_MESSAGE.name: self.post}

    async def post(self, attempt: Attempt) -> Answer:
        """Keep one text.

        Raises:
            NoAnswer: the text asks for it.
        """
        asked = attempt.arguments
        assert isinstance(asked, PostMessage)
        match asked.text:
            case "refuse":
                return Refused({"reason": "channel_is_archived"})
            case "be silent":
                raise NoAnswer("the sandbox does not answer")
        self.sent.add(attempt.key, asked)
        return Done({})
