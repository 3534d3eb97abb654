"""OTLP as it comes in: bodies inflated within bounds, requests taken apart span by span, in protobuf and in JSON."""

from pea.store.otlp.body import BadBody, inflate
from pea.store.otlp.metrics import metric_samples
from pea.store.otlp.protobuf_frames import preload
from pea.store.otlp.spans import SpanReader, read_spans
from pea.store.otlp.values import Limits

__all__ = ["BadBody", "Limits", "SpanReader", "inflate", "metric_samples", "preload", "read_spans"]
