"""OTLP's JSON encoding of a request that was encoded as protobuf.

Specification: opentelemetry-proto, docs/specification.md, "JSON Protobuf Encoding": proto3's JSON with ids in
hexadecimal instead of base64, enums as integers, and field names in lowerCamelCase. It runs on the export thread.
"""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pea.telemetry.otlp_target import Signal

_IDS = frozenset({"traceId", "spanId", "parentSpanId"})  # never a user's key: attributes are lists of key and value


def as_json(payload: bytes, signal: Signal) -> bytes:
    """The same request in JSON."""
    from google.protobuf.json_format import MessageToDict

    message = _request(signal).FromString(payload)
    return msgspec.json.encode(_with_hex_ids(MessageToDict(message, use_integers_for_enums=True)))


def _request(signal: Signal) -> Any:
    if signal == "traces":
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        return ExportTraceServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    return ExportMetricsServiceRequest


def _with_hex_ids(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_hex_ids(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        key: b64decode(value).hex() if key in _IDS and isinstance(value, str) else _with_hex_ids(value)
        for key, value in node.items()
    }
