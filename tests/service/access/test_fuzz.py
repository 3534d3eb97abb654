"""Whatever is sent to whichever route, the service answers, closes or waits; it neither fails nor lets data out."""

import asyncio
import json
import sys

import pytest

from pea.config.policies import RatePolicy
from pea.service.access import rates
from tests.service.access.fuzzer import run

REQUESTS = 128


@pytest.mark.parametrize("name", [None, "read", "submit", "ingest"])
async def test_no_request_breaks_the_service(locked, keys, name):
    """With and without tokens nothing is answered with a fault, and afterwards the service serves as before."""
    token = "" if name is None else keys.text[name]
    found = await run(locked.service.url, requests=REQUESTS, token=token, at_once=32)
    assert found.bad == []
    assert found.statuses.total() > REQUESTS / 3
    if name is None:
        assert found.statuses[202] == 0
    response, _ = await locked.send("GET", "/v1/agents", headers=keys.show("read"))
    assert response.status == 200


@pytest.mark.parametrize("shown", [True, False])
async def test_schemathesis_with_and_without_tokens(locked, keys, tmp_path, monkeypatch, shown):
    """The document of a service that asks for tokens is true too: with one, and where it is left out."""
    monkeypatch.setattr(rates, "FAILURES", RatePolicy(per_second=1e6, burst=1_000_000))  # it shows many wrong tokens
    locked.service.runtime.directory.agent("gate").open.set()
    _, document = await locked.send("GET", "/openapi.json", headers=keys.show("read"))
    file, config = tmp_path / "openapi.json", tmp_path / "schemathesis.toml"
    file.write_text(json.dumps(document))
    config.write_text(
        '[checks.positive_data_acceptance]\nexpected-statuses = ["2xx", 401, 403, 404, 409, 410, 422, 429]\n'
        '[checks.negative_data_rejection]\nexpected-statuses = ["4xx"]\n'
    )
    phases = "coverage,fuzzing,stateful" if shown else "fuzzing"
    checks = "all" if shown else "not_a_server_error,status_code_conformance,response_schema_conformance"
    headers = ["--header", f"Authorization: {keys.show('admin')['Authorization']}"] if shown else []
    fuzzer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", f"--config-file={config}", "run", str(file)),
        *(f"--url={locked.service.url}", f"--checks={checks}", f"--phases={phases}", *headers),
        *("--continue-on-failure", "--no-color"),
        *("--max-examples=2", "--seed=1", "--generation-database=none", "--request-timeout=20", "--workers=1"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
    )
    output, _ = await fuzzer.communicate()
    assert fuzzer.returncode == 0, output.decode()
