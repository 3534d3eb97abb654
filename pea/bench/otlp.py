"""Recorded spans as OTLP's own messages, by the official classes: what another program would send."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pea.telemetry.record import SpanRecord

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span


def messages(records: Iterable[SpanRecord], later_ns: int = 0) -> list[Span]:
    """The spans with their times moved by ``later_ns``."""
    from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

    return [
        Span(
            trace_id=record.trace_id.to_bytes(16),
            span_id=record.span_id.to_bytes(8),
            parent_span_id=record.parent_id.to_bytes(8) if record.parent_id else b"",
            name=record.name,
            kind=Span.SpanKind.ValueType(record.kind),
            start_time_unix_nano=record.start_ns + later_ns,
            end_time_unix_nano=record.end_ns + later_ns,
            status=Status(code=Status.StatusCode.ValueType(record.status)),
            attributes=[attribute(key, value) for key, value in record.attributes.items()],
        )
        for record in records
    ]


def attribute(key: str, value: object) -> KeyValue:
    """A text or a whole number under its key."""
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

    told = AnyValue(string_value=value) if isinstance(value, str) else AnyValue(int_value=int(str(value)))
    return KeyValue(key=key, value=told)
