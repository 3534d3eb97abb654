"""What a rule can watch: figures of the windows' families, and gauges of the series store, each by a readable name."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from pea.errors import ConfigError, did_you_mean
from pea.telemetry import names
from pea.watch.families import FAMILIES, Family

NO_LABELS: Mapping[str, str] = MappingProxyType({})
CHOSEN_METRIC = "metric."
LOOP_LAG_P99 = f"{names.METRIC_LOOP_LAG}:p99"


class Unit(enum.StrEnum):
    """What a signal's value counts; its value is how amounts are written."""

    SECONDS = "s"
    BYTES = "B"
    RATIO = "%"
    PER_SECOND = "/s"
    NUMBER = ""


class Quantity(enum.StrEnum):
    """How a signal's value is computed."""

    QUANTILE = "quantile"
    MEAN = "mean"
    MAX = "max"
    RATE = "rate"
    MARKED = "marked"  # the share of failed calls
    UNMARKED = "unmarked"  # the share of lookups that hit
    LATENCY = "latency"  # how many are slower than an objective's limit: only for `burn`
    GAUGE = "gauge"
    INCREASE = "increase"  # of a counter, over the window


class Signal(msgspec.Struct, frozen=True):
    """A named figure. ``family`` for figures of windows, ``metric`` for series; ``labels`` maps words to attributes."""

    name: str
    about: str
    unit: Unit
    quantity: Quantity
    family: str = ""
    q: float = 0.0
    metric: str = ""
    labels: Mapping[str, str] = NO_LABELS
    fixed: Mapping[str, str] = NO_LABELS  # attributes that a series must have

    @property
    def of_spans(self) -> bool:
        """Whether the value comes from windows of spans, and not from samples."""
        return bool(self.family)


_LATENCY = re.compile(r"latency\.p(\d{1,2}(?:\.\d{1,3})?)", re.ASCII)
_SHOWN_QUANTILES = ("50", "95", "99")


def _gauge(name: str, metric: str, unit: Unit, about: str, /, **labels: str) -> Signal:
    return Signal(name, about, unit, Quantity.GAUGE, metric=metric, labels=labels)


_GAUGES = {
    signal.name: signal
    for signal in (
        _gauge("process.memory", names.METRIC_PROCESS_MEMORY_USAGE, Unit.BYTES, "physical memory of this process"),
        _gauge("process.cpu", names.METRIC_PROCESS_CPU_UTILIZATION, Unit.RATIO, "share of all CPUs that it uses"),
        _gauge(
            "agent.memory",
            names.METRIC_AGENT_MEMORY,
            Unit.BYTES,
            "bytes accounted to an agent in caches, histories and queues",
            agent=names.GEN_AI_AGENT_NAME,
        ),
        _gauge(
            "agent.state",
            names.METRIC_AGENT_STATE,
            Unit.NUMBER,
            "1 for the state that an agent is in",
            agent=names.GEN_AI_AGENT_NAME,
            state=names.PEA_AGENT_STATE,
        ),
        _gauge(
            "breaker.state",
            names.METRIC_BREAKER_STATE,
            Unit.NUMBER,
            "0 closed, 1 half-open, 2 open",
            breaker=names.PEA_BREAKER_NAME,
        ),
        _gauge("task.queued", names.METRIC_TASK_QUEUED, Unit.NUMBER, "tasks that wait for a free place"),
        _gauge("task.active", names.METRIC_TASK_ACTIVE, Unit.NUMBER, "tasks that are being worked on"),
        _gauge("loop.lag", LOOP_LAG_P99, Unit.SECONDS, "how late the event loop ran what was due, p99 of ten seconds"),
        Signal(
            "telemetry.dropped",
            "spans that found the buffer full",
            Unit.NUMBER,
            Quantity.INCREASE,
            metric=names.METRIC_TELEMETRY_SPANS,
            fixed={names.PEA_TELEMETRY_OUTCOME: "dropped"},
        ),
        Signal(
            "telemetry.undelivered",
            "spans that no receiver took",
            Unit.NUMBER,
            Quantity.INCREASE,
            metric=names.METRIC_TELEMETRY_SPANS,
            fixed={names.PEA_TELEMETRY_OUTCOME: "export_failed"},
        ),
    )
}


def _of_family(family: Family, word: str) -> Signal | None:
    """The figure of a family that ``word`` names, such as ``latency.p95``."""
    what, quantity, unit, q = "", Quantity.MEAN, Unit.SECONDS, 0.0
    found = _LATENCY.fullmatch(word)
    if found is not None:
        q = float(found[1]) / 100
        what, quantity = f"p{found[1]} of how long {family.about} took", Quantity.QUANTILE
        if not 0 < q < 1:
            return None
    elif word == "latency.mean":
        what = f"mean of how long {family.about} took"
    elif word == "latency.max":
        what, quantity = f"slowest of {family.about}", Quantity.MAX
    elif word == "latency":
        what, quantity = f"how long {family.about} took, for `burn` with a `limit`", Quantity.LATENCY
    elif word == "rate":
        what, quantity, unit = f"{family.about} per second", Quantity.RATE, Unit.PER_SECOND
    elif word == "errors" and not family.hit:
        what, quantity, unit = f"share of {family.about} that failed", Quantity.MARKED, Unit.RATIO
    elif word == "hits" and family.hit:
        what, quantity, unit = f"share of {family.about} that hit", Quantity.UNMARKED, Unit.RATIO
    else:
        return None
    return Signal(f"{family.name}.{word}", what, unit, quantity, family=family.name, q=q, labels=family.labels)


def listing() -> list[Signal]:
    """All signals that have a name, by name; other quantiles, and any series as ``metric.NAME``, may be watched too."""
    words = [*(f"latency.p{q}" for q in _SHOWN_QUANTILES), "latency.mean", "latency.max", "latency", "rate", "errors"]
    found = [_of_family(family, word) for family in FAMILIES.values() for word in (*words, "hits")]
    return sorted([*(one for one in found if one is not None), *_GAUGES.values()], key=lambda one: one.name)


def signal(name: str) -> Signal:
    """The signal of this name; ConfigError with the nearest one when there is none."""
    if name in _GAUGES:
        return _GAUGES[name]
    if name.startswith(CHOSEN_METRIC) and len(name) > len(CHOSEN_METRIC):
        metric = name.removeprefix(CHOSEN_METRIC)
        return Signal(name, f"the series {metric}", Unit.NUMBER, Quantity.GAUGE, metric=metric)
    family, _, word = name.partition(".")
    found = _of_family(FAMILIES[family], word) if family in FAMILIES else None
    if found is None:
        fix = did_you_mean(name, [one.name for one in listing()])
        raise ConfigError(f"no signal is called {name!r}", fix=f"{fix}; `pea rules signals` lists them")
    return found
