"""What the other side said, made fit to be kept: histories and logs hold it for years."""

from collections.abc import Iterable

from pydantic import SecretStr, TypeAdapter, ValidationError

from statemachines.values import Name

LONGEST = 200
HIDDEN = "***"

_NAME: TypeAdapter[str] = TypeAdapter(Name)


def without(secrets: Iterable[SecretStr], text: str) -> str:
    """Return a text in which secrets are hidden."""
    for secret in secrets:
        if value := secret.get_secret_value():
            text = text.replace(value, HIDDEN)
    return text


def quoted(text: str, secrets: Iterable[SecretStr] = ()) -> str:
    """Return a text of the other side's as one line of at most 200 characters, without the secrets sent to it.

    Some services repeat a wrong password or token in their answer. A text that holds a card number is not kept at all;
    then, as for an empty one, the line is empty.
    """
    shown = without(secrets, text)
    line = " ".join("".join(each if each.isprintable() else " " for each in shown).split())
    try:
        return _NAME.validate_python(line if len(line) <= LONGEST else line[: LONGEST - 1] + "…")
    except ValidationError:
        return ""
