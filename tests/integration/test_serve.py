"""The whole path, as a user starts it: `pea serve` in a process of its own, a real OTLP receiver beside it."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp

from tests.integration.receiver import Receiver, receiver
from tests.integration.serving import serving

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def received(arrived: Receiver) -> list[list[str]]:
    return sorted(arrived.path(span) for span in arrived.spans.values() if span.trace_id.hex() == TRACE_ID)


async def test_task_arrives_as_one_tree_under_the_callers_trace(tmp_path: Path) -> None:
    """Server, task and agent calls are one tree with the caller's trace id; SIGTERM flushes the last of it."""
    async with receiver() as arrived:
        async with (
            serving(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=arrived.url) as (process, url),
            aiohttp.ClientSession() as session,
        ):
            body = {"capability": "briefing.morning", "input": {}}
            headers = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01", "Prefer": "wait=30"}
            async with session.post(f"{url}/v1/tasks", json=body, headers=headers) as response:
                assert response.status == 200, await response.text()
                task = await response.json()
            assert task["status"] == "succeeded"
            assert task["trace_id"] == TRACE_ID
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(20):
                assert await process.wait() == 0
        paths = received(arrived)
        roots = [span for span in arrived.spans.values() if span.parent_span_id.hex() == "00f067aa0ba902b7"]
        assert [root.name for root in roots] == ["POST /v1/tasks"]
        below = ["POST /v1/tasks", "task briefing.morning", "invoke_agent orchestrator"]
        for agent in ("calendar", "communication", "travel", "documents"):
            assert [*below, f"invoke_agent {agent}"] in paths
        assert all(path[0] == "POST /v1/tasks" for path in paths)
        assert {"pea.task.duration", "pea.agent.call.duration"} <= arrived.metrics


async def test_ctrl_c_stops_cleanly(tmp_path: Path) -> None:
    """SIGINT ends the service with exit code 0 and no traceback."""
    async with serving(tmp_path) as (process, _):
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            assert await process.wait() == 0
