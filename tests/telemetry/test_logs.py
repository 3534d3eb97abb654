"""Logs: one JSON object or console line each, with the span's ids, and never an exception."""

import io
import json
import logging
import sys

import pytest
import structlog

from pea.config import LogSettings
from pea.telemetry import configure_logging, get_logger
from pea.telemetry.buffer import Buffer
from pea.telemetry.logs import _HANDLER_NAME
from pea.telemetry.provider import TracerProvider


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def stream():
    """JSON logs into memory; the root logger is put back afterwards."""
    root = logging.getLogger()
    level = root.level
    made = io.StringIO()
    configure_logging(LogSettings(level="debug"), made)
    yield made
    root.handlers = [h for h in root.handlers if h.get_name() != _HANDLER_NAME]
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def tracer():
    """A tracer whose spans become current."""
    provider = TracerProvider(shutdown_on_exit=False, buffer=Buffer(100))
    yield provider.get_tracer("test")
    provider.shutdown()


def _alone():
    """Take pytest's own handlers away: they render every record too, and raise when they cannot."""
    root = logging.getLogger()
    root.handlers = [h for h in root.handlers if h.get_name() == _HANDLER_NAME]


def _lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_fields_become_json(stream):
    """Keyword arguments are fields beside event, level, logger and an ISO timestamp in UTC."""
    get_logger("pea.test").info("task done", capability="a.b", count=3, names=("x", "y"), none=None)
    line = _lines(stream)[0]
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "event": "task done",
        "logger": "pea.test",
        "capability": "a.b",
        "count": 3,
        "names": ["x", "y"],
        "none": None,
    }


def test_lines_carry_the_span(stream, tracer):
    """Within a span its ids are in the line, structlog's and the standard library's alike; outside they are not."""
    with tracer.span("work") as span:
        get_logger("a").info("in")
        logging.getLogger("aiohttp.server").warning("also %s", "in")
    get_logger("a").info("out")
    inside, library, outside = _lines(stream)
    context = span.get_span_context()
    for line in (inside, library):
        assert (line["trace_id"], line["span_id"]) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert library["event"] == "also in"
    assert "trace_id" not in outside


@pytest.mark.parametrize("form", ["json", "console"])
def test_extra_fields_of_the_standard_library(stream, form):
    """`extra` of the standard library's loggers are fields too, in either format, whatever they are called."""
    configure_logging(LogSettings(format=form), stream)
    logging.getLogger("b").warning("blocked", extra={"loop_stack": "a\nb", "stack": ["x"], "count": 3})
    text = stream.getvalue()
    assert "loop_stack" in text
    assert "count" in text


def test_exceptions_are_in_the_line(stream):
    """A traceback is one field of one line."""
    try:
        raise ValueError("bad value")
    except ValueError:
        get_logger("a").exception("failed")
        logging.getLogger("b").exception("failed too")
    for line in _lines(stream):
        assert "ValueError: bad value" in line["exception"]
        assert line["level"] == "error"


class Unprintable:
    """Refuses to be shown."""

    def __repr__(self):
        raise RuntimeError("no")

    __str__ = __repr__


def _cycle():
    made = {}
    made["self"] = made
    return made


@pytest.mark.parametrize(
    "value",
    [
        Unprintable(),
        _cycle(),
        object(),
        float("nan"),
        float("inf"),
        10**400,
        -(10**30),
        b"\xff\xfe",
        "\ud800 lone surrogate",
        "x" * 1_000_000,
        {1: 2, None: 3, ("a",): Unprintable()},
        [[[[[[[[["deep"]]]]]]]]],
        {"a", "b"},
        lambda: None,
    ],
    ids=lambda v: type(v).__name__,
)
def test_any_value_can_be_logged(stream, value):
    """Whatever is passed, one bounded line of JSON comes out and nothing is raised."""
    _alone()
    get_logger("a").warning("odd", value=value)
    logging.getLogger("b").warning("odd", extra={"value": value})
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    for line in lines:
        assert len(line) < 100_000
        assert json.loads(line)["event"] == "odd"


def test_a_wrong_format_string_is_still_a_line(stream):
    """Arguments that do not fit their format are somebody's mistake, not a crash."""
    _alone()
    logging.getLogger("b").warning("%d of %d", "one")  # noqa: PLE1206 - that is the point
    get_logger("a").warning("%d of %d", "one")
    assert [line["event"] for line in _lines(stream)] == ["%d of %d"] * 2


def test_a_closed_stream_is_no_error(stream, capsys):
    """When the stream is gone lines are let go without a word."""
    stream.close()
    get_logger("a").error("nobody hears")
    logging.getLogger("b").error("nobody hears")
    assert capsys.readouterr().err == ""


def test_newlines_do_not_forge_lines(stream):
    """Text from outside cannot start a line of its own."""
    get_logger("a").info("said", text='x"}\n{"event":"forged"}')
    assert len(stream.getvalue().splitlines()) == 1


def test_a_terminal_is_not_steered_from_outside(stream):
    """On a console control characters in texts are shown, not obeyed."""
    _alone()
    configure_logging(LogSettings(format="console"), stream)
    get_logger("a").info("subject \x1b[2J\rforged", text="x\ny\x9b", value=Unprintable())
    line = stream.getvalue()
    assert len(line.splitlines()) == 1
    assert not set(line) & {"\x1b", "\r", "\x9b"}


@pytest.mark.parametrize(("level", "seen"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_levels(stream, level, seen):
    """Lines below the configured level are not written."""
    configure_logging(LogSettings(level=level), stream)
    log = get_logger("a")
    log.debug("1")
    log.info("2")
    log.warning("3")
    log.error("4")
    assert len(_lines(stream)) == seen


def test_configuring_again_replaces(stream):
    """A second call does not write lines twice, and other handlers stay."""
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    configure_logging(LogSettings(), stream)
    get_logger("a").info("once")
    assert len(_lines(stream)) == 1
    assert other in logging.getLogger().handlers
    logging.getLogger().removeHandler(other)


@pytest.mark.parametrize(
    ("form", "kind", "json_expected"),
    [("auto", io.StringIO, True), ("auto", Terminal, False), ("console", io.StringIO, False), ("json", Terminal, True)],
)
def test_format_follows_the_terminal(stream, form, kind, json_expected):
    """auto: console on a terminal, JSON elsewhere; else as set."""
    target = kind()
    configure_logging(LogSettings(format=form), target)
    get_logger("a").info("hello", key="value")
    text = target.getvalue()
    assert "hello" in text
    assert text.startswith("{") == json_expected


def test_before_it_is_configured_nothing_is_printed(capsys, caplog):
    """A library's user who never calls configure_logging gets the standard library's records, not prints."""
    structlog.reset_defaults()
    get_logger("a").warning("hello %s", "you", key=Unprintable())
    assert capsys.readouterr().out == ""
    assert json.loads(caplog.records[0].message)["event"] == "hello you"
    structlog.reset_defaults()


def test_standard_error_is_the_default(stream, capsys):
    """Without a stream lines go to standard error, never to standard output."""
    configure_logging(LogSettings(), sys.stderr)
    get_logger("a").info("to stderr")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "to stderr" in captured.err
