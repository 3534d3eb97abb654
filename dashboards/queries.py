"""PromQL over PEA's metrics; names come from otel/registry, so that a renamed metric cannot leave a panel behind.

Every selector carries the dashboard's ``job`` and ``instance``, and every `rate` Grafana's ``$__rate_interval``, as the
public rules of dashboard-linter ask. A counter over another window is an `increase`.
"""

from __future__ import annotations

import re

from pea.telemetry.exposition import prometheus_name
from pea.telemetry.instruments import METRICS

SCOPE = 'job=~"$job", instance=~"$instance"'
AGENT = 'gen_ai_agent_name=~"$agent"'
STEP = "$__rate_interval"
FAILED = 'error_type!=""'

Labels = tuple[str, ...] | str


def label(attribute: str) -> str:
    """An attribute as Prometheus' label."""
    return re.sub(r"[^a-zA-Z0-9_]+", "_", attribute)


def metric(name: str) -> str:
    """A metric of the registry by its name in Prometheus; KeyError when the registry has none of this name."""
    found = METRICS[name]
    base = prometheus_name(found.name, found.unit, found.instrument)
    return f"{base}_total" if found.instrument == "counter" else base


def number(name: str, *more: str) -> str:
    """A gauge, as it stands."""
    return f"{metric(name)}{{{', '.join((SCOPE, *more))}}}"


def by(how: str, labels: Labels, inner: str) -> str:
    """An aggregation: ``by("sum", "le", …)``."""
    kept = (labels,) if isinstance(labels, str) else labels
    return f"{how} by ({', '.join(map(label, kept))}) ({inner})" if kept else f"{how} ({inner})"


def per_second(name: str, *more: str, suffix: str = "") -> str:
    """How fast a counter grows."""
    return f"rate({metric(name)}{suffix}{{{', '.join((SCOPE, *more))}}}[{STEP}])"


def grown(name: str, window: str, *more: str, suffix: str = "") -> str:
    """By how much a counter grew in ``window``."""
    return f"increase({metric(name)}{suffix}{{{', '.join((SCOPE, *more))}}}[{window}])"


def calls(name: str, labels: Labels = (), *more: str) -> str:
    """How often per second a histogram's thing happened."""
    return by("sum", labels, per_second(name, *more, suffix="_count"))


def happens(name: str, labels: Labels = (), *more: str) -> str:
    """How often per second, whether a counter or a histogram counts it."""
    if METRICS[name].instrument == "histogram":
        return calls(name, labels, *more)
    return by("sum", labels, per_second(name, *more))


def ratio(part: str, whole: str) -> str:
    """A share, which is zero where the part never happened and nothing where the whole did not."""
    return f"({part} or 0 * {whole}) / {whole}"


def failed_share(name: str, labels: Labels = (), *more: str, window: str = "") -> str:
    """The share of failed calls."""
    if window:
        bad, whole = (
            by("sum", labels, grown(name, window, *some, suffix="_count")) for some in ((FAILED, *more), more)
        )
        return ratio(bad, whole)
    return ratio(calls(name, labels, FAILED, *more), calls(name, labels, *more))


def quantile(q: float, name: str, labels: Labels = (), *more: str, window: str = "") -> str:
    """A quantile of a histogram, over ``$__rate_interval`` or a window of its own."""
    kept = (labels,) if isinstance(labels, str) else labels
    buckets = grown(name, window, *more, suffix="_bucket") if window else per_second(name, *more, suffix="_bucket")
    return f"histogram_quantile({q:g}, {by('sum', ('le', *kept), buckets)})"


def mean(name: str, labels: Labels = (), *more: str) -> str:
    """The mean of a histogram's values."""
    return f"{by('sum', labels, per_second(name, *more, suffix='_sum'))} / {calls(name, labels, *more)}"


def slow_share(name: str, limit: str, window: str, *more: str) -> str:
    """The share of a histogram's values above one of its bounds."""
    good = by("sum", (), grown(name, window, f'le="{limit}"', *more, suffix="_bucket"))
    return f"1 - {good} / {by('sum', (), grown(name, window, *more, suffix='_count'))}"
