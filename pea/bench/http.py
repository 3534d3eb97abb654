"""A traced and metered route beside a bare aiohttp route on the same loop, asked in turns by wrk.

What tracing costs a request is CPU time of the serving process, drain included; its rate and latencies are as the
asking process saw them.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

import msgspec
from aiohttp import web

from pea.bench import wrk
from pea.bench.figure import Figure
from pea.bench.http_tasks import tasks_over_http
from pea.bench.load import Round
from pea.bench.measure import Absent, Line, Sample, line
from pea.service.tracing import tracing
from pea.telemetry import Telemetry
from pea.telemetry.pauses import shorten_pauses

ROUNDS = 20
ROUND_S = 0.8
CONNECTIONS = 32
TIME_BUDGET = 2.0  # at least half of the bare route's rate
P99_BUDGET_MS = 3.0

_Measured = dict[str, list[tuple[Round, float]]]  # by route: what the asker saw, and CPU seconds of this process


def http(rounds: int | None = None) -> list[Line | Figure | Absent]:
    """CPU time and rate of a request, and the latency's p99 at 32 connections."""
    shorten_pauses()
    rounds = ROUNDS if rounds is None else rounds
    asker = "wrk" if wrk.program() is not None else "an asking process of PEA's: wrk is not installed"
    measured = asyncio.run(_measure(rounds))
    cpu = {route: _sample([1e9 * used / seen.answers for seen, used in of]) for route, of in measured.items()}
    wall = {route: _sample([1e9 * seen.seconds / seen.answers for seen, _ in of]) for route, of in measured.items()}
    # Whatever else runs on the machine only ever adds to a p99: that of the quieter rounds is the route's own.
    p99 = {route: statistics.quantiles([seen.p99_ms for seen, _ in of], n=4)[0] for route, of in measured.items()}
    count = sum(seen.answers for seen, _ in measured["traced"])
    return [
        line(
            "CPU of a traced and metered request",
            cpu,
            "traced",
            "bare aiohttp",
            budget=TIME_BUDGET,
            note=f"asked by {asker}",
        ),
        line(f"time of one at {CONNECTIONS} connections", wall, "traced", "bare aiohttp", budget=TIME_BUDGET),
        Figure(
            f"p99 at {CONNECTIONS} connections",
            p99["traced"],
            "ms",
            count,
            P99_BUDGET_MS,
            f"the quieter quarter of {rounds} rounds; bare {p99['bare aiohttp']:.2f} ms",
        ),
        *tasks_over_http(max(1, rounds // 3)),
    ]


async def _measure(rounds: int) -> _Measured:
    telemetry = Telemetry(environ={})
    telemetry.start()
    runners: list[web.AppRunner] = []
    ports: dict[str, int] = {}
    for route, middlewares in (("bare aiohttp", []), ("traced", [tracing(telemetry.tracer, ())])):
        app = web.Application(middlewares=middlewares)
        app.router.add_get("/x", _answer)
        runner = web.AppRunner(app, access_log=None)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ports[route] = runner.addresses[0][1]
    measured: _Measured = {route: [] for route in ports}
    try:
        for number in range(rounds + 1):
            for route, port in ports.items():
                seen = await _round(port)
                if number:  # the first of each warms up
                    measured[route].append(seen)
    finally:
        for runner in runners:
            await runner.cleanup()
        await telemetry.aclose()
    return measured


async def _round(port: int) -> tuple[Round, float]:
    began = time.process_time()
    if wrk.program() is not None:
        seen, wrong = await wrk.ask(f"http://127.0.0.1:{port}/x", max(round(ROUND_S), 1), CONNECTIONS)
        if wrong:
            raise RuntimeError(f"{wrong} answers were errors")
        return seen, time.process_time() - began
    asker = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pea.bench.load",
        str(port),
        str(ROUND_S),
        str(CONNECTIONS),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asker.communicate()
    return msgspec.json.decode(said, type=Round), time.process_time() - began


async def _answer(request: web.Request) -> web.Response:
    del request
    return web.json_response({"ok": True})


def _sample(per_round: list[float]) -> Sample:
    return Sample(tuple(per_round), len(per_round))
