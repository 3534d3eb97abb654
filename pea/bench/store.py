"""``pea bench store``: searches among a million stored spans while recording goes on, and what storing costs."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from pea.bench.figure import Figure
from pea.bench.measure import Line, quantile
from pea.config import Bytes, Seconds, StoreSettings
from pea.store.search import Query
from pea.store.spans import SpanStore
from pea.telemetry.record import ERROR, Origin, SpanRecord

SPANS = 1_000_000
PER_TRACE = 10
ROUNDS = 40  # searches of each kind
RECORD_SPANS_PER_S = 2_000  # meanwhile
AGENTS = ("orchestrator", "calendar", "communication", "documents", "travel", "finance", "legal", "research")
SERVICES = tuple(Origin(name, {"service.name": name, "host.name": "bench"}, "pea") for name in ("pea", "shop", "bank"))
START_NS = 1_700_000_000_000_000_000
STEP_NS = 20_000_000  # between the starts of two traces


def make_trace(number: int, dice: random.Random) -> list[SpanRecord]:
    """One trace of ten spans: a task and the calls of agents below it, in one of three services."""
    trace_id, root, origin = dice.getrandbits(128) or 1, dice.getrandbits(64) or 1, SERVICES[number % 8 % 3]
    start = START_NS + number * STEP_NS
    took = int(dice.lognormvariate(18, 1))  # median 66 ms
    task = f"{number:024x}"
    spans = []
    for n in range(PER_TRACE - 1):
        agent = AGENTS[(number + n) % len(AGENTS)]
        failed = dice.random() < 0.002
        begin = start + took * n // PER_TRACE
        spans.append(
            SpanRecord(
                trace_id=trace_id,
                span_id=dice.getrandbits(64) or 1,
                parent_id=root,
                name=f"invoke_agent {agent}",
                start_ns=begin,
                end_ns=begin + took // PER_TRACE,
                status=ERROR if failed else 0,
                attributes={
                    "gen_ai.operation.name": "invoke_agent",
                    "gen_ai.agent.name": agent,
                    "pea.capability": f"{agent}.verb{n % 3}",
                    "pea.attempt": 1,
                    "plain.number": number % 1_000,
                }
                | ({"error.type": "timeout"} if failed else {}),
                origin=origin,
            )
        )
    spans.append(
        SpanRecord(
            trace_id=trace_id,
            span_id=root,
            name=f"task briefing.{number % 20}",
            kind=2,
            start_ns=start,
            end_ns=start + took,
            attributes={"pea.task.id": task, "pea.capability": f"briefing.{number % 20}"},
            origin=origin,
            entry=True,
        )
    )
    return spans


def queries(dice: random.Random, traces: int) -> Iterator[tuple[str, Query]]:
    """One search of each kind that a person makes."""
    service = dice.choice(SERVICES).service
    middle = START_NS + dice.randrange(traces) * STEP_NS
    yield "newest of all", Query()
    yield "service", Query(service=service)
    yield "service, operation", Query(service=service, operation=f"task briefing.{dice.randrange(20)}")
    yield "service, an hour in the past", Query(service=service, start_ns=middle, end_ns=middle + 3_600 * 10**9)
    yield "errors of a service", Query(service=service, error=True)
    yield "slow (one in 5,000)", Query(service=service, shortest_ns=2_300_000_000)
    yield "none so slow", Query(service=service, shortest_ns=10**13)
    yield (
        "operation between two durations",
        Query(service=service, operation="invoke_agent travel", shortest_ns=4_000_000, longest_ns=5_000_000),
    )
    yield "task id (indexed, one trace)", Query(attributes={"pea.task.id": f"{dice.randrange(traces):024x}"})
    yield "agent and error (indexed)", Query(attributes={"gen_ai.agent.name": "travel", "error.type": "timeout"})
    yield (
        "attribute that is not indexed, one in 1,000",
        Query(attributes={"plain.number": str(dice.randrange(1_000))}, limit=1),
    )
    yield "attribute that is not indexed, nobody has it", Query(attributes={"plain.number": f"-{dice.random()}"})
    yield "200 traces", Query(service=service, limit=200)
    yield from unusual(dice, service, middle)


def unusual(dice: random.Random, service: str, middle: int) -> Iterator[tuple[str, Query]]:
    """Searches that no single index answers, or that ask for much or for nothing."""
    everything = {"gen_ai.agent.name": "travel", "plain.number": str(dice.randrange(1_000))}
    yield (
        "all criteria at once",
        Query(
            service=service,
            operation="invoke_agent travel",
            error=True,
            shortest_ns=1_000_000,
            longest_ns=10**12,
            start_ns=START_NS,
            end_ns=middle + 10**15,
            attributes=everything,
        ),
    )
    yield "attribute that every call has (not indexed)", Query(attributes={"pea.attempt": "1"})
    yield "attribute that half the traces have (indexed)", Query(attributes={"gen_ai.agent.name": "travel"}, limit=200)
    yield "operation of any service", Query(operation=f"task briefing.{dice.randrange(20)}")
    yield "operation of any service, nobody has it", Query(operation=f"task nothing.{dice.random()}")
    yield "before anything was stored", Query(service=service, end_ns=START_NS - 1)
    yield "in the future", Query(service=service, start_ns=START_NS * 2)
    yield (
        "between two durations, nobody is",
        Query(service=service, shortest_ns=700_000_000_000, longest_ns=700_000_000_001),
    )
    yield "successes of an operation", Query(service=service, operation="invoke_agent legal", error=False)
    yield "spans of a kind that nobody has", Query(service=service, kind=5)
    apart = {"gen_ai.agent.name": "travel", "pea.capability": "legal.verb0"}
    yield "two attributes that only different spans have", Query(attributes=apart)
    yield (
        "an operation and an attribute that only different spans have",
        Query(operation="invoke_agent travel", attributes={"pea.capability": "legal.verb0"}),
    )
    yield (
        "an attribute that is not indexed and one that only other spans have",
        Query(attributes={"pea.attempt": "1", "pea.capability": f"briefing.{dice.randrange(20)}"}),
    )
    yield "1 trace", Query(service=service, limit=1)
    yield "1,500 traces", Query(service=service, limit=1_500)


def store(spans: int = SPANS) -> list[Line | Figure]:
    """A million spans, searched while recording goes on; then spans coming in by OTLP as fast as they are taken."""
    from pea.bench.ingest import ingest

    return [*fill_and_search(spans), *ingest()]


def fill_and_search(spans: int) -> list[Figure]:
    """Fill a store, then search it while recording goes on."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "spans.db"
        settings = StoreSettings(size=Bytes(4 << 30), age=Seconds(1e10), waiting=Bytes(64 << 20))
        span_store = SpanStore(path, settings)
        try:
            return _fill(span_store, path, spans) + _search(span_store, spans // PER_TRACE)
        finally:
            span_store.close()


def _fill(store: SpanStore, path: Path, spans: int) -> list[Figure]:
    dice, drafting, began = random.Random(1), 0.0, time.perf_counter()
    cpu = time.process_time()
    making = 0.0
    for number in range(spans // PER_TRACE):
        before = time.perf_counter()
        records = make_trace(number, dice)
        made = time.perf_counter()
        store.rates.take(records)
        store.add(records)
        drafting += time.perf_counter() - made
        making += made - before
        if store.writer.pressed:
            store.flush(60)
    store.flush(120)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    status = store.status()
    size = path.stat().st_size
    return [
        Figure("spans stored", status.spans, "spans", note=f"{status.dropped} dropped, {status.failures} failures"),
        Figure(
            "storing, all of it", 1e6 * cpu / spans, "µs CPU/span", spans, note=f"{took:.1f} s, data's making included"
        ),
        Figure("making the data", 1e6 * making / spans, "µs/span", spans),
        Figure("on disk", size / spans, "bytes/span", spans, note=f"{size / 1e6:.0f} MB"),
    ]


def _search(store: SpanStore, traces: int) -> list[Figure]:
    stop = threading.Event()
    recorder = threading.Thread(target=_record, args=(store, traces, stop), daemon=True)
    recorder.start()
    dice = random.Random(2)
    taken: dict[str, list[float]] = {}
    counts: dict[str, int] = {}
    for _ in range(ROUNDS):
        for what, query in queries(dice, traces):
            began = time.perf_counter()
            found = store.search(query)
            taken.setdefault(what, []).append(time.perf_counter() - began)
            counts[what] = len(found.traces)
    read: list[float] = []
    for row in store.search(Query(limit=200)).traces:
        began = time.perf_counter()
        store.get(row.trace_id)
        read.append(time.perf_counter() - began)
    stop.set()
    recorder.join()
    figures = [
        Figure(
            f"search: {what}",
            1e3 * quantile(times, 0.95),
            "ms p95",
            len(times),
            100.0,
            f"{counts[what]} found",
        )
        for what, times in taken.items()
    ]
    every = [one for times in taken.values() for one in times]
    figures.append(Figure("search: all kinds together", 1e3 * quantile(every, 0.95), "ms p95", len(every), 100.0))
    figures.append(Figure("read a trace of ten spans", 1e3 * quantile(read, 0.95), "ms p95", len(read), 10.0))
    dropped = store.status().dropped
    figures.append(Figure("dropped while searching", dropped, "spans", note=f"{RECORD_SPANS_PER_S} spans/s recorded"))
    return figures


def _record(store: SpanStore, first: int, stop: threading.Event) -> None:
    dice, number = random.Random(3), first
    while not stop.wait(0.2):
        for _ in range(RECORD_SPANS_PER_S // PER_TRACE // 5):
            number += 1
            store.add(make_trace(number, dice))
