"""Where OTLP goes: the standard OTEL_EXPORTER_OTLP_* variables, read into one struct per signal.

Specification: protocol/exporter.md and configuration/sdk-environment-variables.md. A variable for one signal goes
before the general one; over HTTP the general endpoint gets the signal's path appended, a signal's own does not.
PEA sends only when told where (an endpoint is set) or told to (``OTEL_TRACES_EXPORTER=otlp``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Literal

import msgspec

Signal = Literal["traces", "metrics"]
Protocol = Literal["http/protobuf", "http/json", "grpc"]

_log = logging.getLogger(__name__)


class OtlpTarget(msgspec.Struct, frozen=True):
    """One signal's receiver. Empty paths: the system's certificates; ``timeout_s`` bounds an export with retries."""

    signal: Signal
    protocol: Protocol
    endpoint: str
    headers: Mapping[str, str]
    timeout_s: float
    compression: str  # none, gzip or, over HTTP, deflate
    insecure: bool | None  # gRPC without a scheme in the endpoint
    certificate: str = ""
    client_certificate: str = ""
    client_key: str = ""


def otlp_target(signal: Signal, environ: Mapping[str, str]) -> OtlpTarget | None:
    """What the environment says of ``signal``; None when it is not to be exported."""
    chosen = {word.strip().lower() for word in environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").split(",")} - {""}
    if chosen - {"otlp", "none", "console"}:
        unknown = ", ".join(sorted(chosen - {"otlp", "none", "console"}))
        _log.warning("OTEL_%s_EXPORTER: %s is not supported (otlp, console, none are)", signal.upper(), unknown)
    if chosen and "otlp" not in chosen:
        return None
    endpoint, own = _endpoint(signal, environ)
    if not endpoint and not chosen:
        return None
    protocol = _protocol(signal, environ)
    if not endpoint:
        endpoint = "http://localhost:4317" if protocol == "grpc" else "http://localhost:4318"
    if protocol != "grpc" and not own:
        endpoint = f"{endpoint.rstrip('/')}/v1/{signal}"
    insecure = _read(signal, "INSECURE", environ)
    return OtlpTarget(
        signal=signal,
        protocol=protocol,
        endpoint=endpoint,
        headers=_headers(_read(signal, "HEADERS", environ)),
        timeout_s=_timeout(signal, environ),
        compression=_compression(signal, protocol, environ),
        insecure=insecure.strip().lower() == "true" if insecure else None,
        certificate=_read(signal, "CERTIFICATE", environ),
        client_certificate=_read(signal, "CLIENT_CERTIFICATE", environ),
        client_key=_read(signal, "CLIENT_KEY", environ),
    )


def wants_console(signal: Signal, environ: Mapping[str, str]) -> bool:
    """Whether ``OTEL_<signal>_EXPORTER`` names the console."""
    return "console" in {word.strip().lower() for word in environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").split(",")}


def disabled(environ: Mapping[str, str]) -> bool:
    """Whether OTEL_SDK_DISABLED says that nothing is to be recorded or sent."""
    return environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def number(name: str, environ: Mapping[str, str], default: float) -> float:
    """A non-negative number from a variable; the default, and a warning, when it is not one."""
    text = environ.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        _log.warning("%s: %r is not a number of at least 0; %g is used", name, text, default)
        return default
    return value


def _read(signal: Signal, what: str, environ: Mapping[str, str]) -> str:
    # An empty variable counts as unset (specification, common environment variables).
    return environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_{what}") or environ.get(f"OTEL_EXPORTER_OTLP_{what}") or ""


def _endpoint(signal: Signal, environ: Mapping[str, str]) -> tuple[str, bool]:
    own = environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", "").strip()
    return (own, True) if own else (environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip(), False)


def _protocol(signal: Signal, environ: Mapping[str, str]) -> Protocol:
    said = _read(signal, "PROTOCOL", environ).strip().lower()
    if said == "grpc":
        return "grpc"
    if said == "http/json":
        return "http/json"
    if said not in ("", "http/protobuf"):
        _log.warning("OTLP protocol %r is not supported; http/protobuf is used", said)
    return "http/protobuf"


def _headers(text: str) -> dict[str, str]:
    from opentelemetry.util.re import parse_env_headers

    return dict(parse_env_headers(text, liberal=True))


def _timeout(signal: Signal, environ: Mapping[str, str]) -> float:
    """Seconds: Python's official exporters read the variable so, though the specification says milliseconds."""
    own = f"OTEL_EXPORTER_OTLP_{signal.upper()}_TIMEOUT"
    return number(own if environ.get(own) else "OTEL_EXPORTER_OTLP_TIMEOUT", environ, 10.0)


def _compression(signal: Signal, protocol: Protocol, environ: Mapping[str, str]) -> str:
    said = _read(signal, "COMPRESSION", environ).strip().lower() or "none"
    known = ("none", "gzip") if protocol == "grpc" else ("none", "gzip", "deflate")
    if said not in known:
        _log.warning("OTLP compression %r is not supported over %s; none is used", said, protocol)
        return "none"
    return said
