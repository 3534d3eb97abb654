"""Walks the frames of an ExportTraceServiceRequest down to single spans, which the official classes then read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pea.store.otlp.body import BadBody
from pea.store.otlp.values import Clean
from pea.telemetry.record import UNKNOWN_SERVICE, Origin

_RESOURCE_SPANS, _RESOURCE, _SCOPE_SPANS, _SCOPE, _SPANS = (
    1,
    1,
    2,
    1,
    2,
)  # numbers in trace_service.proto, trace.proto
_LENGTH_DELIMITED = 2
_FIXED = {1: 8, 5: 4}


class Place:
    """Where a span was found: what its process and library said, read once."""

    __slots__ = ("_clean", "_resource", "_scope", "key")

    def __init__(self, resource: bytes, scope: bytes, clean: Clean) -> None:
        self.key = (resource, scope)
        self._resource, self._scope, self._clean = resource, scope, clean

    def origin(self) -> Origin:
        """The origin of the spans found here."""
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
        from opentelemetry.proto.resource.v1.resource_pb2 import Resource

        try:
            resource = self._clean.attributes(Resource.FromString(self._resource).attributes)
            scope = InstrumentationScope.FromString(self._scope)
        except DecodeError as error:
            raise ValueError(f"its resource or scope is damaged: {error}") from None
        service = resource.get("service.name")
        return Origin(
            service if isinstance(service, str) and service else UNKNOWN_SERVICE,
            resource,
            self._clean.name(scope.name),
            self._clean.name(scope.version),
        )


def preload() -> None:
    """Import the official classes, which takes some 50 ms: better in a thread than within a request on the loop."""
    import opentelemetry.proto.resource.v1.resource_pb2
    import opentelemetry.proto.trace.v1.trace_pb2  # noqa: F401


def protobuf_frames(data: bytes, clean: Clean) -> Iterator[tuple[Place, Callable[[], Any]]]:
    """Each span's place, and a function that reads it. Raises BadBody when the frames themselves are broken."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    view = memoryview(data)

    def reader(span: memoryview) -> Callable[[], Any]:
        def read() -> Any:
            try:
                return Span.FromString(bytes(span))
            except DecodeError as error:
                raise ValueError(str(error)) from None

        return read

    for number, group in _fields(view):
        if number != _RESOURCE_SPANS:
            continue
        resource = b"".join(bytes(part) for n, part in _fields(group) if n == _RESOURCE)
        for inner, scoped in _fields(group):
            if inner != _SCOPE_SPANS:
                continue
            scope = b"".join(bytes(part) for n, part in _fields(scoped) if n == _SCOPE)
            place = Place(resource, scope, clean)
            for leaf, span in _fields(scoped):
                if leaf == _SPANS:
                    yield place, reader(span)


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The length-delimited fields of a message; others are skipped."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == _LENGTH_DELIMITED:
            size, at = _varint(data, at)
            if size > end - at:
                raise BadBody("the body is not an OTLP request: a field reaches beyond its end")
            yield tag >> 3, data[at : at + size]
            at += size
        elif wire == 0:
            _, at = _varint(data, at)
        elif wire in _FIXED:
            at += _FIXED[wire]
        else:
            raise BadBody(f"the body is not an OTLP request: wire type {wire} at byte {at}")
    if at > end:
        raise BadBody("the body is not an OTLP request: a field reaches beyond its end")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise BadBody("the body is not an OTLP request: a number has no end")
