"""The reference of settings, made from their declaration: for `docs/settings.md` and `orderly settings`."""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from pydantic import BaseModel, JsonValue, SecretStr, SerializeAsAny, TypeAdapter

from orderly.logs import hide_passwords
from orderly.settings import PREFIX, SECRETS_DIR, SETTINGS_FILE, Settings

_SPANS = TypeAdapter(timedelta)
_MODELS: TypeAdapter[object] = TypeAdapter(tuple[SerializeAsAny[BaseModel], ...])


@dataclass(frozen=True, slots=True)
class Row:
    """One setting."""

    variable: str
    value: str
    default: str
    meaning: str
    limits: str
    """Among which words or between which figures it lies."""

    @property
    def is_changed(self) -> bool:
        """Whether it differs from the default."""
        return self.value != self.default


def rows_of(settings: Settings) -> list[Row]:
    """Return every setting with its value."""
    return list(_rows(PREFIX, settings))


def _rows(prefix: str, values: BaseModel) -> Iterator[Row]:
    model = type(values)
    texts = _docstrings(model)
    schema = model.model_json_schema()["properties"]
    fields = sorted(model.model_fields.items(), key=lambda item: item[0] != "gateway")  # what is chosen comes first
    for name, field in fields:
        value = getattr(values, name)
        variable = f"{prefix}{name.upper()}"
        if isinstance(value, BaseModel):
            yield from _rows(f"{variable}__", value)
        else:
            meaning = field.description or texts.get(name, "")
            default = _text(field.get_default(call_default_factory=True))
            yield Row(variable, _text(value), default, _plain(meaning), _limits(schema[name]))


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return the texts that stand below a model's fields."""
    (body,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(body, ast.ClassDef)
    pairs = zip(body.body, body.body[1:], strict=False)
    return {
        field.target.id: str(text.value.value)
        for field, text in pairs
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }


def _plain(text: str) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if line[1:2].isupper() else line[:1].lower() + line[1:]


def _text(value: object) -> str:
    """Spell a value as a variable would hold it."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case timedelta():
            return str(_SPANS.dump_python(value, mode="json"))
        case (BaseModel(), *_):
            return _MODELS.dump_json(value, exclude_defaults=True).decode()
        case tuple():
            return " ".join(map(str, value))
        case SecretStr():
            return "(hidden)" if value.get_secret_value() else ""
        case _:
            return hide_passwords(str(value))


_PAGE = f"""# Settings

Each is an environment variable, or a line of the TOML file that `{SETTINGS_FILE}` names: there without the prefix
and in small letters, and `{PREFIX}ORDER__…` in a table `[order]`. Secrets may also stand in files of their own, as
Docker and Kubernetes mount them: `{SECRETS_DIR}` names the directory, and a file is named like the variable,
`{PREFIX}MAIL__PASSWORD` or `{PREFIX.lower()}mail__password`. Options of the command come first, then the environment,
then files of secrets, then the settings file. `orderly settings` shows what holds now; a name that is not in this table
is an error.

Durations are ISO 8601 (`PT30S`, `PT15M`, `P14D`), amounts are in minor units of their currency.

This page is made by `make docs` from `orderly/settings.py`.

| variable | default | meaning |
| --- | --- | --- |
"""


def settings_page() -> str:
    """Return `docs/settings.md`."""
    lines = []
    for row in rows_of(Settings.model_construct()):
        default = f"`{row.default}`" if row.default else ""
        lines.append(f"| `{row.variable}` | {default} | {row.meaning}{row.limits} |\n")
    return _PAGE + "".join(lines)


def _limits(schema: Mapping[str, JsonValue]) -> str:
    """Say among which words, or between which figures, a setting lies."""
    words = schema.get("enum")
    if isinstance(words, list):
        return f" ({' or '.join(f'`{word}`' for word in words)})"
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is None:
        return ""
    return f" (from {least})" if most is None else f" ({least} to {most})"


if __name__ == "__main__":
    sys.stdout.write(settings_page())
