"""OTEL_EXPORTER_OTLP_* variables, as the specification reads them."""

import logging

import pytest

from pea.telemetry.exports import temporality
from pea.telemetry.otlp_target import disabled, number, otlp_target, wants_console

BASE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    ("environ", "traces", "metrics"),
    [
        ({}, None, None),
        (BASE, "http://collector:4318/v1/traces", "http://collector:4318/v1/metrics"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c/base/"}, "http://c/base/v1/traces", "http://c/base/v1/metrics"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, None, None),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/in"}, "http://t/in", None),
        (
            {**BASE, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "https://m"},
            "http://collector:4318/v1/traces",
            "https://m",
        ),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "http://localhost:4318/v1/traces", None),
        ({"OTEL_METRICS_EXPORTER": " OTLP "}, None, "http://localhost:4318/v1/metrics"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://localhost:4317", None),
        ({**BASE, "OTEL_TRACES_EXPORTER": "none"}, None, "http://collector:4318/v1/metrics"),
        ({**BASE, "OTEL_TRACES_EXPORTER": "console"}, None, "http://collector:4318/v1/metrics"),
        (
            {**BASE, "OTEL_TRACES_EXPORTER": "console,otlp", "OTEL_METRICS_EXPORTER": "none"},
            "http://collector:4318/v1/traces",
            None,
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "http://c:4317",
            "http://c:4317",
        ),
    ],
)  # fmt: skip
def test_where_each_signal_goes(environ, traces, metrics):
    """The signal's own endpoint is used as it is, the general one with the signal's path; `none` turns off."""
    found = [otlp_target(signal, environ) for signal in ("traces", "metrics")]
    assert [t and t.endpoint for t in found] == [traces, metrics]


def test_a_signals_own_variable_goes_first():
    """Each setting can be given for one signal, and empty counts as unset."""
    environ = {
        **BASE,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_HEADERS": "a=1",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "b=2, c=x%20y",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "3",
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "0.5",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "",
        "OTEL_EXPORTER_OTLP_INSECURE": "true",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "ca.pem",
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": "key.pem",
    }
    traces, metrics = otlp_target("traces", environ), otlp_target("metrics", environ)
    assert (traces.protocol, metrics.protocol) == ("http/protobuf", "grpc")
    assert (traces.headers, metrics.headers) == ({"b": "2", "c": "x y"}, {"a": "1"})
    assert (traces.timeout_s, metrics.timeout_s) == (0.5, 3.0)
    assert (traces.compression, metrics.compression) == ("gzip", "gzip")
    assert (traces.insecure, traces.certificate, traces.client_key, metrics.client_key) == (
        True,
        "ca.pem",
        "key.pem",
        "",
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", {"timeout_s": 10.0}),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1", {"timeout_s": 10.0}),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "nan", {"timeout_s": 10.0}),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", {"compression": "none"}),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/xml", {"protocol": "http/protobuf"}),
        ("OTEL_TRACES_EXPORTER", "otlp,zipkin", {"protocol": "http/protobuf"}),
    ],
)
def test_a_wrong_value_is_told_and_the_default_used(caplog, name, value, expected):
    """A mistake in a variable never stops the program (specification, environment variables)."""
    with caplog.at_level(logging.WARNING):
        target = otlp_target("traces", {**BASE, name: value})
    assert {key: getattr(target, key) for key in expected} == expected
    assert len(caplog.records) == 1


@pytest.mark.parametrize(("text", "value"), [("5", 5.0), ("", 7.0), (" 0 ", 0.0), ("x", 7.0), ("inf", 7.0)])
def test_numbers(text, value):
    """A number is read, anything else is the default."""
    assert number("OTEL_BSP_SCHEDULE_DELAY", {"OTEL_BSP_SCHEDULE_DELAY": text}, 7.0) == value


@pytest.mark.parametrize(
    ("said", "expected"),
    [("", "cumulative"), ("Delta", "delta"), ("LOWMEMORY", "lowmemory"), ("other", "cumulative")],
)
def test_temporality(said, expected):
    """The preference is read without regard to case."""
    assert temporality({"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": said}) == expected


def test_switches():
    """OTEL_SDK_DISABLED counts only when true; console is one word among others."""
    assert disabled({"OTEL_SDK_DISABLED": " TRUE "})
    assert not disabled({"OTEL_SDK_DISABLED": "1"})
    assert wants_console("traces", {"OTEL_TRACES_EXPORTER": "otlp, console"})
    assert not wants_console("metrics", {"OTEL_TRACES_EXPORTER": "console"})
