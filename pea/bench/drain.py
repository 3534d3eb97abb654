"""What becomes of a span after it has ended: the drain's CPU at several rates, and a metric beside the SDK's.

The drain is measured as it runs in a process: spans are recorded in bursts of a hundredth of a second, and drained by
the telemetry's own consumers (metrics folded, recent traces kept) with what the burst holds at that rate.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View

from pea.bench.figure import Figure
from pea.bench.measure import Contender, Line, interleaved, line
from pea.bench.spans import ATTRIBUTES
from pea.config import Settings
from pea.telemetry import Telemetry, names

RATES = (1_000, 10_000, 50_000)
BURST_S = 0.01
LABELS = {"gen_ai.agent.name": "calendar", "pea.capability": "calendar.agenda"}


def drain(rates: Sequence[int] = RATES) -> list[Line | Figure]:
    """Recording, draining and metering, in turns."""
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        telemetry = Telemetry(Settings(), {})

        def record(count: int) -> None:
            with telemetry.tracer.span("task calendar.agenda", ATTRIBUTES):
                for _ in range(count - 1):
                    with telemetry.tracer.span("invoke_agent calendar", ATTRIBUTES):
                        pass

        def cycles(rate: int, *, drained: bool) -> Callable[[int], None]:
            burst = max(1, round(rate * BURST_S))

            def run(count: int) -> None:
                for _ in range(count):
                    record(burst)
                    if drained:
                        loop.run_until_complete(telemetry.drain())
                    else:
                        telemetry.provider.buffer.take()

            return run

        contenders = {
            (f"{rate}" + ("" if drained else " recorded")): Contender(cycles(rate, drained=drained))
            for rate in rates
            for drained in (True, False)
        }
        samples = interleaved(contenders, rounds=21, slice_s=0.02, clock=time.process_time_ns)
        runner.run(telemetry.aclose())
    found: list[Line | Figure] = []
    for rate in rates:
        burst = max(1, round(rate * BURST_S))
        with_it, without = samples[f"{rate}"], samples[f"{rate} recorded"]
        each = [(a - b) / burst / 1e3 for a, b in zip(with_it.per_round, without.per_round, strict=True)]
        middle = sorted(each)[len(each) // 2]
        share = f"{100 * middle * rate / 1e6:.1f} % of a core"
        found.append(
            Figure(f"drain of a span at {rate:,} spans/s", middle, "µs", with_it.count * burst, None, share,
                   samples=(tuple(value for value in each if value > 0),))
        )  # fmt: skip
    return [*found, *_metrics()]


def _metrics() -> list[Line | Figure]:
    """A duration metered by being folded from a span, beside `Histogram.record` of the SDK."""
    readers = {"explicit": InMemoryMetricReader(), "exponential": InMemoryMetricReader()}
    views = {
        "explicit": [],
        "exponential": [View(instrument_name="bench", aggregation=ExponentialBucketHistogramAggregation())],
    }
    record = {}
    for kind, reader in readers.items():
        meter = MeterProvider([reader], views=views[kind], shutdown_on_exit=False).get_meter("bench")
        record[kind] = meter.create_histogram("bench", "s").record
    telemetry = Telemetry(Settings(), {})
    observe = telemetry.metrics.observe

    def official(kind: str) -> Contender:
        def run(count: int) -> None:
            for number in range(count):
                record[kind](number / count, LABELS)

        return Contender(run)

    def folded(count: int) -> None:
        for number in range(count):
            observe(names.METRIC_LOOP_LAG, number / count)

    peer = "SDK exponential Histogram.record"
    samples = interleaved(
        {
            peer: official("exponential"),
            "SDK explicit Histogram.record": official("explicit"),
            "folded": Contender(folded, telemetry.metrics.collect),
        },
        rounds=21,
        clock=time.process_time_ns,
    )
    telemetry.shutdown()
    return [
        line("a value metered", samples, "folded", peer),
        line("a value metered", samples, "folded", "SDK explicit Histogram.record"),
    ]
