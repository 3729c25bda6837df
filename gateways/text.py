"""Text generation: by a chat-completions API as OpenAI's, or within the process for trying things out."""

from typing import Annotated

from pydantic import BaseModel, Field, JsonValue

from gateways.bearer import BearerApi, BearerSettings
from gateways.port import Answer, Attempt, Done, Handlers, NoAnswer, Refused
from gateways.quoting import without
from gateways.sent import Sent
from statemachines.texts import WRITE_TEXT, WriteText

LONGEST = 4000
"""How many characters of a text are taken."""


class TextSettings(BearerSettings):
    """A chat-completions API and the model that writes."""

    model: str = Field("", description="the model's name")


class _Message(BaseModel):
    content: str


class _Choice(BaseModel):
    message: _Message


class _Completion(BaseModel):
    choices: Annotated[list[_Choice], Field(min_length=1)]


class ChatCompletions:
    """A model behind ``POST {url}/chat/completions``."""

    def __init__(self, settings: TextSettings) -> None:
        self._model = settings.model
        self._token = settings.token
        self._api = BearerApi(settings, silence=WRITE_TEXT.timeout)
        self.reach = self._api.reach
        self.aclose = self._api.aclose

    @property
    def handlers(self) -> Handlers:
        """The effects that this gateway carries out."""
        return {WRITE_TEXT.name: self.write}

    async def write(self, attempt: Attempt) -> Answer:
        """Have one text written.

        Raises:
            NoAnswer: there is no text, or it is to be tried again.
        """
        asked = attempt.arguments
        assert isinstance(asked, WriteText)
        instructions: JsonValue = {"role": "system", "content": asked.instructions}
        facts: JsonValue = {"role": "user", "content": asked.facts}
        answer = await self._api.post(
            "/chat/completions", {"model": self._model, "messages": [instructions, facts]}, attempt
        )
        if isinstance(answer, Refused):
            return answer
        text = without([self._token], answer.read(_Completion).choices[0].message.content)
        return Done({"text": "".join(each for each in text if each.isprintable() or each == "\n")[:LONGEST]})


class SandboxText:
    """Repeats the facts. Told to ``refuse`` it refuses, told to ``be silent`` it never answers."""

    def __init__(self) -> None:
        self.asked: Sent[WriteText] = Sent()

    @property
    def handlers(self) -> Handlers:
        """The effects that this gateway carries out."""
        return {WRITE_TEXT.name: self.write}

    async def write(self, attempt: Attempt) -> Answer:
        """Write a text.

        Raises:
            NoAnswer: the instructions ask for it.
        """
        asked = attempt.arguments
        assert isinstance(asked, WriteText)
        match asked.instructions:
            case "refuse":
                return Refused({"reason": "no text about this"})
            case "be silent":
                raise NoAnswer("the sandbox does not answer")
        self.asked.add(attempt.key, asked)
        return Done({"text": asked.facts})
