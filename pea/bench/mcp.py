"""What an MCP host waits for the agents' memory over streamable HTTP, a service in a process of its own answering."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import psutil

from pea.bench.figure import Figure
from pea.bench.measure import Absent, quantile
from pea.bench.process import environ, free_port, is_ready
from pea.errors import PeaError

CALLS = 400
ENTRIES = 50
TARGET_MS = 50.0
START_S = 60.0
TOOLS: dict[str, Callable[[int], dict[str, Any]]] = {
    "memory_store": lambda n: {"namespace": "travel:preferences", "key": str(n % ENTRIES), "value": {"seat": "aisle"}},
    "memory_retrieve": lambda n: {"namespace": "travel:preferences", "key": str(n % ENTRIES)},
    "memory_search": lambda _: {"namespace": "travel", "query": "aisle"},
}


def mcp(calls: int = CALLS) -> list[Figure | Absent]:
    """Store, retrieve and search, one after another, with the SDK's own client, whose time is part of it."""
    try:
        import mcp as sdk  # noqa: F401 - whether it is there
    except ImportError:
        return [Absent("memory over MCP", "mcp", "is not installed (pip install 'pea[mcp]')")]
    return asyncio.run(_measure(calls))


async def _measure(calls: int) -> list[Figure | Absent]:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    found: list[Figure | Absent] = []
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="pea-mcp-") as folder:
        command = [sys.executable, "-m", "pea", "serve", "--port", str(port), "--state", folder, "--workspace", folder]
        quiet = asyncio.subprocess.DEVNULL
        server = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env=environ(), stdin=quiet, stdout=quiet, stderr=quiet
        )
        try:
            async with asyncio.timeout(START_S):
                while not await is_ready(port):  # noqa: ASYNC110 - another process, which has no other way to say so
                    await asyncio.sleep(0.05)
            async with (
                streamable_http_client(f"http://127.0.0.1:{port}/mcp") as (incoming, outgoing, _),
                ClientSession(incoming, outgoing) as session,
            ):
                await session.initialize()
                await session.list_tools()
                for tool, given in TOOLS.items():
                    found += await _figures(session, psutil.Process(server.pid), tool, given, calls)
        finally:
            server.terminate()
            await server.wait()
    return found


async def _figures(
    session: Any, server: psutil.Process, tool: str, given: Callable[[int], dict[str, Any]], calls: int
) -> list[Figure]:
    times: list[float] = []
    before = 0.0
    for number in range(calls + ENTRIES):
        if number == ENTRIES:  # the first warm up, and put there what is retrieved
            times.clear()
            before = _cpu_s(server)
        began = time.perf_counter()
        answer = await session.call_tool(tool, given(number))
        times.append(1e3 * (time.perf_counter() - began))
        if answer.isError:
            raise PeaError(f"it answers {answer.content}", where=tool)
    cpu_ms = 1e3 * (_cpu_s(server) - before) / calls
    note = f"p50 {quantile(times, 0.5):.1f} ms; {cpu_ms:.1f} ms of the service's CPU a call"
    return [Figure(f"{tool} over MCP, p95", quantile(times, 0.95), "ms", calls, TARGET_MS, note=note)]


def _cpu_s(server: psutil.Process) -> float:
    spent = server.cpu_times()
    return float(spent.user + spent.system)
