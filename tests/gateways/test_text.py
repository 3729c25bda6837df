"""Texts from a chat-completions API."""

from datetime import timedelta

import pytest

from gateways.port import Answer, Attempt, Done, NoAnswer
from gateways.text import LONGEST, ChatCompletions, TextSettings
from statemachines.texts import WRITE_TEXT, WriteText
from tests.gateways.peer import Asked, Says, playing
from tests.gateways.services import TOKEN, completions

ASKED = WriteText(instructions="Tell the day in two sentences.", facts="3 orders, 57.00 EUR")


async def write(said: object) -> tuple[Answer, Asked]:
    async with playing(said if callable(said) else lambda _: said) as peer:
        gateway = ChatCompletions(TextSettings(url=peer.url, token=TOKEN, model="small"))
        try:
            return await gateway.write(Attempt("eff_1", ASKED, 1, timedelta(seconds=5))), peer.asked[0]
        finally:
            await gateway.aclose()


def saying(content: object) -> Says:
    return Says(200, {"choices": [{"message": {"role": "assistant", "content": content}}]})


async def test_facts_are_told_apart_from_instructions() -> None:
    answer, asked = await write(completions)
    assert answer == Done({"text": "3 orders, 57.00 EUR"})
    assert asked.json == {
        "model": "small",
        "messages": [
            {"role": "system", "content": "Tell the day in two sentences."},
            {"role": "user", "content": "3 orders, 57.00 EUR"},
        ],
    }


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("A quiet day.\n\nMugs went best.", "A quiet day.\n\nMugs went best."),
        ("A quiet\x00 day\x1b[31m.", "A quiet day[31m."),
        ("x" * 5000, "x" * LONGEST),
    ],
)
async def test_a_text_fits_its_event_whatever_was_written(content: str, text: str) -> None:
    answer, _ = await write(saying(content))
    assert answer == Done({"text": text})
    WRITE_TEXT.ok.model_validate(dict(answer.values))


@pytest.mark.parametrize(
    "said", [saying(None), saying(["x"]), Says(200, {"choices": []}), Says(200, {"error": "busy"})]
)
async def test_an_answer_without_a_text_is_none(said: Says) -> None:
    with pytest.raises(NoAnswer, match="unexpected body"):
        await write(said)


def test_a_report_without_a_text_gets_an_empty_one() -> None:
    assert WRITE_TEXT.ok.model_validate(WRITE_TEXT.fallback).text == ""
