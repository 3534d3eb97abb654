"""Structured logs: one line per event on standard error, with the ids of the span in which it was said.

structlog's loggers and the standard library's (aiohttp, OpenTelemetry) go through the same processors and renderer:
JSON lines for machines, colours for a terminal. A log line never raises: what cannot be written is let go.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import msgspec
from opentelemetry import trace

from pea.config import LogSettings
from pea.telemetry.redact import redact_line
from pea.telemetry.structured import structlog

Event = MutableMapping[str, Any]

_MAX_DEPTH = 6
_MAX_TEXT = 10_000
_HANDLER_NAME = "pea"
_CONTROLS = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160))}


def configure_logging(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Send all logs of this process to ``stream`` (standard error), as ``settings`` say. May be called again."""
    stream = sys.stderr if stream is None else stream
    console = settings.format == "console" or (settings.format == "auto" and stream.isatty())
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_span_ids,
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: list[structlog.typing.Processor] = (
        [
            make_printable,
            structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback),
        ]
        if console
        else [structlog.processors.format_exc_info, render_json]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            fill_in,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = QuietHandler(stream)
    handler.set_name(_HANDLER_NAME)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer, redact_line],
        )
    )
    root = logging.getLogger()
    for old in [h for h in root.handlers if h.get_name() == _HANDLER_NAME]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    # One line per request is the server span's business; the access log would say it twice.
    logging.getLogger("aiohttp.access").setLevel(max(level, logging.WARNING))


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose keyword arguments become fields: ``log.info("task done", capability="calendar.agenda")``."""
    if not structlog.is_configured():
        # Until `configure_logging` says where lines go they are the standard library's: structlog alone would print.
        structlog.configure(
            processors=[structlog.stdlib.filter_by_level, fill_in, add_span_ids, render_json, redact_line],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
            cache_logger_on_first_use=False,
        )
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def fill_in(_logger: Any, _method: str, event: Event) -> Event:
    """Put positional arguments into the message as `logging` does; when they do not fit they become a field."""
    arguments = event.pop("positional_args", ())
    if arguments:
        try:
            event["event"] = event["event"] % arguments
        except Exception:  # noqa: BLE001 - a wrong format string, or a value's own __str__
            event["arguments"] = arguments
    return event


def add_span_ids(_logger: Any, _method: str, event: Event) -> Event:
    """Put the current span's ``trace_id`` and ``span_id`` into a log line, in hex as in OTLP's JSON."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
        event["span_id"] = f"{context.span_id:016x}"
    return event


def make_printable(_logger: Any, _method: str, event: Event) -> Event:
    """Make texts safe for a terminal: a subject line from a mail must not move the cursor or start a line."""
    for key, value in event.items():
        if key in ("stack", "exception"):
            event[key] = _text(value)
        elif key not in ("exc_info", "timestamp", "level", "logger"):
            event[key] = _text(value).translate(_CONTROLS)
    return event


def render_json(_logger: Any, _method: str, event: Event) -> str:
    """One JSON object; whatever JSON does not know is written as text, and very long texts are cut."""
    first = {key: event.pop(key, None) for key in ("timestamp", "level", "event", "logger")}
    return msgspec.json.encode(_plain({**first, **event})).decode()


class QuietHandler(logging.StreamHandler[TextIO]):
    """A stream handler that drops a line rather than raise or print a traceback of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; when a value refuses to be rendered, the message alone."""
        try:
            return super().format(record)
        except Exception as error:  # noqa: BLE001 - a value's own __repr__ or a wrong format string may raise anything
            return msgspec.json.encode(
                {
                    "level": record.levelname.lower(),
                    "logger": record.name,
                    "event": _text(record.msg),
                    "unrendered": type(error).__name__,
                }
            ).decode()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """Let go of a line whose stream is closed or full."""


def _plain(value: Any, depth: int = 0) -> Any:
    """A value of JSON's types only; never raises."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else _text(value)
    if isinstance(value, str):
        return _text(value)
    if depth >= _MAX_DEPTH:
        return "…"
    if isinstance(value, dict):
        return {_text(k): _plain(v, depth + 1) for k, v in list(value.items())[:200]}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v, depth + 1) for v in list(value)[:200]]
    return _text(value)


def _text(value: object) -> str:
    """A value as text that UTF-8 can carry, cut when very long."""
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001 - an object's own __str__ may raise anything
        text = f"<{type(value).__name__}>"
    if len(text) > _MAX_TEXT:
        text = text[:_MAX_TEXT] + "…"
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
