"""What a rule finds for one set of label values, and the plain judgements of one value beside a bound."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping

import msgspec

from pea.watch.baseline_rule import Course, Learners
from pea.watch.change import Before, held_before
from pea.watch.rule import Amount, Rule
from pea.watch.samples import Samples
from pea.watch.windows import Windows

Labels = tuple[str, ...]


class Reading(msgspec.Struct, frozen=True):
    """What a rule finds for one set of label values; ``wrong`` and ``over`` are None when nothing can be said.

    ``value`` is NaN where nobody needs it. ``evidence`` holds the figures that the decision rests on. ``since_s`` is
    when what is wrong began, where the samples show it: an alert's `for` is counted from there.
    """

    labels: Labels
    value: float
    wrong: bool | None
    over: bool | None
    evidence: Mapping[str, float] = {}
    since_s: float | None = None
    course: Course | None = None


class Scene(msgspec.Struct, frozen=True):
    """What rules look at: windows of spans, samples, and the memory that this process may have (bytes, or None)."""

    windows: Windows
    samples: Samples
    started_s: float = 0.0
    memory_limit: float | None = None
    learners: Learners = msgspec.field(default_factory=Learners)


def judged(rule: Rule, labels: Labels, value: float, evidence: Mapping[str, float]) -> Reading:
    """A value against the bound as it stands, without asking how sure that is."""
    wrong = value > rule.above if rule.above is not None else value < (rule.below or 0.0)
    return Reading(labels, value, wrong, is_over(rule, value) and not wrong, evidence)


def silence(rule: Rule, labels: Labels, silent_s: float) -> Reading:
    """A rule that asks for something to be there, when nothing has been for so long; NaN: there never was."""
    if math.isnan(silent_s):
        return Reading(labels, silent_s, None, None)
    wrong = silent_s > (rule.absent or 0.0)
    return Reading(labels, max(silent_s, 0.0), wrong, not wrong)


def clear_bound(rule: Rule) -> float:
    """What a value has to be past for an alert to be over: the bound itself unless `clear` says otherwise."""
    bound = rule.clear.below if rule.above is not None else rule.clear.above
    return float(bound if bound is not None else _bound(rule))


def is_over(rule: Rule, value: float) -> bool:
    """Whether a value lets an alert be over."""
    return value <= clear_bound(rule) if rule.above is not None else value >= clear_bound(rule)


def held_bound(active: Container[Labels], labels: Labels, now_s: float) -> Before | None:
    """The bound of the alert that is there already, by its evidence."""
    evidence = active.get(labels) if isinstance(active, Mapping) else None
    return None if evidence is None else held_before(evidence, now_s)


def _bound(rule: Rule) -> Amount | float:
    return rule.above if rule.above is not None else rule.below if rule.below is not None else 0.0
