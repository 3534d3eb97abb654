"""The tracer provider: the SDK's, with PEA's tracers and one buffer of finished spans."""

from __future__ import annotations

import threading
from typing import Protocol, cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, _disable_tracer_configurator
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.util.types import Attributes

from pea.config import TelemetrySettings
from pea.telemetry.buffer import Buffer
from pea.telemetry.ids import RandomIds
from pea.telemetry.limits import Limits
from pea.telemetry.tracer import Tracer

DEFAULT_BUFFER_SPANS = TelemetrySettings().buffer_spans


class Drain(Protocol):
    """Who empties the buffer; `TracerProvider.force_flush` and `shutdown` are passed on to it."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Hand on every span that has ended; False when the time did not suffice."""

    def shutdown(self) -> None:
        """Flush and stop."""


class TracerProvider(SdkTracerProvider):
    """Implements the OpenTelemetry API; usable alone and as the global provider.

    Sampler, resource, limits and OTEL_SDK_DISABLED are read by the SDK; span processors of the SDK can be added.
    ``buffer`` holds the finished spans until a drain takes them.
    """

    def __init__(
        self,
        sampler: Sampler | None = None,
        resource: Resource | None = None,
        *,
        shutdown_on_exit: bool = True,
        id_generator: IdGenerator | None = None,
        span_limits: SpanLimits | None = None,
        buffer: Buffer | None = None,
    ) -> None:
        self.buffer = Buffer(DEFAULT_BUFFER_SPANS) if buffer is None else buffer
        super().__init__(
            sampler=sampler,
            resource=resource,
            shutdown_on_exit=shutdown_on_exit,
            id_generator=id_generator or RandomIds(),
            span_limits=span_limits,
        )
        self.limits = Limits.of(self._span_limits)
        self._drain: Drain | None = None
        self._making = threading.RLock()
        if self._disabled:
            # A disabled SDK is one whose tracers are all disabled: so they keep PEA's own methods.
            self._set_tracer_configurator(tracer_configurator=_disable_tracer_configurator)
            self._disabled = False

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> Tracer:
        """The tracer of one instrumentation scope, the same for equal arguments."""
        with self._making:
            made = super().get_tracer(instrumenting_module_name, instrumenting_library_version, schema_url, attributes)
            if isinstance(made, Tracer):
                return made
            tracer = Tracer(cast("SdkTracer", made), self.buffer, self.limits)
            self._tracers[tracer.scope] = tracer  # from now on the SDK finds ours
            return tracer

    def drained_by(self, drain: Drain | None) -> None:
        """Pass `force_flush` and `shutdown` on to ``drain``."""
        self._drain = drain

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Have drain and processors hand on what has ended; False when the time did not suffice."""
        drained = self._drain is None or self._drain.force_flush(timeout_millis)
        return super().force_flush(timeout_millis) and drained

    def shutdown(self) -> None:
        """Stop drain and processors; spans that end from now on are dropped and counted."""
        if self._drain is not None:
            self._drain.shutdown()
        self.buffer.close()
        super().shutdown()

    def _handle_fork(self) -> None:
        self._making = threading.RLock()
        self.buffer.after_fork()
        super()._handle_fork()
