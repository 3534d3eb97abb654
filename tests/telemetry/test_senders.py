"""Which way a request takes: straight where nothing but the address counts, else as requests would."""

import pytest

from pea.telemetry import senders
from pea.telemetry.otlp_target import otlp_target

PLAIN = "http://collector.test:4318"


def _way(endpoint, monkeypatch, tmp_path, **environ):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return senders._way(otlp_target("traces", {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}))


def test_a_plain_address_is_sent_to_directly(monkeypatch, tmp_path):
    """No proxy, no credentials, no TLS: urllib3 without requests around it."""
    assert list(_way(PLAIN, monkeypatch, tmp_path)) == ["_transport"]


@pytest.mark.parametrize(
    ("endpoint", "environ"),
    [
        ("https://collector.test:4318", {}),
        ("http://user:word@collector.test:4318", {}),
        (PLAIN, {"http_proxy": "http://proxy.test:3128"}),
        (PLAIN, {"all_proxy": "http://proxy.test:3128"}),
        (PLAIN, {"OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER": "mine"}),
    ],
)
def test_whatever_else_counts_is_left_to_requests(endpoint, environ, monkeypatch, tmp_path):
    """TLS, proxies and credentials are requests' business, which knows all their variables."""
    assert _way(endpoint, monkeypatch, tmp_path, **environ) == {}


def test_a_netrc_is_honoured(monkeypatch, tmp_path):
    """An entry for the receiver's host is sent as its credentials."""
    (tmp_path / "netrc").write_text("machine collector.test login me password word\n")
    assert _way(PLAIN, monkeypatch, tmp_path) == {}


def test_a_proxy_that_does_not_apply_changes_nothing(monkeypatch, tmp_path):
    """no_proxy excuses a host."""
    environ = {"http_proxy": "http://proxy.test:3128", "no_proxy": "collector.test"}
    assert list(_way(PLAIN, monkeypatch, tmp_path, **environ)) == ["_transport"]
