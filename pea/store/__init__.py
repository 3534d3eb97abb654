"""What PEA remembers on disk: spans to search, rates and series to draw, and what other programs send by OTLP."""

from pea.store.chronicle import Chronicle, ChronicleStatus
from pea.store.look import Traces, Unreadable, opened
from pea.store.search import Found, Query, TraceRow
from pea.store.spans import Dependency, Operation, SpanStore

__all__ = [
    "Chronicle",
    "ChronicleStatus",
    "Dependency",
    "Found",
    "Operation",
    "Query",
    "SpanStore",
    "TraceRow",
    "Traces",
    "Unreadable",
    "opened",
]
