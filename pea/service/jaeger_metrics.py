"""The figures of Jaeger's Monitor tab: rates, error shares and latencies per service or operation over time.

Shapes after Jaeger's api_v2 MetricFamily in proto3 JSON; a point at ``t`` covers ``(t - ratePer, t]``, as the PromQL
that Jaeger would send does. Latencies are milliseconds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from pea.service.jaeger_params import BadJaegerParameter, Parameters
from pea.store import SpanStore
from pea.store.rates import RateRow, quantile
from pea.telemetry.record import KINDS

MAX_POINTS = 2_000
MAX_SERVICES = 20
MIN_STEP_MS = 60_000  # spans are counted by the minute
_LATEST_MS = 253_402_300_799_999  # the end of the year 9999
_HOUR_MS = 3_600_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Window(msgspec.Struct, frozen=True):
    """What is asked for; times in ms."""

    services: tuple[str, ...]
    kinds: tuple[int, ...]
    by_operation: bool
    end_ms: int
    lookback_ms: int
    step_ms: int
    rate_per_ms: int


class Sums:
    """Minutes added up, while a window moves over them."""

    def __init__(self) -> None:
        self.calls = self.errors = 0
        self.buckets: Counter[int] = Counter()

    def add(self, row: RateRow) -> None:
        """Count a minute that the window has reached."""
        self.calls += row.calls
        self.errors += row.errors
        self.buckets.update(row.buckets)

    def drop(self, row: RateRow) -> None:
        """Forget a minute that the window has left."""
        self.calls -= row.calls
        self.errors -= row.errors
        self.buckets.subtract(row.buckets)


class Family(msgspec.Struct, frozen=True):
    """One of the three questions: its name, its description and a point's value, from its calls and seconds."""

    name: str
    about: str
    value: Callable[[Sums, float], float]


def window_of(given: Parameters, now_ms: int) -> Window:
    """Read the parameters."""
    # The interface joins several services with a comma: service=a,service=b
    services = [part for value in given.all("service") for part in value.split(",service=") if part]
    if not services:
        raise BadJaegerParameter("service", "please provide at least one service name")
    kinds = [kind.lower() for kind in given.all("spanKind")] or ["server"]
    for kind in kinds:
        if kind not in KINDS:
            raise BadJaegerParameter("spanKind", f"unsupported span kind: '{kind[:40]}'")
    step_ms = max(given.whole("step", 5_000), 1_000)
    lookback_ms = min(max(given.whole("lookback", _HOUR_MS), 0), 90 * 24 * _HOUR_MS)
    return Window(
        services=tuple(services[:MAX_SERVICES]),
        kinds=tuple(KINDS.index(kind) for kind in kinds),
        by_operation=given.truth("groupByOperation"),
        end_ms=min(max(given.whole("endTs", now_ms), 0), _LATEST_MS),
        lookback_ms=lookback_ms,
        step_ms=max(step_ms, lookback_ms // MAX_POINTS),
        rate_per_ms=max(given.whole("ratePer", 600_000), MIN_STEP_MS),
    )


def latencies(q: float) -> Family:
    """A quantile of durations in ms."""
    return Family(
        "service_latencies",
        f"{q:.2f}th quantile latency, grouped by service",
        lambda sums, _: 1e3 * quantile(+sums.buckets, q),
    )


CALLS = Family("service_call_rate", "calls/sec, grouped by service", lambda sums, seconds: sums.calls / seconds)
ERRORS = Family(
    "service_error_rate",
    "error rate, computed as a fraction of errors/sec over calls/sec, grouped by service",
    lambda sums, _: sums.errors / sums.calls,
)


def metric_family(store: SpanStore, family: Family, window: Window) -> dict[str, Any]:
    """Read and shape; blocks."""
    first = (window.end_ms - window.lookback_ms - window.rate_per_ms) // MIN_STEP_MS
    last = window.end_ms // MIN_STEP_MS
    metrics = []
    for service in window.services:
        groups: dict[str, list[RateRow]] = defaultdict(list)
        for row in store.rate_rows(service, window.kinds, first, last):
            groups[row.operation if window.by_operation else ""].append(row)
        for operation, rows in sorted(groups.items()):
            labels = [{"name": "operation", "value": operation}] if window.by_operation else []
            labels.append({"name": "service_name", "value": service})
            points = list(_points(rows, family, window))
            if points:
                metrics.append({"labels": labels, "metricPoints": points})
    grouped = window.by_operation
    return {
        "name": family.name.replace("service", "service_operation", 1) if grouped else family.name,
        "type": "GAUGE",
        "help": family.about + (" & operation" if grouped else ""),
        "metrics": metrics,
    }


def _points(rows: Sequence[RateRow], family: Family, window: Window) -> Iterable[dict[str, Any]]:
    """The points of rows that are sorted by minute; whatever is asked for, each row is added and dropped once."""
    width = window.rate_per_ms // MIN_STEP_MS
    sums, entered, left = Sums(), 0, 0
    seen, value = -1, 0.0
    for at_ms in range(window.end_ms - window.lookback_ms, window.end_ms + 1, window.step_ms):
        minute = at_ms // MIN_STEP_MS
        while entered < len(rows) and rows[entered].minute <= minute:
            sums.add(rows[entered])
            entered += 1
        while left < entered and rows[left].minute <= minute - width:
            sums.drop(rows[left])
            left += 1
        if sums.calls and minute != seen:  # several points of one minute have one value
            seen, value = minute, family.value(sums, window.rate_per_ms / 1e3)
        if sums.calls:
            yield {"gaugeValue": {"doubleValue": value}, "timestamp": _time(at_ms)}


def _time(at_ms: int) -> str:
    return (_EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
