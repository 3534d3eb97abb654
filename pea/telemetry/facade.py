"""Telemetry of one process: tracer, drain, metrics, recent traces and exports, started and closed together."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace.sampling import AlwaysRecordSampler

from pea.config import Settings
from pea.telemetry import names
from pea.telemetry.buffer import Buffer
from pea.telemetry.drain import Drain, SpanConsumer
from pea.telemetry.exports import Exports, temporality
from pea.telemetry.figures import CallFigures, call_figures
from pea.telemetry.fold import SCOPE, Fold
from pea.telemetry.loop_lag import LoopMonitor
from pea.telemetry.metrics import MetricStore, Reading
from pea.telemetry.pauses import imported_more
from pea.telemetry.process import ProcessFigures
from pea.telemetry.provider import TracerProvider
from pea.telemetry.recent import Recent
from pea.telemetry.series import LabelValue, fine_histogram
from pea.telemetry.status import Status
from pea.version import __version__

_log = logging.getLogger(__name__)

T = TypeVar("T")

WARM_AFTER_S = 2.0


class Telemetry:
    """Everything that observes; works from construction on, drains by itself between `start` and `aclose`.

    Without `start`, `flush` drains when called: that is all a test or a single command needs.
    """

    def __init__(self, settings: Settings | None = None, environ: Mapping[str, str] | None = None) -> None:
        """``environ`` (the process's own if not given) says where spans and metrics are exported to."""
        own = (settings or Settings()).telemetry
        environ = os.environ if environ is None else environ
        self._flush_timeout_s = float(own.flush_timeout)
        resource = _resource(own.service_name)
        self.provider = _recording_all(resource, Buffer(own.buffer_spans))
        self.tracer = self.provider.get_tracer(SCOPE, __version__)
        self.metrics = MetricStore(own.series_per_metric, delta=temporality(environ) != "cumulative")
        self.recent = Recent(own.recent_traces)
        self.monitor = LoopMonitor(own.lag_threshold, self._observe_lag)
        self._drain = Drain(self.provider.buffer, own.drain_interval, on_slice=self._observe_slice)
        self._drain.add(Fold(self.metrics))
        self._drain.add(self.recent)
        self._exports = Exports(own, environ, self.metrics, self.provider.resource, self.tracer.scope)
        self._drain.add(self._exports)
        self._task: asyncio.Task[None] | None = None
        self._threaded = False
        self._closed = False
        self._register_figures()
        self.provider.drained_by(self)

    def start(self) -> None:
        """Drain from now on: as a task of the running loop, which is then watched for lag, or else from a thread."""
        if self._task is not None or self._threaded or self._closed:
            return
        atexit.register(self.shutdown)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._drain.start_thread()
            self._threaded = True
            return
        self._task = loop.create_task(self._drain.run(), name="pea-drain")
        self.monitor.start()
        loop.call_later(WARM_AFTER_S, _warm)

    def install_global(self) -> bool:
        """Make this provider the process's global one; False when another has been installed before."""
        if trace._TRACER_PROVIDER is None:
            trace.set_tracer_provider(self.provider)
        return trace.get_tracer_provider() is self.provider

    def add_consumer(self, consumer: SpanConsumer) -> Callable[[], None]:
        """Give every finished span to ``consumer`` too; returns a function that ends it."""
        return self._drain.add(consumer)

    def gauge(
        self, metric: str, read: Callable[[], Reading], labels: Mapping[str, LabelValue] | None = None
    ) -> Callable[[], None]:
        """Have ``read`` called whenever metrics are collected; see `MetricStore.gauge`."""
        return self.metrics.gauge(metric, read, labels)

    async def drain(self) -> None:
        """Give every span that has ended to the consumers, without waiting for exports."""
        await self._drain.drain_politely()

    async def flush(self) -> bool:
        """Hand on every span that has ended and have it exported; False when the flush timeout did not suffice."""
        await self._drain.drain_politely()
        self._exports.ship()
        return await _aside(lambda: self._exports.outbox.flush(self._flush_timeout_s))

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """`flush` for the OpenTelemetry API, from any thread; blocks."""
        self._drain.drain_all()
        self._exports.ship()
        return self._exports.outbox.flush(timeout_millis / 1000)

    async def aclose(self) -> None:
        """Flush and stop within the flush timeout, whatever the receivers do."""
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._flush_timeout_s
        self._stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        try:
            async with asyncio.timeout_at(deadline):
                await self._drain.drain_politely()
        except TimeoutError:
            _log.warning("spans are still ending at shutdown: the rest is not exported")
        self._exports.ship()
        await _aside(lambda: self._exports.outbox.close(max(deadline - loop.time(), 0.0)))
        self._end()

    def shutdown(self) -> None:
        """`aclose` for the OpenTelemetry API, from any thread, and when the process ends without it; blocks."""
        if self._closed:
            return
        self._stop()
        if self._task is not None:
            with contextlib.suppress(RuntimeError):  # its loop has closed, and the task with it
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)
        self._drain.drain_all()
        self._exports.ship()
        self._exports.outbox.close(self._flush_timeout_s)
        self._end()

    async def scrape(self, accept: str | None = None) -> tuple[bytes, str]:
        """`exposition` for a busy loop: callbacks are read here, the text is written in a thread that gives way."""
        from pea.telemetry.exposition import expose
        from pea.telemetry.otlp_metrics import breathe

        families, resource = self.metrics.collect(), self.provider.resource.attributes
        return await _aside(lambda: expose(families, resource, accept, breathe))

    def exposition(self, accept: str | None = None) -> tuple[bytes, str]:
        """The body and content type of `/metrics`, in the format that the Accept header asks for."""
        from pea.telemetry.exposition import expose

        return expose(self.metrics.collect(), self.provider.resource.attributes, accept)

    def figures(self, agent: str | None = None) -> list[CallFigures]:
        """Calls, errors and latencies by agent and capability since the start; see `CallFigures`."""
        return call_figures(self.metrics, agent)

    async def gather_figures(self, agent: str | None = None) -> list[CallFigures]:
        """`figures` for a busy loop, worked out in a thread that gives way."""
        from pea.telemetry.otlp_metrics import breathe

        return await _aside(lambda: call_figures(self.metrics, agent, breathe))

    def status(self) -> Status:
        """What became of the spans, and what went wrong."""
        buffer = self.provider.buffer
        return Status(
            spans_finished=buffer.taken + len(buffer),
            spans_dropped=buffer.dropped,
            spans_waiting=len(buffer),
            traces_kept=len(self.recent),
            series_overflowed=self.metrics.overflowed,
            gauge_failures=self.metrics.gauge_failures,
            consumer_failures=self._drain.failures,
            exports=self._exports.status(),
            loop_lag_s=self.monitor.lag_s,
            loop_lag_worst_s=self.monitor.worst_s,
            loop_stalls=self.monitor.stalls,
            culprits=tuple(self.monitor.culprits),
        )

    def _stop(self) -> None:
        self._closed = True
        atexit.unregister(self.shutdown)
        self.monitor.stop()
        self._drain.stop()

    def _end(self) -> None:
        """After the last flush: spans that end later are dropped and counted."""
        self.provider.drained_by(None)
        self.provider.shutdown()

    def _observe_lag(self, seconds: float) -> None:
        self.metrics.observe(names.METRIC_LOOP_LAG, seconds)

    def _observe_slice(self, seconds: float) -> None:
        self.metrics.observe(names.METRIC_TELEMETRY_DRAIN_DURATION, seconds)

    def _register_figures(self) -> None:
        process = ProcessFigures()
        self.gauge(names.METRIC_PROCESS_MEMORY_USAGE, process.memory_bytes)
        self.gauge(names.METRIC_PROCESS_CPU_UTILIZATION, process.cpu_utilization)
        self.gauge(names.METRIC_PROCESS_THREAD_COUNT, process.threads)
        self.gauge(names.METRIC_TELEMETRY_SPANS, self._outcomes)

    def _outcomes(self) -> list[tuple[dict[str, LabelValue], float]]:
        status = self.status()
        counts = {"finished": status.spans_finished, "dropped": status.spans_dropped}
        for export in status.exports:
            if export.signal == "traces":
                counts |= {
                    "exported": export.exported,
                    "export_failed": export.failed,
                    "export_dropped": export.dropped,
                }
        return [({names.PEA_TELEMETRY_OUTCOME: outcome}, count) for outcome, count in counts.items()]


async def _aside(work: Callable[[], T]) -> T:
    """Wait for work in a thread of its own: the loop's executor may be full of work that has not ended."""
    executor = ThreadPoolExecutor(1, thread_name_prefix="pea-telemetry")
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, work)
    finally:
        executor.shutdown(wait=False)


def _warm() -> None:
    """Import numpy, which folding needs, in a thread once starting up is over: else the first fold would stall."""

    def warm() -> None:
        fine_histogram()
        imported_more()

    threading.Thread(target=warm, name="pea-warm", daemon=True).start()


def _recording_all(resource: Resource, buffer: Buffer) -> TracerProvider:
    """A provider that samples as OTEL_TRACES_SAMPLER says, and records the rest too: metrics tell of every span."""
    sampler = TracerProvider(resource=resource, shutdown_on_exit=False).sampler
    return TracerProvider(AlwaysRecordSampler(sampler), resource, shutdown_on_exit=False, buffer=buffer)


def _resource(service_name: str) -> Resource:
    """The SDK's detected resource; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before our settings."""
    chosen = OTELResourceDetector().detect().attributes
    return Resource.create({SERVICE_NAME: service_name, SERVICE_VERSION: __version__, **chosen})
