"""What many panels show alike: how often something happens, how long it takes, what share fails, how much there is."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries

from dashboards.panels import Limits, Line, over_time
from dashboards.queries import Labels, failed_share, happens, label, number, quantile

EXEMPLARS_AT = 0.95  # one quantile's points are enough to lead to traces


def each(labels: Labels) -> str:
    """The legend that tells the labels' values: ``each((A, B))`` is ``{{a}}: {{b}}``."""
    return ": ".join(f"{{{{{label(one)}}}}}" for one in ((labels,) if isinstance(labels, str) else labels))


def rate(
    title: str,
    about: str,
    name: str,
    labels: Labels,
    *more: str,
    unit: str = "reqps",
    legend: str = "",
    stacked: bool = True,
    width: int = 8,
) -> timeseries.Panel:
    """How often per second, by labels; ``more`` are matchers."""
    line = Line(happens(name, labels, *more), legend or each(labels))
    return over_time(title, about, unit, line, stacked=stacked, width=width)


def p95(
    title: str,
    about: str,
    name: str,
    labels: Labels,
    *more: str,
    legend: str = "",
    exemplars: bool = True,
    limits: Limits | None = None,
    width: int = 8,
) -> timeseries.Panel:
    """How long 95 of 100 take at most, by labels."""
    line = Line(quantile(0.95, name, labels, *more), legend or each(labels), exemplars)
    return over_time(title, about, "s", line, limits=limits, width=width)


def quantiles(
    title: str,
    about: str,
    name: str,
    *more: str,
    at: tuple[float, ...] = (0.5, 0.95, 0.99),
    exemplars: bool = True,
    limits: Limits | None = None,
) -> timeseries.Panel:
    """How long they take: some quantiles of all together."""
    lines = (Line(quantile(q, name, (), *more), f"p{q * 100:g}", exemplars and q == EXEMPLARS_AT) for q in at)
    return over_time(title, about, "s", *lines, limits=limits)


def failures(
    title: str, about: str, name: str, labels: Labels, *more: str, limits: Limits | None = None
) -> timeseries.Panel:
    """The share that failed, by labels."""
    return over_time(title, about, "percentunit", Line(failed_share(name, labels, *more), each(labels)), limits=limits)


def level(
    title: str, about: str, unit: str, name: str, *, limits: Limits | None = None, width: int = 8, height: int = 8
) -> timeseries.Panel:
    """A gauge of each process."""
    line = Line(number(name), each("instance"))
    return over_time(title, about, unit, line, limits=limits, width=width, height=height)
