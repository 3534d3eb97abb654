"""Senders: encoded OTLP handed to the official exporters, which own connections, certificates, retries and back-off.

A sender blocks, so it lives in the outbox's thread; the exporters (requests, grpc) are imported there, at first use.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec

from pea.telemetry.otlp_json import as_json
from pea.telemetry.otlp_target import OtlpTarget
from pea.telemetry.pauses import imported_more

_PROVIDER = "OTEL_PYTHON_EXPORTER_OTLP_"  # names of variables that give the exporters a session of their own


class Parcel(msgspec.Struct, frozen=True):
    """A request with ``items``, encoded or to be encoded on the export thread; an empty one is not sent."""

    payload: bytes | Callable[[], bytes]
    items: int


class Sender(Protocol):
    """Delivers one signal's requests."""

    def send(self, payload: bytes, items: int) -> str:
        """Deliver, retrying as OTLP says; empty when taken, else why not. Blocks up to the export timeout."""

    def close(self) -> None:
        """Close connections, and end a retry that waits in another thread."""


def sender(target: OtlpTarget) -> Sender:
    """The sender for a target; imports what the protocol needs."""
    made: Sender = _Grpc(_grpc_exporter(target)) if target.protocol == "grpc" else _Http(_http_exporter(target), target)
    imported_more()
    return made


class _Http:
    """The official exporter's client is given our bytes in place of its own encoder's."""

    def __init__(self, exporter: Any, target: OtlpTarget) -> None:
        self._exporter = exporter
        self._json = target.signal if target.protocol == "http/json" else None

    def send(self, payload: bytes, items: int) -> str:
        del items
        result = self._exporter._client.export(payload if self._json is None else as_json(payload, self._json))
        if result.success:
            return ""
        reason = str(result.error or result.reason or "no answer in time")
        return f"HTTP {result.status_code}: {reason}" if result.status_code else reason

    def close(self) -> None:
        self._exporter.shutdown()


class _Grpc:
    """The official exporter, whose translation step parses our bytes."""

    def __init__(self, exporter: Any) -> None:
        self._exporter = exporter

    def send(self, payload: bytes, items: int) -> str:
        result = self._exporter.export((payload, items))
        return "" if result.name == "SUCCESS" else "refused, or not answered in time: the log has the status code"

    def close(self) -> None:
        self._exporter.shutdown()


def _http_exporter(target: OtlpTarget) -> Any:
    if target.signal == "traces":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(**_http_arguments(target))
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter(**_http_arguments(target))


def _grpc_exporter(target: OtlpTarget) -> Any:
    exporter: Any
    request: Any
    if target.signal == "traces":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        exporter, request = OTLPSpanExporter, ExportTraceServiceRequest
    else:
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

        exporter, request = OTLPMetricExporter, ExportMetricsServiceRequest

    class Encoded(exporter):  # type: ignore[misc]
        def _translate_data(self, data: Any) -> Any:
            return request.FromString(data[0])

        def _count_data(self, data: Any) -> int:
            return int(data[1])

    return Encoded(**_grpc_arguments(target))


def _http_arguments(target: OtlpTarget) -> dict[str, Any]:
    from opentelemetry.exporter.otlp.proto.http import Compression

    return {
        "endpoint": target.endpoint,
        "headers": {
            **target.headers,
            **({"content-type": "application/json"} if target.protocol == "http/json" else {}),
        },
        "timeout": target.timeout_s,
        "compression": Compression(target.compression),
        "certificate_file": target.certificate or None,
        "client_certificate_file": target.client_certificate or None,
        "client_key_file": target.client_key or None,
        **_way(target),
    }


def _way(target: OtlpTarget) -> dict[str, Any]:
    """The transport, where the usual one is not the best, by the exporter's argument.

    requests looks for proxies, credentials and certificates at every request: 0.3 of 0.5 ms, in which the event loop
    waits for the interpreter lock. A plain address to which none of them applies goes straight through urllib3.
    """
    if target.certificate:
        return {"session": _trusting_session()}
    if not _plain(target):
        return {}
    from opentelemetry.exporter.http.transport._urllib3 import Urllib3HTTPTransport

    return {"_transport": Urllib3HTTPTransport()}


def _plain(target: OtlpTarget) -> bool:
    """Whether nothing but the address decides how to get there: no TLS, proxy, credentials or session of others."""
    from requests.utils import get_environ_proxies, get_netrc_auth

    address = urlsplit(target.endpoint)
    provided = any(name.startswith(_PROVIDER) and name.endswith("CREDENTIAL_PROVIDER") for name in os.environ)
    return (
        address.scheme == "http"
        and address.username is None
        and not provided
        and not get_environ_proxies(target.endpoint)
        and get_netrc_auth(target.endpoint) is None
    )


def _trusting_session() -> Any:
    """A session that trusts the certificate it was given: requests alone would prefer REQUESTS_CA_BUNDLE to it."""
    import requests

    class TrustingSession(requests.Session):
        def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
            own = self.verify if verify is None else verify
            return super().merge_environment_settings(url, proxies, stream, own, cert)

    return TrustingSession()


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
