"""Real gateways are chosen with everything they need, or not at all."""

import os

import pytest

from orderly import choices
from orderly.reference import rows_of, settings_page
from orderly.settings import BadSettings, Settings


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("ORDERLY_"):
            monkeypatch.delenv(name)


def test_by_default_nothing_leaves_the_process() -> None:
    settings = Settings.load()
    assert {getattr(settings, group).gateway for group in choices.NEEDS} == {"sandbox"}


@pytest.mark.parametrize(
    ("group", "gateway", "needed"),
    [
        ("PAYMENTS", "stripe", "ORDERLY_PAYMENTS__SECRET_KEY"),
        ("MAIL", "smtp", "ORDERLY_MAIL__HOST and ORDERLY_MAIL__SENDER"),
        ("CARRIER", "http", "ORDERLY_CARRIER__URL and ORDERLY_CARRIER__TOKEN"),
        ("SMS", "http", "ORDERLY_SMS__URL and ORDERLY_SMS__TOKEN"),
        ("CHAT", "slack", "ORDERLY_CHAT__URL"),
        ("ANALYTICS", "http", "ORDERLY_ANALYTICS__URL"),
        ("TEXT", "openai", "ORDERLY_TEXT__URL and ORDERLY_TEXT__MODEL"),
    ],
)
def test_a_real_gateway_without_what_it_needs_is_refused(
    monkeypatch: pytest.MonkeyPatch, group: str, gateway: str, needed: str
) -> None:
    monkeypatch.setenv(f"ORDERLY_{group}__GATEWAY", gateway)
    with pytest.raises(BadSettings) as caught:
        Settings.load()
    assert str(caught.value) == f"ORDERLY_{group}__GATEWAY={gateway} needs {needed}"


def test_everything_that_is_needed_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERLY_MAIL__GATEWAY", "smtp")
    monkeypatch.setenv("ORDERLY_MAIL__HOST", "mail.example")
    monkeypatch.setenv("ORDERLY_MAIL__SENDER", "orders@shop.example")
    mail = Settings.load().mail
    assert (mail.gateway, mail.host, mail.security) == ("smtp", "mail.example", "starttls")


@pytest.mark.parametrize(
    ("group", "given", "said"),
    [
        ("mail", {"gateway": "pigeon"}, "ORDERLY_MAIL__GATEWAY"),
        ("mail", {"sender": "The shop <orders@shop.example>"}, "ORDERLY_MAIL__SENDER"),
        ("mail", {"shop": "The\nshop"}, "ORDERLY_MAIL__SHOP"),
        ("mail", {"password": "hunter2", "security": "none", "host": "mail.example"}, "for all to read"),
        ("carrier", {"token": "hunter2", "url": "http://carrier.example"}, "for all to read"),
        ("carrier", {"token": "hunter2\n", "url": "https://carrier.example"}, "the header Authorization"),
        ("sms", {"url": "https://user:hunter2@sms.example"}, "without credentials"),
        ("sms", {"url": "sms.example"}, "a peer's address is http(s)://"),
        ("chat", {"url": "http://chat.example/hunter2"}, "for all to read"),
        ("text", {"token": "hunter2", "url": "http://text.example/v1"}, "for all to read"),
    ],
)
def test_what_cannot_be_used_is_refused_and_no_secret_shown(group: str, given: dict[str, str], said: str) -> None:
    with pytest.raises(BadSettings) as caught:
        Settings.load(**{group: given})
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("group", "given"),
    [
        ("mail", {"password": "hunter2", "security": "none", "host": "localhost"}),
        ("carrier", {"token": "hunter2", "url": "http://127.0.0.1:8080"}),
        ("text", {"url": "http://ollama:11434/v1"}),
    ],
)
def test_what_stays_within_the_machine_or_is_no_secret_may_be_plain(group: str, given: dict[str, str]) -> None:
    assert Settings.load(**{group: given})


def test_every_setting_of_a_group_is_shown_with_its_limits_and_its_secrets_are_hidden() -> None:
    settings = Settings.load(
        mail={"password": "hunter2", "port": 2525},
        chat={"url": "https://chat.example/hunter2"},
        sms={"token": "hunter2"},
    )
    rows = {row.variable: row for row in rows_of(settings)}
    assert rows["ORDERLY_MAIL__PORT"].value == "2525"
    for secret in ("ORDERLY_MAIL__PASSWORD", "ORDERLY_CHAT__URL", "ORDERLY_SMS__TOKEN"):
        assert rows[secret].value == "(hidden)"
    assert "who sends mails (`sandbox` or `smtp`)" in settings_page()
