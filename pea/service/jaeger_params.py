"""Reads the parameters of Jaeger's query API as Jaeger does: Go's durations, RFC 3339 times, ids in hex or base64."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from pea.service.refusals import BadParameter
from pea.store import Query
from pea.telemetry.record import KINDS

MAX_LIMIT = 1_500
MAX_TRACE_IDS = 200
DEFAULT_LIMIT = 100
DEFAULT_LOOKBACK_NS = 48 * 3_600 * 10**9
_MAX_NS = (1 << 63) - 1

_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d)", re.ASCII)
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9}
_UNITS["d"] = 24 * _UNITS["h"]  # not Go's, but the interface's look-backs have it
_TIME = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class BadJaegerParameter(BadParameter):
    """A parameter that cannot be read; the answer is a 400 in the shape of Jaeger's own errors."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"unable to parse param '{name}': {what}")


class Parameters:
    """A request's query string; every reader names the parameter in its error."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value.encode("utf-8", "replace").decode("utf-8"))

    def text(self, *names: str) -> str:
        """The first value that is not empty of the first name that has one."""
        return next((value for name in names for value in self._values.get(name, ())[:1] if value), "")

    def all(self, name: str) -> list[str]:
        """All values of a name."""
        return self._values.get(name, [])

    def whole(self, name: str, default: int) -> int:
        """A whole number."""
        text = self.text(name)
        if not text:
            return default
        if not re.fullmatch(r"[+-]?\d{1,19}", text, re.ASCII):
            raise BadJaegerParameter(name, f"{text[:40]!r} is not a whole number")
        return min(max(int(text), -_MAX_NS), _MAX_NS)

    def number(self, name: str) -> float:
        """A number, which must be given."""
        try:
            value = float(self.text(name))
        except ValueError:
            raise BadJaegerParameter(name, f"{self.text(name)[:40]!r} is not a number") from None
        if not 0 <= value <= 1:
            raise BadJaegerParameter(name, "a quantile lies between 0 and 1")
        return value

    def truth(self, name: str) -> bool:
        """A truth value as Go writes it."""
        text = self.text(name)
        if text in {"", "0", "f", "F", "false", "False", "FALSE"}:
            return False
        if text in {"1", "t", "T", "true", "True", "TRUE"}:
            return True
        raise BadJaegerParameter(name, f"{text[:40]!r} is neither true nor false")

    def duration_ns(self, *names: str) -> int:
        """A duration such as ``1.2s`` or ``100ms``; 0 when it is not given."""
        text = self.text(*names)
        if not text:
            return 0
        parts = list(_PART.finditer(text))
        if not parts or "".join(part[0] for part in parts) != text or len(text) > 40:
            raise BadJaegerParameter(names[0], f"{text[:40]!r} is not a duration such as 1.2s, 100ms or 500us")
        return min(int(sum(float(part[1]) * _UNITS[part[2]] for part in parts)), _MAX_NS)

    def time_ns(self, *names: str) -> int | None:
        """An RFC 3339 time as ns since 1970; None when it is not given."""
        text = self.text(*names)
        if not text:
            return None
        match = _TIME.fullmatch(text)
        try:
            if match is None:
                raise ValueError
            moment = datetime.fromisoformat(match[1].upper() + match[3].upper().replace("Z", "+00:00"))
            whole = int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
        except (ValueError, OverflowError):
            raise BadJaegerParameter(names[0], f"{text[:40]!r} is not a time such as 2026-05-12T07:30:00Z") from None
        return max(whole * 10**9 + int((match[2] or "0").ljust(9, "0")), 0)

    def kind(self, *names: str) -> str:
        """A kind of span, or nothing."""
        text = self.text(*names).lower()
        if text and text not in KINDS:
            raise BadJaegerParameter(names[0], f"unsupported span kind: '{text[:40]}'")
        return text


def trace_id_of(text: str, name: str = "traceID") -> int:
    """A trace id of up to 32 hex digits, or of 16 bytes in base64."""
    if re.fullmatch(r"[0-9a-fA-F]{1,32}", text, re.ASCII):
        return int(text, 16)
    if len(text) <= 24:
        try:
            data = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            data = b""
        if len(data) in {8, 16}:
            return int.from_bytes(data)
    raise BadJaegerParameter(name, f"{text[:40]!r} is not a trace id")


def classic_query(given: Parameters, now_ns: int) -> Query:
    """The search of ``/api/traces``: times in microseconds, attributes as ``tags`` (JSON) or ``tag=key:value``."""
    end_ns = given.whole("end", now_ns // 1_000) * 1_000
    try:
        lookback_ns = given.duration_ns("lookback") or DEFAULT_LOOKBACK_NS
    except BadJaegerParameter:  # the interface also sends `custom`, and then start
        lookback_ns = DEFAULT_LOOKBACK_NS
    start_ns = given.whole("start", (end_ns - lookback_ns) // 1_000) * 1_000
    attributes = _attributes(given, "tags")
    for tag in given.all("tag"):
        key, colon, value = tag.partition(":")
        if not colon:
            raise BadJaegerParameter("tag", f"malformed 'tag' parameter, expecting key:value, received: {tag[:40]}")
        attributes[key] = value
    return _checked(
        service=given.text("service"),
        operation=given.text("operation"),
        attributes=attributes,
        shortest_ns=given.duration_ns("minDuration"),
        longest_ns=given.duration_ns("maxDuration"),
        start_ns=max(start_ns, 0),
        end_ns=max(end_ns, 0),
        limit=given.whole("limit", DEFAULT_LIMIT),
    )


def modern_query(given: Parameters) -> Query:
    """The search of ``/api/v3/traces`` and ``/api/v3/trace-summaries``; older names are in snake case."""
    start_ns = given.time_ns("query.startTimeMin", "query.start_time_min")
    end_ns = given.time_ns("query.startTimeMax", "query.start_time_max")
    if start_ns is None or end_ns is None:
        raise BadJaegerParameter("query.startTimeMin", "query.startTimeMin and query.startTimeMax are required")
    if start_ns >= end_ns:
        raise BadJaegerParameter("query.startTimeMin", "query.startTimeMin must be before query.startTimeMax")
    if given.text("query.filter"):
        raise BadJaegerParameter("query.filter", "expressions are not supported: use query.attributes")
    depth = next((n for n in ("query.searchDepth", "query.search_depth") if given.text(n)), "query.num_traces")
    return _checked(
        service=given.text("query.serviceName", "query.service_name"),
        operation=given.text("query.operationName", "query.operation_name"),
        attributes=_attributes(given, "query.attributes"),
        shortest_ns=given.duration_ns("query.durationMin", "query.duration_min"),
        longest_ns=given.duration_ns("query.durationMax", "query.duration_max"),
        start_ns=start_ns,
        end_ns=end_ns,
        limit=given.whole(depth, DEFAULT_LIMIT),
    )


def _checked(**fields: Any) -> Query:
    query = Query(**fields)
    if query.longest_ns and query.shortest_ns > query.longest_ns:
        raise BadJaegerParameter("maxDuration", "'maxDuration' should be greater than 'minDuration'")
    return msgspec.structs.replace(query, limit=min(max(query.limit, 1), MAX_LIMIT))


def _attributes(given: Parameters, name: str) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for text in given.all(name):
        if not text:
            continue
        try:
            attributes.update(msgspec.json.decode(text, type=dict[str, str]))
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            raise BadJaegerParameter(name, "malformed, expecting a JSON object of texts") from None
    return attributes
