"""What the histograms say of each agent's capabilities: counts, errors and quantiles since the process started."""

from __future__ import annotations

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


def call_figures(store: MetricStore, agent: str | None = None) -> list[CallFigures]:
    """Figures of one agent, or of all: each agent as a whole, then its capabilities, by name."""
    groups: dict[tuple[str, str], tuple[Histogram, int]] = {}
    for point in store.histograms(names.METRIC_AGENT_CALL_DURATION):
        name = str(point.labels.get(names.GEN_AI_AGENT_NAME, ""))
        if not name or (agent is not None and name != agent):
            continue  # the overflow series belongs to nobody
        failed = point.histogram.count if names.ERROR_TYPE in point.labels else 0
        capability = str(point.labels.get(names.PEA_CAPABILITY, ""))
        for key in dict.fromkeys(((name, ""), (name, capability))):
            whole, errors = groups.get(key) or (fine_histogram(), 0)
            whole.merge(point.histogram)
            groups[key] = (whole, errors + failed)
    return [_figures(*key, *group) for key, group in sorted(groups.items(), key=lambda item: item[0])]


def _figures(agent: str, capability: str, histogram: Histogram, errors: int) -> CallFigures:
    return CallFigures(
        agent=agent,
        capability=capability,
        count=histogram.count,
        errors=errors,
        p50_s=histogram.quantile(0.5),
        p95_s=histogram.quantile(0.95),
        p99_s=histogram.quantile(0.99),
        max_s=histogram.high,
        mean_s=histogram.mean,
    )
