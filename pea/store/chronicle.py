"""What the service remembers: every span through the keeper into the span store, figures into the series store.

Opening costs a thread's start; files are opened behind the scenes. Nothing here holds up the drain or a request:
reading is done in threads of its own.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from pea.config import Settings
from pea.store.draft import TraceDraft
from pea.store.genai import CHAIN, INVOKE_AGENT, call_of, normalised
from pea.store.genai_metrics import count_call
from pea.store.langgraph import Runs
from pea.store.spans import SpanStore
from pea.store.token_use import TokenCounter
from pea.store.writer import WriterStatus
from pea.telemetry import Telemetry, names
from pea.telemetry.keeper import Keeper, KeeperStatus
from pea.telemetry.metrics import MetricStore
from pea.telemetry.record import Inlet, SpanRecord

if TYPE_CHECKING:
    from pea.store.series import SeriesStore

SAMPLE_S = 10.0
SAVE_EVERY_S = 60.0
READERS = 2

T = TypeVar("T")
Source = Callable[[], Mapping[str, float]]

_log = logging.getLogger(__name__)


class ChronicleStatus(msgspec.Struct, frozen=True):
    """The account of keeper, span store and series store."""

    keeper: KeeperStatus
    spans: WriterStatus
    series: int
    series_bytes: int
    series_overflowed: int
    source_failures: int
    ingested: int  # spans of other programs


class Chronicle:
    """Keeper, span store and series store in one folder. ``inlet`` takes what ends here and what comes in by OTLP."""

    def __init__(
        self, folder: Path, settings: Settings | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        settings = settings or Settings()
        self._clock = clock
        self.spans = SpanStore(folder / "spans.db", settings.store, clock=clock)
        self.keeper: Keeper[TraceDraft] = Keeper(self.spans.draft, self._write, settings.keeper)
        self.tokens = TokenCounter()
        self.inlet = Inlet([self.spans.rates, self.keeper, self.tokens])
        self._series_file, self._series_limit = folder / "series.bin", settings.store.series
        self._runs = Runs()
        self.source_failures = 0
        self.ingested = 0
        self._sources: list[Source] = [self.tokens.series]
        self._metrics: MetricStore | None = None
        self._gauges: list[Callable[[], None]] = []
        self._detach: Callable[[], None] | None = None
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="pea-read")
        self._stop = threading.Event()
        self._opening = threading.Lock()
        self._series: SeriesStore | None = None
        self._sampler: threading.Thread | None = None

    @property
    def series(self) -> SeriesStore:
        """The series store; opened when first needed, for numpy would cost the start more than all else here."""
        from pea.store.series import SeriesStore

        with self._opening:
            if self._series is None:
                self._series = SeriesStore(self._series_limit, self._series_file)
            return self._series

    def attach(self, telemetry: Telemetry) -> None:
        """Take every span that ends in this process, and sample its metrics every ten seconds."""
        if self._detach is None:
            self._detach = telemetry.add_consumer(self.inlet)
            self._metrics = telemetry.metrics
            self._gauges = [
                telemetry.gauge(names.METRIC_STORE_SPANS, self._span_outcomes),
                telemetry.gauge(names.METRIC_STORE_USAGE, lambda: float(self.spans.status().used_bytes)),
                telemetry.gauge(names.METRIC_KEEPER_TRACES, self._decisions),
            ]
            self._sources.append(lambda: metric_numbers(telemetry))
            self._sampler = threading.Thread(target=self._sample_on, name="pea-series", daemon=True)
            self._sampler.start()

    def ingest(self, records: Sequence[SpanRecord]) -> None:
        """Take spans of other programs: agents' calls count in the same metric as our own, all else as it came."""
        for record in records:
            call = call_of(record)
            if call is None:
                continue
            if call.run and not self._runs.first(record.trace_id, call.run):
                call = msgspec.structs.replace(call, operation=CHAIN)
            normalised(record, call)
            if self._metrics is not None:
                count_call(self._metrics, record, call)
            if call.operation == INVOKE_AGENT and call.agent and self._metrics is not None:
                seconds = record.duration_ns * 1e-9
                with self._metrics.lock:
                    series = self._metrics.series(
                        names.METRIC_AGENT_CALL_DURATION, (call.agent, None, call.error or None)
                    )
                    series.observe(seconds, (seconds, record.trace_id, record.span_id, record.end_ns))
        self.ingested += len(records)
        self.inlet.put(records)

    def add_source(self, source: Source) -> None:
        """Have ``source`` asked for figures by series name at every sample."""
        self._sources.append(source)

    def pin(self, trace_id: int) -> bool:
        """Keep a trace whatever the policy says, and in the store longer than others; see `Keeper.pin`."""
        self.spans.pin(trace_id)
        return self.keeper.pin(trace_id)

    async def ask(self, work: Callable[[SpanStore], T]) -> T:
        """Read from the span store in a thread of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, work, self.spans)

    def sample(self) -> None:
        """Take one sample of every source now."""
        values: dict[str, float] = {}
        for source in self._sources:
            try:
                values.update(source())
            except Exception:  # noqa: BLE001  a source is others' code: its fault must not hide the other figures
                self.source_failures += 1
                _log.warning("a source of series failed", exc_info=True)
        self.series.sample(self._clock(), values)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Hand over what the keeper holds as decided, and wait until it is written."""
        self.keeper.settle()
        return self.spans.flush(timeout_s)

    def status(self) -> ChronicleStatus:
        """Counts and sizes."""
        series = self._series
        return ChronicleStatus(
            keeper=self.keeper.status(),
            spans=self.spans.status(),
            series=len(series) if series is not None else 0,
            series_bytes=series.size_bytes if series is not None else 0,
            series_overflowed=series.overflowed if series is not None else 0,
            source_failures=self.source_failures,
            ingested=self.ingested,
        )

    def close(self, timeout_s: float = 10.0) -> bool:
        """Decide what is open, write what waits, save the series; False when the time did not suffice."""
        if self._detach is not None:
            for remove in (self._detach, *self._gauges):
                remove()
            self._detach = None
        self._stop.set()
        if self._sampler is not None:
            self._sampler.join(timeout_s)
        self.keeper.close()
        self._readers.shutdown(wait=True, cancel_futures=True)
        done = self.spans.close(timeout_s)
        if self._series is not None:
            self._series.save()
        return done

    def _span_outcomes(self) -> list[tuple[dict[str, str], float]]:
        keeper, spans = self.keeper.status(), self.spans.status()
        counts = {
            "stored": spans.spans,
            "dropped": spans.dropped,
            "deleted": spans.deleted_spans,
            "late": keeper.late,
            "left_out": keeper.left_out,
            "ingested": self.ingested,
        }
        return [({names.PEA_STORE_OUTCOME: outcome}, count) for outcome, count in counts.items()]

    def _decisions(self) -> list[tuple[dict[str, str], float]]:
        status = self.keeper.status()
        counts = {"kept": status.kept, "passed": status.passed}
        return [({names.PEA_KEEPER_DECISION: decision}, count) for decision, count in counts.items()]

    def _write(self, draft: TraceDraft) -> None:
        self.spans.put(draft)  # what finds no room is counted there

    def _sample_on(self) -> None:
        saved = time.monotonic()
        while not self._stop.wait(SAMPLE_S - self._clock() % SAMPLE_S):
            self.sample()
            if time.monotonic() - saved >= SAVE_EVERY_S:
                saved = time.monotonic()
                self.series.save()


def metric_numbers(telemetry: Telemetry) -> dict[str, float]:
    """Every gauge and counter as it stands, histograms as their count and sum, by name and labels."""
    values: dict[str, float] = {}
    for family in telemetry.metrics.collect():
        name = family.metric.name
        for point in family.numbers:
            values[series_name(name, point.labels)] = float(point.value)
        for histogram in family.histograms:
            labelled = series_name(name, histogram.labels)
            values[f"{labelled}:count"] = float(histogram.histogram.count)
            values[f"{labelled}:sum"] = float(histogram.histogram.total)
    return values


def series_name(metric: str, labels: Mapping[str, object]) -> str:
    """A series' name: ``metric{key=value,…}`` with keys sorted."""
    inner = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return f"{metric}{{{inner}}}" if inner else metric
