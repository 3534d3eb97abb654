"""A rule's reading of sampled series: what is there now, what changed, what grows, what fell silent."""

from __future__ import annotations

import math
from collections.abc import Container

import numpy as np

from pea.watch import samples as gauges
from pea.watch.change import gauge_before
from pea.watch.growth import Growth, growth
from pea.watch.reading import Labels, Reading, Scene, held_bound, is_over, judged, silence
from pea.watch.rule import Change, Rule
from pea.watch.samples import STEP_S
from pea.watch.signals import Quantity, Signal, signal

MEMORY_S = 86_400 - 60  # how far back the series store reaches


def gauge_reading(
    rule: Rule, watched: Signal, scene: Scene, labels: Labels, names: list[str], now_s: float, active: Container[Labels]
) -> Reading:
    """What a rule finds in the series ``names`` of one set of label values."""
    if rule.absent is not None:
        reach = rule.absent + rule.window
        return silence(rule, labels, gauges.silent_s(scene.samples, names, now_s, reach))
    if watched.quantity is Quantity.INCREASE:
        value = gauges.increase(scene.samples, names, now_s, rule.window)
    else:
        value = gauges.latest(scene.samples, names, now_s, watched)
    if math.isnan(value):
        return Reading(labels, value, None, None)
    if rule.change is not None:
        return _gauge_changed(rule, rule.change, scene, labels, names, now_s, active)
    if rule.trend is None:
        return judged(rule, labels, value, {})
    found = _growth(rule, scene, names, now_s)
    if found is None:
        return Reading(labels, value, None, is_over(rule, value), {})
    wrong = bool(value > (rule.above or 0.0)) and found.growing
    evidence = {"growth_per_hour": found.per_hour, "chance_without_trend": found.p}
    if scene.memory_limit is not None and found.per_hour > 0:
        evidence["hours_to_limit"] = max(scene.memory_limit - value, 0.0) / found.per_hour
    # What stays high but no longer grows is over too: the leak has ended.
    return Reading(labels, value, wrong, is_over(rule, value) or not found.growing, evidence)


def _gauge_changed(
    rule: Rule,
    change: Change,
    scene: Scene,
    labels: Labels,
    names: list[str],
    now_s: float,
    active: Container[Labels],
) -> Reading:
    last_s = now_s - rule.window
    recent = gauges.history(scene.samples, names, last_s, now_s)
    before = held_bound(active, labels, now_s) or gauge_before(
        gauges.history(scene.samples, names, last_s - change.over, last_s), change.factor, float(change.at_least)
    )
    held = recent[~np.isnan(recent)]
    if before is None or not len(held):
        return Reading(labels, math.nan, None, None)
    value = float(np.median(held))
    wrong = value > before.bound if change.factor > 1 else value < before.bound
    return Reading(labels, value, wrong, not wrong, before.evidence(now_s))


def _growth(rule: Rule, scene: Scene, names: list[str], now_s: float) -> Growth | None:
    start_s = max(now_s - MEMORY_S, min(scene.started_s, now_s - 2 * rule.window))
    values = gauges.history(scene.samples, names, start_s, now_s)
    for taken in rule.minus:
        other = signal(taken)
        found = [name for held in gauges.groups(scene.samples, other, ()).values() for name in held]
        accounted = gauges.history(scene.samples, found, start_s, now_s)
        # A sample may come in between the two reads: one of them is then a step longer than the other.
        both = min(len(values), len(accounted))
        if both:
            values[-both:] -= np.nan_to_num(accounted[-both:])
    return growth(values, rule.samples, int(rule.window / STEP_S), STEP_S)
