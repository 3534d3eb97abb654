"""One rule against the present: for each of its label values, whether it is wrong, whether it is over, and why.

A reading says True or False only when the samples carry it; else None, and an alert stays what it is. So few samples
cannot fire, and missing data neither fires nor resolves.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator

import msgspec

from pea.watch import samples as gauges
from pea.watch.evaluate_gauges import gauge_reading
from pea.watch.evaluate_spans import span_reading
from pea.watch.families import SERVICE
from pea.watch.reading import Labels, Reading, Scene
from pea.watch.rule import Amount, Rule, labels_of
from pea.watch.signals import Quantity, Signal, signal
from pea.watch.tally import PLAIN
from pea.watch.window import SHORT_S, SLICE_S, Window
from pea.watch.windows import Need, Windows

MAX_EXEMPLARS = 5
BEGUN_S = 1.0
LEAST_EVENTS = 20
BOUNDLESS = 1e17  # more than is ever measured


class _Any(Container[Labels]):
    """Contains all labels: each value is wanted."""

    def __contains__(self, labels: object) -> bool:
        return True


def needs(rules: tuple[Rule, ...]) -> Iterator[Need]:
    """What the windows must keep for these rules."""
    for rule in rules:
        watched = signal(rule.signal)
        if not watched.of_spans:
            continue
        burn = rule.burn
        reach = max((math.ceil(pair.long) for pair in burn.windows), default=0) if burn else 0
        limits = (float(burn.limit),) if burn and burn.limit is not None else ()
        yield Need(watched.family, labels_of(rule), reach, limits)


def evaluate(rule: Rule, scene: Scene, now_s: float, active: Container[Labels] = ()) -> list[Reading]:
    """A rule's readings at ``now_s``. Values are computed for what is wrong, and for the label values in ``active``."""
    return [reading for reading in readings(rule, scene, now_s, active) if reading is not None]


def readings(rule: Rule, scene: Scene, now_s: float, active: Container[Labels] = ()) -> Iterator[Reading | None]:
    """As `evaluate`, one by one: whoever reads may pause in between, and where it says None."""
    if rule.baseline is None:
        return _judged(rule, scene, now_s, active)
    return _learned(rule, scene, now_s)


def _learned(rule: Rule, scene: Scene, now_s: float) -> Iterator[Reading | None]:
    """What a baseline says of values that no bound judges."""
    learner = scene.learners.of(rule)
    if learner.due(now_s):
        boundless = msgspec.structs.replace(
            rule,
            baseline=None,
            above=Amount(BOUNDLESS),
            confidence=PLAIN,
            min_samples=max(rule.min_samples, _least(signal(rule.signal))),
        )
        values = {}
        for found in _judged(boundless, scene, now_s, _Any()):
            values[found.labels] = math.nan if found.wrong is None else found.value
            yield None
        learner.learn(now_s, values)
    for labels, said in learner.verdicts():
        yield Reading(labels, said.value, said.wrong, said.over, said.evidence, course=said.course)


def _least(watched: Signal) -> int:
    """Samples that a figure takes to be one: the p95 of fewer than twenty is their maximum, a median or share jumps."""
    if watched.quantity is Quantity.QUANTILE:
        return max(math.ceil(1 / (1 - watched.q) - 1e-9), LEAST_EVENTS)
    return LEAST_EVENTS if watched.quantity in {Quantity.MARKED, Quantity.UNMARKED} else 1


def _judged(rule: Rule, scene: Scene, now_s: float, active: Container[Labels]) -> Iterator[Reading]:
    watched = signal(rule.signal)
    if not watched.of_spans:
        for labels, names in list(_sampled(rule, watched, scene)):
            yield gauge_reading(rule, watched, scene, labels, names, now_s, active)
        return
    if now_s % SLICE_S < BEGUN_S:
        now_s -= now_s % SLICE_S + 1e-3  # a slice that has hardly begun would stand for ten seconds without calls
    with scene.windows.lock:
        measured = list(_measured(rule, scene.windows, watched))
    for labels, windows in measured:
        with scene.windows.lock:
            found = span_reading(rule, watched, scene, labels, windows, now_s, active)
        yield found


def exemplars(rule: Rule, windows: Windows, labels: Labels, now_s: float) -> tuple[int, ...]:
    """Trace ids that show what the rule found: of failed calls, else the slowest, newest slices first."""
    watched = signal(rule.signal)
    if not watched.of_spans:
        return ()
    failed = watched.quantity in {Quantity.MARKED, Quantity.UNMARKED}
    with windows.lock:
        held = dict(_measured(rule, windows, watched)).get(labels, [])
        slices = [one for window in held for one in window.slices(now_s - _window_s(rule), now_s)]
        shown = [one.failed if failed else one.worst for one in slices]
    found = sorted((one for one in shown if one is not None), reverse=True)
    if failed:
        found.sort(key=lambda one: one[2], reverse=True)
    return tuple(dict.fromkeys(one[1] for one in found))[:MAX_EXEMPLARS]


def _measured(rule: Rule, windows: Windows, watched: Signal) -> Iterator[tuple[Labels, list[Window]]]:
    shelf = windows.shelf(watched.family)
    if not set(labels_of(rule)) <= set(shelf.labels):
        return  # the rule is new and the windows have not been told yet
    for labels, held in shelf.grouped(labels_of(rule)).items():
        if _matches(rule, labels):
            yield labels[: len(rule.by)], held


def _sampled(rule: Rule, watched: Signal, scene: Scene) -> Iterator[tuple[Labels, list[str]]]:
    for labels, names in gauges.groups(scene.samples, watched, labels_of(rule)).items():
        if _matches(rule, labels):
            yield labels[: len(rule.by)], names


def _matches(rule: Rule, labels: Labels) -> bool:
    values = dict(zip(labels_of(rule), labels, strict=True))
    for label, wanted in rule.where.items():
        if values[label] not in ((wanted,) if isinstance(wanted, str) else wanted):
            return False
    # A span without the attribute belongs to no alert by it.
    return all(values[label] or label == SERVICE for label in rule.by)


def _window_s(rule: Rule) -> float:
    return min(float(rule.burn.windows[0].long), SHORT_S) if rule.burn else float(rule.window)
