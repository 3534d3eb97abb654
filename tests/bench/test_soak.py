"""The soak loads a real service, kills it, and tells what was seen and what was found again."""

import asyncio
import gzip
import random

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pea.bench import soak, soak_load
from pea.bench.soak_beat import bare_loop
from pea.bench.soak_load import TRACES_PER_REQUEST, otlp_request
from pea.bench.soak_watch import Scrape, quantile, read_scrape
from pea.bench.store import PER_TRACE
from pea.telemetry import names

TEXT = """\
# HELP pea_loop_lag_seconds How late the event loop ran what was due.
# TYPE pea_loop_lag_seconds histogram
pea_loop_lag_seconds_bucket{le="0.01"} 90.0
pea_loop_lag_seconds_bucket{le="0.05"} 100.0
pea_loop_lag_seconds_bucket{le="+Inf"} 100.0
pea_loop_lag_seconds_count 100.0
pea_store_spans_total{pea_store_outcome="deleted"} 7.0
pea_task_duration_seconds_count{agent="a",capability="b"} 3.0
process_memory_usage_bytes 1.07e+08
"""


def test_metrics_are_read_from_their_text():
    """Samples with no label or one are found by name and value; what was counted before is taken off."""
    found = read_scrape(TEXT)
    assert found.samples["process_memory_usage_bytes", ""] == 1.07e8
    assert found.stored("deleted") == 7.0
    assert found.stored("dropped") == 0.0
    before = Scrape({("pea_loop_lag_seconds_bucket", "0.01"): 40.0})
    assert found.histogram(names.METRIC_LOOP_LAG, before) == {0.01: 50.0, 0.05: 100.0, float("inf"): 100.0}


@pytest.mark.parametrize(
    ("q", "value"), [(0.45, 0.005), (0.9, 0.01), (0.95, 0.03), (1.0, 0.05)], ids=["inside", "edge", "next", "last"]
)
def test_a_quantile_lies_evenly_within_its_bucket(q, value):
    """As Prometheus' histogram_quantile has it."""
    assert quantile({0.01: 90, 0.05: 100, float("inf"): 100}, q) == pytest.approx(value)


def test_a_quantile_beyond_the_last_bound_is_that_bound():
    """There is no telling how far beyond; without any values it is nought."""
    assert quantile({0.01: 1, float("inf"): 100}, 0.99) == 0.01
    assert quantile({}, 0.99) == quantile({0.01: 0, float("inf"): 0}, 0.99) == 0.0


def test_a_request_holds_whole_traces_that_end_now():
    """Every trace has its ten spans, the ids given back, and its last span ends at the time given."""
    now_ns = 1_800_000_000_000_000_000
    body, ids = otlp_request(40, random.Random(1), now_ns)
    groups = ExportTraceServiceRequest.FromString(gzip.decompress(body)).resource_spans
    spans = [list(group.scope_spans[0].spans) for group in groups]
    assert [trace[0].trace_id.hex() for trace in spans] == ids
    assert len(ids) == len(set(ids)) == TRACES_PER_REQUEST
    assert {len(trace) for trace in spans} == {PER_TRACE}
    assert {max(span.end_time_unix_nano for span in trace) for trace in spans} == {now_ns}


async def test_a_bare_loop_tells_its_own_lag():
    """A process of its own beats as long as the block lasts, and says how late it was."""
    async with bare_loop() as found:
        await asyncio.sleep(0)
    assert len(found) == 1
    assert found[0] >= 0


async def test_a_late_task_is_asked_after(monkeypatch):
    """What is still running when its asker stops waiting is no failure: how it ended is what counts."""
    monkeypatch.setattr(soak_load, "AGAIN_S", 0.0)
    ends = iter(["queued", "running", "succeeded", "running", "failed"])

    async def answer(request):
        return web.json_response({"id": "1", "status": next(ends), "trace_id": "a", "error": {"code": "gone"}})

    app = web.Application()
    app.router.add_post("/v1/tasks", answer)
    app.router.add_get("/v1/tasks/1", answer)
    async with TestServer(app) as server, aiohttp.ClientSession(server.make_url("/")) as session:
        load = soak_load.Load(str(server.make_url("/")), 1.0, 1.0)
        await load._task(session)
        await load._task(session)
    assert (load.tasks, load.late, load.failed, len(load.own)) == (2, 2, 1, 1)
    assert [end.rpartition(" ")[2] for end in load.ends] == ["gone"]


def test_a_short_soak_tells_of_all_its_parts(monkeypatch):
    """A few seconds: tasks and spans are taken, the kill is survived, searches find (no time is asserted)."""
    monkeypatch.setattr(soak, "TASKS_PER_S", 4.0)
    monkeypatch.setattr(soak, "SPANS_PER_S", 400.0)
    found = {one.what: one for one in soak.soak(0.06)}
    assert found["tasks done"].count > 0
    assert found["spans taken by OTLP"].count > 0
    assert found["  failed, or cut while the service was up"].value == 0
    assert found["traces found that were sent before the last drain interval"].unit == "%"
    assert found["search after the restart"].note != "0 traces found"
    assert found["  spans dropped"].value == 0
