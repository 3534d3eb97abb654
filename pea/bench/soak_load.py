"""What a soaked service is asked: tasks at a steady rate, and other programs' spans by OTLP; and what it confirmed."""

from __future__ import annotations

import asyncio
import gzip
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import msgspec

from pea.bench.memory_work import asks
from pea.bench.otlp import attribute, messages
from pea.bench.store import PER_TRACE, make_trace

TRACES_PER_REQUEST = 20
PATIENCE_S = 10.0  # for one answer
FOLLOWED_S = 60.0  # how long a task that was not done by then is asked after
AGAIN_S = 0.5
WAITING = frozenset({"queued", "running"})
BEHIND_S = 1.0  # ticks that are later than this are left out: the rate is not made up for in a burst


class Confirmed(msgspec.Struct, frozen=True):
    """A trace the service has said it has: when (monotonic seconds), its id in hex, spans at least in it."""

    at: float
    trace_id: str
    spans: int


class Load:
    """Counts of what was asked since the start; ``confirmed`` holds this life's traces."""

    def __init__(self, url: str, tasks_per_s: float, spans_per_s: float) -> None:
        self._url = url
        self._task_step_s = 1 / tasks_per_s
        self._post_step_s = TRACES_PER_REQUEST * PER_TRACE / spans_per_s
        self._dice = random.Random(1)
        self.confirmed: list[Confirmed] = []
        self.own: list[Confirmed] = []
        self.task_s: list[float] = []
        self.tasks = self.failed = self.spans = self.pushed_back = self.left_out = self.cut = 0
        self.ends: Counter[str] = Counter()  # of the tasks that failed: how
        self.late = 0  # tasks that were not done when their asker stopped waiting
        self._numbers = 0
        self._traces = 0

    async def run(self, until: asyncio.Event) -> None:
        """Ask until told to stop; then wait for the answers that are still to come."""
        limit = aiohttp.ClientTimeout(total=PATIENCE_S)
        connector = aiohttp.TCPConnector(limit=64)
        async with aiohttp.ClientSession(self._url, timeout=limit, connector=connector) as session:
            await asyncio.gather(
                self._at_rate(self._task_step_s, until, lambda: self._task(session)),
                self._at_rate(self._post_step_s, until, lambda: self._post(session)),
            )

    async def _at_rate(self, step_s: float, until: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
        running: set[asyncio.Future[None]] = set()
        due = time.monotonic()
        while not until.is_set():
            due += step_s
            if time.monotonic() - due > BEHIND_S:
                self.left_out += int((time.monotonic() - due) / step_s)
                due = time.monotonic()
            await asyncio.sleep(max(due - time.monotonic(), 0))
            future = asyncio.ensure_future(work())
            running.add(future)
            future.add_done_callback(running.discard)
        await asyncio.gather(*running)

    async def _task(self, session: aiohttp.ClientSession) -> None:
        ask = asks(self._numbers)
        self._numbers += 1
        began = time.monotonic()
        try:
            async with session.post(
                "/v1/tasks",
                json={"capability": ask.capability, "input": ask.input},
                headers={"Prefer": f"wait={PATIENCE_S - 2:g}"},
            ) as answer:
                body = msgspec.json.decode(await answer.read())
            if body.get("status") in WAITING:
                self.late += 1
                body = await self._followed(session, body)
        except (aiohttp.ClientError, TimeoutError):
            self.cut += 1
            return
        now = time.monotonic()
        self.task_s.append(now - began)
        self.tasks += 1
        if body.get("status") == "succeeded":
            self.own.append(Confirmed(now, body["trace_id"], 2))
        else:
            self.failed += 1
            problem = body.get("error") or {}
            self.ends[f"{ask.capability} {problem.get('code') or body.get('status')}"] += 1

    async def _followed(self, session: aiohttp.ClientSession, body: dict[str, Any]) -> dict[str, Any]:
        """How a task that took long ended, or how it stood when nobody asked any more."""
        until = time.monotonic() + FOLLOWED_S
        while body.get("status") in WAITING and time.monotonic() < until:
            await asyncio.sleep(AGAIN_S)
            async with session.get(f"/v1/tasks/{body['id']}") as answer:
                body = msgspec.json.decode(await answer.read())
        return body

    async def _post(self, session: aiohttp.ClientSession) -> None:
        body, trace_ids = otlp_request(self._traces, self._dice, time.time_ns())
        self._traces += TRACES_PER_REQUEST
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
        try:
            async with session.post("/v1/traces", data=body, headers=headers) as answer:
                await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            self.cut += 1
            return
        if answer.status == 429:
            self.pushed_back += 1
            return
        answer.raise_for_status()
        now = time.monotonic()
        self.spans += len(trace_ids) * PER_TRACE
        self.confirmed += [Confirmed(now, one, PER_TRACE) for one in trace_ids]


def otlp_request(first: int, dice: random.Random, now_ns: int) -> tuple[bytes, list[str]]:
    """A gzipped ExportTraceServiceRequest of traces that end now, from the number ``first`` on, and their ids."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

    groups, ids = [], []
    for number in range(first, first + TRACES_PER_REQUEST):
        records = make_trace(number, dice)
        spans = messages(records, now_ns - max(record.end_ns for record in records))
        resource = Resource(attributes=[attribute("service.name", f"soak-{number % 3}")])
        groups.append(ResourceSpans(resource=resource, scope_spans=[ScopeSpans(spans=spans)]))
        ids.append(f"{records[0].trace_id:032x}")
    return gzip.compress(ExportTraceServiceRequest(resource_spans=groups).SerializeToString(), 1), ids
