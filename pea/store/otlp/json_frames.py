"""Walks an OTLP/JSON trace request down to single spans, left as raw text until they are read.

OTLP's JSON is proto3's with ids in hex and enums as numbers; fields that are not known are ignored, null is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

from pea.store.otlp.body import BadBody
from pea.store.otlp.values import Clean
from pea.telemetry.record import UNKNOWN_SERVICE, Origin

Whole = int | float | str | None


class _Camel(msgspec.Struct, rename="camel"):
    pass


class _List(_Camel):
    values: list[_Value] | None = None


class _Map(_Camel):
    values: list[_Pair] | None = None


class _Value(_Camel):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Whole = None
    double_value: float | str | None = None
    array_value: _List | None = None
    kvlist_value: _Map | None = None
    bytes_value: str | None = None


class _Pair(_Camel):
    key: str = ""
    value: _Value | None = None


class _Status(_Camel):
    message: str | None = None
    code: Whole = None


class _Event(_Camel):
    time_unix_nano: Whole = None
    name: str | None = None
    attributes: list[_Pair] | None = None


class _Link(_Camel):
    trace_id: str | None = None
    span_id: str | None = None
    attributes: list[_Pair] | None = None


class _Span(_Camel):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    flags: Whole = None
    name: str | None = None
    kind: Whole = None
    start_time_unix_nano: Whole = None
    end_time_unix_nano: Whole = None
    attributes: list[_Pair] | None = None
    events: list[_Event] | None = None
    links: list[_Link] | None = None
    status: _Status | None = None


class _Resource(_Camel):
    attributes: list[_Pair] | None = None


class _Scope(_Camel):
    name: str | None = None
    version: str | None = None


class _ScopeSpans(_Camel):
    scope: _Scope | None = None
    spans: list[msgspec.Raw] | None = None


class _ResourceSpans(_Camel):
    resource: _Resource | None = None
    scope_spans: list[msgspec.Raw] | None = None


class _Request(_Camel):
    resource_spans: list[msgspec.Raw] | None = None


_request = msgspec.json.Decoder(_Request).decode
_resource_spans = msgspec.json.Decoder(_ResourceSpans).decode
_scope_spans = msgspec.json.Decoder(_ScopeSpans).decode
_span = msgspec.json.Decoder(_Span).decode

T = TypeVar("T")


class Place:
    """Where a span was found: what its process and library said."""

    __slots__ = ("_clean", "_resource", "_scope", "key")

    def __init__(self, resource: _Resource | None, scope: _Scope | None, clean: Clean) -> None:
        self.key = id(self)
        self._resource, self._scope, self._clean = resource, scope, clean

    def origin(self) -> Origin:
        """The origin of the spans found here."""
        resource = self._clean.attributes(self._resource.attributes if self._resource else None)
        scope = self._scope or _Scope()
        service = resource.get("service.name")
        return Origin(
            service if isinstance(service, str) and service else UNKNOWN_SERVICE,
            resource,
            self._clean.name(scope.name),
            self._clean.name(scope.version),
        )


def json_frames(data: bytes, clean: Clean) -> Iterator[tuple[Place, Callable[[], Any]]]:
    """Each span's place, and a function that reads it. Raises BadBody when the request around them is broken."""
    places = []  # held, so that their identities stay their own
    for raw_group in _read(_request, data).resource_spans or ():
        group = _read(_resource_spans, raw_group)
        for raw_scoped in group.scope_spans or ():
            scoped = _read(_scope_spans, raw_scoped)
            place = Place(group.resource, scoped.scope, clean)
            places.append(place)
            for raw in scoped.spans or ():
                yield place, _reader(raw)


def _reader(raw: msgspec.Raw) -> Callable[[], _Span]:
    return lambda: _span(raw)


def _read(decode: Callable[[Any], T], data: bytes | msgspec.Raw) -> T:
    try:
        return decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadBody(f"the body is not OTLP/JSON: {error}") from None
