"""What a span costs: recorded, as a leaf, encoded and sent, beside the OpenTelemetry SDK.

CPU time is what is measured: of the recording thread, or of the whole process where spans are sent by another.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack

from opentelemetry import trace as api
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as official_encode
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, sampling
from opentelemetry.sdk.trace import TracerProvider as SdkProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.util.types import AnyValue

from pea.bench.measure import Contender, Line, interleaved, line
from pea.bench.sink import sink
from pea.telemetry import TracerProvider
from pea.telemetry import names as n
from pea.telemetry.otlp_traces import encode_spans

ATTRIBUTES: dict[str, AnyValue] = {
    n.GEN_AI_OPERATION_NAME: "invoke_agent",
    n.GEN_AI_AGENT_NAME: "calendar",
    n.PEA_CAPABILITY: "calendar.agenda",
    n.PEA_ATTEMPT: 1,
    n.PEA_TASK_PRIORITY: "normal",
    n.PEA_TASK_ID: "01J9Z6Y3V8QK",
}
LEAF_ATTRIBUTES: dict[str, AnyValue] = {n.PEA_CACHE_NAME: "geo", n.PEA_CACHE_TIER: "l1", n.PEA_CACHE_HIT: True}
RESOURCE = Resource({"service.name": "bench"})
BATCH = 512

SPAN_BUDGET = 0.12
ENCODE_BUDGET = 0.15
SEND_BUDGET = 0.18
LEAF_BUDGET = 0.03
LEAF_ENCODED_BUDGET = 0.05


class _Null(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002  the null exporter
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        pass


class _Keep(SpanProcessor):
    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


def _sdk(processor: SpanProcessor, sampler: sampling.Sampler | None = None) -> api.Tracer:
    provider = SdkProvider(sampler, RESOURCE, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider.get_tracer("bench", "1")


def _batch(exporter: SpanExporter) -> BatchSpanProcessor:
    return BatchSpanProcessor(exporter, max_queue_size=100_000, max_export_batch_size=BATCH)


def batch_to_nowhere() -> BatchSpanProcessor:
    """The SDK's batch processor with an exporter that does nothing: the peer of the span budgets."""
    return _batch(_Null())


def _by_api(tracer: api.Tracer, attributes: dict[str, AnyValue] | None, count: int) -> None:
    for _ in range(count):
        with tracer.start_as_current_span("invoke_agent calendar", attributes=attributes):
            pass


def recording() -> list[Line]:
    """A span from start to buffer, by both surfaces and as a leaf, beside the SDK's with a batch processor.

    Both sides hand over in batches of 512: ours are taken from the buffer and let go, the SDK's by its thread.
    """
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    tracer = provider.get_tracer("bench", "1")
    off = TracerProvider(sampling.ALWAYS_OFF, RESOURCE, shutdown_on_exit=False).get_tracer("bench", "1")
    take = provider.buffer.take
    batch = batch_to_nowhere()
    sdk, sdk_off = _sdk(batch), _sdk(batch, sampling.ALWAYS_OFF)

    def spans(attributes: dict[str, AnyValue] | None, count: int) -> None:
        for done in range(count):
            with tracer.span("invoke_agent calendar", attributes):
                pass
            if not done % BATCH:
                take()

    def children(count: int) -> None:
        with tracer.span("task"):
            spans(ATTRIBUTES, count)

    def by_the_api(count: int) -> None:
        for done in range(0, count, BATCH):
            _by_api(tracer, ATTRIBUTES, min(BATCH, count - done))
            take()

    def sdk_children(count: int) -> None:
        with sdk.start_as_current_span("task"):
            _by_api(sdk, ATTRIBUTES, count)

    def leaves(count: int) -> None:
        for done in range(0, count, BATCH):
            with tracer.span("task") as parent:
                for _ in range(min(BATCH, count - done)):
                    parent.leaf("cache.lookup geo", 1, 2, LEAF_ATTRIBUTES)
            take()

    # What the batch thread has not yet exported would otherwise be exported on the next contender's time.
    idle = batch.force_flush
    samples = interleaved(
        {
            "SDK span": Contender(lambda count: _by_api(sdk, ATTRIBUTES, count), idle),
            "span": Contender(lambda count: spans(ATTRIBUTES, count)),
            "by the API": Contender(by_the_api),
            "SDK child span": Contender(sdk_children, idle),
            "child": Contender(children),
            "leaf": Contender(leaves),
            "SDK span without attributes": Contender(lambda count: _by_api(sdk, None, count), idle),
            "bare": Contender(lambda count: spans(None, count)),
            "SDK span, not sampled": Contender(lambda count: _by_api(sdk_off, ATTRIBUTES, count)),
            "not sampled": Contender(lambda count: _by_api(off, ATTRIBUTES, count)),
            "API without an SDK": Contender(lambda count: _by_api(api.NoOpTracer(), ATTRIBUTES, count)),
        },
        clock=time.thread_time_ns,
    )
    batch.shutdown()  # type: ignore[no-untyped-call]
    return [
        line("span with 6 attributes, current, ended, buffered", samples, "span", "SDK span", budget=SPAN_BUDGET),
        line("the same under a parent", samples, "child", "SDK child span", budget=SPAN_BUDGET),
        line(
            "the same through start_as_current_span",
            samples,
            "by the API",
            "SDK span",
            note="a context manager of its own, nine arguments: what instrumentation libraries call",
        ),
        line("span without attributes", samples, "bare", "SDK span without attributes"),
        line("span, not sampled", samples, "not sampled", "SDK span, not sampled"),
        line("span with 6 attributes", samples, "span", "API without an SDK", note="recorded, beside not recording"),
        line("leaf with 3 attributes", samples, "leaf", "SDK span", budget=LEAF_BUDGET),
    ]


