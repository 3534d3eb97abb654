"""One rule against the present: for each of its label values, whether it is wrong, whether it is over, and why.

A reading says True or False only when the samples carry it; else None, and an alert stays what it is. So few samples
cannot fire, and missing data neither fires nor resolves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Mapping

import msgspec
import numpy as np

from pea.watch import samples as gauges
from pea.watch.baseline_rule import Course, Learners
from pea.watch.bounds import poisson_lower, poisson_upper, surely_above, surely_below
from pea.watch.buckets import merge, quantile
from pea.watch.change import Before, gauge_before, held_before, rate_share, spans_before
from pea.watch.families import SERVICE
from pea.watch.growth import Growth, growth
from pea.watch.rule import Amount, Change, Rule, labels_of
from pea.watch.samples import STEP_S, Samples
from pea.watch.signals import Quantity, Signal, signal
from pea.watch.tally import PLAIN, Tally, looks, onset, possible, sure_since, tally
from pea.watch.window import SHORT_S, SLICE_S, Slice, Window
from pea.watch.windows import Need, Windows

Labels = tuple[str, ...]
MAX_EXEMPLARS = 5
BEGUN_S = 1.0
LEAST_EVENTS = 20
BOUNDLESS = 1e17  # more than is ever measured
MEMORY_S = 86_400 - 60  # how far back the series store reaches


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


class _Any(Container[Labels]):
    """Contains all labels: each value is wanted."""

    def __contains__(self, labels: object) -> bool:
        return True


class Scene(msgspec.Struct, frozen=True):
    """What rules look at: windows of spans, samples, and the memory that this process may have (bytes, or None)."""

    windows: Windows
    samples: Samples
    started_s: float = 0.0
    memory_limit: float | None = None
    learners: Learners = msgspec.field(default_factory=Learners)


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
            yield _gauge(rule, watched, scene, labels, names, now_s, active)
        return
    if now_s % SLICE_S < BEGUN_S:
        now_s -= now_s % SLICE_S + 1e-3  # a slice that has hardly begun would stand for ten seconds without calls
    with scene.windows.lock:
        measured = list(_measured(rule, scene.windows, watched))
    for labels, windows in measured:
        with scene.windows.lock:
            found = _spans(rule, watched, scene, labels, windows, now_s, active)
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


def _spans(
    rule: Rule,
    watched: Signal,
    scene: Scene,
    labels: Labels,
    windows: list[Window],
    now_s: float,
    active: Container[Labels],
) -> Reading:
    if rule.absent is not None:
        silent = now_s - max(window.last_s for window in windows)
        return _silence(rule, labels, silent)
    if rule.burn is not None:
        return _burning(rule, labels, windows, now_s)
    start_s = now_s - rule.window
    if rule.change is not None:
        return _changed(rule, rule.change, watched, scene, labels, windows, now_s, active)
    if watched.quantity is Quantity.QUANTILE:
        return _quantile(rule, watched, labels, windows, now_s, shown=labels in active)
    if watched.quantity is Quantity.RATE and now_s - scene.started_s < rule.window:
        return Reading(labels, math.nan, None, None)
    if watched.quantity in {Quantity.MARKED, Quantity.UNMARKED}:
        return _share(rule, watched, labels, windows, now_s)
    if watched.quantity is Quantity.RATE:
        return _rate(rule, labels, tally(windows, start_s, now_s, lambda _: 0))
    figures = [window.figures(start_s, now_s) for window in windows]
    count = sum(one.count for one in figures)
    if count < rule.min_samples:
        return Reading(labels, math.nan, None, None, {"samples": count})
    if watched.quantity is Quantity.MEAN:
        return _plain(rule, labels, sum(one.total for one in figures) / count, {"samples": count})
    return _plain(rule, labels, max(one.high for one in figures), {"samples": count})


def _changed(
    rule: Rule,
    change: Change,
    watched: Signal,
    scene: Scene,
    labels: Labels,
    windows: list[Window],
    now_s: float,
    active: Container[Labels],
) -> Reading:
    """The window beside the time before it, or before the alert that is there already."""
    last_s = now_s - rule.window
    first_s, size = last_s - change.over, float(change.at_least)
    if watched.quantity is Quantity.RATE:
        count = sum(window.figures(first_s, last_s).count for window in windows)
        if first_s < scene.started_s:
            return Reading(labels, math.nan, None, None, {"samples_before": count})
        recent = sum(window.figures(last_s, now_s).count for window in windows)
        share = rate_share(change.factor, rule.window, change.over)
        surely = surely_above if change.factor > 1 else surely_below
        now, then = recent / rule.window, count / change.over
        matters = count + recent >= rule.min_samples and abs(now - then) >= size
        wrong = matters and surely(count + recent, recent, share, rule.confidence)
        return Reading(labels, now, wrong, not wrong, {"samples": recent, "before": then})
    marks = watched.quantity is Quantity.MARKED
    before = _held(active, labels, now_s)
    if before is None:
        # No bound is below the least difference that matters: where that is not passed, what was before is no matter.
        past = tally(windows, last_s, now_s, lambda one: one.marked if marks else one.above(size))
        if not possible(past, size if marks else 1.0 - watched.q, rule.confidence):
            return Reading(labels, math.nan, False, True, {"samples": past.whole[0]})
        before = spans_before(rule, change, watched, windows, now_s)
    if before is None:
        return Reading(labels, math.nan, None, None)
    if marks:
        return _share(rule, watched, labels, windows, now_s, before)
    return _quantile(rule, watched, labels, windows, now_s, shown=labels in active, before=before)


def _held(active: Container[Labels], labels: Labels, now_s: float) -> Before | None:
    """The bound of the alert that is there already, by its evidence."""
    evidence = active.get(labels) if isinstance(active, Mapping) else None
    return None if evidence is None else held_before(evidence, now_s)


def _quantile(
    rule: Rule,
    watched: Signal,
    labels: Labels,
    windows: list[Window],
    now_s: float,
    *,
    shown: bool,
    before: Before | None = None,
) -> Reading:
    start_s, bad = now_s - rule.window, 1.0 - watched.q
    bound = float(rule.above if rule.above is not None else rule.below or 0.0) if before is None else before.bound
    # A bound that moves is not worth remembering what is above it.

    def counted(one: Slice) -> int:
        return one.above(bound) if before is None else one.fold().above(bound)

    past = tally(windows, start_s, now_s, counted)
    count, slower = past.whole
    if count < rule.min_samples:
        return Reading(labels, math.nan, None, None, {"samples": count})
    # The quantile is at most the bound exactly when no more values are above it than may be.
    allowed = count - math.ceil(watched.q * count - 1e-9)
    cleared = slower
    if before is None:
        cleared = sum(window.above(start_s, now_s, _clear_bound(rule)) for window in windows)
    if rule.below is None:
        since_s = sure_since(past, bad, rule.confidence, lambda: _earlier(windows, start_s, now_s, counted))
        wrong, over = since_s is not None, cleared <= allowed
    else:
        since_s = None
        wrong, over = surely_below(count, slower, bad, rule.confidence), cleared > allowed
    value = math.nan
    if wrong or shown:
        first_s = start_s if since_s is None else since_s
        value = quantile(merge(one.fold() for window in windows for one in window.slices(first_s, now_s)), watched.q)
    evidence: dict[str, float] = {
        "samples": count,
        "past_threshold": slower,
        **({} if before is None else before.evidence(now_s)),
    }
    if since_s is not None:
        evidence["seconds"] = round(now_s - since_s, 3)
    return Reading(labels, value, wrong, over and not wrong, evidence, onset(past, since_s, bad, rule.confidence))


def _rate(rule: Rule, labels: Labels, past: Tally) -> Reading:
    """Events per second: few or many of them show in the last slices first, as what is bad does."""
    value, evidence = past.whole[0] / rule.window, {"samples": float(past.whole[0])}
    plain = _plain(rule, labels, value, evidence)
    if rule.confidence <= PLAIN:
        return plain
    bound = float(rule.above if rule.above is not None else rule.below or 0.0)
    for length, error in looks(len(past.counts), rule.confidence):
        count, mean = sum(past.counts[-length:]), bound * length * SLICE_S
        if (poisson_upper if rule.above is not None else poisson_lower)(count, mean) <= error:
            since_s = (int(past.now_s // SLICE_S) - length + 1) * float(SLICE_S)
            evidence["seconds"] = float(length * SLICE_S)
            return Reading(labels, count / (length * SLICE_S), True, False, evidence, since_s)
    return Reading(labels, value, False, plain.over, evidence)


def _share(
    rule: Rule, watched: Signal, labels: Labels, windows: list[Window], now_s: float, before: Before | None = None
) -> Reading:
    good = watched.quantity is Quantity.UNMARKED

    def counted(one: Slice) -> int:
        return one.count - one.marked if good else one.marked

    start_s = now_s - rule.window
    past = tally(windows, start_s, now_s, counted)
    count, held = past.whole
    if count < rule.min_samples:
        return Reading(labels, math.nan, None, None, {"samples": count})
    value = held / count
    evidence: dict[str, float] = {
        "samples": count,
        "counted": held,
        **({} if before is None else before.evidence(now_s)),
    }
    if rule.below is not None:
        wrong = surely_below(count, held, float(rule.below), rule.confidence)
        return Reading(labels, value, wrong, _over(rule, value) and not wrong, evidence)
    bound = float(rule.above or 0.0) if before is None else before.bound
    since_s = sure_since(past, bound, rule.confidence, lambda: _earlier(windows, start_s, now_s, counted))
    if since_s is not None:
        recent, bad = past.since(since_s)
        shown, evidence["seconds"] = bad / recent, round(now_s - since_s, 3)
        return Reading(labels, shown, True, False, evidence, onset(past, since_s, bound, rule.confidence))
    return Reading(labels, value, False, _over(rule, value) if before is None else value <= bound, evidence)


def _earlier(windows: list[Window], start_s: float, now_s: float, counted: Callable[[Slice], int]) -> tuple[int, int]:
    """All values, and those that count against, of what windows remember from before the rule's own window."""
    return tally(windows, now_s - SHORT_S, start_s, counted).whole


