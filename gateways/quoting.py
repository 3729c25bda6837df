"""What the other side said, made fit to be kept: histories and logs hold it for years."""

from collections.abc import Iterable

from pydantic import SecretStr

LONGEST = 200
HIDDEN = "***"


def quoted(text: str, secrets: Iterable[SecretStr] = ()) -> str:
    """Return a text of the other side's as one line of at most 200 characters, without the secrets sent to it.

    Some services repeat a wrong password or token in their answer.
    """
    for secret in secrets:
        if value := secret.get_secret_value():
            text = text.replace(value, HIDDEN)
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
