"""Whatever is sent to whichever route, the service answers, closes or waits; it neither fails nor lets data out."""

from typing import Any

import pytest

from pea.config.policies import RatePolicy
from pea.service.access import rates
from tests.service.access.fuzzer import run
from tests.service.contradictions import contradictions

REQUESTS = 128
BARE = "not_a_server_error,status_code_conformance,response_schema_conformance"  # what holds of refusals too


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
    how: dict[str, Any] = {"phases": "fuzzing", "checks": BARE}
    if shown:
        how = {"phases": "coverage,fuzzing", "headers": keys.show("admin")}
    url = locked.service.url
    assert await contradictions(url, document, tmp_path, examples=2, also=(401, 403, 429), **how) == ""
