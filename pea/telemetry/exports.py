"""What leaves the process: spans encoded on the drain in slices, metrics at intervals, both through the outbox."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from pea.config import TelemetrySettings
from pea.telemetry.metrics import Family, MetricStore, NumberPoint
from pea.telemetry.otlp_metrics import encode_metrics
from pea.telemetry.otlp_target import disabled, number, otlp_target, wants_console
from pea.telemetry.otlp_traces import Encoder
from pea.telemetry.outbox import Line, Outbox
from pea.telemetry.readable import readable
from pea.telemetry.senders import Parcel
from pea.telemetry.series import LabelValue
from pea.telemetry.span import Span
from pea.telemetry.status import ExportStatus

MAX_REQUEST_BYTES = 3 << 20  # gRPC receivers refuse more than 4 MiB unless told otherwise
MAX_METRICS_WAITING = 4  # requests; spans are counted one by one
DEFAULT_DELAY_S = 1.0

_log = logging.getLogger(__name__)


class TraceExport:
    """A span consumer that encodes sampled spans and ships them by number, by size, or when one has waited enough."""

    def __init__(
        self,
        outbox: Outbox,
        line: Line,
        resource: Resource,
        *,
        batch: int,
        delay_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self._line = line
        self._resource = resource
        self._batch = batch
        self._delay_s = delay_s
        self._clock = clock
        self._encoder = Encoder(resource)
        self._since = 0.0

    def consume(self, batch: Sequence[Span]) -> None:
        """Encode spans; a span that cannot be encoded is counted as failed, and the others go."""
        for span in batch:
            if not span.trace.flags & 1:
                continue
            if not self._encoder.count:
                self._since = self._clock()
            try:
                self._encoder.add(span)
            except Exception as error:  # noqa: BLE001 - one odd span must not hold the others back
                self._line.account(Parcel(b"", 1), f"a span could not be encoded: {error!r}")
            if self._encoder.count >= self._batch or self._encoder.size >= MAX_REQUEST_BYTES:
                self.ship()

    def settle(self) -> None:
        """Ship what has waited for the delay."""
        if self._encoder.count and self._clock() - self._since >= self._delay_s:
            self.ship()

    def ship(self) -> None:
        """Hand what is encoded to the outbox."""
        if self._encoder.count:
            encoder, self._encoder = self._encoder, Encoder(self._resource)
            self._outbox.put(self._line, Parcel(encoder.finish(), encoder.count))


class MetricExport:
    """Collects the store at intervals and ships it."""

    def __init__(
        self,
        outbox: Outbox,
        line: Line,
        store: MetricStore,
        resource: Resource,
        scope: InstrumentationScope,
        *,
        interval_s: float,
        temporality: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self._line = line
        self._store = store
        self._resource = resource
        self._scope = scope
        self._interval_s = interval_s
        self._temporality = temporality
        self._clock = clock
        self._due = clock() + interval_s
        self._start_ns = time.time_ns()
        self._counted: dict[tuple[str, tuple[tuple[str, LabelValue], ...]], float] = {}

    def tick(self) -> None:
        """Ship if the interval has passed."""
        if self._clock() >= self._due:
            self.ship()

    def ship(self) -> None:
        """Read the callbacks now; histograms are read and everything is encoded on the export thread."""
        self._due = self._clock() + self._interval_s
        start_ns, now_ns = self._start_ns, time.time_ns()
        numbers = self._store.numbers()
        if self._temporality == "delta":
            numbers = [self._since_last(family) for family in numbers]
            self._start_ns = now_ns

        def encode() -> bytes:
            return encode_metrics(
                self._store.walk(interval=self._temporality != "cumulative"),
                numbers,
                self._resource,
                self._scope,
                start_ns=start_ns,
                now_ns=time.time_ns(),
                temporality=self._temporality,
            )

        self._outbox.put(self._line, Parcel(encode, 1))

    def _since_last(self, family: Family) -> Family:
        if family.metric.instrument != "counter":
            return family
        points = []
        for point in family.numbers:
            key = (family.metric.name, tuple(sorted(point.labels.items())))
            points.append(NumberPoint(point.labels, point.value - self._counted.get(key, 0)))
            self._counted[key] = point.value
        return msgspec.structs.replace(family, numbers=tuple(points))


class ConsoleSpans:
    """A span consumer that prints spans as JSON on standard error, for ``OTEL_TRACES_EXPORTER=console``."""

    def __init__(self) -> None:
        import sys

        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        self._exporter = ConsoleSpanExporter(out=sys.stderr)

    def consume(self, batch: Sequence[Span]) -> None:
        """Print spans and their leaves."""
        self._exporter.export([view for span in batch if span.trace.flags & 1 for view in readable(span)])


class Exports:
    """All exports that the environment asks for, as one span consumer."""

    def __init__(
        self,
        settings: TelemetrySettings,
        environ: Mapping[str, str],
        store: MetricStore,
        resource: Resource,
        scope: InstrumentationScope,
    ) -> None:
        off = disabled(environ)
        traces = None if off else otlp_target("traces", environ)
        metrics = None if off else otlp_target("metrics", environ)
        lines: list[Line] = []
        self._consumers: list[TraceExport | ConsoleSpans] = []
        self._traces: TraceExport | None = None
        self._metrics: MetricExport | None = None
        trace_line = metric_line = None
        if traces is not None:
            queue = int(number("OTEL_BSP_MAX_QUEUE_SIZE", environ, settings.export_queue)) or settings.export_queue
            trace_line = Line(traces, max_items=queue)
            lines.append(trace_line)
        if metrics is not None:
            metric_line = Line(metrics, max_items=MAX_METRICS_WAITING)
            lines.append(metric_line)
        self.outbox = Outbox(lines)
        if trace_line is not None:
            self._traces = TraceExport(
                self.outbox,
                trace_line,
                resource,
                batch=int(number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", environ, 512)) or 512,
                delay_s=number("OTEL_BSP_SCHEDULE_DELAY", environ, DEFAULT_DELAY_S * 1000) / 1000,
            )
            self._consumers.append(self._traces)
        if metric_line is not None:
            self._metrics = MetricExport(
                self.outbox,
                metric_line,
                store,
                resource,
                scope,
                interval_s=number("OTEL_METRIC_EXPORT_INTERVAL", environ, settings.metric_interval * 1000) / 1000,
                temporality=temporality(environ),
            )
        if not off and wants_console("traces", environ):
            self._consumers.append(ConsoleSpans())

    def consume(self, batch: Sequence[Span]) -> None:
        """Give spans to each export."""
        for consumer in self._consumers:
            consumer.consume(batch)

    def settle(self) -> None:
        """Ship what is due."""
        if self._traces is not None:
            self._traces.settle()
        if self._metrics is not None:
            self._metrics.tick()

    def ship(self) -> None:
        """Ship everything now."""
        if self._traces is not None:
            self._traces.ship()
        if self._metrics is not None:
            self._metrics.ship()

    def status(self) -> tuple[ExportStatus, ...]:
        """The account of each line."""
        return tuple(line.status() for line in self.outbox.lines)


def temporality(environ: Mapping[str, str]) -> str:
    """``cumulative``, ``delta`` or ``lowmemory``, as OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE says."""
    said = environ.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "").strip().lower() or "cumulative"
    if said not in ("cumulative", "delta", "lowmemory"):
        _log.warning("metrics temporality %r is not known (cumulative, delta, lowmemory); cumulative is used", said)
        return "cumulative"
    return said
