"""What the histograms say of each agent's capabilities: counts, errors and quantiles since the process started."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from pea.telemetry import names
from pea.telemetry.metrics import MetricStore
from pea.telemetry.series import fine_histogram

if TYPE_CHECKING:
    from pea.telemetry.histogram import Histogram


class CallFigures(msgspec.Struct, frozen=True):
    """Attempts of calls to one capability of one agent; durations in seconds, quantiles within 1 %.

    A capability of ``""`` is the agent as a whole, with all its capabilities together.
    """

    agent: str
    capability: str
    count: int
    errors: int
    p50_s: float
    p95_s: float
    p99_s: float
    max_s: float
    mean_s: float


def call_figures(
    store: MetricStore, agent: str | None = None, pause: Callable[[], None] = lambda: None
) -> list[CallFigures]:
    """Figures of one agent, or of all: each agent as a whole, then its capabilities, by name.

    ``pause`` is called after each series, without the store's lock: in a thread, so that others get on.
    """
    groups: dict[tuple[str, str], tuple[Histogram, int]] = {}
    for series in store.of(names.METRIC_AGENT_CALL_DURATION):
        name = str(series.labels.get(names.GEN_AI_AGENT_NAME, ""))
        if not name or (agent is not None and name != agent):
            continue  # the overflow series belongs to nobody
        capability = str(series.labels.get(names.PEA_CAPABILITY, ""))
        whole, errors = groups.get((name, capability)) or (fine_histogram(), 0)
        with store.lock:
            own = series.fold()
            whole.merge(own)
            errors += own.count if names.ERROR_TYPE in series.labels else 0
        groups[name, capability] = whole, errors
        pause()
    for (name, capability), (part, failed) in list(groups.items()):
        if capability:
            whole, errors = groups.get((name, "")) or (fine_histogram(), 0)
            whole.merge(part)
            groups[name, ""] = whole, errors + failed
    return [_figures(*key, *group) for key, group in sorted(groups.items(), key=lambda item: item[0])]


def _figures(agent: str, capability: str, histogram: Histogram, errors: int) -> CallFigures:
    p50, p95, p99 = histogram.quantiles(0.5, 0.95, 0.99)
    return CallFigures(
        agent=agent,
        capability=capability,
        count=histogram.count,
        errors=errors,
        p50_s=p50,
        p95_s=p95,
        p99_s=p99,
        max_s=histogram.high,
        mean_s=histogram.mean,
    )
