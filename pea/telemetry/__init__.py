"""Spans, and what is folded from them."""

from pea.telemetry.active import ActiveSpan, UnrecordedSpan
from pea.telemetry.drain import SpanConsumer
from pea.telemetry.facade import Telemetry
from pea.telemetry.logs import configure_logging, get_logger
from pea.telemetry.provider import TracerProvider
from pea.telemetry.recent import SpanView, TraceSummary
from pea.telemetry.span import Span
from pea.telemetry.tracer import Tracer

__all__ = [
    "ActiveSpan",
    "Span",
    "SpanConsumer",
    "SpanView",
    "Telemetry",
    "TraceSummary",
    "Tracer",
    "TracerProvider",
    "UnrecordedSpan",
    "configure_logging",
    "get_logger",
]
