"""SMS: over an HTTP API, or within the process for trying things out."""

from gateways.bearer import BearerApi, BearerSettings
from gateways.port import Answer, Attempt, Done, Handlers, NoAnswer, Refused
from gateways.sent import Sent
from statemachines.messages import SEND_SMS, SendSms


class HttpSms:
    """An SMS service behind an HTTP API: ``POST {url}/messages`` with ``{"to": …, "text": …}``."""

    def __init__(self, settings: BearerSettings) -> None:
        self._api = BearerApi(settings)
        self.reach = self._api.reach
        self.aclose = self._api.aclose

    @property
    def handlers(self) -> Handlers:
        """The effects that this gateway carries out."""
        return {SEND_SMS.name: self.send}

    async def send(self, attempt: Attempt) -> Answer:
        """Send one text.

        Raises:
            NoAnswer: what became of it is not known, or it is to be tried again.
        """
        asked = attempt.arguments
        assert isinstance(asked, SendSms)
        answer = await self._api.post("/messages", asked.model_dump(), attempt)
        return answer if isinstance(answer, Refused) else Done({})


class SandboxSms:
    """Texts that reach no telephone. The number says what happens.

    | number | a text |
    | --- | --- |
    | ``+15550000001`` | is refused |
    | ``+15550000002`` | is never answered |

    To any other number it is sent.
    """

    def __init__(self) -> None:
        self.sent: Sent[SendSms] = Sent()

    @property
    def handlers(self) -> Handlers:
        """The effects that this gateway carries out."""
        return {SEND_SMS.name: self.send}

    async def send(self, attempt: Attempt) -> Answer:
        """Keep one text.

        Raises:
            NoAnswer: the number asks for it.
        """
        asked = attempt.arguments
        assert isinstance(asked, SendSms)
        match asked.to:
            case "+15550000001":
                return Refused({"reason": "the number is not in use"})
            case "+15550000002":
                raise NoAnswer("the sandbox does not answer")
        self.sent.add(attempt.key, asked)
        return Done({})
