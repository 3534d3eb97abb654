"""Folds what other programs' agents send as spans into the metrics that the GenAI conventions name."""

from __future__ import annotations

from pea.store.genai import MODEL_OPERATIONS, Call
from pea.telemetry import names
from pea.telemetry.metrics import MetricStore
from pea.telemetry.record import SpanRecord


def count_call(metrics: MetricStore, record: SpanRecord, call: Call) -> None:
    """Count a step of an agent by its duration, and a model call also by its tokens.

    Labels are the registry's (otel/registry/genai.yaml), in its order; series are bounded as all of the store's are.
    """
    service, seconds = record.origin.service, record.duration_ns * 1e-9
    labels = (service, call.operation, call.agent or None, call.tool or None, call.model or None, call.error or None)
    with metrics.lock:
        series = metrics.series(names.METRIC_GEN_AI_CLIENT_OPERATION_DURATION, labels)
        series.observe(seconds, (seconds, record.trace_id, record.span_id, record.end_ns))
        if call.operation not in MODEL_OPERATIONS:
            return
        for kind, tokens in (("input", call.input_tokens), ("output", call.output_tokens)):
            if tokens:
                used = (service, call.operation, call.model or None, kind)
                metrics.series(names.METRIC_GEN_AI_CLIENT_TOKEN_USAGE, used).observe(
                    float(tokens), (float(tokens), record.trace_id, record.span_id, record.end_ns)
                )
