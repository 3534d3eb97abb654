"""Figures of alerts as people read them: seconds, bytes and shares in fitting units, and messages filled in."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pea.watch.rule import Rule
from pea.watch.signals import Quantity, Unit, signal

UNKNOWN = "unknown"
_SIZES = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))
_TIMES = (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))


def amount(value: float | None, rule: Rule) -> str:
    """A value of the rule's signal with its unit; ``unknown`` when there is none."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if rule.burn is not None:
        return f"{value:.3g}x"
    if rule.absent is not None:
        return duration(value)
    unit = signal(rule.signal).unit
    if unit is Unit.SECONDS:
        return duration(value)
    if unit is Unit.BYTES:
        return size(value)
    if unit is Unit.RATIO:
        return share(value)
    return f"{value:.3g}{unit}" if abs(value) < 1_000 else f"{value:,.0f}{unit}"


def expected(evidence: Mapping[str, float], rule: Rule) -> str:
    """The band that a learned baseline expects; empty when there is none."""
    low, high = evidence.get("expected_low"), evidence.get("expected_high")
    if low is None or high is None:
        return ""
    if low < 0 <= high and signal(rule.signal).quantity is not Quantity.GAUGE:
        low = 0.0  # what is counted or timed is never negative; the band is symmetric
    return f"{amount(low, rule)} to {amount(high, rule)}"


def duration(seconds: float) -> str:
    """A duration in its largest fitting unit, with three digits."""
    for unit, length in _TIMES:
        if abs(seconds) >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def size(count: float) -> str:
    """A size in binary units, with three digits."""
    for unit, length in _SIZES:
        if abs(count) >= length:
            return f"{count / length:.3g} {unit}"
    return f"{count:.0f} B"


def share(value: float) -> str:
    """A share in per cent, exact near 100 %."""
    return f"{value * 100:.5g}%" if value > 0.99 else f"{value * 100:.3g}%"


def fill(rule: Rule, labels: Mapping[str, str], value: float | None, evidence: Mapping[str, float]) -> str:
    """The rule's message with its words filled in; each has been checked when the rule was read."""
    bound = rule.above if rule.above is not None else rule.below
    hours = evidence.get("hours_to_limit")
    shown = amount(value, rule)
    words = {
        "value": shown,
        "before": amount(evidence.get("before"), rule),
        "burn": shown,
        "expected": expected(evidence, rule) or UNKNOWN,
        "threshold": bound.text if bound is not None else "",
        "window": duration(float(rule.window)),
        "rule": rule.name,
        "severity": rule.severity,
        "objective": share(rule.burn.objective) if rule.burn is not None else "",
        "growth": size(evidence.get("growth_per_hour", 0.0)),
        "left": UNKNOWN if hours is None else duration(hours * 3_600),
        **labels,
    }
    if not rule.message:
        place = ", ".join(f"{key} {found}" for key, found in labels.items())
        usual = f", expected {expected(evidence, rule)}" if expected(evidence, rule) else ""
        return f"{rule.name}{f' ({place})' if place else ''}: {rule.signal} is {shown}{usual}"
    return rule.message.format_map(words)
