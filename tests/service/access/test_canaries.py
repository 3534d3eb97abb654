"""Secrets that are shown to the service are found nowhere afterwards: not in spans, logs, metrics, files or exports."""

import io
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from pea.config import LogSettings
from pea.service.chronicle import HOLDER
from pea.telemetry import configure_logging

PASSWORD = "canary-password-7f3a91"
COOKIE = "canary-cookie-5cc02e"
QUERY = "canary-query-b81d44"
HEADER = "canary-header-90ee17"
WRONG = "canary-wrong-2ab6f0"
BODY = "canary-body-e45c39"
EXPORTER = "canary-exporter-d1077b"
ALWAYS = (PASSWORD, COOKIE, QUERY, HEADER, WRONG, BODY, EXPORTER)

READ = (
    "/metrics",
    "/v1/tasks",
    "/v1/agents",
    "/v1/dashboard",
    "/v1/caches",
    "/v1/activity",
    "/v1/alerts",
    "/v1/sla",
    "/v1/traces/search?limit=200",
    "/api/services",
    "/readyz",
    "/openapi.json",
)


@pytest.fixture
def logged():
    """All that is logged meanwhile, at the finest level."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    configure_logging(LogSettings(format="json", level="debug"), stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


async def _show_secrets(site, keys):
    """Every place in which a secret could be put, rightly or not."""
    right, wrong = keys.show("admin"), {"Authorization": f"Bearer {WRONG}"}
    task = {"capability": "echo.relay", "input": {"words": "hello"}}
    for headers in (right, wrong, {"Authorization": f"Basic {WRONG}"}, {"Authorization": WRONG}):
        await site.send("POST", "/v1/tasks", json=task, headers={**headers, "Prefer": "wait=10"})
        await site.send("GET", "/v1/agents", headers=headers)
    more = {
        "Cookie": f"pea_session={COOKIE}; other={COOKIE}",
        "X-Api-Key": HEADER,
        "Proxy-Authorization": f"Basic {HEADER}",
    }
    for path in ("/v1/agents", "/v1/tasks", "/nope", "/v1/traces/search"):
        await site.send("GET", f"{path}?access_token={QUERY}&token={QUERY}", headers={**right, **more})
        await site.send("GET", f"{path}?token={QUERY}", headers=more)
    await site.send("POST", "/v1/tasks", data=b"{", headers={**right, **more, "Content-Type": "application/json"})
    await site.send("POST", "/v1/session", json={"token": BODY})
    await site.send("POST", "/v1/session", json={"token": BODY, "extra": BODY})
    await site.send(
        "POST", "/v1/session", data=f'{{"token":"{BODY}'.encode(), headers={"Content-Type": "application/json"}
    )
    response, _ = await site.send("POST", "/v1/session", json={"token": keys.text["read"]})
    await site.raw(
        f"GET /v1/agents HTTP/1.1\r\nHost: localhost\r\nAuthorization: {WRONG}\r\n bad: {WRONG}\r\n\r\n".encode()
    )
    await site.raw(f"GET /healthz HTTP/1.1\r\nHost: {WRONG}@localhost\r\nConnection: close\r\n\r\n".encode())
    return response.headers["Set-Cookie"].split(";")[0].partition("=")[2]


async def _all_that_is_told(site, keys) -> str:
    """Everything that can be read of the service, and every span as it is stored."""
    await site.service.runtime.telemetry.flush()
    site.service.app[HOLDER].chronicle.flush()
    told = []
    for path in READ:
        async with site.client.get(path, headers=keys.show("admin")) as response:
            assert response.status == 200, path
            told.append(await response.text())
    for found in json.loads(told[READ.index("/v1/traces/search?limit=200")])["traces"]:
        async with site.client.get(f"/v1/traces/{found['trace_id']}/otlp", headers=keys.show("admin")) as response:
            told.append(await response.text())
    return "\n".join(told)


def _files(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def _exports(state: Path) -> str:
    command = [sys.executable, "-m", "pea", "export", "--format", "jsonl", "--state", str(state)]
    return "".join(
        subprocess.run([*command, what], check=True, capture_output=True, text=True, cwd=state).stdout
        for what in ("tasks", "spans")
    )


async def test_secrets_are_nowhere(serve, agents, keys, tmp_path, monkeypatch, logged):
    """Tokens, passwords, cookies and headers are shown in every way, then everything that PEA keeps or says is read."""
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://me:{PASSWORD}@127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer {EXPORTER},x-key={EXPORTER}")
    state = tmp_path / "state"
    options = {
        "access__tokens": str(keys.path),
        "cache__l3": {"url": f"redis://me:{PASSWORD}@127.0.0.1:1/0"},
        "telemetry__flush_timeout": "200ms",
    }
    async with serve(agents["echo"](), agents["gate"](), state=str(state), **options) as site:
        session = await _show_secrets(site, keys)
        told = await _all_that_is_told(site, keys)
    assert "invoke_agent" in told
    everything = {
        "answers, spans and metrics": told,
        "logs": logged.getvalue(),
        "files": _files(state).decode("latin-1"),
        "exports": _exports(state),
    }
    assert "echo.relay" in everything["files"]
    assert "echo.relay" in everything["exports"]
    secrets = [*ALWAYS, session, *(text.split("_", 2)[2] for text in keys.text.values())]
    found = [(place, secret) for place, text in everything.items() for secret in secrets if secret in text]
    assert found == []
