"""The OpenTelemetry SDK as its documentation sets it up, and what it has recorded as JSON on standard output."""

import json

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

_ended = InMemorySpanExporter()


def traced() -> TracerProvider:
    """The global provider; it exports to where OTEL_EXPORTER_OTLP_ENDPOINT says."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    provider.add_span_processor(SimpleSpanProcessor(_ended))
    trace.set_tracer_provider(provider)
    return provider


def print_spans(provider: TracerProvider) -> None:
    """Send what waits; then print each span's ids, name, nanoseconds and status."""
    provider.shutdown()
    print(
        json.dumps(
            [
                {
                    "trace_id": f"{span.context.trace_id:032x}",
                    "span_id": f"{span.context.span_id:016x}",
                    "parent_id": f"{span.parent.span_id:016x}" if span.parent else "",
                    "name": span.name,
                    "nanoseconds": span.end_time - span.start_time,
                    "status": span.status.status_code.name.lower(),
                    "attributes": {key: str(value)[:600] for key, value in span.attributes.items()},
                }
                for span in _ended.get_finished_spans()
            ]
        )
    )
