"""What reaches the log, and what never does."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from orderly import logs
from orderly.settings import Settings

KEY = "ord_live_UseUwKFRfbJD_g3gimnZmx7BuyYDzNcbN668Heq19sEdK4RKa60alCjs_4E67x5"

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def written() -> Iterator[io.BytesIO]:
    """A log that goes into a buffer for as long as the test lasts."""
    file, root = io.BytesIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure(Settings(log_level="info"), file)
    yield file
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def lines(written: io.BytesIO) -> Lines:
    """The lines of the log."""
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_is_json_with_time_level_and_name_first(lines: Lines) -> None:
    structlog.get_logger("orderly.test").info("transition", machine="order", version=3)
    (line,) = lines()
    assert list(line)[:4] == ["timestamp", "level", "logger", "event"]
    assert (line["level"], line["logger"], line["event"]) == ("info", "orderly.test", "transition")
    assert (line["machine"], line["version"]) == ("order", 3)
    assert line["timestamp"].endswith("Z")
    assert abs(datetime.fromisoformat(line["timestamp"]) - datetime.now(UTC)).total_seconds() < 60


def test_lines_below_the_level_are_left_out(lines: Lines) -> None:
    structlog.get_logger("orderly.test").debug("detail")
    assert lines() == []


SECRET_NAMES = """
    authorization Authorization key api_key apiKey idempotency-key token access_token secret webhook_secret password
    db_password pepper KEY_PEPPER Set-Cookie
"""


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_fields_that_speak_of_secrets_are_hidden(lines: Lines, written: io.BytesIO, name: str) -> None:
    log = structlog.get_logger("orderly.test")
    log.info("plain", **{name: "hunter2"})
    log.info("nested", headers={name: "hunter2"}, parts=[{"deep": {name: "hunter2"}}])
    assert b"hunter2" not in written.getvalue()
    assert lines()[0][name] == logs.HIDDEN


@pytest.mark.parametrize("name", ["key_id", "monkey", "keyboard", "keeper", "event_name", "turkey_count"])
def test_fields_that_only_sound_like_secrets_are_shown(lines: Lines, name: str) -> None:
    structlog.get_logger("orderly.test").info("plain", **{name: "shown"})
    assert lines()[0][name] == "shown"


def test_a_key_is_hidden_wherever_it_stands_but_for_its_id(written: io.BytesIO) -> None:
    log = structlog.get_logger("orderly.test")
    log.info(f"came with {KEY}", header=f"Bearer {KEY}", values=[KEY])
    try:
        int(KEY)
    except ValueError:
        log.exception("failed")
    logging.getLogger("library").warning("saw %s", KEY)
    text = written.getvalue().decode()
    assert KEY.split("_")[3] not in text
    assert text.count("ord_live_UseUwKFRfbJD_***") == 5


def test_the_password_of_a_url_is_hidden(written: io.BytesIO) -> None:
    structlog.get_logger("orderly.test").info("opened", url="postgresql+asyncpg://orderly:hunter2@db:5432/orderly")
    assert b"hunter2" not in written.getvalue()
    assert b"postgresql+asyncpg://orderly:***@db:5432/orderly" in written.getvalue()


def test_an_exception_is_one_line_with_its_traceback(lines: Lines) -> None:
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        structlog.get_logger("orderly.test").exception("failed")
    (line,) = lines()
    assert line["level"] == "error"
    assert "ZeroDivisionError" in line["exception"]


@pytest.mark.parametrize("library", ["apscheduler", "sqlalchemy.engine", "alembic", "httpx", "_granian", "transitions"])
def test_libraries_are_heard_from_warning_on_in_the_same_format(lines: Lines, library: str) -> None:
    logging.getLogger(library).info("chatter")
    logging.getLogger(library).warning("trouble %d", 7)
    (line,) = lines()
    assert (line["level"], line["logger"], line["event"]) == ("warning", library, "trouble 7")


def test_a_library_may_log_what_does_not_fit_together(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if type(handler).__module__ == logs.__name__]
    monkeypatch.setattr(root, "handlers", ours)  # pytest's own would raise
    logging.getLogger("library").error("%d pieces", "seven")
    logging.getLogger("library").log(35, "a level of its own")
    assert [(line["level"], line["event"]) for line in lines()] == [
        ("error", "%d pieces"),
        ("warning", "a level of its own"),
    ]


def test_anything_can_be_logged(lines: Lines) -> None:
    structlog.get_logger("orderly.test").info(
        "odd", thing=object, half="\ud800", moment=datetime(2026, 1, 1, tzinfo=UTC)
    )
    structlog.get_logger("orderly.test").info("odd", thing={1: {2}})
    assert [line["event"] for line in lines()] == ["odd", "odd"]


def test_text_for_people_is_a_choice() -> None:
    file = io.BytesIO()
    try:
        logs.configure(Settings(log_format="console"), file)
        structlog.get_logger("orderly.test").info("transition", key=KEY, machine="order")
    finally:
        structlog.reset_defaults()
    assert b"transition" in file.getvalue()
    assert b"machine=" in file.getvalue()
    assert KEY.encode() not in file.getvalue()
