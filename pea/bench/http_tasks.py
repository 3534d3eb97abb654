"""Tasks through the whole service: accepted over HTTP, journaled, done by an agent, answered in the same request."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from pathlib import Path

from pea.bench import wrk
from pea.bench.calls import Callee
from pea.bench.figure import Figure
from pea.bench.load import Round
from pea.bench.measure import Absent
from pea.config import load
from pea.runtime import Runtime
from pea.service import Service

CONNECTIONS = 32
ROUNDS = 4
_SCRIPT = """
wrk.method = "POST"
wrk.body = '{"capability": "callee.nothing", "input": {"number": 1}}'
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Prefer"] = "wait=5"
"""


def tasks_over_http(rounds: int = ROUNDS) -> list[Figure | Absent]:
    """With the journal (a task accepted is not lost) and without, in turns."""
    if wrk.program() is None:
        return [Absent("tasks over HTTP", "wrk", "is not installed (apt install wrk)")]
    with tempfile.TemporaryDirectory(prefix="pea-http-") as folder:
        Path(folder, "post.lua").write_text(_SCRIPT)
        return asyncio.run(_measure(rounds, Path(folder)))


async def _measure(rounds: int, folder: Path) -> list[Figure | Absent]:
    seen: dict[str, list[Round]] = {"journaled": [], "not journaled": []}
    wrong = dict.fromkeys(seen, 0)
    services: dict[str, Service] = {}
    try:
        for way in seen:
            overrides = {
                "service.port": 0,
                "state": str(folder / way),
                "journal.on": way == "journaled",
                "watch.on": False,
                "runtime.queue": 10_000,
            }
            services[way] = Service(Runtime(load(environ={}, overrides=overrides), agents=[Callee()]))
            await services[way].start()
            await services[way].ready()
        for turn in range(rounds + 1):
            for way, service in services.items():
                found, bad = await wrk.ask(f"{service.url}/v1/tasks", 1, CONNECTIONS, folder / "post.lua")
                if turn:  # the first warms up
                    seen[way].append(found)
                    wrong[way] += bad
    finally:
        for service in services.values():
            await service.close()
    return [figure for way, measured in seen.items() for figure in _figures(way, measured, wrong[way])]


def _figures(way: str, measured: list[Round], wrong: int) -> list[Figure | Absent]:
    count = sum(one.answers for one in measured)
    rates = tuple(one.answers / one.seconds for one in measured)
    return [
        Figure(
            f"tasks over HTTP, {way}",
            statistics.median(rates),
            "tasks/s",
            count,
            note=f"wrk, {CONNECTIONS} connections; p50 {statistics.median(one.p50_ms for one in measured):.1f} ms",
            at_least=True,
            samples=(rates,),
        ),
        Figure("  p99", statistics.median(one.p99_ms for one in measured), "ms", count),
        Figure("  not answered with 2xx", float(wrong), "answers", count, 0.0),
    ]
