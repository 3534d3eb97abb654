"""The chronicle: what ends in this process can be searched, and its figures drawn."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pea.config import KeeperSettings, Settings
from pea.store import Chronicle, Query
from pea.telemetry import Telemetry


async def test_a_native_span_goes_through_the_keeper_into_the_store(tmp_path: Path):
    """A task's spans and leaves can be found, read and counted once the drain has run."""
    telemetry = Telemetry(environ={})
    chronicle = Chronicle(tmp_path)
    chronicle.attach(telemetry)
    try:
        with (
            telemetry.tracer.span("task briefing.morning", {"pea.capability": "briefing.morning"}) as root,
            telemetry.tracer.span("invoke_agent calendar", {"gen_ai.agent.name": "calendar"}) as call,
        ):
            call.leaf("cache.lookup agenda", 1, 2, {"pea.cache.hit": True})
        await telemetry.flush()
        assert chronicle.flush()
        found = await chronicle.ask(lambda spans: spans.search(Query(attributes={"gen_ai.agent.name": "calendar"})))
        assert [row.trace_id for row in found.traces] == [root.trace_id]
        assert (found.traces[0].root_name, found.traces[0].spans) == ("task briefing.morning", 3)
        names = {record.name for record in await chronicle.ask(lambda spans: spans.get(root.trace_id))}
        assert names == {"task briefing.morning", "invoke_agent calendar", "cache.lookup agenda"}
        chronicle.sample()
        assert "process.memory.usage" in chronicle.series.names()
        assert chronicle.status().spans.spans == 3
        exposition = telemetry.exposition()[0].decode()
        assert 'pea_store_spans_total{pea_store_outcome="stored"} 3.0' in exposition
        assert 'pea_keeper_traces_total{pea_keeper_decision="kept"} 1.0' in exposition
    finally:
        assert chronicle.close()
        await telemetry.aclose()
    again = Chronicle(tmp_path)
    assert len(again.spans.get(root.trace_id)) == 3
    again.close()


async def test_a_tail_policy_passes_by_and_a_pin_reaches_back(tmp_path: Path):
    """With a policy only what it speaks for is stored; a pinned trace follows."""
    settings = msgspec.structs.replace(
        Settings(), keeper=KeeperSettings(policy="tail", slow_quantile=0.0, per_second=0.0)
    )
    telemetry = Telemetry(environ={})
    chronicle = Chronicle(tmp_path, settings)
    chronicle.attach(telemetry)
    with telemetry.tracer.span("quiet") as root:
        pass
    await telemetry.flush()
    chronicle.flush()
    assert chronicle.spans.get(root.trace_id) == []
    assert chronicle.pin(root.trace_id)
    chronicle.flush()
    assert len(chronicle.spans.get(root.trace_id)) == 1
    chronicle.close()
    await telemetry.aclose()
