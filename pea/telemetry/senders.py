"""Senders: encoded OTLP handed to the official exporters, which own connections, certificates, retries and back-off.

A sender blocks, so it lives in the outbox's thread; the exporters (requests, grpc) are imported there, at first use.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from pea.telemetry.otlp_target import OtlpTarget

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData


class Parcel(msgspec.Struct, frozen=True):
    """One request's worth: encoded spans (bytes) or metrics (the SDK's data), and how many items are in it."""

    payload: Any
    items: int


class Sender(Protocol):
    """Delivers one signal's parcels."""

    def send(self, parcel: Parcel) -> str:
        """Deliver, retrying as OTLP says; empty when taken, else why not. Blocks up to the export timeout."""

    def close(self) -> None:
        """Close connections, and end a retry that waits in another thread."""


def sender(target: OtlpTarget) -> Sender:
    """The sender for a target; imports what the protocol needs."""
    if target.signal == "traces":
        return _grpc_spans(target) if target.protocol == "grpc" else _HttpSpans(target)
    return _Metrics(target)


class _HttpSpans:
    """Spans over HTTP: the official exporter's client is given our bytes in place of its own encoder's."""

    def __init__(self, target: OtlpTarget) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        self._exporter: Any = OTLPSpanExporter(**_http_arguments(target))

    def send(self, parcel: Parcel) -> str:
        result = self._exporter._client.export(parcel.payload)
        if result.success:
            return ""
        reason = str(result.error or result.reason or "no answer in time")
        return f"HTTP {result.status_code}: {reason}" if result.status_code else reason

    def close(self) -> None:
        self._exporter.shutdown()


class _GrpcSpans:
    """Spans over gRPC: the official exporter, whose translation step parses our bytes."""

    def __init__(self, exporter: Any) -> None:
        self._exporter = exporter

    def send(self, parcel: Parcel) -> str:
        return _outcome(self._exporter.export(parcel))

    def close(self) -> None:
        self._exporter.shutdown()


def _grpc_spans(target: OtlpTarget) -> Sender:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    class EncodedSpanExporter(OTLPSpanExporter):
        def _translate_data(self, data: Any) -> ExportTraceServiceRequest:
            request: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(data.payload)
            return request

        def _count_data(self, data: Any) -> int:
            return int(data.items)

    return _GrpcSpans(EncodedSpanExporter(**_grpc_arguments(target)))


class _Metrics:
    """Metrics by either protocol, through the official metric exporter as it is."""

    def __init__(self, target: OtlpTarget) -> None:
        self._exporter: Any
        if target.protocol == "grpc":
            from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcExporter

            self._exporter = GrpcExporter(**_grpc_arguments(target))
        else:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpExporter

            self._exporter = HttpExporter(**_http_arguments(target))

    def send(self, parcel: Parcel) -> str:
        data: MetricsData = parcel.payload
        return _outcome(self._exporter.export(data))

    def close(self) -> None:
        self._exporter.shutdown()


def _outcome(result: Any) -> str:
    return "" if result.name == "SUCCESS" else "the receiver refused it or did not answer in time (see the log)"


def _http_arguments(target: OtlpTarget) -> dict[str, Any]:
    from opentelemetry.exporter.otlp.proto.http import Compression

    return {
        "endpoint": target.endpoint,
        "headers": dict(target.headers),
        "timeout": target.timeout_s,
        "compression": Compression(target.compression),
        "certificate_file": target.certificate or None,
        "client_certificate_file": target.client_certificate or None,
        "client_key_file": target.client_key or None,
    }


def _grpc_arguments(target: OtlpTarget) -> dict[str, Any]:
    from grpc import Compression, ssl_channel_credentials  # type: ignore[import-untyped]

    arguments: dict[str, Any] = {
        "endpoint": target.endpoint,
        "headers": tuple(target.headers.items()),
        "timeout": target.timeout_s,
        "compression": Compression.Gzip if target.compression == "gzip" else Compression.NoCompression,
    }
    plain = target.endpoint.startswith("http://") if target.insecure is None else target.insecure
    arguments["insecure"] = plain and not target.endpoint.startswith("https://")
    if not arguments["insecure"]:
        arguments["credentials"] = ssl_channel_credentials(
            root_certificates=_file(target.certificate),
            private_key=_file(target.client_key),
            certificate_chain=_file(target.client_certificate),
        )
    return arguments


def _file(path: str) -> bytes | None:
    if not path:
        return None
    return Path(path).read_bytes()
