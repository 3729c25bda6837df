"""Analytics: events over HTTP, or within the process for trying things out."""

from pydantic import JsonValue

from gateways.bearer import BearerApi, BearerSettings
from gateways.port import Answer, Attempt, Done, Handlers, NoAnswer, Refused
from gateways.sent import Sent
from statemachines.analytics import TRACK, Occurrence


class HttpAnalytics:
    """An analytics service that takes batches in the format of Segment's HTTP tracking API at ``POST {url}/batch``.

    The attempt's key is the event's ``messageId``, by which such services count an event once.
    """

    def __init__(self, settings: BearerSettings) -> None:
        self._api = BearerApi(settings)
        self.reach = self._api.reach
        self.aclose = self._api.aclose

    @property
    def handlers(self) -> Handlers:
        """The effects that this gateway carries out."""
        return {TRACK.name: self.track}

    async def track(self, attempt: Attempt) -> Answer:
        """Tell one event.

        Raises:
            NoAnswer: what became of it is not known, or it is to be tried again.
        """
        asked = attempt.arguments
        assert isinstance(asked, Occurrence)
        event: JsonValue = {
            "type": "track",
            "messageId": attempt.key,
            "userId": asked.subject,
            "event": asked.name,
            "timestamp": asked.at.isoformat(),
            "properties": dict(asked.figures),
        }
        answer = await self._api.post("/batch", {"batch": [event]}, attempt)
        return answer if isinstance(answer, Refused) else Done({})


class SandboxAnalytics:
    """Events that nobody counts. One named ``refuse`` is refused, one named ``be_silent`` never answered."""

    def __init__(self) -> None:
        self.sent: Sent[Occurrence] = Sent()

    @property
    def handlers(self) -> Handlers:
        """The effects that this gateway carries out."""
        return {TRACK.name: self.track}

    async def track(self, attempt: Attempt) -> Answer:
        """Keep one event.

        Raises:
            NoAnswer: its name asks for it.
        """
        asked = attempt.arguments
        assert isinstance(asked, Occurrence)
        match asked.name:
            case "refuse":
                return Refused({"reason": "unknown event"})
            case "be_silent":
                raise NoAnswer("the sandbox does not answer")
        self.sent.add(attempt.key, asked)
        return Done({})