def encoding() -> list[Line]:
    """OTLP bytes of finished spans, and of a leaf from record to bytes, beside the official encoder."""
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    tracer = provider.get_tracer("bench", "1")
    keep = _Keep()
    sdk = _sdk(keep)
    with sdk.start_as_current_span("task"):
        _by_api(sdk, ATTRIBUTES, BATCH)
    theirs = tuple(keep.ended)
    with tracer.span("task"):
        _by_api(tracer, ATTRIBUTES, BATCH)
    ours = provider.buffer.take()

    def official(count: int) -> None:
        for _ in range(count):
            official_encode(theirs).SerializePartialToString()

    def direct(count: int) -> None:
        for _ in range(count):
            encode_spans(ours, RESOURCE)

    def sdk_lookups(count: int) -> None:
        for _ in range(count):
            keep.ended.clear()
            for _ in range(BATCH):
                with sdk.start_as_current_span("cache.lookup geo", attributes=LEAF_ATTRIBUTES):
                    pass
            official_encode(keep.ended).SerializePartialToString()

    def leaves(count: int) -> None:
        for _ in range(count):
            with tracer.span("task") as span:
                for _ in range(BATCH):
                    span.leaf("cache.lookup geo", 1, 2, {**LEAF_ATTRIBUTES})  # one each, as the worst case
            encode_spans(provider.buffer.take(), RESOURCE)

    samples = interleaved(
        {
            f"official encoder, {BATCH} spans": Contender(official),
            f"SDK span and official encoder, {BATCH} spans": Contender(sdk_lookups),
            "direct": Contender(direct),
            "leaves": Contender(leaves),
        },
        rounds=15,
        slice_s=0.02,
        clock=time.thread_time_ns,
    )
    return [
        line(
            f"{BATCH} spans with 6 attributes to OTLP",
            samples,
            "direct",
            f"official encoder, {BATCH} spans",
            budget=ENCODE_BUDGET,
        ),
        line(
            f"{BATCH} leaves recorded and encoded",
            samples,
            "leaves",
            f"SDK span and official encoder, {BATCH} spans",
            budget=LEAF_ENCODED_BUDGET,
        ),
    ]


def sending() -> list[Line]:
    """CPU time of this process per span that is recorded, encoded and sent over loopback HTTP in batches of 512."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    tracer = provider.get_tracer("bench", "1")
    with ExitStack() as stack:
        endpoint = stack.enter_context(sink()) + "/v1/traces"
        exporter = OTLPSpanExporter(endpoint)
        stack.callback(exporter.shutdown)
        batch = _batch(OTLPSpanExporter(endpoint))
        stack.callback(batch.shutdown)
        sdk = _sdk(batch)

        def official(count: int) -> None:
            for _ in range(count):
                _by_api(sdk, ATTRIBUTES, BATCH)
                batch.force_flush()

        def direct(count: int) -> None:
            for _ in range(count):
                for _ in range(BATCH):
                    with tracer.span("invoke_agent calendar", ATTRIBUTES):
                        pass
                exporter._client.export(encode_spans(provider.buffer.take(), RESOURCE))

        peer = f"SDK with its OTLP/HTTP exporter, {BATCH} spans"
        samples = interleaved(
            {peer: Contender(official), "direct": Contender(direct)},
            rounds=15,
            slice_s=0.1,
            clock=time.process_time_ns,
        )
    return [line(f"CPU of {BATCH} spans recorded, encoded, sent", samples, "direct", peer, budget=SEND_BUDGET)]


def spans() -> list[Line]:
    """Every figure about spans."""
    return [*recording(), *encoding(), *sending()]
