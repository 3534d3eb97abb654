"""The service remembers: what its tasks did can be searched while it runs, and after it has stopped."""

import asyncio
from pathlib import Path

import aiohttp
import msgspec

from pea import Runtime, Settings
from pea.config import ServiceSettings
from pea.service import Service
from pea.service.chronicle import HOLDER
from pea.store import Query, SpanStore
from tests.service.conftest import Echo, Gate, Site

SETTINGS = Settings(service=ServiceSettings(port=0))


async def remembered(site: Site, query: str, at_least: int = 1) -> list[dict]:
    """What a search finds, once the drain has run and the writer has written."""
    holder = site.service.app[HOLDER]
    await site.service.runtime.telemetry.drain()
    await asyncio.to_thread(holder.chronicle.flush)
    _, answer = await site.send("GET", f"/api/traces?{query}")
    assert len(answer["data"]) >= at_least
    return answer["data"]


async def test_a_tasks_trace_is_found_by_what_it_did(site: Site):
    """One trace from the request to the last call, found by its capability and readable in Jaeger's shape."""
    task = await site.task("echo.relay", words="hello")
    (trace,) = await remembered(site, f"service=pea&tag=pea.task.id:{task['id']}")
    assert {"POST /v1/tasks", "task echo.relay", "invoke_agent echo", "invoke_agent gate"} <= {
        span["operationName"] for span in trace["spans"]
    }
    roots = [span for span in trace["spans"] if not span["references"]]
    assert [span["operationName"] for span in roots] == ["POST /v1/tasks"]


async def test_what_was_remembered_outlives_the_service(tmp_path: Path):
    """With a state folder the spans are there after a stop, those of the stop included."""
    settings = msgspec.structs.replace(SETTINGS, state=str(tmp_path))
    async with (
        Service(Runtime(settings, agents=[Echo(), Gate()])) as service,
        aiohttp.ClientSession(service.url) as client,
    ):
        await service.ready()
        await Site(service, client).task("echo.say", words="hi")
    store = SpanStore(tmp_path / "chronicle" / "spans.db")
    assert len(store.search(Query(operation="task echo.say")).traces) == 1
    store.close()


async def test_reading_what_is_remembered_leaves_no_trace(site: Site):
    """Whoever polls the API does not fill the store with its own requests."""
    for _ in range(3):
        await site.send("GET", "/api/services")
    await site.task("echo.nothing")
    await remembered(site, "service=pea")
    _, names = await site.send("GET", "/api/services/pea/operations")
    assert not [name for name in names["data"] if "/api/" in name]


async def test_metrics_of_the_store_are_exposed(site: Site):
    """What became of the spans stands in /metrics."""
    await site.task("echo.nothing")
    await remembered(site, "service=pea")
    response, _ = await site.send("GET", "/metrics")
    text = await response.text()
    assert 'pea_store_spans_total{pea_store_outcome="stored"}' in text
    assert 'pea_store_spans_total{pea_store_outcome="dropped"} 0.0' in text
