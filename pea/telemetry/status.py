"""Telemetry's account of itself: what became of the spans, and what went wrong."""

from __future__ import annotations

import msgspec

from pea.telemetry.loop_lag import Culprit


class ExportStatus(msgspec.Struct, frozen=True):
    """One signal's export; counts are of spans (leaves included), or of requests with metrics.

    ``last_error_ns`` is 0 when there was none.
    """

    signal: str
    endpoint: str
    protocol: str
    exported: int
    failed: int
    dropped: int
    queued: int
    last_error: str
    last_error_ns: int


class Status(msgspec.Struct, frozen=True):
    """Counts since the process started; lag in seconds."""

    spans_finished: int
    spans_dropped: int
    spans_waiting: int
    traces_kept: int
    series_overflowed: int
    gauge_failures: int
    consumer_failures: dict[str, int]
    exports: tuple[ExportStatus, ...]
    loop_lag_s: float
    loop_lag_worst_s: float
    loop_stalls: int
    culprits: tuple[Culprit, ...]
