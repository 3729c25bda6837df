"""Logs: one JSON object a line on standard error, or text for people; secrets never get there.

What libraries log passes through the same pipe, from WARNING on: at INFO they say nothing that an operator needs, and
some of them say it for every transition.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, BinaryIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from orderly.settings import Settings

HIDDEN = "***"

_SECRET_NAME = re.compile(
    r"authorization|cookie|password|passwd|pepper|secret|token|(?:^|[^a-z])(?:api)?keys?(?:$|[^a-z])"
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_API_KEY = re.compile(rb"(ord_live_[0-9A-Za-z]{12})_[0-9A-Za-z]+(?:_[0-9A-Za-z]+)?")
_URL_PASSWORD = re.compile(rb"(://[^\s:/@\"]*):[^\s@/\"]+@")
_DEPTH_LIMIT = 8
_SCALARS = frozenset({str, int, bool, float, type(None)})

_encode = msgspec.json.Encoder(enc_hook=repr).encode


def configure(settings: Settings, file: BinaryIO | None = None, *, cache: bool = False) -> None:
    """Set up logging for this process.

    Args:
        settings: name the level and the format.
        file: where lines go; standard error by default.
        cache: whether loggers keep this set-up from their first line on: faster, and it can't be changed after that.
    """
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.stdlib.add_logger_name,
            _stamp,
            structlog.processors.format_exc_info,
            hide_secrets,
            _console() if settings.log_format == "console" else _in_order,
            *([] if settings.log_format == "console" else [_to_json]),
            _hide_in_text,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(file or sys.stderr.buffer),
        cache_logger_on_first_use=cache,
    )
    logging.basicConfig(handlers=[_Forward()], level=max(level, logging.WARNING), force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger("transitions").setLevel(logging.WARNING)
    _hear("_granian")


def _hear(library: str) -> None:
    """Let a library's lines go the way of all lines, whatever it set up for itself."""
    logger = logging.getLogger(library)
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    logger.propagate, logger.disabled = True, False


def _stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["timestamp"] = datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
    return event


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide the value of every field whose name speaks of a secret, at any depth."""
    for name, value in event.items():
        if _is_secret(name):
            event[name] = HIDDEN
        elif type(value) not in _SCALARS:
            event[name] = _hide(value, _DEPTH_LIMIT)
    return event


def _hide(value: object, depth: int) -> object:
    if isinstance(value, Mapping) and depth:
        return {name: HIDDEN if _is_secret(str(name)) else _hide(part, depth - 1) for name, part in value.items()}
    if isinstance(value, list | tuple) and depth:
        return [_hide(part, depth - 1) for part in value]
    return value


@lru_cache(maxsize=1000)
def _is_secret(name: str) -> bool:
    """Tell whether a name speaks of a secret, in any spelling; the id of a key or token is none."""
    plain = _HUMP.sub("_", name).lower()
    return _SECRET_NAME.search(plain) is not None and not plain.endswith("_id")


def _in_order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put first what every line has."""
    first = {name: event.pop(name) for name in ("timestamp", "level", "logger", "event")}
    return {**first, **event}


def _to_json(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    try:
        return _encode(event)
    except UnicodeEncodeError:  # half a surrogate pair, from a caller or a file's name
        return json.dumps(event, default=repr).encode()


def _console() -> Processor:
    render = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())

    def to_text(logger: WrappedLogger, method: str, event: EventDict) -> bytes:
        return str(render(logger, method, event)).encode()

    return to_text


def _hide_in_text(_logger: WrappedLogger, _method: str, line: Any) -> bytes:
    """Hide API keys and passwords in URLs wherever they stand, in a message or a traceback."""
    text: bytes = line
    if b"ord_live_" in text:
        text = _API_KEY.sub(rb"\1_***", text)
    if b"://" in text:
        text = _URL_PASSWORD.sub(rb"\1:***@", text)
    return text


def hide_passwords(text: str) -> str:
    """Return a text with the passwords in its URLs hidden."""
    return _URL_PASSWORD.sub(rb"\1:***@", text.encode()).decode()


class _Forward(logging.Handler):
    """Hands what libraries log to our own pipe."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # a library's own slip: arguments that do not fit its text
            message = str(record.msg)
        log = structlog.get_logger(record.name)
        log.log(_level(record.levelno), message, exc_info=record.exc_info or None)


def _level(number: int) -> int:
    """Return the named level that a library's own number comes to."""
    return min(max(number // 10 * 10, logging.DEBUG), logging.CRITICAL)
