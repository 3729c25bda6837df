"""What the other side said is kept short, on one line, and without secrets."""

import pytest
from pydantic import SecretStr

from gateways.quoting import quoted


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("no room", "no room"),
        ("  no \r\n\x00 room\t", "no room"),
        ("half a pair \ud800", "half a pair"),
        ("hidden \u202e order", "hidden order"),
        ("", ""),
        ("card 4111-1111-1111-1111", ""),
    ],
)
def test_a_text_is_kept_as_one_line(said: str, kept: str) -> None:
    assert quoted(said) == kept


def test_a_long_text_is_cut() -> None:
    assert quoted("x" * 1000) == "x" * 199 + "…"
    assert quoted("x" * 200) == "x" * 200


def test_secrets_are_hidden_and_an_empty_one_hides_nothing() -> None:
    said = "wrong token hunter2, or was it hunter3?"
    assert (
        quoted(said, [SecretStr("hunter2"), SecretStr("hunter3"), SecretStr("")]) == "wrong token ***, or was it ***?"
    )