def _plain(rule: Rule, labels: Labels, value: float, evidence: Mapping[str, float]) -> Reading:
    wrong = value > rule.above if rule.above is not None else value < (rule.below or 0.0)
    return Reading(labels, value, wrong, _over(rule, value) and not wrong, evidence)


def _gauge(
    rule: Rule, watched: Signal, scene: Scene, labels: Labels, names: list[str], now_s: float, active: Container[Labels]
) -> Reading:
    if rule.absent is not None:
        reach = rule.absent + rule.window
        return _silence(rule, labels, gauges.silent_s(scene.samples, names, now_s, reach))
    if watched.quantity is Quantity.INCREASE:
        value = gauges.increase(scene.samples, names, now_s, rule.window)
    else:
        value = gauges.latest(scene.samples, names, now_s, watched)
    if math.isnan(value):
        return Reading(labels, value, None, None)
    if rule.change is not None:
        return _gauge_changed(rule, rule.change, scene, labels, names, now_s, active)
    if rule.trend is None:
        return _plain(rule, labels, value, {})
    found = _growth(rule, scene, names, now_s)
    if found is None:
        return Reading(labels, value, None, _over(rule, value), {})
    wrong = bool(value > (rule.above or 0.0)) and found.growing
    evidence = {"growth_per_hour": found.per_hour, "chance_without_trend": found.p}
    if scene.memory_limit is not None and found.per_hour > 0:
        evidence["hours_to_limit"] = max(scene.memory_limit - value, 0.0) / found.per_hour
    # What stays high but no longer grows is over too: the leak has ended.
    return Reading(labels, value, wrong, _over(rule, value) or not found.growing, evidence)


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
    before = _held(active, labels, now_s) or gauge_before(
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


def _burning(rule: Rule, labels: Labels, windows: list[Window], now_s: float) -> Reading:
    burn = rule.burn
    if burn is None:
        raise ValueError(f"{rule.name} has no objective")
    limit = None if burn.limit is None else float(burn.limit)
    budget = 1.0 - burn.objective
    wrong, over, highest, known = False, True, 0.0, False
    evidence: dict[str, float] = {"objective": float(burn.objective)}
    for pair in burn.windows:
        count, bad = _events(windows, now_s, float(pair.long), limit)
        recent, recent_bad = _events(windows, now_s, float(pair.short), limit)
        if count < rule.min_samples or not recent:
            continue
        known = True
        rate, recent_rate = bad / count / budget, recent_bad / recent / budget
        # Sure that the budget is overspent at all; how much faster is for the plain rates to say.
        burning = min(rate, recent_rate) > pair.factor and surely_above(count, bad, budget, rule.confidence)
        wrong, over = wrong or burning, over and recent_rate <= pair.factor
        highest = max(highest, min(rate, recent_rate))
        evidence |= {f"burn_{pair.long:g}s": rate, f"burn_{pair.short:g}s": recent_rate}
    if not known:
        return Reading(labels, math.nan, None, None, evidence)
    return Reading(labels, highest, wrong, over and not wrong, evidence)


def _events(windows: list[Window], now_s: float, reach_s: float, limit: float | None) -> tuple[int, int]:
    """All events within the reach, and those that are bad."""
    count = bad = 0
    for window in windows:
        if reach_s > SHORT_S:
            held, worse = window.long(now_s - reach_s, now_s, limit)
        else:
            figures = window.figures(now_s - reach_s, now_s)
            held = figures.count
            worse = figures.marked if limit is None else window.above(now_s - reach_s, now_s, limit)
        count, bad = count + held, bad + worse
    return count, bad


def _silence(rule: Rule, labels: Labels, silent_s: float) -> Reading:
    if math.isnan(silent_s):
        return Reading(labels, silent_s, None, None)
    wrong = silent_s > (rule.absent or 0.0)
    return Reading(labels, max(silent_s, 0.0), wrong, not wrong)


def _clear_bound(rule: Rule) -> float:
    bound = rule.clear.below if rule.above is not None else rule.clear.above
    return float(bound if bound is not None else _bound(rule))


def _over(rule: Rule, value: float) -> bool:
    return value <= _clear_bound(rule) if rule.above is not None else value >= _clear_bound(rule)


def _bound(rule: Rule) -> Amount | float:
    return rule.above if rule.above is not None else rule.below if rule.below is not None else 0.0


def _window_s(rule: Rule) -> float:
    return min(float(rule.burn.windows[0].long), SHORT_S) if rule.burn else float(rule.window)
