"""A span with attributes beside logfire's, both current in their context, ended, handed to a batch that goes nowhere.

logfire by its documented way: configured once without sending, console or metrics; ``with logfire.span(...)``.
"""

from __future__ import annotations

import time
from typing import Any

from pea.bench.measure import Absent, Contender, Line, interleaved, line
from pea.bench.spans import ATTRIBUTES, BATCH, RESOURCE, batch_to_nowhere
from pea.telemetry import TracerProvider


def beside_logfire() -> list[Line | Absent]:
    """In a process of its own: logfire's configuration is the whole process's."""
    what = "span with 6 attributes, current, ended, buffered"
    try:
        import logfire
    except ImportError:
        return [Absent(what, "logfire", "is not installed")]
    batch = batch_to_nowhere()
    logfire.configure(
        send_to_logfire=False, console=False, metrics=False, inspect_arguments=False, additional_span_processors=[batch]
    )
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    tracer = provider.get_tracer("bench", "1")
    attributes: dict[str, Any] = dict(ATTRIBUTES)

    def theirs(count: int) -> None:
        for _ in range(count):
            with logfire.span("invoke_agent calendar", **attributes):
                pass

    def ours(count: int) -> None:
        for done in range(count):
            with tracer.span("invoke_agent calendar", ATTRIBUTES):
                pass
            if not done % BATCH:
                provider.buffer.take()

    samples = interleaved(
        {"logfire": Contender(theirs, batch.force_flush), "pea": Contender(ours)}, clock=time.thread_time_ns
    )
    return [line(what, samples, "pea", "logfire", note="logfire.span, nothing sent")]
