"""Spans, and what is folded from them."""

from pea.telemetry.active import ActiveSpan, UnrecordedSpan
from pea.telemetry.provider import TracerProvider
from pea.telemetry.span import Span
from pea.telemetry.tracer import Tracer

__all__ = ["ActiveSpan", "Span", "Tracer", "TracerProvider", "UnrecordedSpan"]
